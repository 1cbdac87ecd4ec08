"""Connections that only hold places: the pages are still there for others, and mail goes on beside them."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from digest.service import long_tasks
from digest.service.daemon import Daemon
from digest.service.sd_notify import Notifier
from digest.storage.sqlite.store import SqliteStore
from digest.web.connections import FILES_FOR_MAIL, MOST_CONNECTIONS, MOST_OF_ONE_NETWORK, connections_for
from digest.web.frame import BODIES_AT_ONCE, BODIES_OF_ONE_NETWORK, BODIES_OF_STRANGERS
from tests.factories import moment
from tests.integration.idle_daemon import idle_daemon
from tests.integration.web_site import Town, serving_town
from tests.waiting import LIMIT, until

WRONG = "A" * 24
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def holding(town: Town, number: int, beginning: bytes) -> AsyncIterator[list[Streams]]:
    """So many connections that say `beginning` and no more."""
    port = int(town.address.rpartition(":")[2])
    held: list[Streams] = []
    try:
        for _ in range(number):
            streams = await asyncio.open_connection("127.0.0.1", port)
            held.append(streams)
            streams[1].write(beginning)
        yield held
    finally:
        for _, writer in held:
            writer.close()


def has_ended(streams: Streams) -> bool:
    return streams[0].at_eof() or isinstance(streams[0].exception(), OSError)


async def status_of(streams: Streams) -> int:
    async with asyncio.timeout(LIMIT):
        line = await streams[0].readline()
    return int(line.split()[1]) if line else 0


@pytest.mark.parametrize("files", [0, 64, 100, 1024, 524288])
def test_files_are_left_for_the_mail_wherever_there_are_enough(files: int) -> None:
    places = connections_for(files)
    assert 8 <= places <= MOST_CONNECTIONS
    assert places == 8 or places <= files - FILES_FOR_MAIL


@pytest.mark.parametrize("beginning", [b"", b"GET /healthz HTTP/1.1\r\nHost:"], ids=["idle", "slow headers"])
async def test_the_quietest_connection_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr("digest.web.server.connections_for", lambda files: 10)
    async with serving_town(tmp_path) as town:
        url = town.links().manage
        assert url
        async with holding(town, 40, beginning) as held:
            async with asyncio.timeout(LIMIT):
                assert (await town.get(url)).status == 200
            ended = partial(map, has_ended, held)
            await until(lambda: sum(ended()) >= 30)
            assert next(ended())  # the first one came first


async def test_a_network_that_asks_directly_has_its_share_alone(tmp_path: Path) -> None:
    async with (
        serving_town(tmp_path, trusted_proxies=["192.0.2.7"]) as town,
        holding(town, MOST_OF_ONE_NETWORK + 5, b"") as held,
    ):
        assert [await status_of(streams) for streams in held[-5:]] == [0] * 5
        assert not any(subscriber.at_eof() for subscriber, _ in held[:MOST_OF_ONE_NETWORK])


async def test_who_has_no_token_is_not_waited_for(tmp_path: Path) -> None:
    head = f"POST /p/{WRONG} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    slow = f"{head}Content-Length: 1000\r\n\r\na".encode()
    async with serving_town(tmp_path) as town, holding(town, 60, slow) as held:
        assert {await status_of(streams) for streams in held} == {404}


async def test_bodies_that_do_not_come_hold_few_places_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.web.frame.LONGEST_UPLOAD", 4.0)
    async with serving_town(tmp_path) as town:
        url = town.links().manage
        assert url
        state = town.state()
        head = (
            f"POST /p/{url.rpartition('/')[2]} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nat=07"
        )
        async with holding(town, BODIES_OF_ONE_NETWORK + 3, head.encode()) as held:
            assert (await town.get(url, X_Forwarded_For="192.0.2.1")).status == 200
            answers = sorted([await status_of(streams) for streams in held])
            assert answers == [408] * BODIES_OF_ONE_NETWORK + [429] * 3
        assert town.state() == state


@pytest.mark.parametrize("path", ["/link", "/join"])
async def test_forms_that_strangers_do_not_finish_leave_places_for_subscribers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("digest.web.frame.LONGEST_UPLOAD", 2 * LIMIT)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 1000\r\n\r\nemail="
    )
    async with serving_town(tmp_path, signup="open") as town:
        url = town.links().manage
        assert url
        async with holding(town, BODIES_AT_ONCE, head.encode()) as held:
            answers = [asyncio.create_task(status_of(streams)) for streams in held]
            refused = BODIES_AT_ONCE - BODIES_OF_STRANGERS
            await until(lambda: sum(answer.done() for answer in answers) == refused)
            assert {answer.result() for answer in answers if answer.done()} == {429}
            assert (await town.post(url, {"at": "99"})).status == 422  # it was read
            for answer in answers:
                answer.cancel()


async def test_where_no_file_is_left_the_pages_are_there_again_when_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("digest.web.connections._PAUSE", 0.01)
    loop, failed = asyncio.get_running_loop(), 0
    accept = loop.sock_accept

    async def fail_at_first(listener: socket.socket) -> Any:
        nonlocal failed
        taken = await accept(listener)
        if failed == 3:
            return taken
        failed += 1
        taken[0].close()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(loop, "sock_accept", fail_at_first)
    async with serving_town(tmp_path) as town:
        async with holding(town, 3, b""):
            await until(lambda: failed == 3)
        assert (await town.get("/healthz")).status == 200
    assert caplog.text.count("cannot accept connections: Too many open files") == 1


def test_systemd_hears_where_no_file_can_be_opened_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"})

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr("digest.service.sd_notify.socket.socket", refuse)
        notifier.alive()
        assert ear.recv(100) == b"WATCHDOG=1"
        notifier.close()
        notifier.alive()


async def test_a_task_that_an_error_ended_begins_anew_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(long_tasks, "RESTART_AFTER", timedelta(seconds=0.01))
    began: list[int] = []

    async def task() -> None:
        began.append(1)
        if len(began) < 3:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with SqliteStore(tmp_path / "digest.db") as store:
        daemon: Daemon = idle_daemon(tmp_path, store, lambda: moment("2026-06-09 07:00"))
        async with asyncio.timeout(LIMIT):
            await daemon.kept("watching", task)
    assert len(began) == 3
    assert caplog.text.count("starts again task=watching") == 2


@pytest.mark.parametrize("broken", ["_watch", "_stay_alive", "_forever"])
async def test_no_long_task_ends_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(long_tasks, "RESTART_AFTER", timedelta(seconds=0.01))
    began: list[str] = []
    whole: Callable[..., Any] = getattr(Daemon, broken)

    async def fail_at_first(self: Daemon, *args: object) -> None:
        began.append(broken)
        if len(began) <= 4:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        await whole(self, *args)

    monkeypatch.setattr(Daemon, broken, fail_at_first)
    with SqliteStore(tmp_path / "digest.db") as store:
        daemon = idle_daemon(tmp_path, store, lambda: moment("2026-06-09 07:00"))
        monkeypatch.setattr(daemon._fetching, "step", lambda: asyncio.sleep(600))
        task = asyncio.create_task(daemon.run())
        await until(lambda: len(began) > 4)
        assert not task.done()
        daemon._stop.set()
        async with asyncio.timeout(LIMIT):
            await task
    assert "starts again" in caplog.text
