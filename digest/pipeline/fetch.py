"""Asks arXiv for the subscribers' keywords, and stores new papers."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from digest import __version__
from digest.config.parsing import counted
from digest.errors import MissingNews, SourceError, Unbelievable, WrongClock
from digest.keywords.index import QueryIndex
from digest.keywords.query import Query, asks_for_remarks, is_asked_exactly
from digest.model.paper import ArxivId, Paper, announcement_order
from digest.sources.arxiv.calendar import (
    announcements_between,
    earliest_announcement,
    last_announcement,
    not_announced,
)
from digest.sources.base import Source
from digest.sources.planner import FetchBatch, plan
from digest.sources.plausibility import INDEX_LAG, covered_without_news, inconsistency, left_out, missing_news
from digest.sources.window import Coverage, Window
from digest.storage.pipeline_stores import FetchStore
from digest.storage.values import Matched, Restored
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_CLOCK_SLACK = timedelta(days=2)
_CLOCK_JITTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchReport:
    """The result of a fetch.

    - `unserved`: the keys of the queries without an answer; `errors` says why.
    - `notes`: failures for which another source answered.
    - `is_unreached`: there were queries, and none was served.
    - `missing_at`: the announcement that arXiv seems to have left out. Queries that wait for it are also
      unserved, but are no error.
    - `is_clock_wrong`: the times in arXiv's answers do not fit the clock of this machine.
    """

    papers_new: int
    unserved: frozenset[str]
    errors: tuple[str, ...]
    notes: tuple[str, ...]
    is_unreached: bool
    missing_at: datetime | None = None
    is_clock_wrong: bool = False


async def fetch(
    sources: Sequence[Source],
    store: FetchStore,
    subscribers: Sequence[Subscriber],
    *,
    now: datetime,
    lookback: timedelta,
    notice: Callable[[str], None] = lambda text: None,
) -> FetchReport:
    """Asks for the distinct keywords of all subscribers, and stores the papers that match.

    If a source fails or its answer is not plausible, the next source is asked. The coverage of a keyword
    that no source serves does not change: the next fetch covers the same window.
    """
    queries = {
        keyword.query.key: keyword.query for subscriber in subscribers for keyword in subscriber.keywords
    }
    coverage = await asyncio.to_thread(store.coverage)
    # A `searched_since` in the future was stored while the clock was wrong: ignore it.
    coverage = {key: one for key, one in coverage.items() if key in queries and one.searched_since <= now}
    since = {
        key: max(min(one.covered_at, now) - lookback, one.searched_since) for key, one in coverage.items()
    }
    restored = await asyncio.to_thread(store.restored)
    known = await asyncio.to_thread(store.recent_hits, since=min(since.values(), default=now))
    fetch_batches = plan(
        tuple(queries.values()),
        sources,
        coverage=coverage,
        results={key: len(ids) for key, ids in known.items()},
        now=now,
        lookback=lookback,
    )
    fetching = _Fetching(store, known, coverage, now, lookback, _newest_before(restored, coverage))
    fetching.keeps_listed = any(subscriber.discover for subscriber in subscribers)
    planned = sum(fetch_batch.requests for fetch_batch in fetch_batches)
    notice(f"asking arXiv for {counted(len(queries), 'keyword')}: about {counted(planned, 'request')}")
    for fetch_batch in fetch_batches:
        await fetching.run(fetch_batch)
    for source in fetching.answered:
        await asyncio.to_thread(store.note_fetch, source, now=now)
    return fetching.report()


def _newest_before(restored: Restored | None, coverage: Mapping[str, Coverage]) -> str | None:
    """Returns the newest paper of a restored state, as long as nothing was fetched since.

    A keyword that is not in the copy may have been followed after the copy was made. All papers announced
    since then are new for it, whenever they were submitted. Returns "" if the copy has no papers, and `None`
    if the state was not restored.
    """
    moment = restored.noticed_at if restored else None
    if moment is None or any(one.covered_at > moment for one in coverage.values()):
        return None
    return max((one.newest for one in coverage.values()), default="")


class _Held(NamedTuple):
    """A paper and the queries that it matches, none of them if an earlier fetch stored the hits already."""

    fingerprint: bytes
    matched: Matched
    is_match: bool


class _Fetching:
    """One fetch, and the data that its fetch batches share."""

    def __init__(
        self,
        store: FetchStore,
        known: Mapping[str, frozenset[ArxivId]],
        coverage: Mapping[str, Coverage],
        now: datetime,
        lookback: timedelta,
        newest_restored: str | None,
    ) -> None:
        self._store = store
        self._newest_restored = newest_restored
        self._known = known
        self._coverage = coverage
        self._now = now
        self._lookback = lookback
        # The newest paper of all answers so far.
        self._newest = max((one.newest for one in coverage.values()), default="")
        self._newest_before = self._newest
        self.keeps_listed = False
        self._papers_new = 0
        self._served = 0
        self.answered: dict[str, None] = {}
        self._unserved: list[Query] = []
        self._waiting: list[Query] = []
        self._missing_at: datetime | None = None
        self._missing_note = ""
        self._silent: dict[str, None] = {}
        self._doubts: dict[str, SourceError] = {}

    async def run(self, fetch_batch: FetchBatch) -> None:
        first, *_ = fetch_batch.sources
        _log.info(
            "fetch planned source=%s queries=%d requests=%d since=%s",
            first.name, len(fetch_batch.queries), fetch_batch.requests, fetch_batch.window.announced_since,
        )  # fmt: skip
        pending, news_before = fetch_batch.queries, self._papers_new
        self._silent = {}
        for source in fetch_batch.sources:
            left = [query for query in pending if not source.can_answer(query)]
            for batch in source.batches([query for query in pending if source.can_answer(query)]):
                if self._is_clock_wrong or not await self._ask(source, batch, fetch_batch.window):
                    left += batch
            pending = tuple(left)
            if not pending:
                return
        is_silent = self._papers_new == news_before
        missing_at = left_out(
            silent=self._silent if is_silent else (),
            since=fetch_batch.window.announced_since,
            until=fetch_batch.window.until,
        )
        if missing_at is None:
            self._unserved += pending
        else:
            self._waiting += pending
            self._missing_at = missing_at
            self._missing_note = (
                f"{not_announced(missing_at)} (asked twice: {', '.join(self._silent)})."
                " It may come late, or be a holiday that is in no list; the next run asks again"
            )
            self.answered |= self._silent

    async def _ask(self, source: Source, batch: Sequence[Query], window: Window) -> bool:
        """Whether the source served these queries. Asks again if an answer is not plausible."""
        is_missing = False
        for _ in range(2):
            try:
                papers = await source.search(batch, window)
                held = await asyncio.to_thread(self._hold, batch, papers)
                self._judge(source, batch, window, papers, [one.matched for one in held if one.is_match])
            except SourceError as error:
                self._doubts.setdefault(f"{source.name}: {error}", error)
                _log.warning("fetch failed source=%s queries=%d cause=%s", source.name, len(batch), error)
                if not isinstance(error, Unbelievable):
                    return False
                is_missing = isinstance(error, MissingNews)
            else:
                self._papers_new += await asyncio.to_thread(self._record, batch, held, window)
                if self.keeps_listed and not source.lists_again:
                    await asyncio.to_thread(self._keep_listed, papers)
                self._served += len(batch)
                self.answered[source.name] = None
                _log.info("fetched source=%s queries=%d papers=%d", source.name, len(batch), len(papers))
                return True
        if is_missing:
            self._silent[source.name] = None
        return False

    def _hold(self, batch: Sequence[Query], papers: Sequence[Paper]) -> "tuple[_Held, ...]":
        """Matches each paper with the queries, unless an earlier fetch did and nothing has changed."""
        examined = self._store.examined(query.key for query in batch)
        index: QueryIndex | None = None
        held: list[_Held] = []
        for paper in papers:
            fingerprint = _fingerprint(paper)
            is_match = examined.get(fingerprint)
            keys: tuple[str, ...] = ()
            if is_match is None:
                index = index or QueryIndex(batch)
                keys = tuple(match.query.key for match in index.matches(paper))
            matched = Matched(paper=paper, query_keys=keys)
            held.append(_Held(fingerprint, matched, bool(keys) if is_match is None else is_match))
        return tuple(held)

    def _record(self, batch: Sequence[Query], held: "Sequence[_Held]", window: Window) -> int:
        """Stores the papers, and returns how many are new."""
        now = window.until
        covered = [one.covered_at for query in batch if (one := self._coverage.get(query.key))]
        if not self._news(batch, [one.matched.paper for one in held if one.is_match]):
            now = covered_without_news(max(covered, default=_LONG_AGO), now)
        self._newest = max(self._newest, _newest_whole([one.matched.paper for one in held], window, now))
        timely = [(one, self._in_time(one.matched)) for one in held]
        found = [matched for _, matched in timely if matched.query_keys or matched.past_keys]
        since_copy = [matched for matched in found if self._is_since_copy(matched.paper)]
        before = [matched for matched in found if not self._is_since_copy(matched.paper)]
        since = max(window.announced_since, self._now - self._lookback)
        searched = {query.key: since for query in batch}
        # The first call of `record` ends the first look-back of a keyword.
        newest = self._newest_restored or "" if since_copy else self._newest
        papers_new = self._store.record(before, covered=searched, now=now, newest=newest)
        if since_copy:
            papers_new += self._store.record(since_copy, covered=searched, now=now, newest=self._newest)
        whole = {
            one.fingerprint: one.is_match
            for one, matched in timely
            if len(matched.query_keys) + len(matched.past_keys) == len(one.matched.query_keys)
        }
        self._store.note_examined((query.key for query in batch), whole)
        return papers_new

    def _keep_listed(self, papers: Sequence[Paper]) -> None:
        """Keeps all newly announced papers, for subscribers who want to see some that match no keyword."""
        fresh = [
            paper
            for paper in papers
            if self._is_recent(paper) and announcement_order(paper.id) > self._newest_before
        ]
        self._store.keep_listed(fresh, now=self._now)

    def _in_time(self, matched: Matched) -> Matched:
        """Returns the paper with the queries for which it is new, and those for which it is of the past.

        Older papers are not stored, since some sources have more of them than others.
        """
        news, past = [], []
        paper = matched.paper
        for key in matched.query_keys:
            one = self._coverage.get(key)
            if one is None:
                is_news = self._is_recent(paper) or self._is_since_copy(paper)
            else:
                is_news = one.is_news(paper, self._now, self._lookback)
            if is_news:
                news.append(key)
            elif self._is_recent(paper):
                past.append(key)
        return Matched(paper=paper, query_keys=tuple(news), past_keys=tuple(past))

    def _is_since_copy(self, paper: Paper) -> bool:
        """Whether the state was restored, and the paper may have been announced after the copy was made."""
        if not self._newest_restored:
            return self._newest_restored is not None and self._is_recent(paper)
        return announcement_order(paper.id) > self._newest_restored

    def _is_recent(self, paper: Paper) -> bool:
        return not paper.submitted_at or paper.submitted_at >= self._now - self._lookback

    def _judge(
        self,
        source: Source,
        batch: Sequence[Query],
        window: Window,
        papers: Sequence[Paper],
        matched: Sequence[Matched],
    ) -> None:
        """Raises `Unbelievable` or `MissingNews` if the answer does not fit what is known."""
        known = {id_ for query in batch for id_ in self._known.get(query.key, ())}
        # A keyword that was never fetched, or was not followed for a while, is not expected to find papers.
        covered = (one.covered_at for query in batch if (one := self._coverage.get(query.key)))
        span = announcements_between(window.until - self._lookback, window.until)
        doubt = inconsistency(
            papers,
            matched=[one.paper for one in matched],
            known=self._expected_again(batch) if source.lists_again else (),
            is_exact=source.lists_again and all(map(is_asked_exactly, batch)),
            window=window,
        )
        if doubt:
            raise Unbelievable(source.name, doubt)
        missing = missing_news(
            news=self._news(batch, [one.paper for one in matched]),
            usual=len(known) / max(1, len(span)),
            since=min(covered, default=window.until),
            until=window.until,
        )
        if missing:
            raise MissingNews(source.name, missing)

    def _news(self, batch: Sequence[Query], papers: Sequence[Paper]) -> int:
        """Counts unknown papers that are within the look-back or later than the newest paper."""
        known = {id_ for query in batch for id_ in self._known.get(query.key, ())}
        since = self._now - self._lookback
        return sum(
            1
            for paper in papers
            if paper.id not in known
            and (
                paper.submitted_at is None
                or paper.submitted_at >= since
                or "" < self._newest < announcement_order(paper.id)
            )
        )

    def _expected_again(self, batch: Sequence[Query]) -> set[ArxivId]:
        """Returns the known papers that a complete list must contain. Comments change, and do not count."""
        steady = (query for query in batch if not asks_for_remarks(query))
        return {id_ for query in steady for id_ in self._known.get(query.key, ())}

    @property
    def _is_clock_wrong(self) -> bool:
        return any(isinstance(error, WrongClock) for error in self._doubts.values())

    def _clock_notes(self) -> list[str]:
        last = max((one.covered_at for one in self._coverage.values()), default=self._now)
        if last <= self._now + _CLOCK_JITTER:
            return []
        said = f"the clock of this machine says {self._now:%F %R} UTC, which is before the last fetch"
        return [f"{said} at {last:%F %R} UTC; nothing is lost, but look at the clock (or at --now)"]

    def report(self) -> FetchReport:
        """Builds the report. A failure is a note if another source answered, else an error."""
        errors, notes = [], [f"{doubt}; another answer took its place" for doubt in self._doubts]
        notes += self._clock_notes()
        if self._unserved:
            left = f"Nothing is lost: the next run asks again for {_listed(self._unserved)}"
            errors, notes = [*self._doubts, left], self._clock_notes()
        elif self._missing_at:
            others = [doubt for doubt, error in self._doubts.items() if not isinstance(error, MissingNews)]
            notes = [*others, self._missing_note, *self._clock_notes()]
        return FetchReport(
            papers_new=self._papers_new,
            unserved=frozenset(query.key for query in (*self._unserved, *self._waiting)),
            errors=tuple(errors),
            notes=tuple(notes),
            is_unreached=bool(self._unserved) and not self._served,
            missing_at=self._missing_at,
            is_clock_wrong=self._is_clock_wrong,
        )


def _fingerprint(paper: Paper) -> bytes:
    """Includes the version of this program, because another version may match differently."""
    return hashlib.blake2b(f"{__version__} {paper!r}".encode(), digest_size=16).digest()


def _newest_whole(papers: Sequence[Paper], window: Window, now: datetime) -> str:
    """Returns the place in the order of announcements up to which these papers are complete.

    Shortly after an announcement, arXiv may not show all of its papers yet. The place is then the beginning
    of the previous announcement.
    """
    if not announcements_between(window.until - INDEX_LAG, window.until):
        return max((_place(paper, now) for paper in papers), default="")
    before = last_announcement(window.until - INDEX_LAG)
    places = (
        _place(paper, now)
        for paper in papers
        if paper.submitted_at and earliest_announcement(paper.submitted_at) == before
    )
    return min(filter(None, places), default="")


def _place(paper: Paper, now: datetime) -> str:
    """Returns the place in the order of announcements; "" for an identifier of a future month."""
    place = announcement_order(paper.id)
    return place if place[:4] <= f"{now + _CLOCK_SLACK:%y%m}" else ""


def _listed(queries: Sequence[Query]) -> str:
    shown = ", ".join(query.text for query in queries[:3])
    return shown if len(queries) <= 3 else f"{shown} and {counted(len(queries) - 3, 'more keyword')}"
