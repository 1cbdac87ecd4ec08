"""One request at a time with a pause after it, over all processes that share a file.

arXiv's terms (https://info.arxiv.org/help/api/tou.html): no more than one request every three seconds and one
connection at a time, for all of its services together.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.config import os_errors
from digest.config.file_lock import LockFile
from digest.errors import StateError

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_UNDER_WAY = "under way since "
REPORT_AFTER = timedelta(minutes=1)
"""A wait for a turn is reported after this time, and again each time it has passed."""


class RateLimiter:
    """A turn begins when no other one is taken and `interval` has passed since the last one ended.

    `path` is a small file that all processes share. Its lock is held during a turn; it contains the end of
    the last one. The system releases the lock when a process dies.
    `tell` is called after a wait of a minute, with the process that holds the turn. `waits_for` names it at
    any time, and is empty without a wait.
    """

    def __init__(self, path: Path, interval: timedelta, report_after: timedelta = REPORT_AFTER) -> None:
        self.notify: Callable[[str], None] = _log.warning
        self.waits_for = ""
        self._path = path
        self._interval = interval
        self._report_after = report_after.total_seconds()
        self._lock = LockFile(path)
        self._queue = asyncio.Lock()
        self._ended: float | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn and holds it. Raises `StateError` when the file cannot be used."""
        async with self._queue:
            await self._acquire()
            try:
                await asyncio.sleep(self._pause())
                self._write(_UNDER_WAY + _now().isoformat())
                try:
                    yield
                finally:
                    self._ended = asyncio.get_running_loop().time()
                    self._write(_now().isoformat())
            finally:
                self._lock.release()

    async def _acquire(self) -> None:
        # Polling keeps the event loop free and can be cancelled.
        clock = asyncio.get_running_loop().time
        began, reported = clock(), clock()
        while not self._try():
            self.waits_for = f"{self._lock.holder() or 'another process'} is asking arXiv"
            if clock() - reported >= self._report_after:
                reported = clock()
                holder = self._lock.holder() or "another process"
                self.notify(
                    f"waiting for {reported - began:.0f} s for a turn to ask arXiv:"
                    f" {holder} holds {self._path}"
                )
            await asyncio.sleep(_POLL_SECONDS)
        self.waits_for = ""

    def _try(self) -> bool:
        try:
            return self._lock.acquire()
        except OSError as error:
            raise self._unusable(error) from error

    def _pause(self) -> float:
        """Seconds to wait; at most the interval, even if the clock was changed."""
        waits = [self._pause_after(self._read())]
        if self._ended is not None:
            waits.append(self._interval.total_seconds() - (asyncio.get_running_loop().time() - self._ended))
        return max(0.0, *waits)

    def _pause_after(self, record: str) -> float:
        if not record:
            return 0.0
        try:
            since = _now() - datetime.fromisoformat(record)
        except (ValueError, TypeError):
            # The process that asked was killed: its request may have ended just now.
            return self._interval.total_seconds()
        since = max(since, timedelta(0))  # A clock that was set back.
        return (self._interval - since).total_seconds()

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="ascii", errors="replace").strip()
        except OSError as error:
            raise self._unusable(error) from error

    def _write(self, record: str) -> None:
        try:
            self._path.write_text(record + "\n", encoding="ascii")
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> StateError:
        return StateError(
            str(self._path),
            f"cannot be used to keep requests to arXiv apart: {os_errors.explain(error, self._path)}",
            is_passing=os_errors.is_passing(error),
        )


def _now() -> datetime:
    return datetime.now(UTC)
