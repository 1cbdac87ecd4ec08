"""How a service waits for a state that it cannot have now, rather than end."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from digest.errors import AlreadyRunning, StateError

if TYPE_CHECKING:
    from digest.service.sd_notify import Notifier

_log = logging.getLogger("digest.service.daemon")

_LOOK_SECONDS = 15.0
"""Between two looks whether the state can be used."""

_LOOKS_UNTOLD = 240
"""So many of them, an hour, and it is told again."""


def persist(enqueue: Callable[[], None], notifier: "Notifier") -> None:
    """Serves to the end. Where the state cannot be had, which may be otherwise after a while, it tries again.

    Raises `StateError` for what only a person can mend.
    """
    waits = 0
    while True:
        try:
            return enqueue()
        except (AlreadyRunning, StateError) as error:
            if isinstance(error, StateError) and not error.is_passing:
                raise
            _wait(error, notifier, waits)
            waits += 1


def _wait(error: AlreadyRunning | StateError, notifier: "Notifier", waits: int) -> None:
    """A while, in which the service manager takes the process for started and alive."""
    import signal
    from time import sleep

    if waits % _LOOKS_UNTOLD == 0:
        _log.error("waiting, and looking again every %.0f s: %s", _LOOK_SECONDS, error)
    notifier.ready(f"waiting: {error}")
    notifier.alive()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the files are read again anyway
    every = notifier.alive_every
    sleep(min(_LOOK_SECONDS, every.total_seconds()) if every else _LOOK_SECONDS)
