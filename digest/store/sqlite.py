"""The store in one SQLite file."""

import sqlite3
from pathlib import Path

from digest.store.outbox import Outbox


class SqliteStore(Outbox):
    """A `Store`; its calls may come from any thread, one at a time."""

    def copy_to(self, path: Path) -> "SqliteStore":
        """A store of its own in `path` that holds what this one holds now."""
        with self._wrapping_errors(), sqlite3.connect(path) as copy:
            self._db.conn.backup(copy)
        copy.close()
        return SqliteStore(path)
