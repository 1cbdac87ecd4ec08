"""Several processes serve one channel: each digest is sent by one of them, whatever happens to the other."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from digest.channels.base import Answer, Outcome, Post
from digest.mail.links import NO_LINKS
from digest.pipeline import leases, serve_channel
from digest.pipeline.serve_channel import ChannelJob, ChannelReport
from digest.storage.base import Store
from digest.storage.factory import open_store
from tests.postgresql import database_of, take_back_databases
from tests.stores import NOW, found, record
from tests.waiting import LIMIT, until
from tests.webhooks import make_channel

CHANNEL = make_channel("lab", "tea")
SENT = Answer(outcome=Outcome.SENT, reply="204")


@dataclass(slots=True)
class Slow:
    """A service that takes a post when it is let."""

    posts: list[Post] = field(default_factory=list)
    may_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, post: Post) -> Answer:
        self.posts.append(post)
        await self.may_go.wait()
        return SENT


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    with ExitStack() as stack:
        opened = [stack.enter_context(open_store(database_of(tmp_path))) for _ in range(4)]
        opened[0].enrol([CHANNEL.follower], now=NOW, current_since=NOW)
        record(opened[0], found("2606.00001", "tea"), covered=("tea",))
        yield opened
    take_back_databases()


def job(store: Store, service: Slow) -> ChannelJob:
    return ChannelJob(
        store=store,
        channel=CHANNEL,
        service=service,
        lookback=timedelta(days=16),
        clock=lambda: NOW,
        links=lambda mailing: NO_LINKS,
        stop=asyncio.Event(),
    )


async def run(store: Store, service: Slow) -> ChannelReport:
    return await job(store, service).run(lambda *_: NOW)


async def test_of_several_hosts_one_serves_and_the_others_look_again_soon(stores: list[Store]) -> None:
    service = Slow()
    runs = [asyncio.create_task(run(store, service)) for store in stores]
    await until(lambda: service.posts and sum(one.done() for one in runs) == 3)
    service.may_go.set()
    reports = await asyncio.gather(*runs)
    assert sorted(report.sent for report in reports) == [0, 0, 0, 1]
    assert len(service.posts) == 1
    assert (await run(stores[1], service)).sent == 0
    assert len(service.posts) == 1


async def test_what_a_host_that_was_cut_off_was_sending_is_repeated_under_its_id(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, other = Slow(), Slow()
    other.may_go.set()
    cut_off = asyncio.create_task(run(stores[0], service))
    await until(lambda: service.posts)
    stores[0].take_lease("channel/lab", lasting=timedelta(milliseconds=1))

    def refuse(task: str, *, lasting: timedelta) -> None:
        return None

    monkeypatch.setattr(stores[0], "take_lease", refuse)

    async def served() -> bool:
        return (await run(stores[1], other)).sent == 1

    async with asyncio.timeout(LIMIT):
        while not await served():
            await asyncio.sleep(0.1)
    assert [post.token for post in other.posts] == [post.token for post in service.posts]
    service.may_go.set()
    assert (await cut_off).sent == 1
    assert stores[1].channel_statuses(["channel:lab"])["channel:lab"].waiting == 0
    assert (await run(stores[2], other)).sent == 0


async def test_a_host_that_lost_its_lease_begins_no_other_attempt(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Slow()
    cut_off = asyncio.create_task(run(stores[0], service))
    await until(lambda: service.posts)
    for module in (leases, serve_channel):
        monkeypatch.setattr(module, "LASTING", timedelta(seconds=0.5))
    record(stores[1], found("2606.00002", "tea"), covered=("tea",))
    monkeypatch.setattr(stores[0], "take_lease", lambda task, *, lasting: None)
    await asyncio.sleep(0.6)
    service.may_go.set()
    await cut_off
    assert len(service.posts) == 1
