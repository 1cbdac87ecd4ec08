"""One request at a time with a pause after it, over all processes that share a file, and over all hosts.

arXiv's terms (https://info.arxiv.org/help/api/tou.html): no more than one request every three seconds and one
connection at a time, for all of its services together.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from digest.config import os_errors
from digest.config.file_lock import LockFile
from digest.errors import StateError

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_UNDER_WAY = "under way since "
_TASK = "request to arXiv"
_LEASE = timedelta(seconds=30)
REPORT_AFTER = timedelta(minutes=1)
"""A wait for a turn is reported after this time, and again each time it has passed."""


class Idle(Protocol):
    """A lease. `idle_for` is how long nobody had it, if anybody ever had."""

    @property
    def idle_for(self) -> timedelta | None: ...


class HostLeases(Protocol):
    """The part of a state on a server that keeps the requests of all hosts apart (`LeaseStore`)."""

    def take_lease(self, task: str, *, lasting: timedelta) -> Idle | None: ...

    def end_lease(self, task: str) -> None: ...


class RateLimiter:
    """A turn begins when no other one is taken and `interval` has passed since the last one ended.

    `path` is a small file that all processes share. Its lock is held during a turn; it contains the end of
    the last one. The system releases the lock when a process dies.
    If there are `hosts`, a turn also has a lease that only one host has at a time.
    `notify` is called after a wait of a minute, with the process that holds the turn. `waits_for` names it at
    any time, and is empty without a wait.
    """

    def __init__(
        self,
        path: Path,
        interval: timedelta,
        report_after: timedelta = REPORT_AFTER,
        hosts: HostLeases | None = None,
    ) -> None:
        self.notify: Callable[[str], None] = partial(
            _log.warning, "waiting for the turn to ask arXiv cause=%s"
        )
        self.waits_for = ""
        self._path = path
        self._interval = interval
        self._report_after = report_after.total_seconds()
        self._lock = LockFile(path)
        self._hosts = hosts
        self._queue = asyncio.Lock()
        self._ended: float | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn and holds it. Raises `StateError` when the file cannot be used."""
        async with self._queue:
            await self._wait(
                self._try, lambda: str(self._lock.holder() or "another process"), str(self._path)
            )
            try:
                await asyncio.sleep(self._pause())
                async with self._lease():
                    self._write(_UNDER_WAY + _now().isoformat())
                    try:
                        yield
                    finally:
                        self._ended = asyncio.get_running_loop().time()
                        self._write(_now().isoformat())
            finally:
                self._lock.release()

    @asynccontextmanager
    async def _lease(self) -> AsyncIterator[None]:
        """Holds the lease over all hosts, if there are others."""
        if self._hosts is None:
            yield
            return
        hosts = self._hosts
        lease: Idle | None = None

        def take() -> bool:
            nonlocal lease
            lease = hosts.take_lease(_TASK, lasting=_LEASE)
            return lease is not None

        await self._wait(lambda: asyncio.to_thread(take), lambda: "another host", "the lease")
        renewing = asyncio.create_task(_renew(hosts))
        try:
            if lease is not None and lease.idle_for is not None:
                await asyncio.sleep(max(0.0, (self._interval - lease.idle_for).total_seconds()))
            yield
        finally:
            renewing.cancel()
            with suppress(StateError):  # it ends by itself
                await asyncio.to_thread(hosts.end_lease, _TASK)

    async def _wait(self, take: Callable[[], Awaitable[bool]], holder: Callable[[], str], held: str) -> None:
        """Calls `take` until it succeeds. Polling keeps the event loop free and can be cancelled."""
        clock = asyncio.get_running_loop().time
        began, reported = clock(), clock()
        while not await take():
            self.waits_for = f"{holder()} is asking arXiv"
            if clock() - reported >= self._report_after:
                reported = clock()
                self.notify(
                    f"waiting for {reported - began:.0f} s for a turn to ask arXiv: {holder()} holds {held}"
                )
            await asyncio.sleep(_POLL_SECONDS)
        self.waits_for = ""

    async def _try(self) -> bool:
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


async def _renew(hosts: HostLeases) -> None:
    """Keeps the lease during a long request."""
    while True:
        await asyncio.sleep(_LEASE.total_seconds() / 3)
        with suppress(StateError):  # then the request ends, or another host asks in vain
            await asyncio.to_thread(hosts.take_lease, _TASK, lasting=_LEASE)


def _now() -> datetime:
    return datetime.now(UTC)
