"""Who waits for work that another host does."""

import asyncio
from datetime import timedelta

from digest.pipeline.leases import FETCHING, turn_of
from digest.storage.values import Lease
from tests.waiting import LIMIT, until


class OtherHost:
    """Has the lease until `is_done`."""

    def __init__(self) -> None:
        self.is_done = False
        self.asked = 0
        self.ended = 0

    def take_lease(self, task: str, *, lasting: timedelta) -> Lease | None:
        self.asked += 1
        return Lease() if self.is_done else None

    def end_lease(self, task: str) -> None:
        self.ended += 1


async def _got(host: OtherHost, stop: asyncio.Event) -> bool:
    async with asyncio.timeout(LIMIT), turn_of(host, FETCHING, stop) as is_ours:
        return is_ours


async def test_a_run_waits_for_its_turn_and_ends_its_lease() -> None:
    host = OtherHost()
    waiting = asyncio.create_task(_got(host, asyncio.Event()))
    await until(lambda: host.asked)
    host.is_done = True
    assert await waiting
    assert host.ended == 1


async def test_a_run_that_is_stopped_waits_for_no_other_host() -> None:
    host, stop = OtherHost(), asyncio.Event()
    waiting = asyncio.create_task(_got(host, stop))
    await until(lambda: host.asked)
    stop.set()
    assert not await waiting
    assert host.ended == 0
