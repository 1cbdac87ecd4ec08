"""The stores whose promises are tested: another one is one more entry."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

from digest.storage.base import Store
from digest.storage.factory import open_store
from tests.postgresql import database_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BackEnd:
    """A kind of store, each of whose installations has a folder.

    `open` opens the state of the installation, as a process does; two that are opened are two processes.
    `check` raises `AssertionError` unless the state is whole.
    """

    open: Callable[[Path], AbstractContextManager[Store]]
    check: Callable[[Path], None]


def _check_sqlite(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "digest.db")) as state:
        assert state.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert state.execute("PRAGMA foreign_key_check").fetchall() == []


def _check_postgresql(folder: Path) -> None:
    """The server sees to it."""


BACK_ENDS = {
    "sqlite": BackEnd(open=lambda folder: open_store(folder / "digest.db"), check=_check_sqlite),
    "postgresql": BackEnd(open=lambda folder: open_store(database_of(folder)), check=_check_postgresql),
}
