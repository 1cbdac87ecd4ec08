"""One cycle: send what waits, fetch, compose, send."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.arxiv import Source
from digest.jobs import DeliveryReport, Due, FetchReport, Write, compose_due, deliver, fetch
from digest.mail import Transport
from digest.schedule import due_today
from digest.store import Standing, Store
from digest.subscribers import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """What a cycle did; the fields are those of `digest run --json`, `requests` apart.

    `digests_deferred` counts all mailings that still wait for their server when the cycle ends.
    """

    papers_new: int
    digests_composed: int
    digests_sent: int
    digests_deferred: int
    digests_failed: int
    subscribers_nothing_new: int
    errors: tuple[str, ...]
    is_unreached: bool

    @property
    def exit_code(self) -> int:
        """0 done, 1 part of it failed, 3 arXiv could not be reached at all."""
        if self.is_unreached:
            return 3
        return 1 if self.errors or self.digests_deferred else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Everything that a cycle works with; `transport` is `None` where nothing is to be sent."""

    source: Source
    store: Store
    transport: Transport | None
    write: Write
    subscribers: Sequence[Subscriber]
    lookback: timedelta
    clock: Callable[[], datetime]
    notice: Callable[[str], None]

    async def run(self, *, force: bool = False) -> CycleReport:
        """Mails everybody who has something new, at most one digest a day each unless `force` lifts that."""
        now = self.clock()
        await asyncio.to_thread(self.store.enrol, self.subscribers, now=now)
        await asyncio.to_thread(self.store.reclaim, now=now)
        if force:
            await asyncio.to_thread(self.store.hasten, now=now)
        earlier = await self._deliver()
        self.notice(f"asking arXiv for {_keyword_count(self.subscribers)} keywords")
        fetched = await fetch(self.source, self.store, self.subscribers, now=now, lookback=self.lookback)
        self.notice("composing")
        composed = await asyncio.to_thread(
            compose_due,
            self.store,
            self.subscribers,
            _forced(now) if force else _today(now),
            backlog_since=now - self.lookback,
        )
        later = DeliveryReport() if earlier.is_server_down else await self._deliver()
        return await self._report(fetched, composed.composed, composed.nothing_new, (earlier, later))

    async def _deliver(self) -> DeliveryReport:
        if self.transport is None:
            return DeliveryReport()
        return await deliver(
            self.store,
            self.transport,
            self.write,
            self.clock,
            notice=lambda report: self.notice(f"mailing: {report.sent} sent"),
        )

    async def _report(
        self, fetched: FetchReport, composed: int, nothing_new: int, deliveries: Sequence[DeliveryReport]
    ) -> CycleReport:
        errors = [*fetched.errors, *(error for delivery in deliveries for error in delivery.errors)]
        waiting = await asyncio.to_thread(self.store.waiting) if self.transport else 0
        return CycleReport(
            papers_new=fetched.papers_new,
            digests_composed=composed,
            digests_sent=sum(delivery.sent for delivery in deliveries),
            digests_deferred=waiting,
            digests_failed=sum(delivery.failed for delivery in deliveries),
            subscribers_nothing_new=nothing_new,
            errors=tuple(errors),
            is_unreached=fetched.is_unreached,
        )


def _today(now: datetime) -> Due:
    def due(subscriber: Subscriber, standing: Standing) -> datetime | None:
        return due_today(now, subscriber, standing)

    return due


def _forced(now: datetime) -> Due:
    def due(subscriber: Subscriber, standing: Standing) -> datetime | None:
        return now

    return due


def _keyword_count(subscribers: Sequence[Subscriber]) -> int:
    return len({keyword.query.key for subscriber in subscribers for keyword in subscriber.keywords})
