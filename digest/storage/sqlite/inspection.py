"""Looks at a state file without changing it. (To open it as a store may change it.)"""

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
"""SQLite instructions between two looks at the clock: some milliseconds."""


def is_of_this_version(path: Path) -> bool:
    """Whether the state has the current format, so that opening it would not change it. Only reads it.

    Raises `StateError`, also if `path` is not a state of this program.
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
    """Returns the result of `Store.restored`. Only reads the state. Raises `StateError`."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return found_in(Database(connection, execute_plugins=False), path)
    except sqlite3.Error as error:
        raise state_error(path, error) from error


def look_into(path: Path, *, busy: timedelta, within: timedelta) -> bool:
    """Checks the state for damage. Returns false if this takes longer than `within`. Changes nothing.

    Raises `StateError` if it is damaged, of another program or of a newer version, if it cannot be written,
    or if another process still locks it after `busy`.
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
