"""Writes down what became of mails, many in one transaction, and waits for the disk rather than forget."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from digest.errors import StateError
from digest.storage.pipeline_stores import DeliverStore
from digest.storage.values import DeliveryResult

_log = logging.getLogger(__name__)

_GATHERING = 0.002
"""For how many seconds one session waits for others, to be written down with them."""

_PAUSE = 2.0
LONGEST_WAIT = 3600.0
"""For how many seconds a state that cannot be written is waited for."""


class ReceiptWriter:
    """What became of mails, for sessions that each wait until theirs is safely on the disk.

    So at most one mail a session is ever sent and not yet written down. Whoever comes first waits a moment,
    unless all are there, and writes for all who have come by then.
    """

    def __init__(
        self, store: DeliverStore, clock: Callable[[], datetime], stop: asyncio.Event, *, sessions: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._stop = stop
        self._sessions = sessions
        self._waiting: list[DeliveryResult] = []
        self._writing = asyncio.Lock()

    async def write(self, conclusion: DeliveryResult) -> None:
        """Returns once `conclusion` is on the disk.

        Where the state cannot be written it tries again, for an hour or until told to stop, since a mail
        that was sent and is not known to be would be sent twice. Then it raises `StateError`.
        """
        self._waiting.append(conclusion)
        async with self._writing:
            if conclusion in self._waiting:
                if len(self._waiting) < self._sessions:
                    await asyncio.sleep(_GATHERING)
                written = tuple(self._waiting)
                await self._insist(written)
                del self._waiting[: len(written)]

    async def _insist(self, conclusions: tuple[DeliveryResult, ...]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_WAIT
        told = False
        while True:
            try:
                await asyncio.to_thread(self._store.record_results, conclusions, now=self._clock())
            except StateError as error:
                if self._stop.is_set() or loop.time() > until:
                    raise
                if not told:
                    _log.error("mails are sent and not yet written down, waiting: %s", error)
                told = True
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), _PAUSE)
            else:
                return
