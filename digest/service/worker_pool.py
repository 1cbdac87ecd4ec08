"""Begins a second process that writes messages, `digest.service.render_worker`, and speaks with it.

Both speak in lines of JSON. The messages lie one after another in a shared buffer, a file without a name
that both processes hold. When the first process dies, so does its worker, and what it held comes back when
the lease ends. When the worker dies, the first process writes by itself.
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

from digest.errors import StateError, WorkerGone
from digest.mail.transport import Outgoing
from digest.pipeline.render_queue import RenderedMessage, RenderQueue
from digest.service.mail_setup import WriterSetup

_LONGEST_LINE = 1 << 20
"""Thirty drafts are told in some ten thousand bytes."""

_KEPT_BACK = ("DIGEST_", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")

_GOODBYE_SECONDS = 5.0

PATIENCE = 120.0
"""Seconds for an answer, of which a locked state may take thirty."""


@asynccontextmanager
async def started_worker(writer_setup: WriterSetup, state: Path) -> AsyncIterator[RenderQueue]:
    """A worker for the state, with that setup. Raises `WorkerGone`."""
    with _shared_buffer() as buffer:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # modules are not looked for in the folder that one happens to be in
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
            raise WorkerGone(f"it cannot be begun: {error}") from error
        try:
            yield _WorkerConnection(process, buffer.fileno(), state).drafting
        finally:
            if process.stdin:
                with suppress(OSError, RuntimeError):  # it is closed where the worker has ended
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
    """What the second process needs, and none of the secrets and sockets that are the first one's."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_KEPT_BACK) and not name.lower().endswith("_proxy")
    }


def _shared_buffer() -> IO[bytes]:
    """In memory, where the system has such files."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("drafts"), "r+b")
    return tempfile.TemporaryFile()


class _WorkerConnection:
    def __init__(self, process: asyncio.subprocess.Process, buffer: int, state: Path) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker is spoken to over pipes")
        self._process, self._out, self._in = process, process.stdin, process.stdout
        self._shared_buffer = buffer
        self._state = state

    async def drafting(self, now: datetime, until: datetime, limit: int) -> Sequence[RenderedMessage]:
        """Raises `StateError` as `draft` does, and `WorkerGone`."""
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._ask([now.isoformat(), until.isoformat(), limit])
        except TimeoutError as error:
            _kill(self._process)  # it may hold the state
            raise WorkerGone("it does not answer") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise WorkerGone("it has ended") from error
        except RuntimeError as error:  # uvloop's word for a pipe that was closed
            raise WorkerGone(f"it has ended ({error})") from error
        except (asyncio.LimitOverrunError, ValueError) as error:
            _kill(self._process)
            raise WorkerGone("what it says is no answer") from error
        if "error" in answer:
            raise StateError(str(self._state), answer["error"], is_passing=answer["is_passing"])
        return self._taken(answer["drafts"])

    async def _ask(self, question: list[object]) -> dict[str, Any]:
        self._out.write(json.dumps(question).encode() + b"\n")
        await self._out.drain()
        answer: dict[str, Any] = json.loads(await self._in.readuntil(b"\n"))
        return answer

    def _taken(self, told: Sequence[dict[str, Any]]) -> Sequence[RenderedMessage]:
        """All from the shared buffer, which the next answer needs."""
        drafts, place = [], 0
        for one in told:
            size, sender, recipient = (one.pop(name) for name in ("size", "sender", "recipient"))
            outgoing = None
            if size is not None:
                message = os.pread(self._shared_buffer, size, place)
                outgoing = Outgoing(
                    sender=sender, recipient=recipient, message=message, token=one["token"], is_dotless=True
                )
                place += size
            drafts.append(RenderedMessage(**one, outgoing=outgoing))
        return drafts
