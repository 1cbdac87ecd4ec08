"""What a person who waits is told, and for how long: retries, bans, proxies, Ctrl-C."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config.file_lock import LockFile
from digest.errors import Throttled, Unreachable
from digest.service.worker_pool import environment
from digest.sources import http_client
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.proxies import proxy_for
from digest.sources.rate_limiter import RateLimiter
from digest.storage.factory import open_copy
from digest.storage.sqlite.store import SqliteStore
from tests.integration.arxiv_server import arxiv_server, hangs, says
from tests.processes import started_here
from tests.stores import NOW
from tests.waiting import LIMIT

ROOT = Path(__file__).parents[2]
YEAR = "31536000"
DEAD = "http://127.0.0.1:9/"


def client(folder: Path, *, patience: float | None, pause: float = 0.2, tries: int = 5) -> PoliteClient:
    settings = ClientSettings(
        contact=None,
        version="1",
        retry_pause=timedelta(seconds=pause),
        tries=tries,
        patience=None if patience is None else timedelta(seconds=patience),
    )
    return PoliteClient(settings, RateLimiter(folder / "requests", timedelta(0)))


async def test_what_fails_is_told_at_once_with_the_time_of_the_next_try(tmp_path: Path) -> None:
    told: list[str] = []
    async with client(tmp_path, patience=None, pause=0.01, tries=3) as asking:
        asking.notify = told.append
        with pytest.raises(Unreachable):
            await asking.ask(DEAD, {}, bytes)
    assert [text.rpartition(", ")[2] for text in told] == ["try 2 of 3", "try 3 of 3"]
    assert "refused the connection" in told[0]
    assert "next try at " in told[0]


async def test_who_is_impatient_is_not_kept_waiting_for_all_tries(tmp_path: Path) -> None:
    async with client(tmp_path, patience=0.5, pause=30) as asking, asyncio.timeout(LIMIT):
        with pytest.raises(Unreachable, match="refused the connection"):
            await asking.ask(DEAD, {}, bytes)


async def test_a_server_that_says_nothing_is_given_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "_SHORT_TRY", 0.3)
    async with (
        arxiv_server(hangs) as server,
        client(tmp_path, patience=0.3) as asking,
        asyncio.timeout(LIMIT),
    ):
        with pytest.raises(Unreachable, match=r"no answer within .* s \(arXiv does not answer\)"):
            await asking.ask(server.url, {}, bytes)


async def test_another_process_that_asks_is_named_when_the_patience_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = LockFile(tmp_path / "requests")
    assert lock.acquire()
    monkeypatch.setattr(http_client, "_SHORT_TRY", 0.3)
    try:
        async with client(tmp_path, patience=0.3, tries=1) as asking, asyncio.timeout(LIMIT):
            with pytest.raises(Unreachable, match="is asking arXiv"):
                await asking.ask(DEAD, {}, bytes)
    finally:
        lock.release()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_of_a_year_is_told_and_not_waited_for(tmp_path: Path, status: int) -> None:
    async with (
        arxiv_server(says("", status, Retry_After=YEAR)) as server,
        client(tmp_path, patience=None, pause=30) as asking,
        asyncio.timeout(LIMIT),
    ):
        with pytest.raises(Throttled, match=r"asks to wait for 365 days\); the next fetch asks again"):
            await asking.ask(server.url, {}, bytes)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"ALL_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "other.example,.arxiv.org"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "*"}, None),
    ],
)
def test_the_proxy_is_the_one_of_theenvironment(
    environ: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("https://export.arxiv.org/api/query") == proxy
    assert proxy_for("http://127.0.0.1:8080/api/query") is None


@pytest.mark.parametrize("value", ["socks5://proxy.example:1080", "http://", "http://proxy.example:port"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", value.replace("://", "://ann:sesame@"))
    with pytest.raises(Unreachable, match=r"HTTPS_PROXY to http://HOST:PORT") as caught:
        proxy_for("https://export.arxiv.org/api/query")
    assert "sesame" not in str(caught.value)


@asynccontextmanager
async def proxy_that_says(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy on loopback, and the first lines that it was sent; the host behind it need not exist."""
    asked: list[bytes] = []

    async def enqueue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        while (await reader.readline()).strip():
            pass
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(enqueue, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_requests_go_by_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ngnomes"
    async with proxy_that_says(good) as (proxy, asked), client(tmp_path, patience=None) as asking:
        monkeypatch.setenv("http_proxy", proxy)
        assert await asking.ask("http://arxiv.example/api", {}, bytes) == b"gnomes"
    assert asked == [b"GET http://arxiv.example/api HTTP/1.1\r\n"]


async def test_the_failures_of_a_proxy_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    closed = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with proxy_that_says(closed) as (proxy, _), client(tmp_path, patience=None, tries=1) as asking:
        monkeypatch.setenv("https_proxy", proxy)
        with pytest.raises(
            Unreachable, match=r"the proxy refused .* requires a name and password; check HTTPS"
        ):
            await asking.ask("https://arxiv.example/api", {}, bytes)
        monkeypatch.setenv("https_proxy", DEAD)
        with pytest.raises(Unreachable, match=r"the proxy does not answer: 127\.0\.0\.1 refused"):
            await asking.ask("https://arxiv.example/api", {}, bytes)


async def test_ctrl_c_ends_a_command_that_waits_with_130(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "DIGEST_STATE": str(tmp_path / "digest.db"),
        **{f"DIGEST_ARXIV__{name}_URL": DEAD for name in ("API", "OAI", "FEED")},
    }
    async with started_here(
        *(sys.executable, "-m", "digest", "-v", "preview", "-k", "tea", "-o", tmp_path / "a.html"),
        cwd=ROOT,
        env=environ,
        stderr=asyncio.subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        async with asyncio.timeout(LIMIT):
            while b"pause_seconds=" not in (line := await process.stderr.readline()):
                assert line, "it has ended"
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130


def test_a_copy_of_the_state_has_no_name_while_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a process that is killed leaves none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with SqliteStore(tmp_path / "digest.db"), open_copy(tmp_path / "digest.db") as copy:
        assert list((tmp_path / "tmp").iterdir()) == []
        copy.note_fetch("source", now=NOW)
        assert copy.covered_at() == {}


def test_a_copy_that_a_killed_process_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name, age in (("digest-old", 7200), ("digest-new", 60)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "copy.db").touch()
        moment = time.time() - age
        os.utime(tmp_path / name / "copy.db", (moment, moment))
    with open_copy(tmp_path / "digest.db"):
        assert {path.name for path in tmp_path.iterdir()} == {"digest-new"}


def test_the_second_process_is_given_no_secret() -> None:
    environ = {
        "PATH": "/bin",
        "DIGEST_SMTP__PASSWORD": "sesame",
        "CREDENTIALS_DIRECTORY": "/run/credentials",
        "HTTPS_PROXY": "http://ann:sesame@proxy.example",
        "LANG": "C.UTF-8",
    }
    assert environment(environ) == {"PATH": "/bin", "LANG": "C.UTF-8"}
