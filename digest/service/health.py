"""The state of health of an installation: past fetches, next steps, and problems that need a person."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.channels.channel import Channel
from digest.config.parsing import address_key, counted
from digest.model.paper import ArxivId
from digest.pipeline.progress import covered_until, queries_hash
from digest.pipeline.schedule import fetch_due_at, is_paused, mailing_after, may_have_one, slot_before
from digest.service.channel_health import ChannelHealth, examine_channels
from digest.sources.arxiv.calendar import last_announcement, next_announcement, not_announced, why_quiet
from digest.sources.plausibility import INDEX_LAG
from digest.storage.pipeline_stores import LastFetchStore, NewsStore, RestoreStore
from digest.storage.report_stores import HealthStore
from digest.storage.signups import SignupFigures
from digest.storage.values import Delay, Host, Restored, SubscriberStatus, Suppression, Waiting
from digest.subscribers.subscriber import Keyword, Subscriber

FRESH = timedelta(days=7)
"""A keyword counts as quiet if it found papers before and none for this time."""

_USUAL = timedelta(days=35)
_USUALLY = 4
"""Report a week without papers if the four weeks before it had at least this many papers."""

_ALIKE = 5
"""Report two keywords that found exactly the same papers if they found at least this many."""

_PATIENCE = timedelta(days=1)
"""A fetch or a digest may be late for this time before it counts as a problem."""

_ATTEMPTS = 3
"""A mail that was refused this often is not just greylisted: the attempts take over three hours."""

_LATELY = timedelta(days=1)
"""A suppressed address counts as a problem for this time."""

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietKeyword:
    """A keyword that found no paper in the last week, and `usual` papers in the four weeks before."""

    keyword: str
    usual: int


class ProblemKind(StrEnum):
    """The kinds of problems, as the metrics name them."""

    NOT_FETCHED = "keywords_not_fetched"
    OVERDUE = "digests_overdue"
    BLOCKED = "digests_blocked"
    UNDELIVERED = "digests_undelivered"
    SILENT_HOST = "hosts_silent"
    REFUSED = "digests_refused"
    SUPPRESSED = "addresses_suppressed"
    UNREAD = "mails_not_understood"
    CHANNEL = "channels_failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What needs a person: its kind, how many things it is about, and what to do, in one line."""

    kind: ProblemKind
    count: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The answer to "no mail came: a mistake, a weekend or a holiday?", as of `now`.

    - `expected_at`: the last announcement by arXiv's calendar.
    - `quiet`: why the latest evening had no announcement, or that arXiv left it out.
    - `seen_at`: when the keyword with the oldest coverage was last covered.
    - `failed_at`: when the last fetch ended without an answer for a keyword, if it did.
    - `unseen`: keywords that no fetch covered for more than a day after an announcement.
    - `overdue`: subscribers whose sending time passed a day ago without a digest.
    - `undelivered`: subscribers whose digest was composed a day ago and is not sent.
    - `sending`: those of the waiting digests that a process is sending.
    - `hosts`: the daemons that use the state, if several can.
    - `restored`: in the last week, an older copy of the state was put in its place.
    - `refused`: mailings that a server refused several times.
    - `blocked`: mailings that wait because the server accepts no mail at all, or called too many addresses
      dead.
    - `troubled`: the first of all delayed mailings; `delayed` is their number.
    - `lost`: subscribers who were suppressed in the last day.
    - `unread_mails`: the number of returned mails that are kept for a person to look at.
    - `volumes`: all keywords with the number of papers that they found in five weeks, the largest first.
    - `alike`: groups of keywords that found exactly the same papers.
    - `signups`: what waits for a confirmation, and mails and refusals of the last day.
    - `joined`, `left`: who signed up, and who unsubscribed, in the last week.
    - `channels`: those of digest.toml; no other number counts them, but `keywords` has theirs too.
    """

    now: datetime
    subscribers: int
    keywords: int
    expected_at: datetime
    quiet: str | None
    announcement_at: datetime
    seen_at: datetime | None
    failed_at: datetime | None
    sources: Mapping[str, datetime]
    fetch_at: datetime | None
    unseen: tuple[str, ...]
    mail_at: tuple[tuple[str, datetime], ...]
    overdue: tuple[str, ...]
    undelivered: tuple[str, ...]
    waiting: int
    sending: int
    hosts: tuple[Host, ...]
    restored: Restored | None
    troubled: tuple[Waiting, ...]
    delayed: int
    refused: Delay
    blocked: Delay
    suppressed: tuple[Suppression, ...]
    lost: tuple[Suppression, ...]
    unread_mails: int
    silent: tuple[QuietKeyword, ...]
    volumes: tuple[tuple[str, int], ...]
    alike: tuple[tuple[str, ...], ...]
    signups: SignupFigures
    joined: tuple[tuple[str, datetime], ...]
    left: tuple[tuple[str, datetime], ...]
    channels: tuple[ChannelHealth, ...] = ()

    def problems(self) -> tuple[str, ...]:
        """Returns what needs a person, one line for each problem; empty if all is well."""
        return tuple(problem.text for problem in self.found())

    def found(self) -> Iterator[Problem]:
        """Yields the problems with their kinds; one of a kind, but one for each silent host and channel."""
        yield from self._failures()
        yield from self._other_hosts()
        yield from self._questions()
        for channel in self.channels:
            for text in channel.problems():
                yield Problem(kind=ProblemKind.CHANNEL, count=1, text=text)

    def failures(self) -> tuple[str, ...]:
        """Returns those of the problems because of which papers or digests do not come."""
        return tuple(problem.text for problem in self._failures())

    def _failures(self) -> Iterator[Problem]:
        if self.unseen:
            shown = _listed(self.unseen, "keyword")
            text = f"no fetch has succeeded for over a day for {shown}: run digest doctor"
            yield Problem(kind=ProblemKind.NOT_FETCHED, count=len(self.unseen), text=text)
        if self.overdue:
            shown = _listed(self.overdue, "subscriber")
            text = f"digests are overdue for over a day for {shown}: is the service running?"
            yield Problem(kind=ProblemKind.OVERDUE, count=len(self.overdue), text=text)
        if self.blocked.count:
            verb = "waits" if self.blocked.count == 1 else "wait"
            text = f"{counted(self.blocked.count, 'digest')} {verb}: {self.blocked.reply}"
            yield Problem(kind=ProblemKind.BLOCKED, count=self.blocked.count, text=text)
        if self.undelivered and not self.refused.count:
            shown = _listed(self.undelivered, "subscriber")
            text = f"digests have waited for over a day for {shown}: run digest doctor"
            yield Problem(kind=ProblemKind.UNDELIVERED, count=len(self.undelivered), text=text)

    def _other_hosts(self) -> Iterator[Problem]:
        for host in self.hosts:
            if not host.is_alive:
                seen = f"{host.seen_at:%F %H:%M %Z}"
                text = f"the daemon on {host.name} was last seen at {seen}: is it running?"
                yield Problem(kind=ProblemKind.SILENT_HOST, count=1, text=text)

    def _questions(self) -> Iterator[Problem]:
        if self.refused.count:
            verb, last = "was" if self.refused.count == 1 else "were", self.refused.reply
            count = counted(self.refused.count, "digest")
            text = f"{count} {verb} refused {_ATTEMPTS} times or more, last: {last}"
            yield Problem(kind=ProblemKind.REFUSED, count=self.refused.count, text=text)
        if self.lost:
            who = (
                f"{self.lost[0].email} gets"
                if len(self.lost) == 1
                else f"{_listed([one.email for one in self.lost], 'subscriber')} get"
            )
            text = (
                f"{who} no more mail (new in the last 24 hours): {self.lost[-1].cause}."
                " To mail an address again: digest resume EMAIL; to remove it: digest unsubscribe EMAIL"
            )
            yield Problem(kind=ProblemKind.SUPPRESSED, count=len(self.lost), text=text)
        if self.unread_mails:
            mails = (
                "1 mail that came back was"
                if self.unread_mails == 1
                else f"{self.unread_mails} mails that came back were"
            )
            text = f"{mails} not understood: see digest bounce --kept, then digest bounce --clear"
            yield Problem(kind=ProblemKind.UNREAD, count=self.unread_mails, text=text)


def examine(
    store: HealthStore,
    subscribers: Sequence[Subscriber],
    *,
    now: datetime,
    shown: int = SHOWN,
    channels: Sequence[Channel] = (),
) -> Health:
    """Examines an installation. Lists up to `shown` delayed mailings. Raises `StateError`."""
    followers = (*subscribers, *(one.follower for one in channels))
    keywords = {keyword.query.key: keyword for one in followers for keyword in one.keywords}
    covered_at = store.covered_at()
    sources = store.fetched_at()
    seen_at = min((covered_at[key] for key in keywords if key in covered_at), default=None)
    expected_at, failed_at = last_announcement(now), _failed_at(store, now)
    missing = not_announced(expected_at) if _is_missing(expected_at, covered_at, sources) else None
    subscriber_statuses = _standings(store, subscribers)
    found = store.recent_hits(since=now - _USUAL)
    suppressed = store.suppressions()
    blocked = store.blocked(now=now)
    subscribed = {address_key(one.email) for one in subscribers}
    return Health(
        now=now,
        subscribers=len(subscribers),
        keywords=len(keywords),
        expected_at=expected_at,
        quiet=missing or why_quiet(now),
        announcement_at=next_announcement(now),
        seen_at=seen_at,
        failed_at=failed_at,
        sources=sources,
        fetch_at=fetch_due_at(
            covered_until(store, followers, now=now),
            store.last_fetch(),
            queries=queries_hash(followers),
            now=now,
            at_start=None,
        ),
        unseen=tuple(_unseen(keywords, covered_at, sources, subscriber_statuses, now)),
        mail_at=tuple(sorted(_mail_at(subscribers, subscriber_statuses, now), key=_moment)),
        overdue=tuple(_overdue(subscribers, subscriber_statuses, now)),
        undelivered=store.unserved(since=now - _PATIENCE),
        waiting=store.waiting(),
        sending=store.sending(now=now),
        hosts=store.hosts(),
        restored=_restored_lately(store, now),
        troubled=store.troubled(limit=shown),
        delayed=store.delayed(),
        refused=store.refused(least=_ATTEMPTS),
        blocked=blocked,
        suppressed=suppressed,
        lost=tuple(
            one for one in suppressed if one.since_at > now - _LATELY and address_key(one.email) in subscribed
        ),
        unread_mails=len(store.unread_mails()),
        silent=tuple(_silent(keywords, covered_at, found, store.recent_hits(since=now - FRESH))),
        volumes=_volumes(keywords, found),
        alike=_alike(keywords, found),
        signups=store.signup_figures(now=now),
        joined=store.joined_since(now - FRESH),
        left=store.left_since(now - FRESH),
        channels=examine_channels(store, channels, now=now),
    )


def _standings(store: NewsStore, subscribers: Sequence[Subscriber]) -> Mapping[str, SubscriberStatus]:
    return store.subscriber_statuses([one.email for one in subscribers])


def _failed_at(store: LastFetchStore, now: datetime) -> datetime | None:
    """A time in the future was stored while the clock was wrong."""
    last = store.last_fetch()
    return last.failed_at if last and last.failed_at and last.failed_at <= now else None


def _restored_lately(store: RestoreStore, now: datetime) -> Restored | None:
    found = store.restored()
    is_old = found is not None and found.noticed_at is not None and found.noticed_at < now - FRESH
    return None if is_old else found


def _moment(mail: tuple[str, datetime]) -> datetime:
    return mail[1]


def _is_missing(
    announced_at: datetime, covered_at: Mapping[str, datetime], sources: Mapping[str, datetime]
) -> bool:
    """Whether sources answered but covered no keyword: they had no papers of that announcement."""
    answered_at = max(sources.values(), default=None)
    return (
        answered_at is not None
        and answered_at >= announced_at + INDEX_LAG
        and all(moment < announced_at for moment in covered_at.values())
    )


def _unseen(
    keywords: Mapping[str, Keyword],
    covered_at: Mapping[str, datetime],
    sources: Mapping[str, datetime],
    subscriber_statuses: Mapping[str, SubscriberStatus],
    now: datetime,
) -> Iterator[str]:
    """A keyword that was never covered may be new. It counts only if no keyword was covered since."""
    since = last_announcement(now - _PATIENCE)
    if covered_at and _is_missing(since, covered_at, sources):
        return
    is_dead = all(moment < since for moment in covered_at.values())
    is_old = any(subscriber_status.since_at < since for subscriber_status in subscriber_statuses.values())
    for key, keyword in keywords.items():
        if covered_at[key] < since if key in covered_at else is_dead and is_old:
            yield keyword.text


def _mail_at(
    subscribers: Sequence[Subscriber], subscriber_statuses: Mapping[str, SubscriberStatus], now: datetime
) -> Iterator[tuple[str, datetime]]:
    for one in subscribers:
        yield one.email, mailing_after(now, one, subscriber_statuses.get(address_key(one.email)))


def _overdue(
    subscribers: Sequence[Subscriber], subscriber_statuses: Mapping[str, SubscriberStatus], now: datetime
) -> Iterator[str]:
    for subscriber in subscribers:
        subscriber_status = subscriber_statuses.get(address_key(subscriber.email))
        if subscriber_status is None or subscriber_status.is_suppressed or not subscriber_status.has_news:
            continue
        slot = slot_before(now - _PATIENCE, subscriber)
        if is_paused(slot, subscriber):
            continue
        if not may_have_one(slot, now, subscriber, subscriber_status):  # `digest run` was earlier that day
            continue
        if subscriber_status.since_at <= slot and (
            subscriber_status.slot_at is None or subscriber_status.slot_at < slot
        ):
            yield subscriber.email


def _silent(
    keywords: Mapping[str, Keyword],
    covered_at: Mapping[str, datetime],
    found: Mapping[str, frozenset[ArxivId]],
    lately: Mapping[str, frozenset[ArxivId]],
) -> Iterator[QuietKeyword]:
    for key, keyword in keywords.items():
        usual = len(found.get(key, ()))
        if key in covered_at and not lately.get(key) and (usual == 0 or usual >= _USUALLY):
            yield QuietKeyword(keyword=keyword.text, usual=usual)


def _volumes(
    keywords: Mapping[str, Keyword], found: Mapping[str, frozenset[ArxivId]]
) -> tuple[tuple[str, int], ...]:
    volumes = ((keyword.text, len(found.get(key, ()))) for key, keyword in keywords.items())
    return tuple(sorted(volumes, key=lambda one: (-one[1], one[0])))


def _alike(
    keywords: Mapping[str, Keyword], found: Mapping[str, frozenset[ArxivId]]
) -> tuple[tuple[str, ...], ...]:
    groups: dict[frozenset[ArxivId], list[str]] = defaultdict(list)
    for key, keyword in keywords.items():
        if len(papers := found.get(key, frozenset())) >= _ALIKE:
            groups[papers].append(keyword.text)
    return tuple(tuple(texts) for texts in groups.values() if len(texts) > 1)


def _listed(names: Sequence[str], noun: str) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {counted(len(names) - 3, f'more {noun}')}"
