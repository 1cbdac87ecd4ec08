"""Work and mailings that only one process at a time has, over all hosts that use the state."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from digest.errors import StateError
from digest.storage.delivery_stores import ClaimStore, KeepStore
from digest.storage.pipeline_stores import LeaseStore
from digest.storage.values import Lease

_log = logging.getLogger(__name__)

FETCHING = "fetching"
FINISHING = "finishing"
SIGNING_UP = "signing up"

LASTING = timedelta(seconds=30)
"""How long a lease lasts if its holder dies. It is renewed long before."""

_POLL_SECONDS = 1.0


@asynccontextmanager
async def leased(store: LeaseStore, task: str) -> AsyncIterator[Lease | None]:
    """Holds the lease of a task, and renews it. Gives `None` if another process has it.

    A process that is cut off from the database may lose its lease and not notice it at once. So the task must
    be harmless if two processes do it, only useless. Raises `StateError`.
    """
    lease = await asyncio.to_thread(store.take_lease, task, lasting=LASTING)
    if lease is None:
        yield None
        return
    renewing = asyncio.create_task(_renew(store, task))
    try:
        yield lease
    finally:
        renewing.cancel()
        await asyncio.wait((renewing,))
        with suppress(StateError):  # it ends by itself
            await asyncio.to_thread(store.end_lease, task)


@asynccontextmanager
async def turn_of(
    store: LeaseStore, task: str, stop: asyncio.Event, notice: Callable[[str], None] = lambda text: None
) -> AsyncIterator[bool]:
    """Waits for the lease of a task, and holds it. `notice` is called if it must wait.

    Gives false, without the lease, if `stop` was set while another process had it.
    """
    while True:
        async with leased(store, task) as lease:
            if lease is not None:
                yield True
                return
        if stop.is_set():
            yield False
            return
        notice(f"waiting for another host: {task}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _POLL_SECONDS)


async def outlast_silent(
    store: ClaimStore,
    others: Mapping[str, datetime],
    stop: asyncio.Event,
    notice: Callable[[str], None] = lambda text: None,
) -> timedelta:
    """Waits while a process of `others` neither ends nor renews its lease: it may have been killed.

    What it held is free then. Returns how long this took: as long as a lease lasts, at most. A process that
    lives renews its lease before, and is not waited for any longer. Raises `StateError`.
    """
    began, silent = running_time(), dict(others)
    while silent and not stop.is_set():
        notice(f"waiting for what another process holds: {', '.join(sorted(silent))}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _POLL_SECONDS)
        now = await asyncio.to_thread(store.others_at_work)
        silent = {name: until for name, until in silent.items() if now.get(name) == until}
    return timedelta(seconds=running_time() - began) if others else timedelta(0)


async def _renew(store: LeaseStore, task: str) -> None:
    while True:
        await asyncio.sleep(LASTING.total_seconds() / 3)
        try:
            if await asyncio.to_thread(store.take_lease, task, lasting=LASTING) is None:
                _log.warning("lease lost task=%s", task)
        except StateError as error:
            _log.warning("lease not renewed task=%s cause=%s", task, error)


class ClaimLease:
    """Whether the mailings that a process claimed as `holder` are still its own.

    If the process is cut off from the database for longer than the lease lasts, another host may send them.
    """

    def __init__(self, store: KeepStore, holder: str) -> None:
        self.is_lost = False
        self.holder = holder
        self._store = store
        self._kept_at = -LASTING.total_seconds()

    @property
    def is_certain(self) -> bool:
        """Whether no other process can have reclaimed them at this moment."""
        return not self.is_lost and running_time() - self._kept_at < LASTING.total_seconds()

    async def renew(self) -> None:
        """Raises `StateError`."""
        asked_at = running_time()
        self.is_lost = not await asyncio.to_thread(self._store.keep_claims, self.holder, lasting=LASTING)
        if not self.is_lost:
            self._kept_at = asked_at

    async def keep(self) -> None:
        """Renews the lease until it is lost. While the database does not answer, it asks often."""
        while not self.is_lost:
            try:
                await self.renew()
                pause = LASTING.total_seconds() / 3
            except StateError as error:
                _log.warning("lease of mailings not renewed cause=%s", error)
                pause = _POLL_SECONDS
            await asyncio.sleep(pause)


def running_time() -> float:
    """Returns seconds that also count while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
