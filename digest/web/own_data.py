"""What is stored about a subscriber: to be downloaded and erased, and what they like; without HTTP.

All methods read or write the state: call them outside of the event loop.
"""

from digest.storage.confirmations import PageChange
from digest.storage.personal_data import OwnDataChangeStore, OwnDataStore
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.interest.reasons import learned_terms
from digest.web.context import Found, SiteBase, SiteContext, found_page
from digest.web.keyword_rows import Sent
from digest.web.pages import Notice
from digest.web.personal_file import personal_file

SHOWN = 100
"""The most judgements on a page."""

_TERMS = 20

MAILED = Notice(
    title="Look into your mailbox.",
    text="A mail asks you to confirm it within two days. Until then nothing is deleted. At most one such mail"
    " is sent a day.",
)
TAKEN_BACK = Notice(title="Taken back.", text="The paper counts no more.")
FORGOTTEN = Notice(title="All judgements are deleted.")


class OwnData(SiteBase[OwnDataStore, OwnDataChangeStore]):
    """Each method returns `None` for an unknown token. The token is that of the preferences."""

    def __init__(
        self, context: SiteContext[OwnDataStore, OwnDataChangeStore], directory: SubscriberDirectory
    ) -> None:
        """`directory` has the entries."""
        super().__init__(context)
        self._directory = directory

    def download(self, token: str) -> Found | None:
        """All that is stored, as a file."""
        known = self._store.subscriber_for(token)
        if known is None:
            return None
        now = self._clock()
        body = personal_file(
            known.email,
            self._directory.entry(known.email),
            self._store.preferences_of(known.email),
            self._store.judgements(known.email),
            self._store.personal_data(known.email),
            is_in_file=self._directory.is_in_file(known.email),
            now=now,
        )
        name = f"arxiv-digest-{now:%Y-%m-%d}.json"
        return Found(body=body, content_type="application/json", filename=name)

    def data(self, token: str) -> Found | None:
        """The page that says what is stored. Changes nothing."""
        known = self._store.subscriber_for(token)
        return self._data_page(token, known.email) if known else None

    def ask_erasure(self, token: str, sent: Sent) -> Found | None:
        """Mails the link: the reader of a forwarded mail could press the button, and it cannot be undone."""
        known = self._store.subscriber_for(token)
        if known is None:
            return None
        if list(sent.get("erase", ())) != ["yes"]:
            return self._data_page(token, known.email)
        self._changing.confirm(known.email, PageChange.ERASE, now=self._clock())
        return self._data_page(token, known.email, MAILED)

    def interests(self, token: str, page: int = 1) -> Found | None:
        """All judgements, the latest first, and what was learned. Changes nothing."""
        known = self._store.subscriber_for(token)
        return self._interests_page(token, known.email, page) if known else None

    def take_back(self, token: str, sent: Sent, page: int = 1) -> Found | None:
        """Withdraws a judgement, or all of them. Idempotent."""
        known = self._store.subscriber_for(token)
        if known is None:
            return None
        names, notice = list(sent.get("paper", ())), None
        if list(sent.get("forget", ())) == ["yes"]:
            self._changing.forget_interest(known.email)
            notice = FORGOTTEN
        elif len(names) == 1:
            self._changing.withdraw(known.email, names)
            notice = TAKEN_BACK
        return self._interests_page(token, known.email, page, notice)

    def _interests_page(self, token: str, email: str, page: int, notice: Notice | None = None) -> Found:
        judgements = self._store.judgements(email)
        pages = max(1, -(-len(judgements) // SHOWN))
        page = min(max(page, 1), pages)
        latest = judgements[::-1][(page - 1) * SHOWN : page * SHOWN]
        terms = learned_terms(judgements, limit=_TERMS) if judgements else ()
        html = self._pages.interests(
            email=email,
            url=f"{self._base_url}/p/{token}",
            judgements=latest,
            liked=[term for term, weight in terms if weight > 0],
            disliked=[term for term, weight in terms if weight < 0],
            page=page,
            pages=pages,
            notice=notice,
        )
        return found_page(html)

    def _data_page(self, token: str, email: str, notice: Notice | None = None) -> Found:
        html = self._pages.own_data(
            email=email,
            url=f"{self._base_url}/p/{token}",
            is_in_file=self._directory.is_in_file(email),
            notice=notice,
        )
        return found_page(html)
