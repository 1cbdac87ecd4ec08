import asyncio
import errno
import gzip
import logging
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientConnectorError, web
from aiohttp.client_reqrep import ConnectionKey

from digest.config.file_lock import LockFile
from digest.errors import BadDocument, Implausible, Refused, SourceError, StateError, Throttled, Unreachable
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.network_errors import no_answer
from digest.sources.rate_limiter import RateLimiter
from digest.storage.values import Lease
from tests.integration.arxiv_server import (
    ArxivServer,
    Reply,
    arxiv_server,
    breaks_off,
    drips,
    error_entry,
    hangs,
    resets,
    says,
)
from tests.ports import unused_port
from tests.processes import started_here
from tests.waiting import LIMIT, until

FIELDS = {"search_query": 'ti:"lost gnomes"', "start": "0"}
GOOD = says("gnomes")
INTERVAL = timedelta(seconds=0.1)


def settings(
    *, tries: int = 1, retry_pause: float = 0, timeout: float = LIMIT, contact: str | None = None
) -> ClientSettings:
    return ClientSettings(
        contact=contact,
        version="1.2.3",
        retry_pause=timedelta(seconds=retry_pause),
        tries=tries,
        timeout=timedelta(seconds=timeout),
        max_bytes=100_000,
    )


@asynccontextmanager
async def asking(
    tmp_path: Path, chosen: ClientSettings | None = None, interval: timedelta = timedelta(0)
) -> AsyncIterator[PoliteClient]:
    async with PoliteClient(chosen or settings(), RateLimiter(tmp_path / "requests", interval)) as client:
        yield client


def text(document: bytes) -> str:
    return document.decode()


async def redirects_for_ever(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": str(request.url)})


FAILURES: list[tuple[Reply, type[SourceError], str]] = [
    (says(error_entry("no such field"), 400), Refused, "HTTP 400 Bad Request.*no such field"),
    (says(error_entry("internal error"), 500), Refused, "HTTP 500.*internal error"),
    (says("gone", 404), Refused, "HTTP 404 Not Found.*check the address"),
    (says("", 406), Throttled, "HTTP 406"),
    (says("Rate exceeded.", 429), Throttled, "HTTP 429 Too Many Requests.*try again later"),
    (says("Service Unavailable", 503), Throttled, "HTTP 503"),
    (says("<html>502</html>", 502), Throttled, "HTTP 502"),
    (says("who knows", 599), Refused, "HTTP 599"),
    (says("Rate exceeded.\n"), Throttled, "Rate exceeded"),
    (says("<html><body><h1>502 Bad Gateway</h1></body></html>"), BadDocument, "web page"),
    (says("\n<!DOCTYPE HTML><p>sorry"), BadDocument, "web page"),
    (says("x" * 100_001), BadDocument, "larger than 97 KiB"),
    (says(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"), BadDocument, "larger than 97 KiB"),
    (says("no gzip", Content_Encoding="gzip"), BadDocument, "cut off"),
    (breaks_off("gnom"), BadDocument, "cut off"),
    (resets, Unreachable, "no answer: the server closed the connection;"),
    (hangs, Unreachable, "no complete answer within 0 s"),
    (drips, Unreachable, "no complete answer within 0 s"),
    (redirects_for_ever, BadDocument, "redirected more than 3 times"),
    (says("", 302, Location="file:///etc/hostname"), BadDocument, "is not HTTP"),
    (says("", 302), BadDocument, "redirected more than 3 times"),
    (says("", 302, Location="http://[broken"), BadDocument, "an invalid address"),
]


@pytest.mark.parametrize(("reply", "error", "words"), FAILURES)
async def test_each_failure_is_one_of_ours_with_address_and_cause(
    tmp_path: Path, reply: Reply, error: type[SourceError], words: str
) -> None:
    patience = 0.3 if reply in (hangs, drips) else LIMIT
    async with arxiv_server(reply) as server, asking(tmp_path, settings(timeout=patience)) as client:
        with pytest.raises(error, match=words) as failure:
            await client.ask(server.url, FIELDS, text)
        assert type(failure.value) is error
        assert failure.value.url == server.url
        assert client.requests == (len(server.asked) or 1)  # that one may have come too late


@pytest.mark.parametrize("reply", [reply for reply, _, _ in FAILURES if reply is not redirects_for_ever])
async def test_after_each_failure_the_same_is_asked_again(tmp_path: Path, reply: Reply) -> None:
    is_slow = reply in (hangs, drips)
    chosen = settings(tries=9, timeout=1) if is_slow else settings(tries=2)
    async with arxiv_server(reply, GOOD) as server, asking(tmp_path, chosen) as client:
        assert await client.ask(server.url, FIELDS, text) == "gnomes"
        assert client.requests == 2 or is_slow  # the good answer may be too slow as well
        assert [asked.fields for asked in server.asked] == [FIELDS] * max(2, len(server.asked))


async def test_without_a_server_the_error_says_what_to_check(tmp_path: Path) -> None:
    async with asking(tmp_path) as client:
        with (
            unused_port() as port,
            pytest.raises(Unreachable, match=r"no answer: 127\.0\.0\.1 refused the connection; check"),
        ):
            await client.ask(f"http://127.0.0.1:{port}/api/query", FIELDS, text)


async def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/query"
    expected = r"^no answer: the certificate of 127\.0\.0\.1 is not valid \(.*\); check this machine's clock"
    async with server, asking(tmp_path, settings()) as client:
        with pytest.raises(Unreachable, match=expected):
            await client.ask(url, FIELDS, text)


async def test_a_server_without_encryption_is_named(tmp_path: Path) -> None:
    async with arxiv_server(GOOD) as server, asking(tmp_path, settings()) as client:
        with pytest.raises(Unreachable, match=r"no encrypted connection to 127\.0\.0\.1 \([A-Z_]+\);"):
            await client.ask(server.url.replace("http:", "https:"), FIELDS, text)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "there is no host called arxiv.example"),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            "the name service does not find arxiv.example (Temporary failure in name resolution)",
        ),
        (OSError(errno.ETIMEDOUT, "x"), "connecting to arxiv.example timed out"),
        (OSError(errno.ENETUNREACH, "x"), "no connection to arxiv.example (Network is unreachable)"),
        (OSError("Multiple exceptions: x"), "no connection to arxiv.example (Multiple exceptions: x)"),
    ],
)
def test_the_error_says_plainly_why_nothing_was_reached(error: OSError, said: str) -> None:
    key = ConnectionKey("arxiv.example", 443, True, True, None, None, None)
    told = no_answer(ClientConnectorError(key, error))
    assert told.startswith(f"no answer: {said}")
    assert told.endswith("; check this machine's connection, or try again later")


async def test_the_last_error_is_raised_when_the_tries_are_used_up(tmp_path: Path) -> None:
    replies = (says("", 503), says("", 429), resets, GOOD)
    async with arxiv_server(*replies) as server, asking(tmp_path, settings(tries=3)) as client:
        with pytest.raises(Unreachable):
            await client.ask(server.url, FIELDS, text)
        assert client.requests == 3


async def test_an_answer_that_is_not_believed_is_asked_for_again(tmp_path: Path) -> None:
    def believe(document: bytes) -> str:
        if document != b"gnomes":
            raise Implausible("http://here", "no gnomes")
        return text(document)

    replies = (says("elves"), says("elves"), GOOD)
    async with arxiv_server(*replies) as server, asking(tmp_path, settings(tries=3)) as client:
        assert await client.ask(server.url, FIELDS, believe) == "gnomes"
        assert client.requests == 3


async def test_a_bug_in_the_understanding_is_not_asked_again(tmp_path: Path) -> None:
    def stumble(document: bytes) -> str:
        raise ZeroDivisionError

    async with arxiv_server(GOOD) as server, asking(tmp_path, settings(tries=3)) as client:
        with pytest.raises(ZeroDivisionError):
            await client.ask(server.url, FIELDS, stumble)
        assert client.requests == 1


async def test_an_answer_is_understood_beside_the_event_loop(tmp_path: Path) -> None:
    async with arxiv_server(GOOD) as server, asking(tmp_path) as client:
        thread = await client.ask(server.url, FIELDS, lambda _: threading.current_thread())
    assert thread is not threading.current_thread()


@pytest.mark.parametrize(
    ("contact", "agent"),
    [
        (None, "arxiv-digest/1.2.3"),
        ("ops@example.org", "arxiv-digest/1.2.3 (+mailto:ops@example.org)"),
    ],
)
async def test_the_client_names_itself_and_what_it_accepts(
    tmp_path: Path, contact: str | None, agent: str
) -> None:
    async with arxiv_server(GOOD) as server, asking(tmp_path, settings(contact=contact)) as client:
        await client.ask(server.url, FIELDS, text)
    assert server.asked[0].headers["User-Agent"] == agent
    assert "application/atom+xml" in server.asked[0].headers["Accept"]


async def test_what_is_too_long_for_an_address_is_posted(tmp_path: Path) -> None:
    long = {"search_query": " OR ".join(f'ti:"größe & gnome {number}"' for number in range(200))}
    async with arxiv_server(GOOD) as server, asking(tmp_path) as client:
        await client.ask(server.url, FIELDS, text)
        await client.ask(server.url, long, text)
    assert [asked.method for asked in server.asked] == ["GET", "POST"]
    assert [asked.fields for asked in server.asked] == [FIELDS, long]


async def test_a_compressed_answer_is_read_whole(tmp_path: Path) -> None:
    reply = says(gzip.compress(b"gnomes" * 1000), Content_Encoding="gzip")
    async with arxiv_server(reply) as server, asking(tmp_path) as client:
        assert await client.ask(server.url, FIELDS, text) == "gnomes" * 1000


async def test_a_redirect_is_followed_in_a_turn_of_its_own(tmp_path: Path) -> None:
    posted = {"search_query": "g" * 3000}
    for fields in (FIELDS, posted):
        target = "?search_query=elsewhere" if fields is FIELDS else "/api/query"
        async with (
            arxiv_server(says("", 301, Location=target), GOOD) as server,
            asking(tmp_path, interval=INTERVAL) as client,
        ):
            assert await client.ask(server.url, fields, text) == "gnomes"
            assert client.requests == 2
            assert server.asked[1].fields == ({"search_query": "elsewhere"} if fields is FIELDS else posted)
            assert_apart(server)


def pauses(log: pytest.LogCaptureFixture) -> list[float]:
    found = (re.search(r"pause_seconds=([\d.]+) ", record.getMessage()) for record in log.records)
    return [float(match[1]) for match in found if match]


async def test_the_pauses_between_tries_double(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        arxiv_server(says("", 503)) as server,
        asking(tmp_path, settings(tries=4, retry_pause=0.1)) as client,
    ):
        started = time.monotonic()
        with pytest.raises(Throttled):
            await client.ask(server.url, FIELDS, text)
        assert time.monotonic() - started >= 0.1 + 0.2 + 0.4
    assert pauses(caplog) == [pytest.approx(pause * 1.05, rel=0.06, abs=0.06) for pause in (0.1, 0.2, 0.4)]
    assert "cause=arXiv is overloaded" in caplog.text
    assert "attempt=1 tries=4" in caplog.text


@pytest.mark.parametrize("seconds", [1, 300])
@pytest.mark.parametrize("as_date", [False, True])
async def test_retry_after_is_understood(tmp_path: Path, seconds: int, as_date: bool) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    header = format_datetime(moment, usegmt=True) if as_date else str(seconds)
    async with arxiv_server(says("", 429, Retry_After=header)) as server, asking(tmp_path) as client:
        with pytest.raises(Throttled) as failure:
            await client.ask(server.url, FIELDS, text)
    assert failure.value.retry_after is not None
    assert failure.value.retry_after.total_seconds() == pytest.approx(seconds, abs=LIMIT if as_date else 0)


async def test_no_number_of_seconds_is_too_large(tmp_path: Path) -> None:
    longest = str(timedelta.max // timedelta(seconds=1))
    async with (
        arxiv_server(says("", 503, Retry_After=longest)) as server,
        asking(tmp_path, settings(tries=2)) as client,
    ):
        with pytest.raises(Throttled, match="asks to wait for 999,999,999 days"):
            await client.ask(server.url, FIELDS, text)


@pytest.mark.parametrize("header", ["", "soon", "-5", "9" * 30, "Mon, 99 Foo 2026 00:00:00 GMT"])
async def test_a_retry_after_that_says_nothing_is_left_aside(tmp_path: Path, header: str) -> None:
    async with arxiv_server(says("", 429, Retry_After=header)) as server, asking(tmp_path) as client:
        with pytest.raises(Throttled) as failure:
            await client.ask(server.url, FIELDS, text)
    assert failure.value.retry_after is None


async def test_the_server_is_given_the_time_it_asks_for(tmp_path: Path) -> None:
    async with (
        arxiv_server(says("", 503, Retry_After="1"), GOOD) as server,
        asking(tmp_path, settings(tries=2)) as client,
    ):
        await client.ask(server.url, FIELDS, text)
    first, second = server.asked
    assert second.started - first.started >= 1


async def test_nobody_waits_for_longer_than_ten_minutes(tmp_path: Path) -> None:
    async with (
        arxiv_server(says("", 503, Retry_After="86400")) as server,
        asking(tmp_path, settings(tries=2)) as client,
    ):
        with pytest.raises(Throttled, match=r"asks to wait for 24\.0 hours\); the next fetch asks again"):
            await client.ask(server.url, FIELDS, text)
        assert len(server.asked) == 1


def assert_apart(server: ArxivServer, interval: timedelta = INTERVAL) -> None:
    """Each request began an interval after the one before had ended."""
    starts = [asked.started for asked in server.asked][1:]
    gaps = [start - end for end, start in zip(server.ended, starts, strict=False)]
    assert gaps
    assert min(gaps) >= interval.total_seconds() * 0.99, gaps


async def test_requests_of_several_clients_keep_the_interval(tmp_path: Path) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return web.Response()

    async with (
        arxiv_server(slow) as server,
        asking(tmp_path, interval=INTERVAL) as one,
        asking(tmp_path, interval=INTERVAL) as another,
    ):
        await asyncio.gather(*(client.ask(server.url, FIELDS, text) for client in (one, another) * 3))
    assert len(server.asked) == 6
    assert_apart(server)


ASK_THRICE = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter

async def ask(url, path):
    settings = ClientSettings(contact=None, version="1", retry_pause=timedelta(0), tries=1)
    async with PoliteClient(settings, RateLimiter(Path(path), timedelta(seconds=0.1))) as client:
        for _ in range(3):
            await client.ask(url, {}, bytes)

asyncio.run(ask(*sys.argv[1:]))
"""
HOLD = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from digest.sources.rate_limiter import RateLimiter

async def hold(path):
    async with RateLimiter(Path(path), timedelta(0)).turn():
        print("held", flush=True)
        await asyncio.sleep(600)

asyncio.run(hold(sys.argv[1]))
"""
ROOT = Path(__file__).parents[2]


async def test_requests_of_two_processes_keep_the_interval(tmp_path: Path) -> None:
    async with arxiv_server(GOOD) as server:
        command = (sys.executable, "-c", ASK_THRICE, server.url, str(tmp_path / "requests"))
        async with (
            started_here(*command, cwd=ROOT) as one,
            started_here(*command, cwd=ROOT) as another,
            asyncio.timeout(LIMIT),
        ):
            assert [await process.wait() for process in (one, another)] == [0, 0]
    assert len(server.asked) == 6
    assert_apart(server)


async def test_a_process_that_starts_again_keeps_the_interval(tmp_path: Path) -> None:
    async with arxiv_server(GOOD) as server:
        for _ in range(3):
            async with asking(tmp_path, interval=INTERVAL) as client:
                await client.ask(server.url, FIELDS, text)
    assert_apart(server)


async def test_a_killed_process_leaves_no_lock_but_the_interval(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    rate_limiter = RateLimiter(path, INTERVAL)
    async with started_here(sys.executable, "-c", HOLD, path, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"held\n"
        waiting = asyncio.create_task(one_turn(rate_limiter))
        await until(lambda: rate_limiter.waits_for)
        killed = time.monotonic()
    assert await waiting - killed >= INTERVAL.total_seconds() * 0.99


async def one_turn(rate_limiter: RateLimiter) -> float:
    """Waits for a turn; the moment at which it began, on the monotonic clock."""
    async with asyncio.timeout(LIMIT), rate_limiter.turn():
        return time.monotonic()


def is_taken(path: Path) -> bool:
    lock = LockFile(path)
    if lock.acquire():
        lock.release()
        return False
    return True


async def test_a_waiter_that_is_cancelled_lets_the_others_pass(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    await one_turn(RateLimiter(path, INTERVAL))
    rate_limiter = RateLimiter(path, timedelta(hours=1))

    async def wait() -> None:
        async with rate_limiter.turn():
            pytest.fail("came too early")

    waiting = [asyncio.create_task(wait()) for _ in range(2)]
    await until(lambda: is_taken(path))
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await one_turn(RateLimiter(path, INTERVAL))


@pytest.mark.parametrize(
    ("record", "waits"),
    [
        ("", False),
        ("2020-01-01T00:00:00+00:00", False),
        ("2120-01-01T00:00:00+00:00", True),
        ("under way since 2026-06-16T12:00:00+00:00", True),
        ("2026-06-16T12:00:00", True),
        ("Gnömes", True),
    ],
)
def test_whatever_the_file_says_nobody_waits_longer_than_the_interval(
    tmp_path: Path, record: str, waits: bool
) -> None:
    path = tmp_path / "requests"
    path.write_text(record, encoding="utf-8")
    pause = RateLimiter(path, timedelta(hours=1))._pause()
    assert (3590 < pause <= 3600) if waits else pause == 0


async def test_a_clock_that_jumps_forward_opens_no_gap_within_a_process(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    rate_limiter = RateLimiter(path, INTERVAL)
    async with rate_limiter.turn():
        ended = time.monotonic()
    path.write_text("2001-01-01T00:00:00+00:00\n", encoding="ascii")
    async with rate_limiter.turn():
        assert time.monotonic() - ended >= INTERVAL.total_seconds() * 0.99


async def test_a_failed_request_counts_for_the_interval_too(tmp_path: Path) -> None:
    async with (
        arxiv_server(says("", 503), resets, GOOD) as server,
        asking(tmp_path, settings(tries=3), INTERVAL) as client,
    ):
        await client.ask(server.url, FIELDS, text)
    assert len(server.asked) == 3
    assert_apart(server)


class Hosts:
    """The lease of requests as another host has it: taken `times`, then free for `idle_for`."""

    def __init__(self, idle_for: timedelta | None, times: int = 0) -> None:
        self.idle_for = idle_for
        self.ended = 0
        self._times = times

    def take_lease(self, task: str, *, lasting: timedelta) -> Lease | None:
        self._times -= 1
        return None if self._times >= 0 else Lease(idle_for=self.idle_for)

    def end_lease(self, task: str) -> None:
        self.ended += 1


@pytest.mark.parametrize("idle_for", [timedelta(0), timedelta(seconds=0.05), None])
async def test_a_request_waits_for_those_of_other_hosts(tmp_path: Path, idle_for: timedelta | None) -> None:
    hosts = Hosts(idle_for, times=3)
    rate_limiter = RateLimiter(tmp_path / "requests", INTERVAL, timedelta(0), hosts)
    heard: list[str] = []
    rate_limiter.notify = heard.append
    began = time.monotonic()
    waits = INTERVAL - idle_for if idle_for is not None else timedelta(0)
    assert await one_turn(rate_limiter) - began >= waits.total_seconds() * 0.99
    assert hosts.ended == 1
    assert "another host holds the lease" in heard[0]


async def test_the_event_loop_is_free_while_one_waits(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    await one_turn(RateLimiter(path, INTERVAL))
    waiting = asyncio.create_task(one_turn(RateLimiter(path, timedelta(seconds=30))))
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


@pytest.mark.parametrize(
    ("place", "remedy"),
    [("a directory", "it is a folder: give the path of a file"), ("under a file", "there is a file where")],
)
async def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, place: str, remedy: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path if place == "a directory" else tmp_path / "file" / "requests"
    async with arxiv_server(GOOD) as server, PoliteClient(settings(), RateLimiter(path, INTERVAL)) as client:
        with pytest.raises(StateError, match=remedy) as failure:
            await client.ask(server.url, FIELDS, text)
    assert failure.value.path == str(path)
    assert not server.asked


async def test_no_query_text_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    replies = (reply for reply, _, _ in FAILURES if reply not in (hangs, drips))
    async with arxiv_server(*replies) as server, asking(tmp_path, settings(tries=20)) as client:
        with pytest.raises(SourceError):
            await client.ask(server.url, FIELDS, text)
    assert caplog.records
    assert "gnome" not in caplog.text
