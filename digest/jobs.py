"""The three jobs: fetch, compose, deliver. Each may be stopped at any point and run again."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.arxiv import Source
from digest.composing import compose
from digest.errors import ServerUnavailable, SourceError
from digest.mail import Outcome, Outgoing, Receipt, Session, Transport
from digest.matching import QueryIndex
from digest.notation import address_key
from digest.papers import Paper
from digest.query import Query
from digest.schedule import retry_at
from digest.store import Mailing, MailingState, Matched, Standing, Store
from digest.subscribers import Subscriber

_log = logging.getLogger(__name__)

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
    """What a fetch brought; `is_unreached` says that there was something to ask and no answer at all."""

    papers_new: int
    errors: tuple[str, ...]
    is_unreached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeReport:
    """How many digests were written down, and how many readers have nothing new."""

    composed: int
    nothing_new: int


@dataclass(slots=True, kw_only=True)
class DeliveryReport:
    """What became of the mailings tried: `deferred` ones are tried again, `failed` ones are not."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)
    is_server_down: bool = False


async def fetch(
    source: Source, store: Store, subscribers: Sequence[Subscriber], *, now: datetime, lookback: timedelta
) -> FetchReport:
    """Asks for the distinct keywords of all subscribers and writes down what matches them.

    A group of keywords whose answer fails moves nothing: the next fetch covers the same ground.
    """
    queries = {keyword.query.key: keyword.query for reader in subscribers for keyword in reader.keywords}
    covered_at = await asyncio.to_thread(store.covered_at)
    batches = source.batches(tuple(queries.values()))
    papers_new, errors = 0, []
    for batch in batches:
        since = min(now, *(covered_at.get(query.key, now) for query in batch)) - lookback
        try:
            papers = await source.search(batch, since=since, until=now)
        except SourceError as error:
            errors.append(
                f"{source.name}: {error}. Nothing is lost: the next run asks again for {_listed(batch)}"
            )
            _log.warning("fetch failed source=%s queries=%d cause=%s", source.name, len(batch), error)
            continue
        papers_new += await asyncio.to_thread(_record, store, batch, papers, now)
        _log.info("fetched source=%s queries=%d papers=%d", source.name, len(batch), len(papers))
    return FetchReport(
        papers_new=papers_new,
        errors=tuple(errors),
        is_unreached=bool(batches) and len(errors) == len(batches),
    )


def _record(store: Store, queries: Sequence[Query], papers: Sequence[Paper], now: datetime) -> int:
    index = QueryIndex(queries)
    matched = (
        Matched(paper=paper, query_keys=tuple(match.query.key for match in index.matches(paper)))
        for paper in papers
    )
    covered = [query.key for query in queries]
    return store.record((one for one in matched if one.query_keys), covered=covered, now=now)


def _listed(queries: Sequence[Query]) -> str:
    shown = ", ".join(query.text for query in queries[:3])
    return shown if len(queries) <= 3 else f"{shown} and {len(queries) - 3} more keywords"


def compose_due(
    store: Store,
    subscribers: Sequence[Subscriber],
    due: Due,
    *,
    backlog_since: datetime,
    is_current: bool = True,
) -> ComposeReport:
    """Writes down a digest for each reader who is due one and has something new.

    For others who are due it notes that there was nothing, but only if what was fetched
    `is_current`: else their sending time stays open for what the next fetch brings.
    """
    standings = store.standings()
    with_news = store.with_news()
    composed, nothing_new = 0, 0
    for subscriber in subscribers:
        address = address_key(subscriber.email)
        standing = standings[address]
        planned_at = due(subscriber, standing)
        if address not in with_news:
            nothing_new += 1
            if planned_at is not None and is_current:
                store.settle([address], frontier=None, slot_at=planned_at)
        elif planned_at is not None:
            is_composed = _compose_one(store, subscriber, standing, planned_at, backlog_since, is_current)
            composed += is_composed
            nothing_new += not is_composed
    return ComposeReport(composed=composed, nothing_new=nothing_new)


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
    digest = compose(subscriber, news.hits, planned_at=planned_at, is_first=is_first)
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

    When the server as a whole cannot be used, the batch ends and no reader is blamed. `stop` lets
    the mails in hand be finished and no other be begun. `notice` is told after each mail.
    """
    delivery = _Delivery(store, transport, write, clock, stop or asyncio.Event(), notice)
    async with asyncio.TaskGroup() as group:
        for _ in range(transport.sessions):
            group.create_task(delivery.work())
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

    async def work(self) -> None:
        """Sends one mailing after the other through a session of its own; opens none when nothing is due."""
        mailing = await self._next()
        if mailing is None:
            return
        try:
            async with self._transport.session() as session:
                while mailing is not None:
                    await self._send(session, mailing)
                    mailing = await self._next()
        except ServerUnavailable as error:
            self.report.is_server_down = True
            if str(error) not in self.report.errors:
                self.report.errors.append(str(error))
                _log.warning("delivery stopped cause=%s", error)
            if mailing is not None:
                await asyncio.to_thread(self._store.release, [mailing.number])

    async def _next(self) -> Mailing | None:
        if self._stop.is_set() or self.report.is_server_down:
            return None
        claimed = await asyncio.to_thread(self._store.claim, now=self._clock(), limit=1)
        return claimed[0] if claimed else None

    async def _send(self, session: Session, mailing: Mailing) -> None:
        outgoing = await asyncio.to_thread(self._write, mailing)
        receipt = await session.send(outgoing)
        now = self._clock()
        state = _STATES[receipt.outcome]
        due_at = None
        if state is not MailingState.SENT:
            due_at = retry_at(now, planned_at=mailing.digest.planned_at, attempts=mailing.attempts + 1)
            state = MailingState.FAILED if due_at is None else state
        await asyncio.to_thread(
            self._store.conclude, mailing.number, state, receipt.reply, now=now, due_at=due_at
        )
        self._count(mailing, state, receipt)
        self._notice(self.report)

    def _count(self, mailing: Mailing, state: MailingState, receipt: Receipt) -> None:
        _log.info("mailing tried number=%d state=%s", mailing.number, state)
        _log.debug("mailing=%d to=%s reply=%s", mailing.number, mailing.digest.email, receipt.reply)
        match state:
            case MailingState.SENT:
                self.report.sent += 1
                return
            case MailingState.FAILED:
                self.report.failed += 1
                outcome = "was given up"
            case _:
                self.report.deferred += 1
                outcome = "waits and is tried again"
        self.report.errors.append(f"the digest for {mailing.digest.email} {outcome}: {receipt.reply}")
