"""The task of a daemon that composes and sends: each digest at its subscriber's time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

from digest.pipeline.deliver import DeliveryReport
from digest.pipeline.policy import pause_after
from digest.pipeline.progress import WaitingLog, outbox_status, uncovered_since
from digest.pipeline.schedule import due_at_slot, slot_after
from digest.service.current_setup import CurrentSetup
from digest.service.operator_mail import last_heartbeat
from digest.service.ping import AT_LEAST_EVERY, Pinger
from digest.sources.arxiv.calendar import last_announcement
from digest.storage.base import Store
from digest.storage.values import LastFetch
from digest.web.metrics import Metrics

_log = logging.getLogger(__name__)

_NEVER = datetime.max.replace(tzinfo=UTC)


class MailTask:
    """Composes and delivers. `wake` is set if something may be due now.

    `last_fetch` gives the last fetch, `fetches` says whether one is about to end, and `check_preferences`
    applies new preferences before digests are composed.
    """

    def __init__(
        self,
        current: CurrentSetup,
        store: Store,
        clock: Callable[[], datetime],
        *,
        metrics: Metrics,
        pinger: Pinger,
        last_fetch: Callable[[], LastFetch | None],
        fetches: Callable[[], Awaitable[bool]],
        check_preferences: Callable[[], Awaitable[None]],
    ) -> None:
        self.wake = asyncio.Event()
        self._current, self._store, self._clock = current, store, clock
        self._metrics, self._pinger, self._last_fetch = metrics, pinger, last_fetch
        self._fetches, self._check_preferences = fetches, check_preferences
        self._server_failures = 0
        self._seen_confirmations: frozenset[int] = frozenset()
        self._first_due_at: datetime | None = None
        self._waiting_log = WaitingLog()

    async def step(self) -> datetime:
        """Composes and sends what is due, and returns when something is due next."""
        began_at = self._clock()
        self._first_due_at = None
        report = await self._mail()
        waits = await asyncio.to_thread(outbox_status, self._store, now=self._clock())
        self._first_due_at = waits.due_at or _NEVER
        self._server_failures = self._server_failures + 1 if report.is_server_down else 0
        retry_at = waits.due_at and max(waits.due_at, report.limited_until or waits.due_at)
        if report.is_server_down:
            retry_at = self._clock() + pause_after(self._server_failures)
        self._waiting_log.note(waits, retry_at)
        self._pinger.mailed(report, waits, self._last_fetch())
        if report.is_server_down and retry_at and not report.is_doubtful:
            return retry_at
        # A sending time that passed during the delivery is due next. The clock may have been set back.
        return self._next_at(min(began_at, self._clock()), retry_at)

    async def _mail(self) -> DeliveryReport:
        await self._check_preferences()
        current, now = self._current, self._clock()
        cycle, limited_until = current.cycle(), current.limited_until
        # If the clock was set back, wait no longer than a provider's day.
        is_limited = limited_until is not None and now < limited_until <= now + timedelta(days=1)
        await current.composing.acquire()
        with ExitStack() as composing:
            composing.callback(current.composing.release)
            stale = await asyncio.to_thread(
                uncovered_since, self._store, current.subscribers, last_announcement(now)
            )
            report = await cycle.mail(
                current.subscribers,
                partial(due_at_slot, now),
                now=now,
                stale=stale,
                sends=not is_limited,
                composed=composing.close,
            )
        if is_limited:
            report.limited_until = limited_until
        else:
            current.limited_until = report.limited_until
        self._metrics.mailed(report)
        if not current.is_other_file:
            # What a fetch is about to end is no outage. The end of the fetch is the next step of this task.
            notifies = bool(report.brakes) or not await self._fetches()
            finish = current.cycle().finish
            await finish(current.subscribers, brakes=report.brakes, now=now, notifies=notifies)
        for note in report.notes:
            _log.warning("note of a mailing note=%s", note)
        composed = report.composed.composed
        if composed or report.sent or report.errors:
            _log.info("mailed composed=%d sent=%d deferred=%d", composed, report.sent, report.deferred)
        return report

    def _next_at(self, since: datetime, retry_at: datetime | None) -> datetime:
        subscribers = {subscriber.send_schedule: subscriber for subscriber in self._current.subscribers}
        moments = [slot_after(since, subscriber) for subscriber in subscribers.values()]
        if retry_at:
            moments.append(retry_at)
        operator = self._current.setup.settings.operator
        if operator.email and operator.heartbeat is not None:
            moments.append(last_heartbeat(operator.heartbeat, since) + timedelta(weeks=1))
        if operator.ping_url:
            moments.append(since + AT_LEAST_EVERY)
        return min(moments, default=since + timedelta(days=1))

    async def check_confirmations(self) -> None:
        """Sends new confirmations at once. One that fails is sent with the next mails."""
        waiting = await asyncio.to_thread(self._store.confirmations, now=self._clock())
        numbers = frozenset(one.number for one in waiting)
        if not numbers <= self._seen_confirmations:
            self.wake.set()
        self._seen_confirmations = numbers

    async def check_due(self) -> None:
        """Sends at once the mailings that a command made due (`digest resume`), and those of a dead host.

        Mailings that the last delivery left do not count: a server that is down is not asked each time.
        """
        if abandoned := await asyncio.to_thread(self._store.reclaim_abandoned, now=self._clock()):
            _log.warning("mailings of a host that went silent are sent here count=%d", abandoned)
        due_at = await asyncio.to_thread(self._store.next_due_at)
        if due_at and self._first_due_at and due_at < self._first_due_at:
            self.wake.set()
