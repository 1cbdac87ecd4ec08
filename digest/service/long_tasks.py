"""Tasks that go on until the process is told to stop, whatever fails on their way."""

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
"""The longest sleep: a suspended machine, a clock that was set or an edited file is noticed within it."""

RESTART_AFTER = timedelta(seconds=5)
"""How long a task that an error ended waits before it begins anew."""


class LongTasks:
    """What each task of a service does around its own work."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._stop = asyncio.Event()

    async def _kept(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        """Begins a task anew that an error ended: the others cannot do without it."""
        while True:
            try:
                return await task()
            except Exception:
                _log.exception("%s ended by an error, it begins anew", name)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), RESTART_AFTER.total_seconds())
                return None

    async def _forever(self, name: str, step: Callable[[], Awaitable[datetime]], wake: asyncio.Event) -> None:
        """`step` does what is due and tells when there is more; one that fails is tried again soon."""
        failures = 0
        while not self._stop.is_set():
            wake.clear()
            next_at = await self._guarded(name, step)
            failures = 0 if next_at else failures + 1
            await self._sleep(next_at or self._clock() + pause_after(failures), wake)

    async def _guarded(self, name: str, job: Callable[[], Awaitable[_T]]) -> _T | None:
        """The job's result, or `None` where it failed: that is logged, and the service goes on."""
        try:
            return await job()
        except DigestError as error:
            _log.error("%s failed: %s", name, error)
        except Exception:
            _log.exception("%s failed by a mistake in the program", name)
        return None

    async def _sleep(self, until: datetime, wake: asyncio.Event) -> None:
        """Until that moment by the clock, or until `wake` is set or the process is told to stop.

        A clock that is set back ends it too: it may have been far ahead when that moment was reckoned.
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
