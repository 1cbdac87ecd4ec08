"""Sends the mails of sign-ups soon after they were asked for, whatever else is being mailed."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from digest.errors import ServerUnavailable
from digest.pipeline.leases import SIGNING_UP, leased
from digest.pipeline.sending_limits import LimitedTransport
from digest.pipeline.signup_mails import send_signup_mails
from digest.service import long_tasks
from digest.service.bootstrap import Setup
from digest.service.long_tasks import LongTasks
from digest.service.mail_setup import writer_setup_for
from digest.service.transports.base import transport_kind
from digest.storage.base import Store

_CLEANING = timedelta(hours=1)
"""How long a sign-up may be kept after its end, also where nothing else is done for a day."""

_REST = timedelta(minutes=15)
"""For so long no server is asked after a daily limit was reached: the operator may raise it meanwhile."""

_log = logging.getLogger(__name__)


class SignupSender(LongTasks):
    """A task of its own: the mails of a whole installation may take an hour."""

    def __init__(self, store: Store, setup: Callable[[], Setup], clock: Callable[[], datetime]) -> None:
        """`setup` gives the one in use."""
        super().__init__(clock)
        self._store = store
        self._setup = setup
        self._wake = asyncio.Event()
        self._cleaned_at: datetime | None = None
        self._rests_until: datetime | None = None

    async def run(self) -> None:
        """Runs until it is cancelled."""
        await self._forever("sign-ups", self.step, self._wake)

    def wake(self) -> None:
        """Looks at once for mails that are due."""
        self._wake.set()

    async def step(self) -> datetime:
        """Does what is due, and returns when to look again.

        Another process may send the same mails at the same time, but then under the same Message-IDs.
        """
        now = self._clock()
        rests = self._rests_until is not None and now < self._rests_until <= now + _REST
        waiting = await asyncio.to_thread(self._store.signup_mails, now=now)
        if waiting and not rests:
            async with leased(self._store, SIGNING_UP) as lease:
                if lease is not None:
                    await self._send_within_limits(now)
        if self._cleaned_at is None or not self._cleaned_at <= now < self._cleaned_at + _CLEANING:
            await asyncio.to_thread(self._store.forget_signups, now=now)
            self._cleaned_at = now
        return now + long_tasks.LOOK_UP

    async def _send_within_limits(self, now: datetime) -> None:
        """Rests after the mails of a day are used up, without an error each time."""
        try:
            await self._send(now)
        except ServerUnavailable as error:
            if error.wait is None:
                raise
            self._rests_until = now + min(error.wait, _REST)
            _log.warning("mails of sign-ups wait cause=%s", error)

    async def _send(self, now: datetime) -> None:
        setup = self._setup()
        settings = setup.settings
        if settings.web.base_url is None:
            return
        kind = transport_kind(settings)
        await send_signup_mails(
            self._store,
            LimitedTransport(
                kind.build(settings), self._store, kind.limits(settings), self._clock, self._stop
            ),
            writer_setup_for(settings).sender_identity,
            settings.web.base_url,
            setup.subscribers,
            now=now,
        )
