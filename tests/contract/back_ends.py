"""The stores whose promises are tested: another one is one more entry."""

import sqlite3
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

from digest.storage.base import Store
from digest.storage.factory import open_copy, open_store
from digest.storage.neutral import TABLES, Tables
from digest.storage.postgresql.tables import open_tables as open_database
from digest.storage.sqlite.tables import open_tables as open_file
from tests.postgresql import database_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BackEnd:
    """A kind of store, each of whose installations has a folder.

    `open` opens the state of the installation, as a process does; two that are opened are two processes.
    `rehearse` opens a temporary copy of it, of these subscribers or of all.
    `check` raises `AssertionError` unless the state is whole. `dump` gives all values that it has.
    """

    open: Callable[[Path], AbstractContextManager[Store]]
    rehearse: Callable[[Path, Collection[str] | None], AbstractContextManager[Store]]
    check: Callable[[Path], None]
    dump: Callable[[Path], str]


def _check_sqlite(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "digest.db")) as state:
        assert state.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert state.execute("PRAGMA foreign_key_check").fetchall() == []


def _check_postgresql(folder: Path) -> None:
    """The server sees to it."""


def _dump(opened: AbstractContextManager[Tables]) -> str:
    with opened as tables:
        return "\n".join(repr(row) for table in TABLES for row in tables.rows(table))


BACK_ENDS = {
    "sqlite": BackEnd(
        open=lambda folder: open_store(folder / "digest.db"),
        rehearse=lambda folder, emails: open_copy(folder / "digest.db", emails=emails),
        check=_check_sqlite,
        dump=lambda folder: _dump(open_file(folder / "digest.db", may_write=False)),
    ),
    "postgresql": BackEnd(
        open=lambda folder: open_store(database_of(folder)),
        rehearse=lambda folder, emails: open_copy(database_of(folder), emails=emails),
        check=_check_postgresql,
        dump=lambda folder: _dump(open_database(database_of(folder), may_write=False)),
    ),
}
