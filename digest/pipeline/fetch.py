"""Asks arXiv for the subscribers' keywords, and stores new papers."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from digest.config.parsing import counted
from digest.errors import MissingNews, SourceError, Unbelievable, WrongClock
from digest.keywords.query import Query, is_asked_exactly
from digest.model.paper import Paper, announcement_order
from digest.pipeline.match_papers import Held, match_papers
from digest.pipeline.new_papers import NewPapers, newest_before, newest_whole
from digest.pipeline.progress import queries_hash
from digest.sources.arxiv.calendar import announcements_between, not_announced
from digest.sources.base import Source
from digest.sources.planner import FetchBatch, plan
from digest.sources.plausibility import covered_without_news, inconsistency, left_out, missing_news
from digest.sources.window import Window
from digest.storage.pipeline_stores import FetchStore
from digest.storage.values import LastFetch, Matched
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
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

    def as_last(
        self, subscribers: Sequence[Subscriber], *, began_at: datetime, ended_at: datetime
    ) -> LastFetch:
        """Returns what is kept about this fetch, which was for `subscribers`."""
        return LastFetch(
            began_at=began_at,
            queries=queries_hash(subscribers),
            failed_at=ended_at if self.errors else None,
            is_missing=self.missing_at is not None,
            brought_papers=self.papers_new > 0,
        )


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
    rules = NewPapers(
        known=known,
        coverage=coverage,
        now=now,
        lookback=lookback,
        newest_restored=newest_before(restored, coverage),
    )
    fetching = _Fetching(store, rules)
    fetching.keeps_listed = any(subscriber.discover for subscriber in subscribers)
    planned = sum(fetch_batch.requests for fetch_batch in fetch_batches)
    notice(f"asking arXiv for {counted(len(queries), 'keyword')}: about {counted(planned, 'request')}")
    for fetch_batch in fetch_batches:
        await fetching.run(fetch_batch)
    for source in fetching.answered:
        await asyncio.to_thread(store.note_fetch, source, now=now)
    return fetching.report()


class _Fetching:
    """One fetch, and the data that its fetch batches share."""

    def __init__(self, store: FetchStore, rules: NewPapers) -> None:
        self._store = store
        self._rules = rules
        # The newest paper of all answers so far.
        self._newest = max((one.newest for one in rules.coverage.values()), default="")
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
                held = await asyncio.to_thread(match_papers, self._store, batch, papers)
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

    def _record(self, batch: Sequence[Query], held: Sequence[Held], window: Window) -> int:
        """Stores the papers, and returns how many are new."""
        rules, now = self._rules, window.until
        if not self._news(batch, [one.matched for one in held if one.is_match]):
            now = covered_without_news(max(rules.covered_at(batch), default=_LONG_AGO), now)
        self._newest = max(self._newest, newest_whole([one.matched.paper for one in held], window, now))
        timely = [(one, rules.in_time(one.matched)) for one in held]
        found = [matched for _, matched in timely if matched.query_keys or matched.past_keys]
        since_copy = [matched for matched in found if rules.is_since_copy(matched.paper)]
        before = [matched for matched in found if not rules.is_since_copy(matched.paper)]
        since = max(window.announced_since, rules.now - rules.lookback)
        searched = {query.key: since for query in batch}
        # The first call of `record` ends the first look-back of a keyword.
        newest = rules.newest_restored or "" if since_copy else self._newest
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
            if self._rules.is_recent(paper) and announcement_order(paper.id) > self._newest_before
        ]
        self._store.keep_listed(fresh, now=self._rules.now)

    def _judge(
        self,
        source: Source,
        batch: Sequence[Query],
        window: Window,
        papers: Sequence[Paper],
        matched: Sequence[Matched],
    ) -> None:
        """Raises `Unbelievable` or `MissingNews` if the answer does not fit what is known."""
        rules = self._rules
        span = announcements_between(window.until - rules.lookback, window.until)
        doubt = inconsistency(
            papers,
            matched=[one.paper for one in matched],
            known=rules.expected_again(batch) if source.lists_again else (),
            is_exact=source.lists_again and all(map(is_asked_exactly, batch)),
            window=window,
        )
        if doubt:
            raise Unbelievable(source.name, doubt)
        missing = missing_news(
            news=self._news(batch, matched),
            usual=len(rules.known_of(batch)) / max(1, len(span)),
            since=min(rules.covered_at(batch), default=window.until),
            until=window.until,
        )
        if missing:
            raise MissingNews(source.name, missing)

    def _news(self, batch: Sequence[Query], matched: Sequence[Matched]) -> int:
        return self._rules.count(batch, [one.paper for one in matched], newest=self._newest)

    @property
    def _is_clock_wrong(self) -> bool:
        return any(isinstance(error, WrongClock) for error in self._doubts.values())

    def _clock_notes(self) -> list[str]:
        now = self._rules.now
        last = max((one.covered_at for one in self._rules.coverage.values()), default=now)
        if last <= now + _CLOCK_JITTER:
            return []
        said = f"the clock of this machine says {now:%F %R} UTC, which is before the last fetch"
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


def _listed(queries: Sequence[Query]) -> str:
    shown = ", ".join(query.text for query in queries[:3])
    return shown if len(queries) <= 3 else f"{shown} and {counted(len(queries) - 3, 'more keyword')}"
