"""Waiting for what has to come: always with a limit, and with one that holds on a busy machine too."""

import asyncio
import time
from collections.abc import Callable

LIMIT = 60.0
"""Seconds. What has to come comes in a fraction of this; who measures time needs another means."""


async def until(is_true: Callable[[], object], seconds: float = LIMIT) -> None:
    """Returns when it is true. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not is_true():
            await asyncio.sleep(0.01)


def until_true(is_true: Callable[[], object], seconds: float = LIMIT) -> None:
    """The same for tests without an event loop."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {seconds:.0f} s")
        time.sleep(0.02)
