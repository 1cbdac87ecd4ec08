"""Workers, their coordinator, or both, killed at random moments: all arrives, and once.

What may come twice are mails that were in flight after the final dot when their worker died: at most one for
each of its connections, and as the same mail. No worker sends on while the next run sends.

The moments follow from a seed, which is printed; CRASH_SEED sets it, and CRASH_KILLS another number of kills.
"""

import asyncio
import os
import random
import signal
from asyncio.subprocess import Process
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from digest.config.database_url import DatabaseUrl
from digest.storage.factory import State
from tests.crash.lab import Lab, laboratory
from tests.waiting import LIMIT

pytestmark = pytest.mark.long

SUBSCRIBERS = 150
CONNECTIONS = 4
WORKERS = 2
_FEW_ARE_MANY = (
    "from digest.pipeline import coordinator\n"
    "coordinator.MANY = 1\n"
    "coordinator._BATCH = 10\n"
    "from digest.cli import main\n"
    "main()\n"
)
KINDS = ("a worker", "all workers", "the coordinator", "the coordinator and a worker", "everything")


def children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in found.split()]


def workers(coordinator: int) -> list[int]:
    """The first worker, and those that it made."""
    first = children(coordinator)
    return [*first, *(other for one in first for other in children(one))]


class Harness:
    def __init__(self, lab: Lab, chance: random.Random) -> None:
        self.kills: Counter[str] = Counter()
        self._lab, self._chance = lab, chance

    async def run_and_kill(self) -> None:
        fewest = min(self.kills[kind] for kind in KINDS)
        kind = self._chance.choice([kind for kind in KINDS if self.kills[kind] == fewest])
        self._lab.next_day()
        process = await self._lab.start()
        try:
            victims = await self._victims(kind, process)
            for pid in victims:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        finally:
            told, said = await process.communicate()
            said += told
        self.kills[kind] += bool(victims)
        if process.pid not in victims:
            if isinstance(self._lab.state, DatabaseUrl) and process.returncode == 1:
                await self._lab.run_until_done()  # what was held by a run that was killed may wait
            else:
                assert process.returncode == 0, said.decode()
            self._lab.everybody_has_all_and_once()

    async def _victims(self, kind: str, process: Process) -> list[int]:
        """Waits for some mails of this run. Returns nobody if the run ended before."""
        mails = self._chance.randint(0, SUBSCRIBERS // 2)
        async with asyncio.timeout(LIMIT):
            while len(self._lab.inbox.latest()) <= mails and process.returncode is None:
                await asyncio.sleep(0.001)
        await asyncio.sleep(self._chance.uniform(0, 0.01))
        if process.returncode is not None or len(found := workers(process.pid)) < WORKERS:
            return []
        return {
            "a worker": [self._chance.choice(found)],
            "all workers": found,
            "the coordinator": [process.pid],
            "the coordinator and a worker": [process.pid, self._chance.choice(found)],
            "everything": [process.pid, *found],
        }[kind]


async def test_workers_killed_at_many_moments_lose_nothing_and_repeat_only_what_was_in_flight(
    tmp_path: Path, state: State
) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.randrange(2**32))
    kills = int(os.environ.get("CRASH_KILLS") or 25)
    print(f"CRASH_SEED={seed}")  # noqa: T201 (pytest shows it where the test fails)
    chance = random.Random(seed)
    async with laboratory(
        tmp_path,
        chance,
        subscribers=SUBSCRIBERS,
        command=("-c", _FEW_ARE_MANY),
        state=state,
        connections=CONNECTIONS,
        delivery__workers=WORKERS,
    ) as lab:
        await lab.run_well()
        harness = Harness(lab, chance)
        while harness.kills.total() < kills:
            await harness.run_and_kill()
        lab.next_day()
        await lab.run_until_done()
    print(f"kills {dict(harness.kills)}, mails {len(lab.inbox.delivered)}")  # noqa: T201
    assert set(harness.kills) == set(KINDS)
    lab.everybody_has_all_and_once()
    _only_mails_in_flight_came_again(lab)
    runs = [mail.run for mail in lab.inbox.delivered]
    is_alone = isinstance(state, Path)
    assert runs == sorted(runs) or not is_alone, "a worker sent on while the next run sent"


def _only_mails_in_flight_came_again(lab: Lab) -> None:
    """A mail was in flight if it is the last that came over its connection."""
    last = {(mail.run, mail.connection): mail for mail in lab.inbox.delivered}
    repeated = 0
    for copies in lab.digests().values():
        assert len({(mail.recipient, mail.message) for mail in copies}) == 1, "the copies differ"
        for earlier, _later in pairwise(copies):
            assert earlier is last[earlier.run, earlier.connection], "another mail went before it was noted"
            repeated += 1
    print(f"came again {repeated}")  # noqa: T201
    assert repeated > 0, "no kill hit a mail in flight"
