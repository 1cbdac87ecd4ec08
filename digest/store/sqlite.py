"""The store in one SQLite file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from digest.errors import StateError
from digest.store.outbox import Outbox
from digest.store.rows import explained


class SqliteStore(Outbox):
    """A `Store`; its calls may come from any thread, one at a time."""


def copy_state(path: Path, copy: Path) -> None:
    """Copies the state as it is now, while others may be writing it, and only reads `path`.

    Raises `StateError`.
    """
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(copy)) as target,
        ):
            original.backup(target)
    except sqlite3.Error as error:
        raise StateError(str(path), explained(error)) from error
