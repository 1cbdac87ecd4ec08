"""`digest run` killed at random moments, and started again each time: all arrives, and once.

What may come twice are mails that were in flight after the final dot when the process died: at most as many
as there are connections, and as the same mails.

The moments follow from a seed, which is printed; CRASH_SEED sets it.
"""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
from asyncio.subprocess import Process
from collections import Counter
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from digest.config.database_url import DatabaseUrl
from digest.storage.factory import State
from tests.crash.lab import CONNECTIONS, Lab, laboratory
from tests.waiting import LIMIT

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("CRASH_KILLS") or 16)
SUBSCRIBERS = 150
PHASES = ("start", "fetch", "compose", "delivery")
SHARE_OF_DOWN = 0.3
"""Of the runs that find no mail server at work: then papers of a digest that waits go into the next one."""

SECONDS_TO_START, SECONDS_TO_COMPOSE = 0.8, 0.5


class Harness:
    """Starts the command again and again, and kills it in the phase of its work that comes by chance."""

    def __init__(self, lab: Lab, chance: random.Random) -> None:
        self.kills: Counter[str] = Counter()
        self.killed_runs: set[int] = set()
        self.finished = 0
        self._lab = lab
        self._arxiv = lab.arxiv
        self._inbox = lab.inbox
        self._chance = chance
        self._asked = self._answered = 0

    async def run_and_kill(self) -> None:
        aim = self._chance.choice([phase for phase in PHASES if not self.kills[phase]] or PHASES)
        if aim == "compose" or self._chance.random() < 0.25:
            self._lab.next_day()
        self._inbox.is_down = self._chance.random() < SHARE_OF_DOWN
        process = await self._start()
        try:
            await self._wait_for(aim, process)
        finally:
            if process.returncode is None:
                # `process.kill` may take the exit code of one that just ended, and then asyncio has none.
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
        told, said = await process.communicate()
        said += told
        if process.returncode == -9:
            self.kills[self._phase()] += 1
            self.killed_runs.add(self._inbox.run)
            self._check_state()
        else:
            # In a database, what was held by a run that was killed may wait.
            may_wait = self._inbox.is_down or isinstance(self._lab.state, DatabaseUrl)
            assert process.returncode == 0 or (process.returncode == 1 and may_wait), said.decode()
            self.finished += 1
            self._lab.next_day()

    async def _start(self) -> Process:
        self._asked, self._answered = len(self._arxiv.asked), len(self._arxiv.ended)
        return await self._lab.start()

    async def _wait_for(self, aim: str, process: Process) -> None:
        """Returns at some moment of the phase, or when the process has ended before it came."""
        if aim == "start":
            await asyncio.sleep(self._chance.uniform(0, SECONDS_TO_START))
            return
        mails = self._chance.randint(0, 60)
        async with asyncio.timeout(LIMIT):
            while process.returncode is None and not self._has_come(aim, mails):
                await asyncio.sleep(0.001)
        span = {"fetch": 0.15, "compose": SECONDS_TO_COMPOSE, "delivery": 0.005}[aim]
        await asyncio.sleep(self._chance.uniform(0, span))

    def _has_come(self, aim: str, mails: int) -> bool:
        if aim == "delivery":
            return len(self._inbox.latest()) > mails
        if aim == "fetch":
            return len(self._arxiv.asked) > self._asked
        return len(self._arxiv.ended) > self._answered

    def _phase(self) -> str:
        """Where the killed process was, by what its servers saw of it."""
        mails = self._inbox.latest()
        if len(self._arxiv.asked) == self._asked:
            return "delivery" if mails else "start"
        if len(self._arxiv.ended) == self._answered:
            return "fetch"
        return "delivery" if mails and mails[-1].at > self._arxiv.ended[-1] else "compose"

    def _check_state(self) -> None:
        """On a copy: the next process shall find the file as the killed one left it."""
        state = self._lab.state
        if isinstance(state, DatabaseUrl) or not state.exists():
            return
        with TemporaryDirectory() as folder:
            for file in state.parent.glob("digest.db*"):
                if not file.name.endswith(("-shm", ".lock")):
                    shutil.copy(file, folder)
            with closing(sqlite3.connect(Path(folder) / state.name)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert copy.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_a_run_killed_at_many_moments_loses_nothing_and_repeats_only_what_was_in_flight(
    tmp_path: Path, state: State
) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.randrange(2**32))
    print(f"CRASH_SEED={seed}")  # noqa: T201 (pytest shows it where the test fails)
    chance = random.Random(seed)
    async with laboratory(tmp_path, chance, subscribers=SUBSCRIBERS, state=state) as lab:
        harness = Harness(lab, chance)
        while harness.kills.total() < KILLS:
            await harness.run_and_kill()
        lab.inbox.is_down = False
        for _ in range(2):
            lab.next_day()
            await lab.run_until_done()
    print(f"kills {dict(harness.kills)}, runs that ended {harness.finished}")  # noqa: T201
    assert all(harness.kills[phase] > 0 for phase in PHASES), harness.kills
    lab.everybody_has_all_and_once()
    _only_mails_in_flight_came_again(lab, harness.killed_runs)


def _only_mails_in_flight_came_again(lab: Lab, killed: set[int]) -> None:
    """A mail was in flight if it is the last that came over its connection before the kill."""
    last = {(mail.run, mail.connection): mail for mail in lab.inbox.delivered}
    repeated: Counter[int] = Counter()
    for copies in lab.digests().values():
        assert len({(mail.recipient, mail.message) for mail in copies}) == 1, "the copies differ"
        for earlier, later in pairwise(copies):
            assert earlier.run < later.run, "a mail came twice in one run"
            assert earlier.run in killed, "a mail came again though the process was not killed"
            assert earlier is last[earlier.run, earlier.connection], "another mail went before it was noted"
            repeated[earlier.run] += 1
    mails = len(lab.inbox.delivered)
    print(f"mails {mails}, of which came again {repeated.total()}, from {len(repeated)} kills")  # noqa: T201
    assert max(repeated.values(), default=0) <= CONNECTIONS
    assert repeated.total() > 0, "no kill hit a mail in flight"
