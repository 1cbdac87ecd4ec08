"""Starts a second process that writes messages, `digest.service.render_worker`, and talks to it.

The protocol is lines of JSON. The messages lie one after another in a shared buffer, a file without a name
that both processes have open. When the first process dies, the worker ends too, and its mailings are free
again at the end of the lease. When the worker dies, the first process writes the messages itself.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from digest.config.database_url import DatabaseUrl
from digest.errors import StateError, WorkerGone
from digest.mail.transport import Outgoing
from digest.pipeline.render_queue import RenderedMessage, RenderQueue
from digest.service.mail_setup import WriterSetup
from digest.storage.factory import State

_LONGEST_LINE = 1 << 20
"""In bytes. The descriptions of thirty messages take about ten thousand."""

_KEPT_BACK = ("DIGEST_", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")

_GOODBYE_SECONDS = 5.0

PATIENCE = 120.0
"""Seconds to wait for an answer. A locked state may take thirty of them."""


@asynccontextmanager
async def started_worker(writer_setup: WriterSetup, state: State) -> AsyncIterator[RenderQueue]:
    """Starts a worker for the state, with that setup. Raises `WorkerGone`."""
    if isinstance(state, DatabaseUrl):
        raise WorkerGone("it works on a state file only")
    with _shared_buffer() as buffer:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # do not import modules from the current folder
                "-m",
                "digest.service.render_worker",
                json.dumps({"state": state, "buffer": buffer.fileno(), **asdict(writer_setup)}, default=str),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                env=_environment(os.environ),
                pass_fds=[buffer.fileno()],
            )
        except OSError as error:
            raise WorkerGone(f"it cannot be started: {error}") from error
        try:
            yield _WorkerConnection(process, buffer.fileno(), state).render
        finally:
            if process.stdin:
                with suppress(OSError, RuntimeError):  # already closed if the worker has ended
                    process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _GOODBYE_SECONDS)
            except TimeoutError:
                _kill(process)
                await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of the worker, without the secrets and sockets of the first process."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_KEPT_BACK) and not name.lower().endswith("_proxy")
    }


def _shared_buffer() -> IO[bytes]:
    """Opens a file without a name: in memory on Linux, else on disk."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("drafts"), "r+b")
    return tempfile.TemporaryFile()


class _WorkerConnection:
    def __init__(self, process: asyncio.subprocess.Process, buffer: int, state: Path) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker needs pipes for input and output")
        self._process, self._out, self._in = process, process.stdin, process.stdout
        self._shared_buffer = buffer
        self._state = state

    async def render(self, now: datetime, until: datetime, limit: int) -> Sequence[RenderedMessage]:
        """Claims and writes messages in the worker. Raises `StateError` as `draft`, and `WorkerGone`."""
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._ask([now.isoformat(), until.isoformat(), limit])
        except TimeoutError as error:
            _kill(self._process)  # it may have locked the state
            raise WorkerGone("it does not answer") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise WorkerGone("it has ended") from error
        except RuntimeError as error:  # raised by uvloop for a closed pipe
            raise WorkerGone(f"it has ended ({error})") from error
        except (asyncio.LimitOverrunError, ValueError) as error:
            _kill(self._process)
            raise WorkerGone("its answer is invalid") from error
        if "error" in answer:
            raise StateError(str(self._state), answer["error"], is_passing=answer["is_passing"])
        return self._read(answer["drafts"])

    async def _ask(self, question: list[object]) -> dict[str, Any]:
        self._out.write(json.dumps(question).encode() + b"\n")
        await self._out.drain()
        answer: dict[str, Any] = json.loads(await self._in.readuntil(b"\n"))
        return answer

    def _read(self, descriptions: Sequence[dict[str, Any]]) -> Sequence[RenderedMessage]:
        """Copies the messages out of the shared buffer, since the next answer overwrites it."""
        rendered, place = [], 0
        for one in descriptions:
            size, sender, recipient = (one.pop(name) for name in ("size", "sender", "recipient"))
            outgoing = None
            if size is not None:
                message = os.pread(self._shared_buffer, size, place)
                outgoing = Outgoing(
                    sender=sender, recipient=recipient, message=message, token=one["token"], is_dotless=True
                )
                place += size
            rendered.append(RenderedMessage(**one, outgoing=outgoing))
        return rendered
