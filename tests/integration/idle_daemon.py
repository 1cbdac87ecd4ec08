"""A daemon whose steps a test takes by hand."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from digest.service.bootstrap import load_setup
from digest.service.daemon import Daemon
from digest.service.sd_notify import Notifier
from digest.storage.sqlite.store import SqliteStore

SUBSCRIBER = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\nat = "07:00"\ntimezone = "UTC"\n'


def idle_daemon(
    folder: Path, store: SqliteStore, clock: Callable[[], datetime], notifier: Notifier | None = None
) -> Daemon:
    """One whose steps are taken by hand."""
    (folder / "subscribers.toml").write_text(SUBSCRIBER)
    environ = {
        "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
        "DIGEST_STATE": str(folder / "digest.db"),
    }
    setup = load_setup(None, environ)
    return Daemon(setup, lambda: setup, store, notifier or Notifier({}), clock=clock)
