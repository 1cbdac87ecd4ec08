"""One cycle, step by step: begin, fetch, compose, deliver, finish.

`digest run` does all steps once (`Cycle.run`). The daemon does each step when it is due.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from digest.config.memory import trim_heap
from digest.errors import DigestError
from digest.mail.message import SenderIdentity
from digest.mail.transport import Transport
from digest.pipeline.cleanup import clean_up
from digest.pipeline.compose_job import compose_due
from digest.pipeline.confirm import confirm_changes
from digest.pipeline.cycle_report import CycleReport, Enrolled, run_report
from digest.pipeline.deliver import Composing, DeliveryReport, StartWorkers, deliver
from digest.pipeline.fetch import FetchReport, fetch
from digest.pipeline.leases import FETCHING, FINISHING, outlast_silent, turn_of
from digest.pipeline.plan import Due, Plan
from digest.pipeline.policy import QuotaReplies
from digest.pipeline.progress import OutboxStatus, outbox_status
from digest.pipeline.reconcile import take_up_entries, take_up_file, take_up_restored
from digest.pipeline.rendering import Write
from digest.pipeline.schedule import due_today
from digest.pipeline.sending_limits import LimitedTransport
from digest.pipeline.serve_channel import ChannelJob, ChannelReport
from digest.sources.arxiv.calendar import last_announcement, why_quiet
from digest.sources.base import Source
from digest.storage.base import Store
from digest.storage.rate_limit import UNLIMITED, Limits
from digest.subscribers.preferences import apply_preferences
from digest.subscribers.subscriber import Subscriber

_T = TypeVar("_T")

NotifyOperator = Callable[[Transport, Sequence[Subscriber], Sequence[str], datetime], Awaitable[object]]
"""Sends the operator notice that is due. The texts are the `brakes` of the last deliveries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """The steps of a cycle, and everything that they need. `transport` is `None` if nothing shall be sent.

    `subscribers` are those of the directory, and `file` identifies its version; in a file, another address
    may be a rename (`finds_renames`). `channels` are served apart from mails.
    `content` is the hash of that file on this `host`. `writer` is called
    before mails are sent. `stop` ends a step early: a fetch is cancelled, the current mails are finished.
    `digest.service.bootstrap.build_cycle` builds a cycle from the settings.
    """

    sources: Sequence[Source]
    store: Store
    transport: Transport | None
    writer: Callable[[], Write]
    subscribers: Sequence[Subscriber]
    lookback: timedelta
    clock: Callable[[], datetime]
    file: str | None = None
    finds_renames: bool = True
    channels: Sequence[ChannelJob] = ()
    content: str | None = None
    host: str = ""
    limits: Limits = UNLIMITED
    start_workers: StartWorkers | None = None
    sender_identity: SenderIdentity | None = None
    base_url: str | None = None
    notify_operator: NotifyOperator | None = None
    notice: Callable[[str], None] = lambda text: None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    quota_replies: QuotaReplies = field(default_factory=QuotaReplies)

    async def run(self, *, force: bool = False) -> CycleReport:
        """Does one cycle. Each subscriber gets at most one digest a day, unless `force` is true.

        What waited is sent during the fetch. So a mail server that hangs delays neither it nor the channels.
        """
        now = self.clock()
        restored = await self.reconcile()
        enrolled = await self.enrol()
        if force:
            await asyncio.to_thread(self.store.retry_now, now=now)
            await asyncio.to_thread(self.store.retry_channels, now=now)
        others = await asyncio.to_thread(self.store.others_at_work) if self.transport else {}
        async with _tasks() as start:
            outlasting = start(outlast_silent(self.store, others, self.stop, self.notice))
            sending = start(self.deliver())
            async with turn_of(self.store, FETCHING, self.stop, self.notice) as is_ours:
                fetched = await self.fetch(enrolled.followers) if is_ours else None
            waited = await outlasting
            serving = start(self._serve_in(enrolled, fetched, _due_now if force else due_today))
            earlier = await sending
            later = await self._mail_in(enrolled, fetched, earlier, now, force=force)
            served = await serving
        preferences = await asyncio.to_thread(self.store.preferences)
        if not enrolled.is_other_file:
            subscribers = apply_preferences(self.subscribers, preferences)
            await self.finish(subscribers, brakes=(*earlier.brakes, *later.brakes), now=self.clock())
        waits = (
            await asyncio.to_thread(outbox_status, self.store, now=now) if self.transport else OutboxStatus()
        )
        return run_report(
            enrolled,
            fetched,
            (earlier, later),
            served,
            waits,
            notes=(*restored, *_of_others(waited)),
            missing_news=why_quiet(now) if fetched and not (fetched.papers_new or fetched.errors) else None,
        )

    async def _mail_in(
        self,
        enrolled: Enrolled,
        fetched: FetchReport | None,
        earlier: DeliveryReport,
        now: datetime,
        *,
        force: bool,
    ) -> DeliveryReport:
        """Mails what is due after the fetch of a run, unless the server failed before it (`earlier`)."""
        is_down = earlier.is_server_down and not (earlier.is_braked or earlier.is_doubtful)
        is_useless = is_down or earlier.limited_until
        if fetched is not None and not fetched.is_clock_wrong:
            due = partial(_due_now if force else due_today, now)
            return await self.mail(
                enrolled.subscribers, due, now=now, stale=fetched.unserved, sends=not is_useless
            )
        return DeliveryReport() if is_useless else await self.deliver()

    async def _serve_in(
        self,
        enrolled: Enrolled,
        fetched: FetchReport | None,
        rule: Callable[..., datetime | None],
    ) -> tuple[ChannelReport, ...]:
        """Serves all channels after the fetch of a run: also what waits if nothing can be composed."""
        if enrolled.is_other_file:
            return ()
        if fetched is None or fetched.is_clock_wrong:
            return await self.serve_channels(_never_due)
        return await self.serve_channels(partial(rule, self.clock()), stale=fetched.unserved)

    @property
    def followers(self) -> tuple[Subscriber, ...]:
        """The channels, as those who follow keywords."""
        return tuple(one.channel.follower for one in self.channels)

    async def serve_channels(self, due: Due, *, stale: Set[str] = frozenset()) -> tuple[ChannelReport, ...]:
        """Serves all channels at the same time, so that none waits for another."""

        async def serve(job: ChannelJob) -> ChannelReport:
            try:
                return await job.run(due, stale=stale)
            except DigestError as error:
                return ChannelReport(name=job.channel.name, error=str(error))

        return tuple(await asyncio.gather(*(serve(job) for job in self.channels)))

    async def reconcile(self) -> tuple[str, ...]:
        """Detects a restored state, before the first other step. Returns notes for the operator."""
        return await asyncio.to_thread(take_up_restored, self.store, now=self.clock())

    async def enrol(self) -> Enrolled:
        """Enrols the current subscribers in the state, and nobody else.

        If another host has a later file, enrols nobody and changes nothing.
        """
        now = self.clock()
        if self.content is not None:
            notes = await asyncio.to_thread(take_up_file, self.store, self.host, self.content, now=now)
            if notes:
                preferences = await asyncio.to_thread(self.store.preferences)
                return Enrolled(
                    subscribers=(), preferences=preferences, given_up=0, notes=notes, is_other_file=True
                )
        notes = await asyncio.to_thread(
            take_up_entries,
            self.store,
            self.subscribers,
            file=self.file,
            finds_renames=self.finds_renames,
            now=now,
        )
        preferences = await asyncio.to_thread(self.store.preferences)
        subscribers = apply_preferences(self.subscribers, preferences)
        given_up = await asyncio.to_thread(
            self.store.enrol,
            (*subscribers, *self.followers),
            now=now,
            current_since=last_announcement(now),
        )
        return Enrolled(
            subscribers=subscribers,
            preferences=preferences,
            given_up=given_up,
            notes=notes,
            channels=self.followers,
        )

    async def fetch(self, subscribers: Sequence[Subscriber]) -> FetchReport | None:
        """Fetches, and notes how it ended. Returns `None` if `stop` was set before the end."""
        began_at = self.clock()
        report = await self._fetch(subscribers, began_at)
        if report is not None:
            last = report.as_last(subscribers, began_at=began_at, ended_at=self.clock())
            await asyncio.to_thread(self.store.note_last_fetch, last)
        return report

    async def _fetch(self, subscribers: Sequence[Subscriber], now: datetime) -> FetchReport | None:
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
        try:
            await asyncio.wait((fetching, stopping), return_when=asyncio.FIRST_COMPLETED)
            return await fetching if fetching.done() else None
        finally:
            stopping.cancel()
            fetching.cancel()
            await asyncio.wait((fetching,))
            trim_heap()

    async def mail(
        self,
        subscribers: Sequence[Subscriber],
        due: Due,
        *,
        now: datetime,
        stale: Set[str],
        sends: bool = True,
        composed: Callable[[], None] = lambda: None,
    ) -> DeliveryReport:
        """Composes the digests that are due, and sends all due mailings meanwhile, unless `sends` is false.

        `stale` are the queries whose last fetch failed. `composed` is called once no other will be composed.
        """
        self.notice("composing")
        since = now - self.lookback
        if sends and self.transport is not None:
            plan = Plan(self.store, subscribers, due, stale=stale)
            return await self.deliver(Composing(plan=plan, backlog_since=since, ended=composed))
        compose = partial(compose_due, self.store, subscribers, due, backlog_since=since, stale=stale)
        try:
            return DeliveryReport(composed=await asyncio.to_thread(compose))
        finally:
            composed()

    async def deliver(self, composing: Composing | None = None) -> DeliveryReport:
        """Sends the mailings that are due."""
        if self.transport is None:
            return DeliveryReport()
        return await deliver(
            self.store,
            self.transport,
            self.writer(),
            self.clock,
            composing=composing,
            limits=self.limits,
            start_workers=self.start_workers,
            stop=self.stop,
            notice=lambda report: self.notice(f"mailing: {report.sent} sent"),
            quota_replies=self.quota_replies,
        )

    async def finish(
        self,
        subscribers: Sequence[Subscriber],
        *,
        brakes: Sequence[str],
        now: datetime,
        notifies: bool = True,
    ) -> None:
        """Frees space, sends confirmations of changes on the web pages, and sends the operator notices.

        `subscribers` have their preferences applied. `notifies` is false if there shall be no notice now.
        """
        async with turn_of(self.store, FINISHING, self.stop) as is_ours:
            if is_ours:
                await self._finish(subscribers, brakes, now, notifies=notifies)

    async def _finish(
        self, subscribers: Sequence[Subscriber], brakes: Sequence[str], now: datetime, *, notifies: bool
    ) -> None:
        await asyncio.to_thread(clean_up, self.store, self.subscribers, now=now, lookback=self.lookback)
        if self.transport is None:
            return
        transport = LimitedTransport(self.transport, self.store, self.limits, self.clock, self.stop)
        if self.sender_identity:
            await confirm_changes(
                self.store, transport, self.sender_identity, self.base_url, self.subscribers, now=now
            )
        if self.notify_operator and notifies:
            await self.notify_operator(transport, subscribers, brakes, now)


@asynccontextmanager
async def _tasks() -> AsyncIterator[Callable[[Coroutine[Any, Any, _T]], "asyncio.Task[_T]"]]:
    """Gives a function that starts a task. Waits for all tasks at the end, also after an error."""
    tasks: list[asyncio.Task[Any]] = []

    def start(work: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
        tasks.append(task := asyncio.create_task(work))
        return task

    try:
        yield start
    except Exception:  # what a task sent must be recorded, or it would be sent again
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _due_now(now: datetime, *_: object) -> datetime:
    """A digest for everybody: `digest run --force`."""
    return now


def _of_others(waited: timedelta) -> tuple[str, ...]:
    """The note about what `outlast_silent` took."""
    if not waited:
        return ()
    return (f"waited {waited.seconds} s because another process held digests, and might have been killed",)


def _never_due(*_: object) -> None:
    return None
