"""Serves the channels of a daemon: each in a separate task, so that none delays another or a mail."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from digest.pipeline.policy import pause_after
from digest.pipeline.progress import uncovered_since
from digest.pipeline.schedule import due_at_slot
from digest.pipeline.serve_channel import ChannelJob, ChannelReport
from digest.service import long_tasks
from digest.service.long_tasks import LongTasks
from digest.sources.arxiv.calendar import last_announcement

_log = logging.getLogger(__name__)

_LONGEST_WAIT = timedelta(hours=1)
"""After this time a channel is looked at again, whatever was planned."""

_GRACE = timedelta(seconds=10)
"""How long the current attempts may take after the process was asked to stop."""


class ChannelTasks(LongTasks):
    """Starts a task for each channel that is due, if none runs for it.

    `jobs` are those of the current setup.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        stop: asyncio.Event,
        jobs: Callable[[], Sequence[ChannelJob]],
    ) -> None:
        super().__init__(clock)
        self._stop, self._jobs = stop, jobs
        self._wake = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._next_at: dict[str, datetime] = {}
        self._began_at: dict[str, datetime] = {}
        self._looked_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def all_are_due(self) -> None:
        """There may be something for each channel: new papers, or other settings."""
        self._next_at.clear()
        self._wake.set()

    async def run(self) -> None:
        """Serves until asked to stop, and then finishes the current attempts."""
        try:
            while not self._stop.is_set():
                self._wake.clear()
                next_look_at = self._clock() + long_tasks.LOOK_UP
                for job in self._jobs():
                    if job.channel.name not in self._running and await self._is_due(job):
                        self._start(job)
                await self._sleep(next_look_at, self._wake)
        finally:
            await self._finish()

    async def _is_due(self, job: ChannelJob) -> bool:
        """Whether its time has come, or a command left something. The clock may be set back."""
        name, now = job.channel.name, self._clock()
        began_at = self._began_at.get(name, now)
        if name not in self._next_at or self._next_at[name] <= now or now < began_at:
            return True
        if self._running_time() - self._looked_at[name] < long_tasks.LOOK_UP.total_seconds():
            return False
        address = job.channel.follower.email
        asked = partial(asyncio.to_thread, job.store.channel_statuses, [address])
        status = (await self._guarded("reading channels", asked) or {}).get(address)
        return bool(status and not status.rest and status.due_at and status.due_at <= now)

    @staticmethod
    def _running_time() -> float:
        return asyncio.get_running_loop().time()

    def _start(self, job: ChannelJob) -> None:
        name, now = job.channel.name, self._clock()
        self._began_at[name], self._next_at[name] = now, now + _LONGEST_WAIT
        self._looked_at[name] = self._running_time()
        self._running[name] = asyncio.create_task(self._serve(job, now))

    async def _serve(self, job: ChannelJob, now: datetime) -> None:
        name = job.channel.name
        try:
            if report := await self._guarded(f"channel {name}", partial(_served, job, now)):
                self._failures.pop(name, None)
                if name in self._next_at and report.next_at:  # else there is something new meanwhile
                    self._next_at[name] = min(report.next_at, now + _LONGEST_WAIT)
            else:
                self._failures[name] = self._failures.get(name, 0) + 1
                self._next_at[name] = self._clock() + pause_after(self._failures[name])
        finally:
            del self._running[name]
            self._wake.set()

    async def _finish(self) -> None:
        """An attempt that is interrupted here is repeated after the next start, under the same id."""
        if not self._running:
            return
        tasks = [*self._running.values()]
        _, unfinished = await asyncio.wait(tasks, timeout=_GRACE.total_seconds())
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)


async def _served(job: ChannelJob, now: datetime) -> ChannelReport:
    stale = await asyncio.to_thread(
        uncovered_since, job.store, [job.channel.follower], last_announcement(now)
    )
    return await job.run(partial(due_at_slot, now), stale=stale)
