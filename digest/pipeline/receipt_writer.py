"""Stores the results of mails, many in one transaction. If the disk fails, it waits and tries again."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from digest.errors import StateError
from digest.storage.delivery_stores import DeliverStore
from digest.storage.values import DeliveryResult

_log = logging.getLogger(__name__)

_GATHERING = 0.004
"""How many seconds a session waits for other results, to store them in the same transaction."""

_PAUSE = 2.0
LONGEST_WAIT = 3600.0
"""How many seconds to wait for a state that cannot be written."""


class ReceiptWriter:
    """Stores results for sessions that each wait until their result is on the disk.

    Therefore each session has at most one mail that is sent and not yet stored. The first session waits a
    moment, unless all sessions wait already, and then stores all results that are there.
    """

    def __init__(
        self,
        store: DeliverStore,
        clock: Callable[[], datetime],
        stop: asyncio.Event,
        *,
        sessions: int,
        holder: str | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._stop = stop
        self._sessions = sessions
        self._holder = holder
        self._waiting: list[DeliveryResult] = []
        self._writing = asyncio.Lock()

    async def write(self, conclusion: DeliveryResult) -> None:
        """Returns when `conclusion` is on the disk.

        If the state cannot be written, it tries again, for an hour or until asked to stop: a mail without a
        stored result would be sent twice. Then it raises `StateError`.
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
        is_logged = False
        while True:
            try:
                await asyncio.to_thread(
                    self._store.record_results, conclusions, now=self._clock(), holder=self._holder
                )
            except StateError as error:
                if self._stop.is_set() or loop.time() > until:
                    raise
                if not is_logged:
                    _log.error("results of sent mails cannot be stored, waiting cause=%s", error)
                is_logged = True
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), _PAUSE)
            else:
                return
