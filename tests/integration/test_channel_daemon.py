"""The daemon with channels: each at its time, apart from mails and from each other."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from digest.demo.arxiv import Announcement, LocalArxiv
from digest.service import long_tasks
from digest.service.bootstrap import load_setup
from digest.service.daemon import Daemon
from digest.service.sd_notify import Notifier
from digest.storage.channel_stores import ChannelStatus
from digest.storage.sqlite.store import SqliteStore
from tests.factories import invented_paper, moment
from tests.integration.idle_daemon import SUBSCRIBER
from tests.waiting import LIMIT, until
from tests.webhooks import SECRET, Receiver, receiving

DAYS = (8, 9)
ANNOUNCEMENTS = [
    Announcement(
        paper=invented_paper(f"2606.0000{day}", f"Tea on day {day}", submitted=f"2026-06-{day:02} 12:00"),
        announced_at=moment(f"2026-06-{day + 1:02} 00:00"),
    )
    for day in DAYS
]


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_tasks, "LOOK_UP", timedelta(seconds=0.02))


class Town:
    """A daemon's files, arXiv and clock."""

    def __init__(self, folder: Path, arxiv: LocalArxiv, store: SqliteStore) -> None:
        self.folder, self.arxiv, self.store = folder, arxiv, store

    def set_clock(self, text: str) -> None:
        self.arxiv.now = moment(text)

    def mails(self) -> int:
        return len([*(self.folder / "Maildir/new").glob("*")])


def table(name: str, receiver: Receiver, at: str = "07:00") -> str:
    return (
        f'[[channel]]\nname = "{name}"\nkind = "webhook"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\n'
        f'allow_private = true\nkeywords = ["tea"]\nat = "{at}"\ntimezone = "UTC"\n'
    )


@asynccontextmanager
async def running(folder: Path, start: str, *tables: str) -> AsyncIterator[Town]:
    config = folder / "digest.toml"
    config.write_text("\n".join(tables))
    (folder / "subscribers.toml").write_text(SUBSCRIBER)
    async with LocalArxiv(ANNOUNCEMENTS, moment(start)) as arxiv:
        environ = {
            "DIGEST_STATE": str(folder / "digest.db"),
            "DIGEST_ARXIV__API_URL": arxiv.url,
            "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
            "DIGEST_ARXIV__RETRY_PAUSE": "0",
        }
        with SqliteStore(folder / "digest.db") as store:
            town = Town(folder, arxiv, store)
            setup = load_setup(config, environ)
            daemon = Daemon(
                setup, lambda: load_setup(config, environ), store, Notifier({}), clock=lambda: arxiv.now
            )
            task = asyncio.create_task(daemon.run())
            try:
                yield town
                assert not task.done()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                async with asyncio.timeout(LIMIT):
                    await task


async def test_a_channel_gets_at_its_time_what_was_announced(tmp_path: Path) -> None:
    async with receiving() as lab, running(tmp_path, "2026-06-08 22:00", table("lab", lab, "09:00")) as town:
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:01")
        await until(lambda: town.mails() == 1)
        assert lab.received == []
        town.set_clock("2026-06-09 09:00")
        await until(lambda: lab.received)
        town.set_clock("2026-06-10 09:01")
        await until(lambda: len(lab.received) == 2)
        assert [one.papers for one in lab.received] == [["2606.00008"], ["2606.00009"]]


async def test_a_service_that_hangs_delays_no_mail_and_no_other_channel(tmp_path: Path) -> None:
    async with receiving() as slow, receiving() as lab:

        async def hang(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(3600)
            raise AssertionError

        slow.respond = hang
        async with running(tmp_path, "2026-06-08 22:00", table("slow", slow), table("lab", lab)) as town:
            await until(lambda: town.store.covered_at())
            for day, count in ((9, 1), (10, 2)):
                town.set_clock(f"2026-06-{day:02} 07:01")
                await until(lambda count=count: town.mails() == count and len(lab.received) == count)  # type: ignore[misc]
            assert len(slow.received) == 1
    with SqliteStore(tmp_path / "digest.db") as store:
        assert store.channel_statuses(["channel:slow"])["channel:slow"].waiting == 1


async def test_a_new_channel_takes_part_without_a_restart(tmp_path: Path) -> None:
    async with receiving() as lab, running(tmp_path, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        (tmp_path / "digest.toml").write_text(table("lab", lab).replace('"tea"', '"day 8"'))
        await until(lambda: len(town.store.covered_at()) == 2)
        town.set_clock("2026-06-09 07:01")
        await until(lambda: lab.received)


async def test_a_channel_that_was_gone_goes_on_when_a_command_says_so(tmp_path: Path) -> None:
    async with receiving() as lab, running(tmp_path, "2026-06-08 22:00", table("lab", lab)) as town:
        lab.answer(410)
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:01")
        await until(lambda: town.store.channel_statuses(["channel:lab"])["channel:lab"].rest)
        lab.answer(204)
        town.set_clock("2026-06-10 07:01")
        await until(lambda: town.mails() == 2)
        assert len(lab.received) == 1
        with SqliteStore(tmp_path / "digest.db") as other:
            assert other.wake_channel("channel:lab", now=town.arxiv.now)
        town.set_clock("2026-06-10 07:02")
        await until(lambda: len(lab.received) > 1)
        await until(lambda: sum(len(one.papers) for one in lab.received[1:]) == 2)


async def test_what_waits_is_tried_again_at_its_time(tmp_path: Path) -> None:
    async with receiving() as lab, running(tmp_path, "2026-06-08 22:00", table("lab", lab)) as town:
        lab.answer(503, retry_after="600")
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:01")
        await until(lambda: town.store.channel_statuses(["channel:lab"])["channel:lab"].attempts == 1)
        lab.answer(204)
        town.set_clock("2026-06-09 07:12")
        await until(lambda: len(lab.received) == 2)
        assert lab.received[0].id == lab.received[1].id


async def test_what_becomes_due_while_the_daemon_looks_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()
    ask = SqliteStore.channel_statuses

    def ask_at_the_last_moment(self: SqliteStore, addresses: Sequence[str]) -> Mapping[str, ChannelStatus]:
        statuses = ask(self, addresses)
        if asked_by_the_look and threading.current_thread() is not threading.main_thread():
            town.set_clock("2026-06-09 07:12")
            looked.set()
        return statuses

    asked_by_the_look = False
    monkeypatch.setattr(SqliteStore, "channel_statuses", ask_at_the_last_moment)
    async with receiving() as lab, running(tmp_path, "2026-06-08 22:00", table("lab", lab)) as town:
        lab.answer(503, retry_after="600")
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:01")
        await until(lambda: town.store.channel_statuses(["channel:lab"])["channel:lab"].attempts == 1)
        await asyncio.sleep(0.2)
        lab.answer(204)
        asked_by_the_look = True
        town.set_clock("2026-06-09 07:02")
        await until(looked.is_set)
        await until(lambda: len(lab.received) == 2)
