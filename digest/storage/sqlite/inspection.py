"""Looks at a state file without opening it as the store does, which may change it."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from time import monotonic

from sqlite_utils import Database

from digest.errors import StateError
from digest.storage.sqlite.connection import refuse_folder, refuse_foreign
from digest.storage.sqlite.errors import state_error
from digest.storage.sqlite.migrations import migrations
from digest.storage.sqlite.restore_detection import found_in
from digest.storage.values import Restored

_STEPS_BETWEEN_LOOKS = 100_000
"""Of SQLite's machine, between two looks at the clock: some milliseconds."""


def is_of_this_version(path: Path) -> bool:
    """Whether the state has its present shape, so that opening it would change nothing; it is only read.

    Raises `StateError`, also where `path` is not ours.
    """
    refuse_folder(path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            db = Database(connection, execute_plugins=False)
            refuse_foreign(path, db)
            return not migrations.pending(db)
    except sqlite3.Error as error:
        raise state_error(path, error) from error


def restored_in(path: Path) -> Restored | None:
    """What `Store.restored` tells of the state, which is only read. Raises `StateError`."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return found_in(Database(connection, execute_plugins=False), path)
    except sqlite3.Error as error:
        raise state_error(path, error) from error


def look_into(path: Path, *, busy: timedelta, within: timedelta) -> bool:
    """Whether the state was found whole; false where looking took longer than `within`. Changes nothing.

    Raises `StateError` where it is damaged, not ours, of a newer version, cannot be written, or is still
    locked by another after `busy`.
    """
    refuse_folder(path)
    end = monotonic() + within.total_seconds()
    try:
        with closing(
            sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=busy.total_seconds(),
                isolation_level=None,
            )
        ) as connection:
            refuse_foreign(path, Database(connection, execute_plugins=False))
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            connection.set_progress_handler(lambda: monotonic() > end, _STEPS_BETWEEN_LOOKS)
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return False
        raise state_error(path, error) from error
    if verdict != "ok":
        raise StateError(str(path), f"is damaged ({verdict}); put back a backup (digest docs delivery)")
    return True
