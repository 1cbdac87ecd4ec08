"""Tasks that run until the process is asked to stop, even if steps fail."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from digest.errors import DigestError
from digest.pipeline.policy import pause_after

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

LOOK_UP = timedelta(seconds=20)
"""The longest sleep. Within this time the daemon notices a suspend, a changed clock or an edited file."""

RESTART_AFTER = timedelta(seconds=5)
"""How long to wait before a task that an error ended is started again."""


class LongTasks:
    """The common parts of all tasks of a service: loop, sleep, error handling and restart."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._stop = asyncio.Event()

    async def kept(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        """Runs a task, and starts it again after an error: the other tasks need it."""
        while True:
            try:
                return await task()
            except Exception:
                _log.exception("task ended with an unexpected error and starts again task=%s", name)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), RESTART_AFTER.total_seconds())
                return None

    async def _forever(self, name: str, step: Callable[[], Awaitable[datetime]], wake: asyncio.Event) -> None:
        """Repeats `step`, which does what is due and returns its next time. Retries a failed step soon."""
        failures = 0
        while not self._stop.is_set():
            wake.clear()
            next_at = await self._guarded(name, step)
            failures = 0 if next_at else failures + 1
            await self._sleep(next_at or self._clock() + pause_after(failures), wake)

    async def _guarded(self, name: str, job: Callable[[], Awaitable[_T]]) -> _T | None:
        """Returns the result of the job, or logs the error and returns `None`: the service goes on."""
        try:
            return await job()
        except DigestError as error:
            _log.error("step failed step=%s cause=%s", name, error)
        except Exception:
            _log.exception("step failed with an unexpected error step=%s", name)
        return None

    async def _sleep(self, until: datetime, wake: asyncio.Event) -> None:
        """Sleeps until that moment by the clock, until `wake` is set, or until the process is asked to stop.

        A clock that is set back also ends the sleep: it may have been far ahead when `until` was calculated.
        """
        began_at = self._clock()
        while (now := self._clock()) < until and now >= began_at:
            left, began_at = until - now, now
            waits = [asyncio.ensure_future(event.wait()) for event in (wake, self._stop)]
            try:
                done, _ = await asyncio.wait(
                    waits, timeout=min(left, LOOK_UP).total_seconds(), return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for wait in waits:
                    wait.cancel()
            if done:
                return
