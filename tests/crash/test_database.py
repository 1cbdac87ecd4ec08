"""The database server restarts or fails over in mid-run, or has no connection left: all comes, and once.

A process that is not killed knows what it sent: it waits until it can write that down.
"""

import asyncio
import random
from asyncio.subprocess import Process
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from digest.config.database_url import DatabaseUrl
from tests import postgresql
from tests.crash.lab import Lab, laboratory
from tests.postgresql import Server, name_of
from tests.waiting import LIMIT

pytestmark = pytest.mark.long

SUBSCRIBERS = 60
RESTARTS = 20
FAILOVERS = 6
TIMES_WITHOUT_CONNECTIONS = 4
MOST_CONNECTIONS = 20


@pytest.fixture
def server() -> Iterator[Server]:
    with postgresql.running(max_connections=str(MOST_CONNECTIONS), synchronous_commit="on") as server:
        yield server


async def test_a_server_that_restarts_in_mid_run_loses_nothing(tmp_path: Path, server: Server) -> None:
    chance = random.Random(1)
    url = server.new_database(is_empty=True)
    async with laboratory(tmp_path, chance, subscribers=SUBSCRIBERS, state=url) as lab:
        await lab.run_well()
        for number in range(RESTARTS):
            lab.next_day()
            process = await lab.start()
            await _until(process, _has_come(lab, mails=chance.choice((None, 0, 1, SUBSCRIBERS // 2))))
            await asyncio.sleep(chance.uniform(0, 0.2))
            server.restart("immediate" if number % 4 else "fast")
            await _ended(process)
            await lab.run_until_done()
        _all_came_once(lab)


async def test_a_failover_to_the_standby_in_mid_run_loses_nothing(tmp_path: Path, server: Server) -> None:
    chance = random.Random(3)
    name = name_of(server.new_database(is_empty=True))
    places = [server.folder, *(server.folder / str(number) for number in range(FAILOVERS))]
    hosts = ",".join(map(str, places))
    url = DatabaseUrl(f"postgresql://digest@/{name}?host={hosts}&target_session_attrs=read-write")
    async with laboratory(tmp_path, chance, subscribers=SUBSCRIBERS, state=url) as lab:
        await lab.run_well()
        primary = server
        for number, place in enumerate(places[1:]):
            place.mkdir()
            standby = primary.standby(place)
            lab.next_day()
            process = await lab.start()
            await _until(process, _has_come(lab, mails=(None, 0, SUBSCRIBERS // 2)[number % 3]))
            await asyncio.sleep(chance.uniform(0, 0.2))
            primary.stop()
            await asyncio.sleep(chance.uniform(0, 1))  # hosts find no primary
            standby.promote()
            await _ended(process)
            await lab.run_until_done()
            primary = standby
        _all_came_once(lab)
        primary.stop()


async def test_a_server_without_a_free_connection_is_waited_for(tmp_path: Path, server: Server) -> None:
    chance = random.Random(2)
    url = server.new_database(is_empty=True)
    async with laboratory(tmp_path, chance, subscribers=SUBSCRIBERS, state=url) as lab:
        await lab.run_well()
        for number in range(TIMES_WITHOUT_CONNECTIONS):
            lab.next_day()
            if number == 0:
                with _all_connections(url):
                    code, said = await lab.run()
                assert code == 1, said
                assert "too many clients already; raise max_connections of the server" in said
                continue
            process = await lab.start()
            await _until(process, _has_come(lab, mails=(None, 0, SUBSCRIBERS // 2)[number - 1]))
            with _all_connections(url):
                await asyncio.sleep(1)
            await _ended(process)
            await lab.run_until_done()
        _all_came_once(lab)


def _all_connections(url: DatabaseUrl) -> ExitStack:
    """Takes all connections that are left."""
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            try:
                stack.enter_context(closing(psycopg.connect(url.url)))
            except psycopg.OperationalError:
                break
        return stack.pop_all()


def _has_come(lab: Lab, *, mails: int | None) -> Callable[[], bool]:
    """Whether arXiv was asked, or so many mails came."""
    asked, before = len(lab.arxiv.asked), len(lab.inbox.delivered)
    if mails is None:
        return lambda: len(lab.arxiv.asked) > asked
    return lambda: len(lab.inbox.delivered) > before + mails


async def _until(process: Process, has_come: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not has_come() and process.returncode is None:
            await asyncio.sleep(0.001)


async def _ended(process: Process) -> None:
    async with asyncio.timeout(LIMIT):
        said, _ = await process.communicate()
    assert process.returncode in {0, 1}, said.decode()
    assert "Traceback" not in said.decode(), said.decode()


def _all_came_once(lab: Lab) -> None:
    lab.everybody_has_all_and_once()
    assert {len(copies) for copies in lab.digests().values()} == {1}
