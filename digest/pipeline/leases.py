"""Work that only one process at a time does, over all hosts that use the state."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from digest.errors import StateError
from digest.storage.pipeline_stores import LeaseStore
from digest.storage.values import Lease

_log = logging.getLogger(__name__)

FETCHING = "fetching"
FINISHING = "finishing"

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
    store: LeaseStore, task: str, notice: Callable[[str], None] = lambda text: None
) -> AsyncIterator[None]:
    """Waits for the lease of a task, and holds it. `notice` is called if it must wait."""
    while True:
        async with leased(store, task) as lease:
            if lease is not None:
                yield
                return
        notice(f"waiting for another host: {task}")
        await asyncio.sleep(_POLL_SECONDS)


async def _renew(store: LeaseStore, task: str) -> None:
    while True:
        await asyncio.sleep(LASTING.total_seconds() / 3)
        try:
            if await asyncio.to_thread(store.take_lease, task, lasting=LASTING) is None:
                _log.warning("lease lost task=%s", task)
        except StateError as error:
            _log.warning("lease not renewed task=%s cause=%s", task, error)
