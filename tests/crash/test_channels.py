"""Nine days with two channels beside mail subscribers, under faults and kills: nothing is lost or twice.

What may come twice is a request that was in flight, under the same id, which its receiver drops.

The moments follow from a seed, which is printed; CRASH_SEED sets it.
"""

import asyncio
import os
import random
import signal
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from aiohttp import web

from digest.config.database_url import DatabaseUrl
from digest.storage.factory import State
from tests.crash.lab import Lab, laboratory
from tests.crash.servers import TOPICS
from tests.waiting import LIMIT
from tests.webhooks import SECRET, Received, Receiver, receiving

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

NAMES = ("lab", "press")
SHARE_REFUSED, SHARE_FAILED_AFTER, SHARE_CUT = 0.2, 0.15, 0.15
RUNS_A_DAY = 3


class Group:
    """What reads a channel: it keeps what it took, and drops what it knows by its id."""

    def __init__(self, receiver: Receiver, topics: tuple[str, ...], chance: random.Random) -> None:
        self.topics = topics
        self.url = receiver.url
        self.taken: dict[str, list[Received]] = defaultdict(list)
        self.is_sound = False
        self.in_flight = asyncio.Event()
        self._receiver, self._chance = receiver, chance
        receiver.respond = self._respond

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        self.in_flight.set()
        came = self._receiver.received[-1]
        await asyncio.sleep(self._chance.uniform(0, 0.2))
        luck = 1.0 if self.is_sound else self._chance.random()
        if luck < SHARE_REFUSED:
            return web.Response(status=503)
        self.taken[came.id].append(came)
        if luck < SHARE_REFUSED + SHARE_FAILED_AFTER:
            return web.Response(status=500)
        if luck < SHARE_REFUSED + SHARE_FAILED_AFTER + SHARE_CUT and request.transport:
            request.transport.abort()
        return web.Response(status=204)

    def has_all_and_once(self, lab: Lab) -> None:
        for copies in self.taken.values():
            assert len({copy.body for copy in copies}) == 1, "another body under the same id"
        got = [paper for first, *_ in self.taken.values() for paper in first.papers]
        expected = [
            paper.id
            for paper in lab.days.papers
            if paper.at <= lab.days.now and set(paper.topics) & set(self.topics)
        ]
        assert sorted(got) == sorted(expected)


def write_settings(folder: Path, groups: dict[str, Group]) -> None:
    tables = [
        f'[[channel]]\nname = "{name}"\nkind = "webhook"\nurl = "{group.url}"\nsecret = "{SECRET}"\n'
        f'allow_private = true\nkeywords = ["{group.topics[0]}", "{group.topics[1]}"]\n'
        for name, group in groups.items()
    ]
    (folder / "digest.toml").write_text("\n".join(tables))


async def run_and_kill(lab: Lab, groups: dict[str, Group], chance: random.Random) -> bool:
    """Runs, and kills the process at some moment, often while a request is in flight. Whether it did."""
    aim = chance.choice(["moment", *NAMES, "never"])
    for group in groups.values():
        group.in_flight.clear()
    lab.inbox.is_down = chance.random() < 0.3
    process = await lab.start()
    ending = asyncio.ensure_future(process.communicate())
    if aim != "never":
        waits = {
            ending,
            asyncio.ensure_future(
                asyncio.sleep(chance.uniform(0.3, 2.5)) if aim == "moment" else groups[aim].in_flight.wait()
            ),
        }
        _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=LIMIT)
        for one in left - {ending}:
            one.cancel()
        await asyncio.sleep(chance.uniform(0, 0.25) if aim != "moment" else 0)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    told, said = await ending
    assert b"Traceback" not in said, said.decode()
    assert b"T0KEN" not in told + said
    return process.returncode == -signal.SIGKILL


async def test_nine_days_with_two_channels_lose_nothing_and_repeat_nothing(
    tmp_path: Path, state: State
) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.randrange(2**32))
    print(f"CRASH_SEED={seed}")  # noqa: T201 (pytest shows it where the test fails)
    chance = random.Random(seed)
    kills = 0
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(laboratory(tmp_path, chance, subscribers=6, state=state))
        groups = {
            name: Group(await stack.enter_async_context(receiving()), tuple(chance.sample(TOPICS, 2)), chance)
            for name in NAMES
        }
        write_settings(tmp_path, groups)
        for _ in range(9):
            for _ in range(RUNS_A_DAY):
                kills += await run_and_kill(lab, groups, chance)
            lab.next_day()
        lab.inbox.is_down = False
        for group in groups.values():
            group.is_sound = True
        for _ in range(3):
            lab.next_day()
            if isinstance(state, DatabaseUrl):
                await asyncio.sleep(6)  # until the leases of the killed ones have ended
            await lab.run_until_done()
        lab.everybody_has_all_and_once()
        for group in groups.values():
            group.has_all_and_once(lab)
    repeated = sum(len(copies) - 1 for group in groups.values() for copies in group.taken.values())
    print(f"kills {kills}, repeated under the same id {repeated}")  # noqa: T201
    assert kills
