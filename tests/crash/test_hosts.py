"""Three daemons over one database, day after day: each mail comes at its time, and once.

The host that asks arXiv is killed, and the one that mails; one sleeps while the others take over; the
database restarts. Only mails that were in flight then may come twice, as the same mails.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from digest.storage.factory import open_store
from tests import postgresql
from tests.crash.hosts import AT, CONNECTIONS, SUBSCRIBERS, Clock, Town, copies, hosts_of
from tests.crash.lab import laboratory
from tests.postgresql import Server

pytestmark = pytest.mark.long

INTERVAL = 0.5


@pytest.fixture
def server() -> Iterator[Server]:
    with postgresql.running(synchronous_commit="on") as server:
        yield server


@asynccontextmanager
async def town(folder: Path, server: Server, names: str = "abc") -> AsyncIterator[Town]:
    async with laboratory(
        folder,
        random.Random(7),
        subscribers=SUBSCRIBERS,
        state=server.new_database(is_empty=True),
        connections=CONNECTIONS,
        each=AT,
        arxiv__request_interval=INTERVAL,
        delivery__workers=1,
    ) as lab:
        clock = Clock(folder / "clock")
        here = Town(lab=lab, clock=clock, hosts=hosts_of(lab, folder, names, clock))
        here.begin_day()
        for host in here.hosts.values():
            await host.start()
        try:
            yield here
        finally:
            for host in here.hosts.values():
                if host.process:
                    await host.end()
        assert not [line for host in here.hosts.values() for line in host.said if "Traceback" in line]


async def test_three_hosts_share_the_work_of_days(tmp_path: Path, server: Server) -> None:
    async with town(tmp_path, server) as here:
        lab = here.lab
        await here.until_all_have_all()
        for _ in range(2):
            here.next_day()
            await here.until_all_have_all()
        assert copies(lab) == 0
        for day in (2, 3):
            sent = [mail for mail in lab.inbox.delivered if mail.run == day]
            assert len({mail.connection for mail in sent}) <= CONNECTIONS
        assert len(lab.arxiv.asked) <= 3 * 4
        began = [one.started for one in lab.arxiv.asked]
        pauses = [later - ended for ended, later in zip(lab.arxiv.ended, began[1:], strict=False)]
        assert all(pause >= INTERVAL * 0.9 for pause in pauses), pauses


async def test_a_host_that_dies_while_it_asks_arxiv_is_replaced(tmp_path: Path, server: Server) -> None:
    async with town(tmp_path, server) as here:
        lab = here.lab
        await here.until_all_have_all()
        asked = len(lab.arxiv.asked)
        lab.days.seconds = (2, 2)
        here.next_day()
        await here.until(lambda: len(lab.arxiv.asked) > asked)
        dead = here.fetching()
        await dead.end(signal.SIGKILL)
        await here.until(lambda: len(lab.arxiv.asked) > asked + 1)
        assert here.fetching() is not dead
        await here.until_all_have_all()
        assert copies(lab) == 0


async def test_a_host_that_dies_while_it_mails_is_replaced(tmp_path: Path, server: Server) -> None:
    async with town(tmp_path, server) as here:
        await here.until_all_have_all()
        here.lab.inbox.seconds = 0.2
        here.next_day()
        await here.until(lambda: here.today() > 15)
        await here.hosts["a"].end(signal.SIGKILL)
        await here.until_all_have_all()
        assert copies(here.lab) <= CONNECTIONS


async def test_a_host_that_sleeps_while_it_mails_leaves_to_others_what_they_took(
    tmp_path: Path, server: Server
) -> None:
    async with town(tmp_path, server) as here:
        lab = here.lab
        await here.until_all_have_all()
        lab.inbox.seconds = 0.2
        here.next_day()
        await here.until(lambda: here.today() > 15)
        asleep = here.hosts["a"].process
        assert asleep is not None
        asleep.send_signal(signal.SIGSTOP)
        await here.until_all_have_all()
        asleep.send_signal(signal.SIGCONT)
        await asyncio.sleep(3)
        lab.inbox.seconds = 0.003
        here.next_day()
        await here.until_all_have_all()
        assert copies(lab) <= CONNECTIONS


async def test_a_database_that_restarts_is_waited_for(tmp_path: Path, server: Server) -> None:
    async with town(tmp_path, server) as here:
        await here.until_all_have_all()
        here.lab.inbox.seconds = 0.2
        here.next_day()
        await here.until(lambda: here.today() > 15)
        server.restart()
        await here.until_all_have_all()
        assert copies(here.lab) == 0


@pytest.mark.parametrize("seconds", [60, 3 * 3600])
async def test_clocks_that_differ_do_no_harm(tmp_path: Path, server: Server, seconds: int) -> None:
    async with town(tmp_path, server) as here:
        await here.until_all_have_all()
        for name, skew in (("a", seconds), ("b", -seconds)):
            await here.hosts[name].end()
            here.hosts[name].skew = skew
            await here.hosts[name].start()
        here.lab.inbox.seconds = 0.1
        for _ in range(2):
            here.next_day()
            await here.until_all_have_all()
        assert copies(here.lab) == 0


async def test_who_leaves_by_one_host_gets_mail_from_none(tmp_path: Path, server: Server) -> None:
    async with town(tmp_path, server) as here:
        lab = here.lab
        await here.until_all_have_all()
        gone = next(iter(lab.subscribers))
        with open_store(lab.state) as store:
            store.leave(gone, now=here.clock.now())
        del lab.subscribers[gone]
        here.next_day()
        await here.until_all_have_all()
        assert gone not in {mail.recipient for mail in lab.inbox.delivered if mail.run == lab.inbox.run}
