"""`digest daemon`: the service."""

from typing import TYPE_CHECKING

import typer

from digest.cli.context import INTERRUPTED, context_of, log_as_set

if TYPE_CHECKING:
    from digest.service.sd_notify import Notifier


def daemon(context: typer.Context) -> None:
    """Run as a service: fetch after each announcement of arXiv, and mail each subscriber at their own time.

    Changes of digest.toml and subscribers.toml take effect by themselves; SIGHUP reads both files at once.

    SIGTERM finishes the current mail and stops. The log goes to standard error. While the disk is full, or
    another process uses the state, the daemon waits.
    """
    import os
    from contextlib import closing

    from digest.config.memory import keep_what_is_there, share_heap
    from digest.service.sd_notify import Notifier
    from digest.service.wait_for_state import persist

    share_heap()
    keep_what_is_there()
    log_as_set(context)
    with closing(Notifier(os.environ)) as notifier:
        persist(lambda: _serve(context, notifier), notifier)


def _serve(context: typer.Context, notifier: "Notifier") -> None:
    from digest.service.bootstrap import load_setup
    from digest.service.daemon import Daemon
    from digest.service.event_loop import run
    from digest.service.mail_setup import build_writer, writer_setup_for
    from digest.storage.factory import open_alone

    config = context_of(context).config
    setup = load_setup(config, converts=True)
    build_writer(writer_setup_for(setup.settings))
    with open_alone(setup.settings.state) as store:
        service = Daemon(setup, lambda: load_setup(config, store=store), store, notifier)
        run(service.run())
    if service.is_interrupted:
        raise typer.Exit(INTERRUPTED)
