"""Keeps a log readable when one event happens thousands of times, as with a server that refuses all mail."""

import logging
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime

AT_ONCE = 50
"""How many records of one event are written one after the other."""

EVERY = 900.0
"""After that, one record in so many seconds is written: about a hundred a day."""

_MOST_EVENTS = 1_000


_SMALL = (int, float, str, datetime, type(None))


@dataclass(slots=True)
class _Allowance:
    """How many records of an event may be written at `since`; the `last` one that was left out."""

    left: float
    since: float
    last: logging.LogRecord | None = None
    left_out: int = 0

    def take_last(self) -> logging.LogRecord | None:
        """Returns the last record that was left out, which says how many others were."""
        last = self.last
        if last is not None:
            last.left_out = self.left_out - 1
        self.last, self.left_out = None, 0
        return last


@dataclass(slots=True)
class LogLimit:
    """A filter of a handler. What it leaves out is counted in the next record of that event: `left_out`.

    An event of ours is the template of its call; all records of a library's logger are one event.
    """

    clock: Callable[[], float] = time.monotonic
    _events: dict[tuple[str, int, str], _Allowance] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        if record.levelno <= logging.DEBUG:
            return True
        with self._lock:
            return self._is_allowed(record)

    def overdue(self, *, is_end: bool = False) -> list[logging.LogRecord]:
        """Returns, of each event that was left out and is quiet since, the last record.

        At the end, of each event that was left out.
        """
        now = self.clock()
        with self._lock:
            events = [one for one in self._events.values() if is_end or now - one.since >= EVERY]
            return [last for one in events if (last := one.take_last())]

    def _is_allowed(self, record: logging.LogRecord) -> bool:
        now = self.clock()
        event = self._allowance(record, now)
        event.left = min(AT_ONCE, event.left + (now - event.since) / EVERY)
        event.since = now
        if event.left < 1:
            event.last, event.left_out = _kept(record), event.left_out + 1
            return False
        event.left -= 1
        record.left_out = event.left_out
        event.last, event.left_out = None, 0
        return True

    def _allowance(self, record: logging.LogRecord, now: float) -> _Allowance:
        is_ours = record.name == "digest" or record.name.startswith("digest.")
        key = (record.name, record.levelno, str(record.msg) if is_ours else "")
        if len(self._events) >= _MOST_EVENTS and key not in self._events:
            self._events = {name: one for name, one in self._events.items() if one.last}
        return self._events.setdefault(key, _Allowance(left=AT_ONCE, since=now))


def _kept(record: logging.LogRecord) -> logging.LogRecord:
    """Returns a copy that keeps no other object alive, such as the frames of an error."""
    kept = copy(record)
    kept.exc_info = None
    if isinstance(kept.args, tuple):
        kept.args = tuple(one if isinstance(one, _SMALL) else str(one) for one in kept.args)
    return kept
