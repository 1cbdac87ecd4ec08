"""What the pages of the administrators show, without HTTP.

All methods read the state: call them outside of the event loop. What they read is bounded by a page of a
list, or by thirty days, of which those that are over are read once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from digest.config.parsing import address_key
from digest.sources.arxiv.calendar import announcements_between, next_announcement
from digest.storage.admin_stores import AdminPageStore, AuditEntry, Deliveries, MailRecord, SubscriberRecord
from digest.storage.signups import Invite
from digest.storage.values import MailingState, Suppression
from digest.subscribers.subscriber import Subscriber
from digest.web.charts import Chart, Series, bar_chart

SHOWN = timedelta(days=30)
PAGE = 25
"""Rows of a list on one page."""

LISTED = 10
"""Rows of a list on the first page, which has them all."""

_SETTLED = timedelta(days=2)
"""After that, a period is not read again. A mail that comes back later counts when it does."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `digest status` shows, as of `at`: subjects with their lines, and what needs a person.

    `volumes` are the keywords that found most in five weeks, with the number of papers. `silent` are those
    that found none in a week, with the number of the four weeks before.
    """

    at: datetime
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    problems: tuple[str, ...]
    volumes: tuple[tuple[str, int], ...]
    silent: tuple[tuple[str, int], ...]
    keywords: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberRow:
    """A subscriber as the list shows them. `state` is in words; the flags say which actions make sense."""

    email: str
    state: str
    mail: str
    keywords: int
    is_suppressed: bool = False
    is_paused: bool = False
    has_left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page of the subscribers, of `count` that were found."""

    search: str
    page: int
    pages: int
    count: int
    rows: tuple[SubscriberRow, ...]


class AdminSite:
    def __init__(
        self,
        store: AdminPageStore,
        subscribers: Callable[[], Sequence[Subscriber]],
        clock: Callable[[], datetime],
        *,
        has_invites: bool,
    ) -> None:
        self._store = store
        self._subscribers = subscribers
        self._clock = clock
        self.has_invites = has_invites
        self._settled: dict[tuple[datetime, datetime], tuple[Deliveries, int]] = {}
        self._sorted: tuple[Sequence[Subscriber], list[tuple[str, Subscriber]]] = ((), [])

    def is_signed_out(self, session: str) -> bool:
        """Whether somebody ended this session, here or at another process."""
        return bool(session) and self._store.is_session_ended(session)

    def charts(self) -> tuple[Chart, ...]:
        """The mails, how long they took, and the new papers, by announcement."""
        now = self._clock()
        begins = announcements_between(now - SHOWN, now)
        if not begins:
            return ()
        periods = list(zip(begins, (*begins[1:], next_announcement(now)), strict=True))
        found = [self._period(begin, end, now) for begin, end in periods]
        days = [begin.astimezone(UTC).date() for begin in begins]
        counts = [one for one, _ in found]
        mails = tuple(
            Series(name=name, numbers=tuple(getattr(one, name.lower()) for one in counts))
            for name in ("Sent", "Deferred", "Failed", "Returned")
        )
        hours = (
            Series(name="Half of the mails", numbers=_hours(begins, [one.half_at for one in counts])),
            Series(name="Nine tenths", numbers=_hours(begins, [one.most_at for one in counts])),
        )
        papers = Series(name="New papers", numbers=tuple(papers for _, papers in found))
        return (
            bar_chart("mails", "Mails after each announcement", days, mails),
            bar_chart("hours", "Time from announcement to mail", days, hours, unit="h"),
            bar_chart("papers", "New papers of each announcement", days, [papers]),
        )

    def _period(self, begin: datetime, end: datetime, now: datetime) -> tuple[Deliveries, int]:
        if known := self._settled.get((begin, end)):
            return known
        found = self._store.deliveries(begin, end), self._store.papers_found(begin, end)
        if end < now - _SETTLED:
            if len(self._settled) > 100:
                self._settled.clear()
            self._settled[begin, end] = found
        return found

    def listing(self, search: str, page: int, *, rows: int = PAGE) -> Listing:
        """Subscribers whose address or name contains the text, by address."""
        wanted = search.strip().casefold()
        everybody = self._by_address()
        found = [
            one
            for key, one in everybody
            if not wanted or wanted in key or wanted in (one.name or "").casefold()
        ]
        pages = max(1, -(-len(found) // rows))
        page = min(max(page, 1), pages)
        shown = found[(page - 1) * rows : page * rows]
        records = self._store.subscriber_records([one.email for one in shown])
        return Listing(
            search=search.strip(),
            page=page,
            pages=pages,
            count=len(found),
            rows=tuple(self._row(one, records.get(address_key(one.email))) for one in shown),
        )

    def _by_address(self) -> list[tuple[str, Subscriber]]:
        """All subscribers, by address; sorted once, until they are read again."""
        everybody = self._subscribers()
        if everybody is not self._sorted[0]:
            pairs = sorted(((one.email.casefold(), one) for one in everybody), key=lambda pair: pair[0])
            self._sorted = (everybody, pairs)
        return self._sorted[1]

    def _row(self, subscriber: Subscriber, record: SubscriberRecord | None) -> SubscriberRow:
        today = self._clock().date()
        paused = record and record.paused_until and record.paused_until > today
        return SubscriberRow(
            email=subscriber.email,
            state=_state(record, is_paused=bool(paused)),
            mail=_mail(record.mail if record else None),
            keywords=len(subscriber.keywords),
            is_suppressed=bool(record and record.suppressed),
            is_paused=bool(paused),
            has_left=bool(record and record.left_at),
        )

    def suppressions(self, page: int, *, rows: int = PAGE) -> tuple[Sequence[Suppression], bool]:
        """A page of the suppressed addresses, and whether there are more."""
        return _page(lambda limit, skip: self._store.latest_suppressions(limit=limit, skip=skip), page, rows)

    def actions(self, page: int, *, rows: int = PAGE) -> tuple[Sequence[AuditEntry], bool]:
        """A page of what administrators did, and whether there is more."""
        return _page(lambda limit, skip: self._store.actions(limit=limit, skip=skip), page, rows)

    def invites(self) -> tuple[Invite, ...]:
        """Those with which people can still join, the latest first."""
        now = self._clock()
        return tuple(one for one in reversed(self._store.invites()) if one.is_open(now))[:PAGE]

    def counts(self) -> Mapping[str, int]:
        figures = self._store.figures()
        return {
            "subscribers": len(self._subscribers()),
            "suppressed": figures.suppressed,
            "waiting": figures.waiting,
        }


def _page(ask: Callable[[int, int], Sequence[_T]], page: int, rows: int) -> tuple[Sequence[_T], bool]:
    found = ask(rows + 1, (page - 1) * rows)
    return found[:rows], len(found) > rows


def _hours(begins: Sequence[datetime], ends: Sequence[datetime | None]) -> tuple[float | None, ...]:
    return tuple(
        round((end - begin).total_seconds() / 3600, 1) if end else None
        for begin, end in zip(begins, ends, strict=True)
    )


def _state(record: SubscriberRecord | None, *, is_paused: bool) -> str:
    if record is None:
        return "new: nothing was sent yet"
    said = []
    if record.joined_at:
        said.append(f"signed up on {record.joined_at:%Y-%m-%d}")
    if record.left_at:
        said.append(f"unsubscribed on {record.left_at:%Y-%m-%d}")
    if record.suppressed:
        said.append(f"suppressed on {record.suppressed.since_at:%Y-%m-%d}: {record.suppressed.cause}")
    if is_paused:
        said.append(f"paused until {record.paused_until}")
    is_active = not (record.left_at or record.suppressed or is_paused)
    return "; ".join((*(["active"] if is_active else []), *said))


_RESULTS = {
    MailingState.SENT: "sent",
    MailingState.SUPPRESSED: "not sent, the address is suppressed",
    MailingState.FAILED: "cancelled",
    MailingState.MERGED: "merged into a later one",
    MailingState.SENDING: "is being sent",
}


def _mail(mail: MailRecord | None) -> str:
    """The last mail in words."""
    if mail is None:
        return "none yet"
    at = mail.concluded_at or mail.planned_at
    if (result := _RESULTS.get(mail.state)) is not None:
        return f"{result}, {at:%Y-%m-%d %H:%M} UTC"
    tried = f", tried {mail.attempts} times" if mail.attempts > 1 else ""
    why = f": {mail.reply}" if mail.reply else ""
    return f"waits since {mail.planned_at:%Y-%m-%d %H:%M} UTC{tried}{why}"
