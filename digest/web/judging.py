"""The pages on which a subscriber says which papers of a digest they like, without HTTP.

All methods read or write the state: call them outside of the event loop.
"""

from typing import Literal, TypeAlias, get_args

from digest.mail.links import LinkBuilder
from digest.model.digest import Digest
from digest.model.paper import ArxivId, Paper
from digest.storage.subscriber_stores import InterestStore, JudgingStore
from digest.subscribers.interest.judgements import Origin, example_of
from digest.web.context import Found, SiteBase, SiteContext, found_page, subscriber_among
from digest.web.pages import Judging

Verdict: TypeAlias = Literal["more", "less", "undo"]


class JudgingSite(SiteBase[JudgingStore, InterestStore]):
    """Each method returns `None` for an unknown token, verdict or paper.

    The token is one subscriber's own, for one digest. The page of the digest that they may pass on
    (`Site.digest`) has another token, which judges nothing.
    """

    def __init__(self, context: SiteContext[JudgingStore, InterestStore]) -> None:
        super().__init__(context)
        self._link_builder = LinkBuilder(context.base_url, context.store, makes_pages=False)

    def digest(self, token: str) -> Found | None:
        """The digest with two buttons beside each paper. Changes nothing."""
        digest = self._digest(token)
        if digest is None:
            return None
        return found_page(
            self._pages.digest(
                digest,
                url="",
                keyword_pages=self._link_builder.keyword_pages(digest.keywords),
                judging=self._judging(token, digest),
            )
        )

    def asking(self, token: str, verdict: str, arxiv_id: str) -> Found | None:
        """The page with one button. Changes nothing."""
        found = self._paper(token, verdict, arxiv_id)
        if found is None:
            return None
        digest, paper = found
        return found_page(self._pages.judge(paper, verdict, self._judging(token, digest), is_done=False))

    def judge(self, token: str, verdict: str, arxiv_id: str) -> Found | None:
        """Counts the verdict, or takes it back. Idempotent."""
        found = self._paper(token, verdict, arxiv_id)
        if found is None:
            return None
        digest, paper = found
        if verdict == "undo":
            self._changing.withdraw(digest.email, [paper.id])
        else:
            self._changing.judge(
                digest.email,
                [example_of(paper)],
                is_liked=verdict == "more",
                origin=Origin.WEB,
                now=self._clock(),
            )
        return found_page(self._pages.judge(paper, verdict, self._judging(token, digest), is_done=True))

    def _paper(self, token: str, verdict: str, arxiv_id: str) -> tuple[Digest, Paper] | None:
        digest = self._digest(token) if verdict in get_args(Verdict) else None
        papers = {paper.id: paper for paper in _papers(digest)} if digest else {}
        paper = papers.get(ArxivId(arxiv_id))
        return (digest, paper) if digest and paper else None

    def _digest(self, token: str) -> Digest | None:
        """The digest, unless its subscriber was removed: nothing is kept about them any more."""
        digest = self._store.digest_to_judge(token)
        if digest is None:
            return None
        return digest if subscriber_among(self._subscribers(), digest.email) else None

    def _judging(self, token: str, digest: Digest) -> Judging:
        judgements = self._store.judgements(digest.email)
        return Judging(
            url=f"{self._base_url}/i/{token}",
            email=digest.email,
            verdicts={one.example.name: one.is_liked for one in judgements},
        )


def _papers(digest: Digest) -> list[Paper]:
    return [
        *(entry.paper for entry in digest.entries),
        *(one.paper for one in digest.revisions),
        *digest.near,
    ]
