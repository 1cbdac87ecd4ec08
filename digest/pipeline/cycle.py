"""One cycle: send what waits, fetch, compose, send."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.config.heap import trim_heap
from digest.mail.rate_limit import UNLIMITED, Limits
from digest.mail.transport import Transport
from digest.pipeline.cleanup import clean_up
from digest.pipeline.compose_job import ComposeReport, Due, compose_due
from digest.pipeline.deliver import DeliveryReport, deliver
from digest.pipeline.fetch import FetchReport, fetch
from digest.pipeline.progress import Outlook, outlook
from digest.pipeline.reconcile import take_up_renames, take_up_restored
from digest.pipeline.render_queue import StartWorker, Write
from digest.pipeline.schedule import due_today
from digest.sources.arxiv.calendar import last_announcement, why_quiet
from digest.sources.base import Source
from digest.storage.base import Store
from digest.storage.values import SubscriberStatus
from digest.subscribers.preferences import apply_preferences
from digest.subscribers.subscriber import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """What a cycle did; the fields are those of `digest run --json`, `requests` apart.

    `digests_deferred` counts all that wait to be sent when the cycle ends, `digests_failed` those that were
    given up because their subscriber has left, `digests_suppressed` those whose address turned out to be
    dead, `subscribers_not_due` the subscribers who have something new but had their digest already, or wait
    for their weekday, and `subscribers_suppressed` those whose address is dead. `silence` is why nothing is
    new, where the calendar explains it. `waits` tells more of the deferred ones. `brakes` are those of the
    deliveries, and `errors` have them too.
    """

    papers_new: int
    digests_composed: int
    digests_sent: int
    digests_deferred: int
    digests_failed: int
    digests_suppressed: int
    subscribers_nothing_new: int
    subscribers_not_due: int
    subscribers_suppressed: int
    errors: tuple[str, ...]
    notes: tuple[str, ...]
    missing_news: str | None
    is_unreached: bool
    brakes: tuple[str, ...] = ()
    waits: Outlook = field(default_factory=Outlook)

    @property
    def exit_code(self) -> int:
        """0 done, 1 part of it failed, 3 arXiv could not be reached at all."""
        if self.is_unreached:
            return 3
        return 1 if self.errors or self.digests_deferred else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Everything that a cycle works with; `transport` is `None` where nothing is to be sent.

    `subscribers` are those of subscribers.toml, and `file` says which state of it; what they chose for
    themselves is laid over. `stop` ends the cycle early: a fetch is broken off, the mails in hand are
    finished.
    """

    sources: Sequence[Source]
    store: Store
    transport: Transport | None
    write: Write
    subscribers: Sequence[Subscriber]
    lookback: timedelta
    clock: Callable[[], datetime]
    file: str | None = None
    limits: Limits = UNLIMITED
    start_worker: StartWorker | None = None
    notice: Callable[[str], None] = lambda text: None
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, *, force: bool = False) -> CycleReport:
        """Mails everybody who has something new, at most one digest a day each unless `force` lifts that."""
        now = self.clock()
        restored = await asyncio.to_thread(take_up_restored, self.store, now=now)
        renamed = await asyncio.to_thread(
            take_up_renames, self.store, self.subscribers, file=self.file, now=now
        )
        subscribers = apply_preferences(self.subscribers, await asyncio.to_thread(self.store.preferences))
        given_up = await asyncio.to_thread(
            self.store.enrol, subscribers, now=now, current_since=last_announcement(now)
        )
        if force:
            await asyncio.to_thread(self.store.retry_now, now=now)
        earlier = await self._deliver()
        fetched = await self._fetch(subscribers, now)
        trim_heap()
        composed = ComposeReport()
        if fetched is not None and not fetched.is_clock_wrong:
            composed = await self._compose(subscribers, now, fetched, force=force)
        is_useless = (earlier.is_server_down and not earlier.is_braked) or earlier.limited_until
        later = DeliveryReport() if is_useless else await self._deliver()
        await asyncio.to_thread(clean_up, self.store, now=now, lookback=self.lookback)
        waits = await asyncio.to_thread(outlook, self.store, now=now) if self.transport else Outlook()
        stopped = (
            () if fetched is not None else ("stopped before arXiv had answered; the next run asks again",)
        )
        return CycleReport(
            papers_new=fetched.papers_new if fetched else 0,
            digests_composed=composed.composed,
            digests_sent=earlier.sent + later.sent,
            digests_deferred=waits.waiting,
            digests_failed=given_up,
            digests_suppressed=earlier.suppressed + later.suppressed,
            subscribers_nothing_new=composed.nothing_new,
            subscribers_not_due=composed.not_due,
            subscribers_suppressed=composed.suppressed,
            errors=(*(fetched.errors if fetched else stopped), *earlier.errors, *later.errors),
            notes=(
                *restored,
                *renamed,
                *(fetched.notes if fetched else ()),
                *dict.fromkeys((*earlier.notes, *later.notes)),
            ),
            missing_news=why_quiet(now) if fetched and not (fetched.papers_new or fetched.errors) else None,
            brakes=(*earlier.brakes, *later.brakes),
            waits=waits,
            is_unreached=fetched is not None and fetched.is_unreached and not fetched.is_clock_wrong,
        )

    async def _fetch(self, subscribers: Sequence[Subscriber], now: datetime) -> FetchReport | None:
        """`None` when the cycle was stopped before it was done."""
        fetching = asyncio.ensure_future(
            fetch(
                self.sources,
                self.store,
                subscribers,
                now=now,
                lookback=self.lookback,
                notice=self.notice,
            )
        )
        stopping = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait((fetching, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if fetching.done():
            return await fetching
        fetching.cancel()
        await asyncio.wait((fetching,))
        return None

    async def _compose(
        self, subscribers: Sequence[Subscriber], now: datetime, fetched: FetchReport, *, force: bool
    ) -> ComposeReport:
        self.notice("composing")
        return await asyncio.to_thread(
            compose_due,
            self.store,
            subscribers,
            _forced(now) if force else _today(now),
            backlog_since=now - self.lookback,
            stale=fetched.unserved,
        )

    async def _deliver(self) -> DeliveryReport:
        if self.transport is None:
            return DeliveryReport()
        return await deliver(
            self.store,
            self.transport,
            self.write,
            self.clock,
            limits=self.limits,
            start_worker=self.start_worker,
            stop=self.stop,
            notice=lambda report: self.notice(f"mailing: {report.sent} sent"),
        )


def _today(now: datetime) -> Due:
    def due(subscriber: Subscriber, subscriber_status: SubscriberStatus) -> datetime | None:
        return due_today(now, subscriber, subscriber_status)

    return due


def _forced(now: datetime) -> Due:
    def due(subscriber: Subscriber, subscriber_status: SubscriberStatus) -> datetime | None:
        return now

    return due
