"""Three hosts with a network of their own each; that of one is cut while it mails, and comes back later."""

import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from digest.config.database_url import DatabaseUrl
from tests import postgresql
from tests.crash.hosts import AT, CONNECTIONS, SUBSCRIBERS, Clock, Town, copies, hosts_of
from tests.crash.lab import laboratory
from tests.crash.networks import Networks, forwarded, networks
from tests.postgresql import Server, name_of

pytestmark = pytest.mark.long

HOSTS = "abc"


@pytest.fixture
def server() -> Iterator[Server]:
    with postgresql.running(synchronous_commit="on") as server:
        yield server


@pytest.fixture
def bridge() -> Iterator[Networks]:
    with networks(HOSTS) as made:
        yield made


async def test_a_host_whose_network_is_cut_while_it_mails_loses_nothing(
    tmp_path: Path, server: Server, bridge: Networks
) -> None:
    async with AsyncExitStack() as stack:
        url = server.new_database(is_empty=True)
        lab = await stack.enter_async_context(
            laboratory(
                tmp_path,
                random.Random(8),
                subscribers=SUBSCRIBERS,
                state=url,
                connections=CONNECTIONS,
                each=AT,
                delivery__workers=1,
                smtp__timeout=20,
            )
        )
        clock = Clock(tmp_path / "clock")
        here = Town(lab=lab, clock=clock, hosts=hosts_of(lab, tmp_path, HOSTS, clock))
        port_of_database = await stack.enter_async_context(
            forwarded(bridge.address, server.folder / ".s.PGSQL.5432")
        )
        port_of_mail = await stack.enter_async_context(
            forwarded(bridge.address, int(lab.installation.environ["DIGEST_SMTP__PORT"]))
        )
        port_of_arxiv = await stack.enter_async_context(
            forwarded(bridge.address, int(lab.arxiv.url.rsplit(":", 1)[1].split("/")[0]))
        )
        arxiv = f"http://{bridge.address}:{port_of_arxiv}"
        state = DatabaseUrl(f"postgresql://digest@{bridge.address}:{port_of_database}/{name_of(url)}")
        here.begin_day()
        for name, host in here.hosts.items():
            host.inside = bridge.inside(name)
            host.installation.environ |= {
                "DIGEST_STATE": state.url,
                "DIGEST_SMTP__HOST": bridge.address,
                "DIGEST_SMTP__ALLOW_PLAINTEXT": "true",
                "DIGEST_ARXIV__REQUEST_INTERVAL": "3",
                "DIGEST_SMTP__PORT": str(port_of_mail),
                "DIGEST_ARXIV__API_URL": f"{arxiv}/api/query",
                "DIGEST_ARXIV__OAI_URL": f"{arxiv}/oai",
                "DIGEST_ARXIV__FEED_URL": f"{arxiv}/feed",
            }
            await host.start()
        await here.until_all_have_all()
        lab.inbox.seconds = 0.2
        here.next_day()
        await here.until(lambda: here.today() > 15)
        bridge.cut("a")
        await here.until_all_have_all(150)
        bridge.mend("a")
        lab.inbox.seconds = 0.003
        here.next_day()
        await here.until_all_have_all(150)
        assert copies(lab) <= CONNECTIONS
        for host in here.hosts.values():
            await host.end()
        assert not [line for host in here.hosts.values() for line in host.said if "Traceback" in line]
