"""Processes that do not outlive the test that started them."""

import asyncio
import subprocess
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tests.waiting import LIMIT


@contextmanager
def started(*command: object, **options: Any) -> "Iterator[subprocess.Popen[Any]]":
    """Runs inside the `with`, and is killed at its end if it has not ended by then."""
    with subprocess.Popen([str(word) for word in command], **options) as process:
        try:
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def started_here(*command: object, **options: Any) -> AsyncIterator[Process]:
    """The same for an event loop."""
    process = await asyncio.create_subprocess_exec(*(str(word) for word in command), **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(LIMIT):
            await process.communicate()
