"""Lets a service wait, instead of exit, while the state cannot be used."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from digest.errors import AlreadyRunning, StateError

if TYPE_CHECKING:
    from digest.service.sd_notify import Notifier

_log = logging.getLogger("digest.service.daemon")

_LOOK_SECONDS = 15.0
"""The time between two attempts to use the state."""

_TRIES_PER_LOG = 240
"""The wait is logged again after this many attempts, which is an hour."""


def persist(serve: Callable[[], None], notifier: "Notifier") -> None:
    """Calls `serve` until it returns. Repeats it while the state cannot be used for a temporary reason.

    Until it begins to work, SIGTERM ends the process with 0: as process 1 of a container, it would ignore
    the signal otherwise. Raises `StateError` for an error that only a person can correct.
    """
    import signal

    signal.signal(signal.SIGTERM, _end)
    waits = 0
    while True:
        try:
            return serve()
        except (AlreadyRunning, StateError) as error:
            if isinstance(error, StateError) and not error.is_passing:
                raise
            _wait(error, notifier, waits)
            waits += 1


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


def _wait(error: AlreadyRunning | StateError, notifier: "Notifier", waits: int) -> None:
    """Waits. Meanwhile the service manager gets "ready" and "alive"."""
    import signal
    from time import sleep

    signal.signal(signal.SIGTERM, _end)  # an event loop that ended has removed it
    if waits % _TRIES_PER_LOG == 0:
        _log.error("waiting, trying again every_seconds=%.0f cause=%s", _LOOK_SECONDS, error)
    notifier.ready(f"waiting: {error}")
    notifier.alive()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the next attempt reads the files again
    every = notifier.alive_every
    sleep(min(_LOOK_SECONDS, every.total_seconds()) if every else _LOOK_SECONDS)
