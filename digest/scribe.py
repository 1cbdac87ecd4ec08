"""A second process that claims mailings and writes their messages, while the first one sends.

Python uses one core a process, and writing takes as long as sending. The two speak over pipes: a line of
JSON asks, and a line of JSON tells of the drafts, whose messages follow as they are. When the first process
dies, so does its scribe, and what it held comes back when the lease ends. When the scribe dies, the first one
writes by itself.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from digest.drafting import Draft, Drafting, Write, draft
from digest.errors import ScribeGone, StateError
from digest.mail import Outgoing
from digest.store import Store

_LONGEST_LINE = 1 << 20
"""Fifty drafts are told in some ten thousand bytes."""

_GOODBYE_SECONDS = 5.0

PATIENCE = 120.0
"""Seconds for an answer, of which a locked state may take thirty."""


@asynccontextmanager
async def hired(config: Path | None, state: Path) -> AsyncIterator[Drafting]:
    """A scribe for the state, by the settings that `config` and the environment hold. Raises `ScribeGone`."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # modules are not looked for in the folder that one happens to be in
            "-m",
            "digest.scribe",
            str(config or ""),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=os.environ | {"DIGEST_STATE": str(state)},
        )
    except OSError as error:
        raise ScribeGone(f"it cannot be begun: {error}") from error
    try:
        yield _Correspondence(process, state).drafting
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _GOODBYE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


class _Correspondence:
    def __init__(self, process: asyncio.subprocess.Process, state: Path) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a scribe is spoken to over pipes")
        self._process, self._out, self._in = process, process.stdin, process.stdout
        self._state = state

    async def drafting(self, now: datetime, until: datetime, limit: int) -> Sequence[Draft]:
        """Raises `StateError` as `draft` does, and `ScribeGone`."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._ask([now.isoformat(), until.isoformat(), limit])
        except TimeoutError as error:
            self._process.kill()  # it may hold the state
            raise ScribeGone("it does not answer") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ScribeGone("it has ended") from error

    async def _ask(self, question: list[object]) -> Sequence[Draft]:
        self._out.write(json.dumps(question).encode() + b"\n")
        await self._out.drain()
        answer = json.loads(await self._in.readuntil(b"\n"))
        if "error" in answer:
            raise StateError(str(self._state), answer["error"], is_passing=answer["is_passing"])
        return [await self._draft(told) for told in answer["drafts"]]

    async def _draft(self, told: dict[str, Any]) -> Draft:
        size = told.pop("size")
        sender, recipient = told.pop("sender"), told.pop("recipient")
        if size is None:
            return Draft(**told)
        message = await self._in.readexactly(size)
        outgoing = Outgoing(sender=sender, recipient=recipient, message=message, token=told["token"])
        return Draft(**told, outgoing=outgoing)


def main() -> None:
    """The scribe: answers each line of standard input, until that ends."""
    from digest.config import load_settings
    from digest.stationery import writer_of
    from digest.store.sqlite import SqliteStore
    from digest.web.links import links_of

    # The first process is told to stop, and lets its scribe go.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    settings = load_settings(Path(sys.argv[1]) if sys.argv[1] else None, os.environ)
    with SqliteStore(settings.state) as store:
        write = writer_of(settings, links_of(settings.web.base_url, store))
        for line in sys.stdin.buffer:
            _answer(store, write, line, sys.stdout.buffer)


def _answer(store: Store, write: Write, line: bytes, out: BinaryIO) -> None:
    now, until, limit = json.loads(line)
    messages: list[bytes] = []
    try:
        drafts = draft(
            store, write, now=datetime.fromisoformat(now), until=datetime.fromisoformat(until), limit=limit
        )
        answer: dict[str, Any] = {"drafts": [_told(one) for one in drafts]}
        messages = [one.outgoing.message for one in drafts if one.outgoing]
    except StateError as error:
        answer = {"error": error.reason, "is_passing": error.is_passing}
    out.write(json.dumps(answer).encode() + b"\n")
    out.writelines(messages)
    out.flush()


def _told(one: Draft) -> dict[str, Any]:
    outgoing = one.outgoing
    return {
        "number": one.number,
        "token": one.token,
        "attempts": one.attempts,
        "email": one.email,
        "failure": one.failure,
        "sender": outgoing and outgoing.sender,
        "recipient": outgoing and outgoing.recipient,
        "size": len(outgoing.message) if outgoing else None,
    }


if __name__ == "__main__":
    main()
