"""`digest daemon`: the service."""

import logging
from typing import TYPE_CHECKING

import typer

from digest.cli.context import context_of
from digest.errors import AlreadyRunning, StateError

if TYPE_CHECKING:
    from digest.notify import Notifier

_log = logging.getLogger("digest.daemon")

_LOOK_SECONDS = 15.0
"""Between two looks whether the state can be used."""

_LOOKS_UNTOLD = 240
"""So many of them, an hour, and it is told again."""


def daemon(context: typer.Context) -> None:
    """Run as a service: ask arXiv after its announcements, mail everyone at their own time.

    SIGHUP rereads digest.toml and subscribers.toml; an edit is also noticed by itself.

    SIGTERM finishes the mail in hand and stops. The log goes to standard error. Where the disk is full, or
    another process is at work on the state, the daemon waits until that is over.
    """
    import os

    from digest.heap import keep_what_is_there, share_heap
    from digest.notify import Notifier

    share_heap()
    keep_what_is_there()
    logging.getLogger("digest").setLevel(min(logging.INFO, logging.getLogger().level))
    notifier = Notifier(os.environ)
    waits = 0
    while not _has_served(context, notifier, waits):
        waits += 1


def _has_served(context: typer.Context, notifier: "Notifier", waits: int) -> bool:
    """False where the state could not be had, which may be otherwise after a while."""
    from digest.assembly import load_setup
    from digest.cli.opening import open_state
    from digest.daemon import Daemon
    from digest.running import run
    from digest.stationery import stationery_of, writer_of

    setup = load_setup(context_of(context).config)
    writer_of(stationery_of(setup.settings))
    try:
        with open_state(setup.settings.state) as store:
            service = Daemon(setup, lambda: load_setup(context_of(context).config), store, notifier)
            run(service.run())
    except (AlreadyRunning, StateError) as error:
        if isinstance(error, StateError) and not error.is_passing:
            raise
        _wait(error, notifier, waits)
        return False
    return True


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
