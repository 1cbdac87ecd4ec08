"""The daemon over a small arXiv on loopback, a real state file and a Maildir; its clock is ours."""

import asyncio
import logging
import os
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import date, datetime, time, timedelta
from email import message_from_bytes
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import ClientSession

from digest.config.loader import load_settings
from digest.demo.arxiv import Announcement, LocalArxiv
from digest.errors import StateError, WrongClock
from digest.pipeline import policy
from digest.pipeline.cycle import Cycle
from digest.service import bootstrap, long_tasks, ping
from digest.service.bootstrap import load_setup
from digest.service.daemon import Daemon
from digest.service.directory import directory_of
from digest.service.sd_notify import Notifier
from digest.storage.sqlite.backup import back_up
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.combined import CombinedDirectory
from digest.subscribers.preferences import OwnKeyword, Preferences
from tests.entries import add_entries
from tests.factories import invented_paper, moment
from tests.fakes import FakeSource
from tests.forms import form_with, submitted
from tests.integration.certificates import issued
from tests.integration.idle_daemon import SUBSCRIBER, idle_daemon
from tests.integration.mail_server import Answer, Do, MailServer, serving
from tests.integration.ping_server import ping_server
from tests.waiting import LIMIT, until

# Announcements are at midnight UTC in June; the first poll is half an hour later.
ANNOUNCEMENTS = [
    Announcement(
        paper=invented_paper(f"2606.0000{day}", f"Tea on day {day}", submitted=f"2026-06-{day:02} 12:00"),
        announced_at=moment(f"2026-06-{day + 1:02} 00:00"),
    )
    for day in (8, 9)
]


class Town:
    """A daemon's surroundings: its files, its arXiv, its clock, and what systemd heard."""

    service: "Watched"

    def __init__(self, folder: Path, arxiv: LocalArxiv, store: SqliteStore, ear: socket.socket) -> None:
        self.folder = folder
        self.arxiv = arxiv
        self.store = store
        self._ear = ear
        self._heard: list[str] = []

    async def settle(self) -> None:
        """Until the daemon has looked at its files and at what subscribers chose, and has nothing more to
        do.
        """
        looked = self.service.looked
        await until(lambda: self.service.looked >= looked + 2 and self.service.rests)

    @property
    def now(self) -> datetime:
        return self.arxiv.now

    def set_clock(self, text: str) -> None:
        self.arxiv.now = moment(text)

    def mails(self) -> list[str]:
        """The subjects of all mails so far, by their day."""
        messages = [message_from_bytes(path.read_bytes()) for path in (self.folder / "Maildir/new").glob("*")]
        return sorted(f"{message['Date']} {message['To']}" for message in messages)

    def heard(self) -> list[str]:
        with suppress(BlockingIOError):
            while word := self._ear.recv(4096):
                self._heard.append(word.decode())
        return self._heard


class Watched(Daemon):
    """One of which can be seen how often it looked at its surroundings, and whether it rests."""

    looked = 0

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._asleep: dict[asyncio.Event, datetime] = {}

    @property
    def rests(self) -> bool:
        """Both tasks sleep, until later than now, and nothing has woken them."""
        return len(self._asleep) == 2 and not any(
            wake.is_set() or until <= self._clock() for wake, until in self._asleep.items()
        )

    async def _sleep(self, until: datetime, wake: asyncio.Event) -> None:
        self._asleep[wake] = until
        try:
            await super()._sleep(until, wake)
        finally:
            del self._asleep[wake]

    async def _note_alive(self) -> None:
        await super()._note_alive()
        self.looked += 1


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_tasks, "LOOK_UP", timedelta(seconds=0.02))


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        yield ear


@asynccontextmanager
async def running(folder: Path, ear: socket.socket, start: str, **more: str) -> AsyncIterator[Town]:
    """A daemon that runs from `start` on, and is told to stop at the end."""
    async with LocalArxiv(ANNOUNCEMENTS, moment(start)) as arxiv:
        environ = {
            "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
            "DIGEST_STATE": str(folder / "digest.db"),
            "DIGEST_ARXIV__API_URL": arxiv.url,
            "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
            "DIGEST_ARXIV__RETRY_PAUSE": "0",
            **more,
        }
        told = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "100000"}
        subscribers = folder / "subscribers.toml"
        if not subscribers.exists():
            subscribers.write_text(SUBSCRIBER)
        with SqliteStore(folder / "digest.db") as store, closing(Notifier(told)) as notifier:
            town = Town(folder, arxiv, store, ear)
            town.service = Watched(
                load_setup(None, environ),
                lambda: load_setup(None, environ),
                store,
                notifier,
                clock=lambda: town.now,
            )
            task = asyncio.create_task(town.service.run())
            try:
                yield town
                assert not task.done()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                async with asyncio.timeout(LIMIT):
                    await task


async def test_a_subscriber_is_mailed_at_their_time_what_was_announced_the_night_before(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 06:59")
        await until(lambda: max(town.store.covered_at().values()) == moment("2026-06-09 06:59"))
        await town.settle()
        assert town.mails() == []
        town.set_clock("2026-06-09 07:01")
        await until(town.mails)
        assert town.mails() == ["Tue, 09 Jun 2026 07:00:00 +0000 <ada@example.org>"]
        town.set_clock("2026-06-10 07:00")
        await until(lambda: len(town.mails()) == 2)


async def test_days_of_downtime_end_in_one_digest(tmp_path: Path, ear: socket.socket) -> None:
    async with running(tmp_path, ear, "2026-06-06 12:00") as town:
        await until(lambda: town.store.covered_at())
    async with running(tmp_path, ear, "2026-06-10 10:00") as town:
        await until(town.mails)
        await town.settle()
        assert town.mails() == ["Wed, 10 Jun 2026 07:00:00 +0000 <ada@example.org>"]


async def test_when_arxiv_is_down_at_the_time_the_digest_comes_as_soon_as_it_is_back(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.arxiv.is_overloaded = True
        town.set_clock("2026-06-09 07:01")
        await town.settle()
        assert town.mails() == []
        town.arxiv.is_overloaded = False
        town.set_clock("2026-06-09 07:45")
        await until(town.mails)
        assert town.mails() == ["Tue, 09 Jun 2026 07:00:00 +0000 <ada@example.org>"]


async def test_a_new_subscriber_takes_part_without_a_restart(tmp_path: Path, ear: socket.socket) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        more = SUBSCRIBER + SUBSCRIBER.replace("ada@", "bo@").replace('"tea"', '"day 8"')
        (tmp_path / "subscribers.toml").write_text(more)
        await until(lambda: len(town.store.covered_at()) == 2)
        town.set_clock("2026-06-09 07:01")
        await until(lambda: len(town.mails()) == 2)


async def test_subscribers_in_the_database_take_part_without_a_restart(
    tmp_path: Path, ear: socket.socket
) -> None:
    with SqliteStore(tmp_path / "digest.db") as store:
        add_entries(store, SUBSCRIBER)
    async with running(tmp_path, ear, "2026-06-08 22:00", DIGEST_SUBSCRIBERS="database") as town:
        await until(lambda: town.store.covered_at())
        with SqliteStore(tmp_path / "digest.db") as other:
            add_entries(other, SUBSCRIBER.replace("ada@", "bo@").replace('"tea"', '"day 8"'))
        await until(lambda: len(town.store.covered_at()) == 2)
        town.set_clock("2026-06-09 07:01")
        await until(lambda: len(town.mails()) == 2)


async def test_who_signs_up_takes_part_without_a_restart(tmp_path: Path, ear: socket.socket) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        with SqliteStore(tmp_path / "digest.db") as other:
            add_entries(other, SUBSCRIBER.replace("ada@", "bo@").replace('"tea"', '"day 8"'))
        await until(lambda: len(town.store.covered_at()) == 2)
        town.set_clock("2026-06-09 07:01")
        await until(lambda: len(town.mails()) == 2)


@pytest.mark.parametrize("to_state", [True, False])
async def test_whose_entry_is_moved_misses_nothing_and_gets_nothing_twice(
    tmp_path: Path, ear: socket.socket, *, to_state: bool
) -> None:
    file, settings = tmp_path / "subscribers.toml", {"DIGEST_STATE": str(tmp_path / "digest.db")}
    file.write_text(SUBSCRIBER if to_state else "")
    if not to_state:
        with SqliteStore(tmp_path / "digest.db") as store:
            add_entries(store, SUBSCRIBER)
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:01")
        await until(lambda: len(town.mails()) == 1)
        town.store.save_preferences("ada@example.org", Preferences(send_at=time(7, 30)))
        await town.settle()
        directory = directory_of(load_settings(None, {**settings, "DIGEST_SUBSCRIBERS": str(file)}))
        assert isinstance(directory, CombinedDirectory)
        assert await asyncio.to_thread(directory.move, "ada@example.org", to_state=to_state)
        await town.settle()
        assert [one.is_signed_up for one in town.service._current.setup.subscribers] == [to_state]
        town.set_clock("2026-06-10 07:31")
        await until(lambda: len(town.mails()) == 2)
        await town.settle()
        first, second = town.store.past_mailings(since=None, email="ada@example.org", after=0, limit=9)
        assert not {*first.ids} & {*second.ids}
        assert (first.state, second.state) == ("sent", "sent")


async def test_an_edit_between_the_first_reading_and_the_start_is_noticed(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        # The files were read, and nothing of the daemon has run yet.
        (tmp_path / "subscribers.toml").write_text(SUBSCRIBER.replace('"tea"', '"tea", "milk"'))
        await until(lambda: len(town.store.covered_at()) == 2)


async def test_a_file_that_is_being_written_is_not_read(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some editors, and scp, empty the file first: its subscribers would lose what they liked."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("digest.service.daemon._SETTLING", 3.0)
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        looked = town.service.looked
        (tmp_path / "subscribers.toml").write_text("")
        await asyncio.sleep(0.3)
        (tmp_path / "subscribers.toml").write_text(SUBSCRIBER.replace('"tea"', '"tea", "milk"'))
        await until(lambda: len(town.store.covered_at()) == 2)
        assert town.service.looked > looked
        assert "reloaded subscribers=0" not in caplog.text


async def test_sighup_rereads_the_files_at_once(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        monkeypatch.setattr(long_tasks, "LOOK_UP", timedelta(hours=1))
        looked = town.service.looked
        await until(lambda: town.service.looked > looked)
        (tmp_path / "subscribers.toml").write_text(SUBSCRIBER.replace('"tea"', '"tea", "milk"'))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: len(town.store.covered_at()) == 2)


@pytest.mark.parametrize("how", ["an edit", "SIGHUP"])
async def test_what_the_state_could_not_take_up_is_taken_up_when_it_can(
    how: str, tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        await town.settle()
        town.store._connection.rows("ALTER TABLE subscription RENAME TO mislaid")
        if how == "an edit":
            (tmp_path / "subscribers.toml").write_text(SUBSCRIBER.replace('"tea"', '"tea", "milk"'))
        else:
            os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "step failed step=reload" in caplog.text)
        town.store._connection.rows("ALTER TABLE mislaid RENAME TO subscription")
        if how == "an edit":
            await until(lambda: len(town.store.covered_at()) == 2)
        else:
            await until(lambda: caplog.text.count("reloaded") == 1)


async def test_a_keyword_that_is_chosen_online_is_fetched(tmp_path: Path, ear: socket.socket) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        milk = Preferences(added=(OwnKeyword("milk"),))
        town.store.save_preferences("ada@example.org", milk)
        await until(lambda: len(town.store.covered_at()) == 2)
        town.store.save_preferences("ada@example.org", Preferences())
        await until(lambda: len(town.store.covered_at()) == 1)


async def test_a_broken_file_is_told_of_once_and_the_last_good_one_serves(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        (tmp_path / "subscribers.toml").write_text('[[subscriber]]\nemial = "ada@example.org"\n')
        await until(lambda: caplog.records)
        town.set_clock("2026-06-09 07:01")
        await until(town.mails)
        assert len(caplog.records) == 1
        assert "emial" in caplog.text
        (tmp_path / "subscribers.toml").write_text(SUBSCRIBER.replace('"tea"', '"tea", "milk"'))
        await until(lambda: len(town.store.covered_at()) == 2)
        assert len(caplog.records) == 1


async def test_systemd_hears_ready_alive_and_stopping(tmp_path: Path, ear: socket.socket) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        await until(lambda: town.heard().count("WATCHDOG=1") >= 2)
        assert town.heard()[0].startswith("READY=1\n")
    assert town.heard()[-1].startswith("STOPPING=1")


async def test_systemd_hears_of_the_next_attempt_of_a_daemon_that_could_not_begin(
    tmp_path: Path, ear: socket.socket
) -> None:
    heard = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with SqliteStore(tmp_path / "digest.db") as store, closing(Notifier(heard)) as notifier:
        service = idle_daemon(tmp_path, store, lambda: moment("2026-06-08 22:00"), notifier)
        store._connection.rows("ALTER TABLE subscription RENAME TO mislaid")
        with pytest.raises(StateError):
            await service.run()
        notifier.ready("waiting")
    assert ear.recv(4096) == b"READY=1\nSTATUS=waiting"


async def test_a_failing_store_does_not_end_the_daemon(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SERVER_PAUSES", (timedelta(minutes=1),))
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        await town.settle()
        town.store._connection.rows("ALTER TABLE mailing RENAME TO mislaid")
        town.set_clock("2026-06-09 07:01")
        await until(lambda: "step failed step=mailing" in caplog.text)
        town.store._connection.rows("ALTER TABLE mislaid RENAME TO mailing")
        await town.settle()  # an attempt that had begun before waits from its own moment on
        town.set_clock("2026-06-09 07:03")
        await until(town.mails)


async def test_a_daemon_without_subscribers_waits_for_the_first(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "subscribers.toml").write_text("")
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await town.settle()
        (tmp_path / "subscribers.toml").write_text(SUBSCRIBER)
        await until(lambda: town.store.covered_at())
    assert "failed" not in caplog.text


async def test_a_sleep_ends_when_the_clock_is_set_back(tmp_path: Path) -> None:
    now, looks = moment("2027-06-09 07:00"), 0

    def clock() -> datetime:
        nonlocal looks
        looks += 1
        return now

    with SqliteStore(tmp_path / "digest.db") as store:
        daemon = idle_daemon(tmp_path, store, clock)
        sleep = asyncio.create_task(daemon._sleep(moment("2027-06-10 07:00"), asyncio.Event()))
        await until(lambda: looks > 5)
        assert not sleep.done()
        now = moment("2026-06-09 07:01")
        async with asyncio.timeout(LIMIT):
            await sleep


@pytest.mark.parametrize("wrong", ["2027-06-09 07:00", "2026-06-09 12:00"])
async def test_after_a_clock_that_was_ahead_arxiv_is_asked_once_and_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    now, right = moment(wrong), moment("2026-06-09 07:30")
    source = FakeSource(invented_paper("2606.00008", "Tea", submitted="2026-06-08 12:00"))
    monkeypatch.setattr(bootstrap, "build_sources", lambda *_: (source,))
    if wrong.startswith("2027"):
        source.failing = lambda _: WrongClock("http://arxiv", "another time") if now > right else None
    with SqliteStore(tmp_path / "digest.db") as store:
        daemon = idle_daemon(tmp_path, store, lambda: now)
        await daemon._enrol()
        await daemon._fetching.step()
        now, asked = right, len(source.asked)
        for _ in range(3):
            await daemon._fetching.step()
        assert len(source.asked) == asked + 1


async def test_a_clock_that_was_ahead_once_does_not_stop_the_fetching(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with running(tmp_path, ear, "2027-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: set(town.store.covered_at().values()) == {moment("2026-06-08 22:00")})
        town.set_clock("2026-06-09 07:01")
        await until(town.mails)


async def test_a_subscriber_who_chooses_another_time_is_mailed_then_without_a_restart(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.store.save_preferences("ada@example.org", Preferences(send_at=time(9)))
        town.set_clock("2026-06-09 07:01")
        await town.settle()
        assert town.mails() == []
        town.set_clock("2026-06-09 09:01")
        await until(town.mails)
        assert town.mails() == ["Tue, 09 Jun 2026 09:00:00 +0000 <ada@example.org>"]


async def test_what_came_in_a_pause_is_in_the_first_digest_after_it(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.store.save_preferences("ada@example.org", Preferences(paused_until=date(2026, 6, 10)))
        for clock in ("2026-06-09 07:01", "2026-06-10 00:45", "2026-06-10 06:59"):
            town.set_clock(clock)
            await town.settle()
            assert town.mails() == []
        town.set_clock("2026-06-10 07:01")
        await until(town.mails)
        assert town.mails() == ["Wed, 10 Jun 2026 07:00:00 +0000 <ada@example.org>"]
        (mail,) = (tmp_path / "Maildir/new").glob("*")
        assert all(f"2606.0000{day}" in mail.read_text() for day in (8, 9))


async def test_who_leaves_is_mailed_no_more_and_who_comes_back_is(tmp_path: Path, ear: socket.socket) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.store.leave("ada@example.org", now=town.now)
        town.set_clock("2026-06-09 07:01")
        await town.settle()
        (tmp_path / "subscribers.toml").write_text(f"# edited\n{SUBSCRIBER}")
        await town.settle()
        assert town.mails() == []
        town.store.rejoin("ada@example.org")
        town.set_clock("2026-06-10 07:01")
        await until(town.mails)


async def test_a_click_in_a_mail_ends_the_mails(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "digest.service.daemon")
    web = {"DIGEST_WEB__BASE_URL": "https://d.example.org", "DIGEST_WEB__LISTEN": "127.0.0.1:0"}
    web["DIGEST_WEB__METRICS_TOKEN"] = "figures-for-prometheus-1"
    async with running(tmp_path, ear, "2026-06-08 22:00", **web) as town:
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:01")
        await until(town.mails)
        await town.settle()  # figures count a mailing at its end
        (mail,) = (tmp_path / "Maildir/new").glob("*")
        message = message_from_bytes(mail.read_bytes())
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        page = str(message["List-Unsubscribe"])  # without smtp.bounce_address nobody reads such mails
        (address,) = re.findall(r"web pages served url=(\S+)", caplog.text)
        url = page.strip("<>").replace("https://d.example.org", address)
        async with (
            ClientSession() as session,
            session.post(url, data={"List-Unsubscribe": "One-Click"}) as answer,
        ):
            assert answer.status == 200
            told = {"Authorization": "Bearer figures-for-prometheus-1"}
            figures = await (await session.get(f"{address}/metrics", headers=told)).text()
        assert 'digest_digests_total{outcome="sent"} 1.0' in figures
        assert 'digest_source_last_success_timestamp_seconds{source="' in figures
        await until(lambda: len(town.mails()) == 2)  # that it was done, and how to take it back
        (notice,) = [mail for mail in mails_in(town) if mail["Subject"].startswith("You are unsubscribed")]
        (back,) = re.findall(r"https://d.example.org(/b/\S+)", str(notice.get_payload()))
        town.set_clock("2026-06-10 07:01")
        await town.settle()
        assert len(town.mails()) == 2
        async with ClientSession() as session, session.post(address + back) as answer:
            assert answer.status == 200
        town.set_clock("2026-06-11 07:01")
        await until(lambda: len(town.mails()) == 3)


async def test_who_signs_up_gets_their_mail_at_once_and_then_a_first_digest(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "digest.service.daemon")
    base = "https://d.example.org"
    web = {
        "DIGEST_WEB__BASE_URL": base,
        "DIGEST_WEB__LISTEN": "127.0.0.1:0",
        "DIGEST_WEB__SIGNUP": "open",
    }
    async with (
        running(tmp_path, ear, "2026-06-08 22:00", **web) as town,
        ClientSession() as session,
    ):
        await until(lambda: town.store.covered_at())
        (address,) = re.findall(r"web pages served url=(\S+)", caplog.text)
        async with session.get(f"{address}/join") as answer:
            form = form_with(await answer.text(), "Sign up")
        town.set_clock("2026-06-08 22:01")
        chosen = {"email": "bo@example.org", "k-new-1": "day 8", "at": "07:00", "timezone": "UTC"}
        async with session.post(f"{address}/join", data=submitted(form, "Sign up", **chosen)) as answer:
            assert answer.status == 200
        await until(town.mails)
        (mail,) = mails_in(town)
        link = re.findall(rf"{base}(/c/[\w-]+)", mail.as_string())[0]
        async with session.get(address + link) as answer:
            button = form_with(await answer.text(), "Subscribe")
        await session.post(address + link, data=submitted(button, "Subscribe"))
        await until(lambda: len(town.store.covered_at()) == 2)
        town.set_clock("2026-06-09 07:01")
        await until(lambda: len(town.mails()) == 3)
    assert [mail["To"] for mail in mails_in(town)].count("<bo@example.org>") == 2


def mails_in(town: Town) -> list[Message]:
    return [message_from_bytes(path.read_bytes()) for path in (town.folder / "Maildir/new").glob("*")]


async def test_choices_survive_a_restart(tmp_path: Path, ear: socket.socket) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.store.save_preferences("ada@example.org", Preferences(send_at=time(9)))
    async with running(tmp_path, ear, "2026-06-09 07:01") as town:
        await town.settle()
        assert town.mails() == []
        town.set_clock("2026-06-09 09:01")
        await until(town.mails)


async def test_a_restored_state_is_told_of_once_and_its_mails_are_no_others(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
    back_up(tmp_path / "digest.db", tmp_path / "copy.db", now=moment("2026-06-08 22:30"))
    async with running(tmp_path, ear, "2026-06-09 08:00") as town:
        await until(lambda: len(town.mails()) == 1)
    assert "an older copy" not in caplog.text
    shutil.copyfile(tmp_path / "copy.db", tmp_path / "digest.db")
    async with running(tmp_path, ear, "2026-06-09 09:00") as town:
        await until(lambda: len(town.mails()) == 2)
    async with running(tmp_path, ear, "2026-06-09 10:00"):
        pass
    assert caplog.text.count("an older copy of the state (of 2026-06-08 22:30 UTC)") == 1


async def test_arxiv_is_asked_on_the_evening_of_a_holiday_and_the_log_tells_why_nothing_came(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, ear, "2026-06-19 12:00") as town:
        await until(lambda: "asking arXiv next at=2026-06-22 03:00" in caplog.text)
        town.set_clock("2026-06-22 03:00")
        await until(lambda: "asking arXiv next at=2026-06-23 00:30" in caplog.text)
        assert "Sunday, 2026-06-21 (New York): no announcement follows a holiday on a Friday" in caplog.text


async def test_arxiv_is_asked_once_for_what_its_index_does_not_show_yet_and_again_when_it_does(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, ear, "2026-06-15 12:00") as town:
        await until(lambda: "asking arXiv next at=2026-06-16 00:30" in caplog.text)
        town.set_clock("2026-06-16 00:30")
        await until(lambda: "asking arXiv next at=2026-06-16 03:00" in caplog.text)
        await town.settle()
        assert caplog.text.count("fetched source=") == 2
        assert max(town.store.covered_at().values()) < moment("2026-06-16 00:00")
        town.set_clock("2026-06-16 03:00")
        await until(lambda: "asking arXiv next at=2026-06-16 06:00" in caplog.text)


async def test_what_arxiv_left_out_is_told_and_asked_for_every_six_hours(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    teas = [invented_paper(f"2606.{n:05}", "Tea", submitted="2026-06-12 10:00") for n in range(300)]
    sources = [FakeSource(*teas, name=name) for name in ("one", "another")]
    monkeypatch.setattr(bootstrap, "build_sources", lambda settings, client: sources)
    caplog.set_level(logging.INFO)

    def said(text: str) -> bool:
        return text in caplog.text

    async with running(tmp_path, ear, "2026-06-15 12:00") as town:
        await until(partial(said, "asking arXiv next at=2026-06-16 00:30"))
        for asked, again in (("03:00", "06:00"), ("06:00", "12:00"), ("12:00", "18:00")):
            town.set_clock(f"2026-06-16 {asked}")
            await until(partial(said, f"next at=2026-06-16 {again}"))
        assert caplog.text.count("evening of Monday, 2026-06-15 (New York), though it was to") == 3
        sources[0].papers = (*teas, invented_paper("2606.01000", "Tea", submitted="2026-06-14 10:00"))
        town.set_clock("2026-06-16 18:00")
        await until(lambda: "asking arXiv next at=2026-06-17 00:30" in caplog.text)


def by_way_of(post: MailServer) -> dict[str, str]:
    settings = {"HOST": "127.0.0.1", "PORT": str(post.port), "SECURITY": "none", "SENDER": "a@lab.example"}
    return {f"DIGEST_SMTP__{key}": value for key, value in settings.items()}


async def test_a_provider_whose_quota_is_used_up_rests_until_it_may_be_free(
    tmp_path: Path, ear: socket.socket
) -> None:
    first = [SUBSCRIBER.replace("ada@", f"ada{number}@") for number in range(4)]
    later = SUBSCRIBER.replace("ada@", "bo@").replace("07:00", "08:00")
    (tmp_path / "subscribers.toml").write_text("".join([*first, later]))
    full = MailServer(answers={"RCPT": ["550 5.4.5 Daily user sending limit exceeded"] * 3})
    async with (
        serving(full) as post,
        running(tmp_path, ear, "2026-06-08 22:00", **by_way_of(post), DIGEST_SMTP__CONNECTIONS="1") as town,
    ):
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:00")
        await until(lambda: sum(line == "QUIT" for line in post.commands) == 3)
        await town.settle()
        town.set_clock("2026-06-09 08:30")
        await until(lambda: town.store.waiting() == 5)
        await town.settle()
        assert sum(line.startswith("RCPT") for line in post.commands) == 3
        town.set_clock("2026-06-09 10:05")
        await until(lambda: len(post.accepted) == 5)


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ({"STARTTLS": "250 ok"}, "offers encryption but does not start it (250 ok)"),
        ({"HANDSHAKE": Do.RESET}, "during the TLS handshake"),
    ],
)
async def test_mails_wait_for_encryption_and_go_when_there_is_some(
    tmp_path: Path,
    ear: socket.socket,
    trusted: trustme.CA,
    answers: dict[str, Answer],
    cause: str,
) -> None:
    (tmp_path / "subscribers.toml").write_text(SUBSCRIBER)
    async with serving(MailServer(answers=answers, tls=issued(trusted), extensions=("STARTTLS",))) as post:
        more = {**by_way_of(post), "DIGEST_SMTP__SECURITY": "starttls"}
        async with running(tmp_path, ear, "2026-06-08 22:00", **more) as town:
            await until(lambda: town.store.covered_at())
            town.set_clock("2026-06-09 07:00")
            await until(lambda: cause in town.store.blocked(now=town.now).reply)
            assert (town.store.waiting(), town.store.suppressions()) == (1, ())
            post.forget()
            await town.settle()
            town.set_clock("2026-06-09 09:00")
            await until(lambda: len(post.accepted) == 1)


async def test_the_operator_is_mailed_where_a_domain_is_called_dead_as_a_whole(
    tmp_path: Path, ear: socket.socket
) -> None:
    astray = [f"r{number}@away.example" for number in range(4)]
    entries = [SUBSCRIBER, *(SUBSCRIBER.replace("ada@example.org", email) for email in astray)]
    (tmp_path / "subscribers.toml").write_text("".join(entries))
    answers = {f"RCPT {email}": "550 5.1.1 no such user" for email in astray}
    async with serving(MailServer(answers=answers)) as post:
        more = {**by_way_of(post), "DIGEST_OPERATOR__EMAIL": "op@example.org"}
        async with running(tmp_path, ear, "2026-06-08 22:00", **more) as town:
            await until(lambda: town.store.covered_at())
            town.set_clock("2026-06-09 07:00")
            await until(lambda: "op@example.org" in {mail.recipient for mail in post.accepted})
            assert town.store.suppressions() == ()
            assert b"4 addresses of away.example dead" in post.accepted[-1].message.replace(b"=\r\n", b"")
            post.forget()
            await town.settle()
            town.set_clock("2026-06-09 08:30")
            await until(lambda: {*astray} < {mail.recipient for mail in post.accepted})


async def test_the_sign_of_life_comes_on_its_weekday_though_nobody_is_mailed_then(
    tmp_path: Path, ear: socket.socket
) -> None:
    (tmp_path / "subscribers.toml").write_text(f'{SUBSCRIBER}weekly = "wed"\n')
    more = {"DIGEST_OPERATOR__EMAIL": "op@example.org", "DIGEST_OPERATOR__HEARTBEAT": "sat"}
    async with running(tmp_path, ear, "2026-06-12 12:00", **more) as town:
        await until(lambda: town.store.covered_at())
        await until(lambda: "heartbeat" in town.store.notices())
        assert mails_in(town) == []
        town.set_clock("2026-06-13 00:01")
        await until(lambda: [str(mail["Subject"]) for mail in mails_in(town)])
        assert [mail["To"] for mail in mails_in(town)] == ["<op@example.org>"]


async def test_a_machine_that_was_asleep_is_no_outage_but_an_arxiv_that_is_down_then_is(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch(cycle: Cycle, *args: Any) -> Any:
        await awake.wait()
        return await original(cycle, *args)

    awake, original = asyncio.Event(), Cycle.fetch
    more = {"DIGEST_OPERATOR__EMAIL": "op@example.org"}
    async with running(tmp_path, ear, "2026-06-08 22:00", **more) as town:
        await until(lambda: town.store.covered_at())
        await town.settle()
        monkeypatch.setattr(Cycle, "fetch", fetch)
        town.set_clock("2026-06-12 10:00")
        looked = town.service.looked
        await until(lambda: town.service.looked >= looked + 3)  # the mails of that day were looked for
        assert mails_in(town) == []
        awake.set()
        await until(town.mails)
        await town.settle()
        assert [mail["To"] for mail in mails_in(town)] == ["<ada@example.org>"]
        town.arxiv.is_overloaded = True
        town.set_clock("2026-06-17 10:00")
        await until(lambda: len(mails_in(town)) == 2)
        (notice,) = (mail for mail in mails_in(town) if mail["To"] == "<op@example.org>")
        assert notice["Subject"] == "arXiv digest: no fetch has succeeded for over a day"


async def test_a_fetch_after_a_sleep_that_does_not_end_is_an_outage(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch(*_: Any) -> None:
        await asyncio.Event().wait()

    async with running(tmp_path, ear, "2026-06-08 22:00", DIGEST_OPERATOR__EMAIL="op@example.org") as town:
        await until(lambda: town.store.covered_at())
        await town.settle()
        monkeypatch.setattr(Cycle, "fetch", fetch)
        monkeypatch.setattr("digest.service.fetch_task._TIME_TO_FETCH", 0.0)
        town.set_clock("2026-06-12 10:00")
        await until(lambda: mails_in(town))
        assert [mail["To"] for mail in mails_in(town)] == ["<op@example.org>"]


async def test_who_becomes_due_while_others_are_mailed_waits_for_no_other_day(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = SUBSCRIBER.replace("ada@", "bo@").replace("07:00", "07:05")
    (tmp_path / "subscribers.toml").write_text(SUBSCRIBER + later)
    async with (
        serving(MailServer()) as post,
        running(tmp_path, ear, "2026-06-08 22:00", **by_way_of(post)) as town,
    ):
        await until(lambda: town.store.covered_at())
        answer = post.answer

        def take_long(*verbs: str) -> object:
            town.set_clock("2026-06-09 07:10")
            return answer(*verbs)

        monkeypatch.setattr(post, "answer", take_long)
        town.set_clock("2026-06-09 07:00")
        await until(
            lambda: {mail.recipient for mail in post.accepted} == {"ada@example.org", "bo@example.org"}
        )


async def test_a_digest_that_is_resumed_goes_without_waiting_for_the_next_mails(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with (
        serving(MailServer(answers={"RCPT": ["451 4.7.1 try later"]})) as post,
        running(tmp_path, ear, "2026-06-08 22:00", **by_way_of(post)) as town,
    ):
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:00")
        await until(lambda: [one.attempts for one in town.store.troubled(limit=1)] == [1])
        with SqliteStore(tmp_path / "digest.db") as beside:
            beside.suppress("ada@example.org", cause="550 5.1.1 gone", now=town.now)
            await asyncio.sleep(0.2)
            assert beside.resume("ada@example.org", now=town.now)
        await until(lambda: post.accepted)


async def test_a_digest_that_is_sent_again_is_the_same_mail_and_moves_no_cursor(
    tmp_path: Path, ear: socket.socket
) -> None:
    async with running(tmp_path, ear, "2026-06-08 22:00") as town:
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 07:01")
        await until(town.mails)
        await town.settle()
        folder = tmp_path / "Maildir/new"
        (path,) = folder.iterdir()
        first = path.read_bytes()
        path.unlink()
        (sent,) = town.store.past_mailings(since=None, email="ada@example.org", after=0, limit=9)
        standing = town.store.subscriber_statuses(["ada@example.org"])
        assert town.store.send_again(sent.number, now=town.now)
        await until(lambda: list(folder.iterdir()))
        assert [one.read_bytes() for one in folder.iterdir()] == [first]
        await town.settle()
        (again,) = town.store.past_mailings(since=None, email="ada@example.org", after=0, limit=9)
        assert (again.state, again.attempts, again.token) == ("sent", 1, sent.token)
        assert town.store.subscriber_statuses(["ada@example.org"]) == standing


async def test_a_server_that_is_down_is_left_alone_for_a_while_though_digests_are_due(
    tmp_path: Path, ear: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serving(MailServer(answers={"GREETING": "421 4.3.2 not now"})) as post,
        running(tmp_path, ear, "2026-06-08 22:00", **by_way_of(post)) as town,
    ):
        await until(lambda: town.store.covered_at())
        town.set_clock("2026-06-09 06:50")
        await town.settle()  # the fetch of the morning wakes the mailing when it ends
        town.set_clock("2026-06-09 07:00")
        await until(lambda: town.store.blocked(now=town.now).count)
        await asyncio.sleep(0.2)
        tried = post.connections
        await asyncio.sleep(0.5)
        assert post.connections == tried
        await until(
            lambda: "digests wait count=1 next_try=2026-06-09 07:01:00+00:00 cause=127.0.0.1" in caplog.text
        )
        post.forget()
        caplog.set_level(logging.INFO)
        town.set_clock("2026-06-09 07:02")
        await until(lambda: "digests wait count=0" in caplog.text)
        assert caplog.text.count("digests wait count=1") == 1


async def test_a_recipient_whom_the_server_does_not_serve_delays_nobody_who_is_due_later(
    tmp_path: Path, ear: socket.socket
) -> None:
    later = SUBSCRIBER.replace("ada@", "bo@").replace("07:00", "07:02")
    (tmp_path / "subscribers.toml").write_text(SUBSCRIBER + later)
    asked = "RCPT TO:<ada@example.org>"
    async with (
        serving(MailServer(answers={"RCPT ada@example.org": "530 log in first"})) as post,
        running(tmp_path, ear, "2026-06-08 22:00", **by_way_of(post)) as town,
    ):
        await until(lambda: town.store.covered_at())
        for count, minute in enumerate(("07:00", "07:01"), 1):
            town.set_clock(f"2026-06-09 {minute}")
            await until(lambda count=count: post.commands.count(asked) == count)  # type: ignore[misc]
            await town.settle()
        assert [one.attempts for one in town.store.troubled(limit=9)] == [0]
        town.set_clock("2026-06-09 07:02")
        await until(lambda: [mail.recipient for mail in post.accepted] == ["bo@example.org"])
        await until(lambda: [one.attempts for one in town.store.troubled(limit=9)] == [1])


async def test_a_daemon_pings_after_its_cycles_and_tells_of_a_bad_one(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping, "_AT_MOST_EVERY", 0.0)
    async with ping_server() as switch:
        more = {"DIGEST_OPERATOR__PING_URL": f"{switch.url}/x"}
        async with running(tmp_path, ear, "2026-06-08 22:00", **more) as town:
            await until(lambda: switch.asked)
            assert {path for _, path, _ in switch.asked} == {"/x"}
            town.arxiv.is_overloaded = True
            town.set_clock("2026-06-09 02:00")
            await until(lambda: ("POST", "/x/fail", "fetch failed; sent 0, waiting 0") in switch.asked)
