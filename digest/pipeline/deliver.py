"""Composes and sends the mailings that are due, in one share or several. docs/delivery.md has the states."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from functools import partial

from digest.errors import WorkerGone
from digest.mail.transport import Transport
from digest.pipeline.compose_job import Composer
from digest.pipeline.coordinator import Composing, DeliveryCoordinator, DeliveryReport, RemoteShare
from digest.pipeline.policy import LATEST_RETRY, QuotaReplies
from digest.pipeline.rendering import Write
from digest.pipeline.share import Share
from digest.storage.pipeline_stores import MailStore
from digest.storage.rate_limit import UNLIMITED, Limits, note_of

__all__ = ["Composing", "DeliveryReport", "StartWorkers", "deliver"]

StartWorkers = Callable[[DeliveryCoordinator], AbstractAsyncContextManager[Sequence[RemoteShare]]]
"""Starts worker processes; none where one process is enough. Raises `WorkerGone` if none can be started."""


async def deliver(
    store: MailStore,
    transport: Transport,
    write: Write,
    clock: Callable[[], datetime],
    *,
    composing: Composing | None = None,
    limits: Limits = UNLIMITED,
    start_workers: StartWorkers | None = None,
    stop: asyncio.Event | None = None,
    notice: Callable[[DeliveryReport], None] = lambda report: None,
    quota_replies: QuotaReplies | None = None,
) -> DeliveryReport:
    """Composes what is due, and sends the due mailings of the outbox within `limits`.

    Only one delivery may run at a time on a state file: it first reclaims the mailings that an earlier one
    left unfinished. Several hosts may deliver over one database.
    If the server as a whole cannot be used, the sending ends and no address is blamed. After `stop` is set,
    the current mails are finished and no other is started. `notice` is called after each mail. If there are
    very many mails, `start_workers` starts worker processes, which do the work as long as they run. Give
    later deliveries to the same server the `quota_replies` of earlier ones.
    Raises `StateError` if the state cannot be read or written.
    """
    stop = stop or asyncio.Event()
    quota_replies = quota_replies or QuotaReplies()
    coordinator = DeliveryCoordinator(
        store, clock, composing, stop, notice, sessions=transport.sessions, quota_replies=quota_replies
    )
    try:
        await asyncio.to_thread(store.reclaim, now=clock(), latest=clock() + LATEST_RETRY)
        await coordinator.begin()
        if limits.are_set:
            await asyncio.to_thread(store.resume_sending, now=clock())
        async with AsyncExitStack() as stack:
            share = partial(_share, store, transport, write, coordinator, clock, stop, composing, limits)
            workers = await _start(stack, coordinator, start_workers)
            await coordinator.run(workers, share)
    finally:
        await coordinator.end()
    if coordinator.report.limited_until and not coordinator.is_over_quota:
        waiting = await asyncio.to_thread(store.waiting)
        coordinator.report.notes.append(note_of(limits, coordinator.report.limited_until, waiting=waiting))
    return coordinator.report


def _share(
    store: MailStore,
    transport: Transport,
    write: Write,
    coordinator: DeliveryCoordinator,
    clock: Callable[[], datetime],
    stop: asyncio.Event,
    composing: Composing | None,
    limits: Limits,
) -> Share:
    """Returns the share of this process, which does all the work."""
    return Share(
        store,
        transport,
        write,
        coordinator,
        clock,
        stop,
        sessions=coordinator.sessions,
        composer=Composer(store, backlog_since=composing.backlog_since) if composing else None,
        limits=limits,
        holder=coordinator.holder,
    )


async def _start(
    stack: AsyncExitStack, coordinator: DeliveryCoordinator, start_workers: StartWorkers | None
) -> Sequence[RemoteShare]:
    if start_workers is None or not await coordinator.has_many():
        return ()
    try:
        workers = await stack.enter_async_context(start_workers(coordinator))
    except WorkerGone as error:
        coordinator.report.notes.append(
            f"one process sent all mails, which takes longer: no worker could be started: {error.cause}"
        )
        return ()
    if workers:
        await asyncio.to_thread(coordinator.make_room)
    return workers
