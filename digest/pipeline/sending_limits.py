"""Keeps one share of a mailing within the limits of a provider, which count the mails of all shares."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from digest.errors import StateError
from digest.storage.delivery_stores import RateStore
from digest.storage.rate_limit import Limits


class SendingLimits:
    """Gives each mail its turn. `used_up_until` is set once the mails of a day are used up."""

    def __init__(
        self, store: RateStore, limits: Limits, clock: Callable[[], datetime], stop: asyncio.Event
    ) -> None:
        self.used_up_until: datetime | None = None
        self._store = store
        self._limits = limits
        self._stop = stop
        self._began = clock(), time.monotonic()
        self._lead = timedelta(0), timedelta(0)
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """Compares the clock of this host with that of all hosts. Raises `StateError`."""
        if self._limits.are_set:
            self._lead = await asyncio.to_thread(self._store.clock_lead)

    async def wait(self, is_ended: Callable[[], bool]) -> bool:
        """Waits for the turn of the next mail. Returns false if it must not be sent. Raises `StateError`."""
        if not self._limits.are_set:
            return not is_ended()
        async with self._turn:  # one session waits for all
            while not is_ended():
                now = self._now() + self._lead[0]  # a mail never goes too early
                turn = await asyncio.to_thread(self._store.reserve_sending, self._limits, now=now)
                if turn.is_spent:
                    self.used_up_until = now + turn.wait
                elif not turn.wait:
                    return True
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), turn.wait.total_seconds())
        return False

    async def conclude(self) -> None:
        """Lets the span of a limit begin for a mail that the server answered to, or that failed."""
        if self._limits.are_set:
            with suppress(StateError):  # the store gives it up later
                await asyncio.to_thread(self._store.conclude_sending, now=self._now() + self._lead[1])

    def _now(self) -> datetime:
        """Returns the current moment by a running clock: `clock` may be fixed (`--now`)."""
        began_at, began = self._began
        return began_at + timedelta(seconds=time.monotonic() - began)
