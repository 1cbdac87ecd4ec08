"""Counts the problems of an installation by kind, for the metrics."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from digest.channels.channel import Channel
from digest.service.health import ProblemKind, examine
from digest.storage.report_stores import MetricsStore
from digest.subscribers.preferences import apply_preferences
from digest.subscribers.subscriber import Subscriber

_LEAST_SECONDS = 60.0

_SHARE = 20
"""An examination that takes a second is done every 20 seconds at most: it reads the whole state."""


class ProblemCounts:
    """The problems that `digest status` shows, of the last minute; for a large state, of the last minutes."""

    def __init__(
        self,
        subscribers: Callable[[], Sequence[Subscriber]],
        channels: Callable[[], Sequence[Channel]],
        clock: Callable[[], datetime],
        running: Callable[[], float] = time.monotonic,
    ) -> None:
        self._subscribers = subscribers
        self._channels = channels
        self._clock = clock
        self._running = running
        self._lock = threading.Lock()
        self._counts: Mapping[str, int] = {}
        self._until: float | None = None

    def __call__(self, store: MetricsStore) -> Mapping[str, int]:
        """Returns the number of things that are wrong, for each kind. Raises `StateError`.

        While another request examines the state, the last numbers are returned.
        """
        if not self._lock.acquire(blocking=self._until is None):
            return self._counts
        try:
            began = self._running()
            if self._until is None or began >= self._until:
                self._counts = self._count(store)
                ended = self._running()
                self._until = ended + max(_LEAST_SECONDS, _SHARE * (ended - began))
            return self._counts
        finally:
            self._lock.release()

    def _count(self, store: MetricsStore) -> Mapping[str, int]:
        subscribers = apply_preferences(self._subscribers(), store.preferences())
        counts = dict.fromkeys(map(str, ProblemKind), 0)
        health = examine(store, subscribers, now=self._clock(), shown=0, channels=self._channels())
        for problem in health.found():
            counts[problem.kind] += problem.count
        return counts
