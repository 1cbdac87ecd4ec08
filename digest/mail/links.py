"""The web addresses of a digest. Without a web server there are none."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from digest.errors import QueryError
from digest.model.paper import ArxivId
from digest.storage.subscriber_stores import LinkStore
from digest.storage.values import Mailing
from digest.subscribers.entry_parser import parse_keyword


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Web addresses of one subscriber and one digest, each `None` if there is no such page.

    `leave_by_mail` is the address at which any mail unsubscribes the subscriber, if returned mail is read.
    `unsubscribe` takes one click (RFC 8058), `manage` leads to the subscriber's preferences, `online` to this
    digest; `bibtex` and `ris` are files of its papers for reference managers. `judging` is the same
    digest with buttons to say which papers the subscriber likes. `keyword_pages` leads from a keyword, as the
    subscriber wrote it, to its recent papers.
    """

    unsubscribe: str | None = None
    leave_by_mail: str | None = None
    manage: str | None = None
    online: str | None = None
    bibtex: str | None = None
    ris: str | None = None
    judging: str | None = None
    keyword_pages: Mapping[str, str] | None = None

    def more_like(self, arxiv_id: ArxivId) -> str | None:
        """Where the subscriber says that they like this paper of the digest. The page only asks."""
        return self.judging and f"{self.judging}/more/{arxiv_id}"

    def less_like(self, arxiv_id: ArxivId) -> str | None:
        """Where the subscriber says that they do not like this paper of the digest."""
        return self.judging and f"{self.judging}/less/{arxiv_id}"


NO_LINKS = Links()

_KEYWORDS_KEPT = 50_000


class LinkBuilder:
    """Builds the links of each mailing, always the same ones. Each keyword is looked up only once."""

    def __init__(self, base_url: str, store: LinkStore, *, makes_pages: bool = True) -> None:
        """Without `makes_pages` it only reads the state: keywords without a page get none."""
        self._makes_pages = makes_pages
        self._base_url = base_url
        self._store = store
        self._tokens: dict[str, str] = {}

    def links(self, mailing: Mailing) -> Links:
        if mailing.pages is None:
            return NO_LINKS
        online = f"{self._base_url}/d/{mailing.pages.digest}"
        return Links(
            unsubscribe=f"{self._base_url}/u/{mailing.pages.leave}",
            manage=f"{self._base_url}/p/{mailing.pages.subscriber}",
            online=online,
            bibtex=f"{online}.bib",
            ris=f"{online}.ris",
            judging=f"{self._base_url}/i/{mailing.pages.interest}",
            keyword_pages=self.keyword_pages(mailing.digest.keywords),
        )

    def keyword_pages(self, keywords: Iterable[str]) -> Mapping[str, str]:
        """The pages of these keywords, for those that have one."""
        wanted = tuple(keywords)
        keys = {text: key for text in wanted if text not in self._tokens and (key := _key(text))}
        if keys:
            if len(self._tokens) > _KEYWORDS_KEPT:
                self._tokens.clear()
                keys = {text: key for text in wanted if (key := _key(text))}
            self._tokens.update(self._store.keyword_tokens(keys, make=self._makes_pages))
        return {text: f"{self._base_url}/k/{self._tokens[text]}" for text in wanted if text in self._tokens}


def links_for(base_url: str | None, store: LinkStore) -> Callable[[Mailing], Links]:
    """The links for a `Writer`; without a base address, mails contain no links."""
    return LinkBuilder(base_url, store).links if base_url else lambda mailing: NO_LINKS


def _key(text: str) -> str | None:
    """`None` for a text that an earlier version accepted as a keyword and this version does not."""
    try:
        return parse_keyword(text).query.key
    except (QueryError, ValueError):
        return None
