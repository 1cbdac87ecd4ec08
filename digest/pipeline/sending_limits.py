"""Keeps mails within the limits of a provider, which count those of all shares, and the short ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from digest.errors import ServerUnavailable, StateError
from digest.mail.transport import Outgoing, Receipt, Session, Transport
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


class LimitedTransport:
    """A transport for short mails, such as confirmations: the limits count them with the digests."""

    def __init__(
        self,
        transport: Transport,
        store: RateStore,
        limits: Limits,
        clock: Callable[[], datetime],
        stop: asyncio.Event,
    ) -> None:
        """The time goes on from `clock` as it is now: build one for each batch of mails."""
        self._transport = transport
        self._limits = SendingLimits(store, limits, clock, stop)
        self._clock = clock
        self._stop = stop

    @property
    def sessions(self) -> int:
        return self._transport.sessions

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Raises `StateError`, as sending does."""
        await self._limits.begin()
        async with self._transport.session() as session:
            yield _LimitedSession(session, self._limits, self._clock, self._stop)


class _LimitedSession:
    def __init__(
        self, session: Session, limits: SendingLimits, clock: Callable[[], datetime], stop: asyncio.Event
    ) -> None:
        self._session = session
        self._limits = limits
        self._clock = clock
        self._stop = stop

    async def send(self, mail: Outgoing) -> Receipt:
        """Waits for its turn. Raises `ServerUnavailable` if the mails of a day are used up."""
        if not await self._limits.wait(self._is_over):
            until = self._limits.used_up_until
            reason = f"daily limit reached until {until:%F %H:%M %Z}" if until else "asked to stop"
            wait = until - self._clock() if until else None
            raise ServerUnavailable("digest", reason, "what waits is sent later", wait=wait)
        try:
            return await self._session.send(mail)
        finally:
            await self._limits.conclude()

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._limits.used_up_until is not None
