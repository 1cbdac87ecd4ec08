"""`digest daemon`: the service."""

import typer

from digest.cli.context import context_of


def daemon(context: typer.Context) -> None:
    """Run as a service: ask arXiv after its announcements, mail everyone at their own time.

    SIGHUP rereads digest.toml and subscribers.toml; an edit is also noticed by itself.

    SIGTERM finishes the mail in hand and stops. The log goes to standard error.
    """
    import logging
    import os

    from digest.assembly import load_setup
    from digest.cli.opening import open_state
    from digest.daemon import Daemon
    from digest.heap import keep_what_is_there, share_heap
    from digest.notify import Notifier
    from digest.running import run
    from digest.stationery import stationery_of, writer_of

    share_heap()
    keep_what_is_there()
    logging.getLogger("digest").setLevel(min(logging.INFO, logging.getLogger().level))
    setup = load_setup(context_of(context).config)
    writer_of(stationery_of(setup.settings))
    with open_state(setup.settings.state) as store:
        service = Daemon(setup, lambda: load_setup(context_of(context).config), store, Notifier(os.environ))
        run(service.run())
