"""Thousands of connections that only hold places, and few files: a due mail leaves within a minute.

`FLOOD_MINUTES=10 pytest -m long tests/long/test_flood.py` lets it last so long, with a mail due each minute.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from digest.demo.arxiv import Announcement, LocalArxiv
from tests.factories import invented_paper
from tests.integration.mail_server import MailServer, serving
from tests.long.flooded import configure

pytestmark = pytest.mark.long

IDLE, SLOW, FILES = 1_000, 1_500, 100
MINUTES = int(os.environ.get("FLOOD_MINUTES", "1"))
WRONG = "A" * 24
BODY = f"POST /p/{WRONG} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
BEGINNINGS = (b"GET /healthz HTTP/1.1\r\n", f"{BODY}Content-Length: 60000\r\n\r\n".encode())


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (IDLE + SLOW)
    if hard not in {resource.RLIM_INFINITY} and hard < wanted:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def hold(port: int, beginning: bytes) -> None:
    """A connection that sends a byte a second, or nothing, and comes again when it is ended."""
    while True:
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(beginning)
                while not reader.at_eof():
                    await asyncio.sleep(1)
                    if beginning:
                        writer.write(b"X")
                        await writer.drain()
            finally:
                writer.close()
        await asyncio.sleep(0.5)


async def test_a_mail_that_is_due_leaves_within_a_minute_and_pages_are_there(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = (now + timedelta(seconds=75)).replace(second=0, microsecond=0)
    due = {f"ada{number}@example.org": first + timedelta(minutes=number) for number in range(MINUTES)}
    announced_at = now - timedelta(days=2)
    submitted = f"{announced_at - timedelta(days=1):%Y-%m-%d %H:%M}"
    tea = invented_paper(f"{announced_at:%y%m}.99001", "On tea", submitted=submitted)
    post = MailServer()
    async with LocalArxiv([Announcement(paper=tea, announced_at=announced_at)], now) as arxiv, serving(post):
        environ = configure(tmp_path, arxiv, post, due)
        command = f"ulimit -n {FILES}; exec {sys.executable} -m digest daemon"
        daemon = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", command), cwd=tmp_path, env=environ, stderr=asyncio.subprocess.PIPE
        )
        log: list[str] = []
        flood: list[asyncio.Task[None]] = []
        try:
            assert daemon.stderr
            async with asyncio.timeout(15):
                while not (log and "web pages served" in log[-1]):
                    log.append((await daemon.stderr.readline()).decode())
            address = log[-1].rpartition(" url=")[2].strip()
            port = int(address.rpartition(":")[2])
            beginnings = [*([b""] * IDLE), *(BEGINNINGS[number % 2] for number in range(SLOW))]
            flood = [asyncio.create_task(hold(port, beginning)) for beginning in beginnings]
            async with ClientSession(timeout=ClientTimeout(10)) as session:
                came: dict[str, datetime] = {}
                while came.keys() != due.keys() and datetime.now(UTC) < max(due.values()) + timedelta(
                    minutes=1
                ):
                    await asyncio.sleep(1)
                    for mail in post.accepted:
                        came.setdefault(mail.recipient, datetime.now(UTC))
                late = [(came[email] - at).total_seconds() for email, at in due.items() if email in came]
                answered = 0
                for _ in range(10):
                    with suppress(OSError, TimeoutError, ClientError):
                        async with session.get(f"{address}/healthz") as answer:
                            answered += answer.status == 200
            assert sorted(mail.recipient for mail in post.accepted) == sorted(due), log
            assert max(late) < 60, late
            assert answered >= 5
            assert daemon.returncode is None
        finally:
            for task in flood:
                task.cancel()
            await asyncio.gather(*flood, return_exceptions=True)
            with suppress(ProcessLookupError):
                daemon.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(30):
                    _, rest = await daemon.communicate()
            except TimeoutError:
                daemon.kill()
                raise
    assert daemon.returncode == 0
    told = "".join(log) + rest.decode()
    assert "Traceback" not in told
    assert WRONG not in told
    assert len(told.splitlines()) < 60 * MINUTES
