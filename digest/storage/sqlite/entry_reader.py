"""Reads the entries of subscribers in a state file of any version, which is neither changed nor copied."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.sqlite.connection import refuse_folder, refuse_foreign
from digest.storage.sqlite.errors import state_error
from digest.subscribers.stored import StoredEntry

_SELECT = "SELECT number, address, content FROM subscriber_entry"


class EntryReader:
    """The entries; none if the file is older than such entries."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        table = "SELECT 1 FROM sqlite_schema WHERE name = 'subscriber_entry'"
        self._has_entries = bool(db.execute(table).fetchall())

    def entries_version(self) -> int:
        rows = self._rows("SELECT entries_version FROM installation")
        return int(rows[0][0]) if rows else 0

    def entries(self, *, after: int, limit: int) -> tuple[StoredEntry, ...]:
        rows = self._rows(f"{_SELECT} WHERE number > ? ORDER BY number LIMIT ?", after, limit)
        return tuple(StoredEntry(number=row[0], address=row[1], content=row[2]) for row in rows)

    def entry_of(self, email: str) -> StoredEntry | None:
        rows = self._rows(f"{_SELECT} WHERE address = ?", address_key(email))
        return next((StoredEntry(number=row[0], address=row[1], content=row[2]) for row in rows), None)

    def _rows(self, sql: str, *values: object) -> Sequence[Any]:
        return self._db.execute(sql, values).fetchall() if self._has_entries else ()


@contextmanager
def open_reader(path: Path) -> Iterator[EntryReader]:
    """Opens the entries. Raises `StateError`, also if `path` is not a state of this program."""
    refuse_folder(path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            refuse_foreign(path, Database(connection, execute_plugins=False))
            yield EntryReader(connection)
    except sqlite3.Error as error:
        raise state_error(path, error) from error
