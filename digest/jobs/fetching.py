"""The three jobs: fetch, compose, deliver. Each may be stopped at any point and run again."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from digest.arxiv import Source
from digest.arxiv.belief import lie, silence
from digest.arxiv.calendar import announcements_between
from digest.arxiv.ground import Ground
from digest.arxiv.planner import Errand, plan
from digest.composing import compose
from digest.errors import ServerUnavailable, SourceError, Unbelievable, Unwritable
from digest.mail import Outcome, Outgoing, Receipt, Session, Transport
from digest.matching import QueryIndex
from digest.notation import address_key
from digest.papers import ArxivId, Paper
from digest.query import Query, is_asked_exactly
from digest.schedule import LONGEST_RETRY, retry_at
from digest.store import Mailing, MailingState, Matched, Standing, Store
from digest.subscribers import Subscriber

_log = logging.getLogger(__name__)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Due = Callable[[Subscriber, Standing], datetime | None]
"""Tells for when a digest that a reader is due was planned, or `None` if they are due none."""

Write = Callable[[Mailing], Outgoing]
"""Builds a mailing's message: the same bytes each time."""

_STATES = {
    Outcome.SENT: MailingState.SENT,
    Outcome.UNKNOWN: MailingState.UNKNOWN,
    Outcome.DEFERRED: MailingState.DEFERRED,
    Outcome.REJECTED: MailingState.DEFERRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchReport:
    """What a fetch brought.

    `unserved` are the keys of queries without an answer, which `errors` tell of; `notes` tell of failures
    that another answer made good. `is_unreached`: there was something to ask, and nothing was served.
    """

    papers_new: int
    unserved: frozenset[str]
    errors: tuple[str, ...]
    notes: tuple[str, ...]
    is_unreached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeReport:
    """How many digests were written down, and how many readers have nothing new or are not due theirs."""

    composed: int = 0
    nothing_new: int = 0
    not_due: int = 0


@dataclass(slots=True, kw_only=True)
class DeliveryReport:
    """What became of the mailings tried; `deferred` ones are tried again."""

    sent: int = 0
    deferred: int = 0
    errors: list[str] = field(default_factory=list)
    is_server_down: bool = False


async def fetch(
    sources: Sequence[Source],
    store: Store,
    subscribers: Sequence[Subscriber],
    *,
    now: datetime,
    lookback: timedelta,
) -> FetchReport:
    """Asks for the distinct keywords of all subscribers and writes down what matches them.

    What one source does not answer, or answers unbelievably, the next one is asked for. Keywords that
    none of them serves move nowhere: the next fetch covers the same ground.
    """
    queries = {keyword.query.key: keyword.query for reader in subscribers for keyword in reader.keywords}
    covered_at = await asyncio.to_thread(store.covered_at)
    searched_since = await asyncio.to_thread(store.searched_since)
    # One errand may reach back further than some of its queries have to: what is older is no news for those.
    # A moment to come was written down by a clock that was wrong, and says nothing.
    since = {
        key: max(covered - lookback, searched_since.get(key, _LONG_AGO)) if covered <= now else now - lookback
        for key, covered in ((key, covered_at.get(key, now)) for key in queries)
    }
    known = await asyncio.to_thread(store.recent_hits, since=min(since.values(), default=now))
    errands = plan(
        tuple(queries.values()),
        sources,
        covered_at=covered_at,
        results={key: len(ids) for key, ids in known.items()},
        now=now,
        lookback=lookback,
    )
    fetching = _Fetching(store, known, since)
    for errand in errands:
        await fetching.run(errand)
    return fetching.report()


class _Fetching:
    """One fetch: what its errands share."""

    def __init__(
        self,
        store: Store,
        known: Mapping[str, frozenset[ArxivId]],
        since: Mapping[str, datetime],
    ) -> None:
        self._store = store
        self._known = known
        self._since = since
        self._papers_new = 0
        self._served = 0
        self._unserved: list[Query] = []
        self._doubts: list[str] = []

    async def run(self, errand: Errand) -> None:
        first, *_ = errand.sources
        _log.info(
            "fetch planned source=%s queries=%d requests=%d since=%s",
            first.name, len(errand.queries), errand.requests, errand.ground.announced_since,
        )  # fmt: skip
        pending = errand.queries
        for source in errand.sources:
            left: list[Query] = []
            for batch in source.batches(pending):
                if not await self._ask(source, batch, errand.ground):
                    left += batch
            pending = tuple(left)
            if not pending:
                return
        self._unserved += pending

    async def _ask(self, source: Source, batch: Sequence[Query], ground: Ground) -> bool:
        """Whether the source served these queries. An answer that cannot be true is asked for twice."""
        for _ in range(2):
            try:
                papers = await source.search(batch, ground)
                matched = await asyncio.to_thread(_matched, batch, papers)
                self._judge(source, batch, ground, papers, matched)
            except SourceError as error:
                doubt = f"{source.name}: {error}"
                self._doubts += [doubt] if doubt not in self._doubts else []
                _log.warning("fetch failed source=%s queries=%d cause=%s", source.name, len(batch), error)
                if not isinstance(error, Unbelievable):
                    return False
            else:
                covered = {query.key: self._since[query.key] for query in batch}
                self._papers_new += await asyncio.to_thread(
                    self._store.record, _in_time(matched, covered), covered=covered, now=ground.until
                )
                self._served += len(batch)
                _log.info("fetched source=%s queries=%d papers=%d", source.name, len(batch), len(papers))
                return True
        return False

    def _judge(
        self,
        source: Source,
        batch: Sequence[Query],
        ground: Ground,
        papers: Sequence[Paper],
        matched: Sequence[Matched],
    ) -> None:
        """Raises `Unbelievable` by what is known of these queries."""
        known = {id_ for query in batch for id_ in self._known.get(query.key, ())}
        span = announcements_between(ground.submitted_since, ground.until)
        doubt = lie(
            papers,
            matched=[one.paper for one in matched],
            known=known if source.lists_again else (),
            is_exact=source.lists_again and all(map(is_asked_exactly, batch)),
            ground=ground,
        ) or silence(
            news=sum(1 for one in matched if one.paper.id not in known),
            usual=len(known) / max(1, len(span)),
            ground=ground,
        )
        if doubt:
            raise Unbelievable(source.name, doubt)

    def report(self) -> FetchReport:
        """The doubts become notes where another source helped, and errors where none did."""
        errors, notes = [], [f"{doubt}; another answer took its place" for doubt in self._doubts]
        if self._unserved:
            left = f"Nothing is lost: the next run asks again for {_listed(self._unserved)}"
            errors, notes = [*self._doubts, left], []
        return FetchReport(
            papers_new=self._papers_new,
            unserved=frozenset(query.key for query in self._unserved),
            errors=tuple(errors),
            notes=tuple(notes),
            is_unreached=bool(self._unserved) and not self._served,
        )


def _matched(queries: Sequence[Query], papers: Sequence[Paper]) -> tuple[Matched, ...]:
    index = QueryIndex(queries)
    matched = (
        Matched(paper=paper, query_keys=tuple(match.query.key for match in index.matches(paper)))
        for paper in papers
    )
    return tuple(one for one in matched if one.query_keys)


def _in_time(matched: Sequence[Matched], since: Mapping[str, datetime]) -> Iterator[Matched]:
    """Each paper with those of its queries whose time it falls into."""
    for one in matched:
        submitted_at = one.paper.submitted_at
        keys = tuple(key for key in one.query_keys if submitted_at is None or submitted_at >= since[key])
        if keys:
            yield Matched(paper=one.paper, query_keys=keys)


def _listed(queries: Sequence[Query]) -> str:
    shown = ", ".join(query.text for query in queries[:3])
    return shown if len(queries) <= 3 else f"{shown} and {len(queries) - 3} more keywords"


def compose_due(
    store: Store,
    subscribers: Sequence[Subscriber],
    due: Due,
    *,
    backlog_since: datetime,
    stale: Set[str] = frozenset(),
) -> ComposeReport:
    """Writes down a digest for each reader who is due one and has something new.

    For others who are due it notes that there was nothing. Not so where one of their queries is `stale`,
    its last fetch having failed: their sending time stays open for what the next fetch brings.
    """
    standings = store.standings()
    with_news = store.with_news()
    composed, nothing_new, not_due = 0, 0, 0
    quiet: dict[datetime, list[str]] = defaultdict(list)
    for subscriber in subscribers:
        address = address_key(subscriber.email)
        standing = standings[address]
        planned_at = due(subscriber, standing)
        is_current = stale.isdisjoint(keyword.query.key for keyword in subscriber.keywords)
        if address not in with_news:
            nothing_new += is_current
            if planned_at is not None and is_current:
                quiet[planned_at].append(address)
        elif planned_at is None:
            not_due += 1
        elif _compose_one(store, subscriber, standing, planned_at, backlog_since, is_current):
            composed += 1
        else:
            nothing_new += is_current
    for planned_at, addresses in quiet.items():
        store.settle(addresses, frontier=None, slot_at=planned_at)
    return ComposeReport(composed=composed, nothing_new=nothing_new, not_due=not_due)


def _compose_one(
    store: Store,
    subscriber: Subscriber,
    standing: Standing,
    planned_at: datetime,
    backlog_since: datetime,
    is_current: bool,
) -> bool:
    news = store.news(subscriber.email, backlog_since=backlog_since)
    is_first = standing.last_digest_at is None
    digest = compose(
        subscriber, news.hits, planned_at=planned_at, is_first=is_first, revisions=news.revisions
    )
    if digest is not None:
        store.enqueue(digest, frontier=news.frontier, slot_at=planned_at)
    elif is_current:
        store.settle([subscriber.email], frontier=news.frontier, slot_at=planned_at)
    return digest is not None


async def deliver(
    store: Store,
    transport: Transport,
    write: Write,
    clock: Callable[[], datetime],
    *,
    stop: asyncio.Event | None = None,
    notice: Callable[[DeliveryReport], None] = lambda report: None,
) -> DeliveryReport:
    """Sends what is due in the outbox, over as many sessions as the transport has.

    What an earlier delivery left in the middle is taken up again: one delivery runs at a time.
    When the server as a whole cannot be used, the batch ends and no reader is blamed. `stop` lets
    the mails in hand be finished and no other be begun. `notice` is told after each mail.
    Raises `StateError` when the outbox cannot be read or written.
    """
    await asyncio.to_thread(store.reclaim, now=clock(), latest=clock() + LONGEST_RETRY)
    delivery = _Delivery(store, transport, write, clock, stop or asyncio.Event(), notice)
    try:
        await delivery.run()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return delivery.report


class _Delivery:
    """One batch: what its sessions share."""

    def __init__(
        self,
        store: Store,
        transport: Transport,
        write: Write,
        clock: Callable[[], datetime],
        stop: asyncio.Event,
        notice: Callable[[DeliveryReport], None],
    ) -> None:
        self.report = DeliveryReport()
        self._store = store
        self._transport = transport
        self._write = write
        self._clock = clock
        self._stop = stop
        self._notice = notice

    async def run(self) -> None:
        """A server may refuse one session and serve the others; it is down when it ends them all."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(self._transport.sessions)]
        failures = [failure for worker in workers if (failure := worker.result())]
        if failures and len(failures) < len(workers):
            failures = [failure] if (failure := await self._work()) else []
        if failures:
            self.report.is_server_down = True
            self.report.errors.append(str(failures[0]))

    async def _work(self) -> ServerUnavailable | None:
        """Sends one mailing after the other through one session, until none is due; else what ended it."""
        mailing = await self._next()
        if mailing is None:
            return None
        try:
            async with self._transport.session() as session:
                while mailing is not None:
                    await self._send(session, mailing)
                    mailing = await self._next()
        except ServerUnavailable as error:
            _log.warning("session ended cause=%s", error)
            if mailing is not None:
                await asyncio.to_thread(self._store.release, [mailing.number])
            return error
        return None

    async def _next(self) -> Mailing | None:
        if self._stop.is_set():
            return None
        claimed = await asyncio.to_thread(self._store.claim, now=self._clock(), limit=1)
        return claimed[0] if claimed else None

    async def _send(self, session: Session, mailing: Mailing) -> None:
        try:
            outgoing = await asyncio.to_thread(self._write, mailing)
        except Unwritable as error:
            receipt = Receipt(outcome=Outcome.DEFERRED, reply=str(error))
        else:
            receipt = await session.send(outgoing)
        now = self._clock()
        state = _STATES[receipt.outcome]
        due_at = retry_at(now, attempts=mailing.attempts + 1) if receipt.outcome is not Outcome.SENT else None
        await asyncio.to_thread(
            self._store.conclude, mailing.number, state, receipt.reply, now=now, due_at=due_at
        )
        self._count(mailing, receipt)
        self._notice(self.report)

    def _count(self, mailing: Mailing, receipt: Receipt) -> None:
        if receipt.outcome is Outcome.SENT:
            self.report.sent += 1
            _log.debug("mailing sent number=%d to=%s", mailing.number, mailing.digest.email)
            return
        self.report.deferred += 1
        email = mailing.digest.email
        # A server likes to quote the address, and a log is not the place for it.
        reply = receipt.reply.replace(email, "the recipient")
        _log.warning(
            "mailing waits number=%d outcome=%s cause=%s", mailing.number, receipt.outcome.value, reply
        )
        self.report.errors.append(f"the digest for {email} waits: {receipt.reply}")
