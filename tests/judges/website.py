"""The pages of an installation as subscribers reach them: `digest web` on a copy of its state, behind TLS."""

import asyncio
import json
import shutil
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import trustme

from tests.judges.correspondence import BASE, Correspondence
from tests.processes import started


class Website:
    """`address` is where `digest web` itself listens, `port` where a browser finds `BASE`."""

    def __init__(self, address: str, port: int, correspondence: Correspondence, state: Path) -> None:
        self.address = address
        self.port = port
        self._installation = correspondence.installation
        self._path = state
        self.entries = state.with_name("subscribers.toml")
        """A copy, which the pages may edit."""

    @property
    def _environ(self) -> dict[str, str]:
        return {"DIGEST_STATE": str(self._path), "DIGEST_SUBSCRIBERS": str(self.entries)}

    def state(self) -> list[str]:
        """All that the state file holds."""
        with closing(sqlite3.connect(self._path)) as connection:
            return list(connection.iterdump())

    def confirmation(self, change: str) -> str:
        """The address that the last mail about such a change has."""
        with closing(sqlite3.connect(self._path)) as connection:
            (token,) = connection.execute(
                "SELECT token FROM confirmation WHERE change = ? ORDER BY number DESC", [change]
            ).fetchone()
        return f"{BASE}/b/{token}"

    def judgements(self, email: str) -> list[tuple[str, bool]]:
        """What `digest interests --json` tells of a subscriber: papers, and whether they are liked."""
        done = self._installation("interests", email, "--json", **self._environ)
        return [(one["id"], one["is_liked"]) for one in json.loads(done.stdout)["papers"]]

    def subscriber(self, email: str) -> dict[str, Any]:
        """What `digest subscribers --json` tells of a subscriber."""
        done = self._installation("subscribers", "--json", **self._environ)
        return next(one for one in json.loads(done.stdout) if one["email"] == email)


@contextmanager
def website(correspondence: Correspondence, folder: Path) -> Iterator[Website]:
    installation, state = correspondence.installation, folder / "state.db"
    assert installation("backup", str(state)).returncode == 0
    entries = folder / "subscribers.toml"
    shutil.copy(installation.folder / "subscribers.toml", entries)
    environ = {**installation.environ, "DIGEST_STATE": str(state), "DIGEST_SUBSCRIBERS": str(entries)}
    with started(
        *(sys.executable, "-m", "digest", "web"),
        cwd=installation.folder,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = process.stderr.readline().rpartition(" url=")[2].strip()
        with behind_tls(int(address.rpartition(":")[2])) as port:
            yield Website(address, port, correspondence, state)


@contextmanager
def behind_tls(port: int) -> Iterator[int]:
    """The port of a proxy that takes TLS off and passes all on to `port`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert(BASE.removeprefix("https://")).configure_cert(context)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready: Future[int] = Future()

    async def enqueue() -> None:
        server = await asyncio.start_server(partial(_pass_on, port), "127.0.0.1", 0, ssl=context)
        async with server:
            ready.set_result(server.sockets[0].getsockname()[1])
            await stop.wait()

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(loop.run_until_complete, enqueue())
        try:
            yield ready.result(timeout=10)
        finally:
            loop.call_soon_threadsafe(stop.set)
            ended.result(timeout=10)
            loop.close()


async def _pass_on(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
        writer.close()
