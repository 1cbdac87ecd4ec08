"""Copies the state while other processes may write it."""

import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from digest.errors import StateError
from digest.storage.sqlite.connection import refuse_folder, refuse_foreign
from digest.storage.sqlite.errors import state_error
from digest.storage.sqlite.migrations import migrations
from digest.storage.sqlite.restore_detection import mark_copy


def copy_state(path: Path, copy: Path) -> None:
    """Copies the state while other processes may write it. Does not change `path`.

    Raises `StateError`, also if `path` is not a state of this program.
    """
    refuse_folder(path)
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(copy)) as target,
        ):
            refuse_foreign(path, Database(original, execute_plugins=False))
            original.backup(target)
    except sqlite3.Error as error:
        raise state_error(path, error) from error


def back_up(path: Path, backup: Path, *, now: datetime) -> int:
    """Copies the state to `backup`, checks the copy, and returns its size in bytes.

    The copy is marked as a copy, with its time, in case it is put in the place of the state. A former file
    `backup` stays until the new copy is complete and on the disk.

    Raises `StateError`, also if `backup` is the state itself, a folder, or anything but an earlier copy.
    """
    _refuse_to_lose(backup, path)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{backup.name}.", dir=backup.absolute().parent)
        os.close(descriptor)
        draft = Path(name)
        try:
            copy_state(path, draft)
            _mark(draft, now)
            _check(draft)
            size = draft.stat().st_size
            draft.replace(backup)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise state_error(backup, error) from error
    return size


def _mark(copy: Path, now: datetime) -> None:
    try:
        with closing(sqlite3.connect(copy)) as connection, connection:
            mark_copy(Database(connection, execute_plugins=False), now=now)
    except sqlite3.Error as error:
        raise state_error(copy, error) from error


def _refuse_to_lose(backup: Path, state: Path) -> None:
    if backup.is_dir():
        raise StateError(str(backup), "is a folder; name a file in it")
    if not backup.exists():
        return
    if backup.samefile(state):
        raise StateError(str(backup), "is the state itself; name another file")
    if not (backup.is_file() and _is_copy(backup)):
        raise StateError(str(backup), "is no earlier copy of a state; name another file, or remove it")


def _is_copy(path: Path) -> bool:
    """Whether a newer copy may replace it: it is a state file, or empty."""
    if not path.stat().st_size:
        return True
    # "immutable" also prevents the files that SQLite creates beside a database.
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as found:
            return bool(migrations.applied(Database(found, execute_plugins=False)))
    except sqlite3.Error:
        return False


def _check(path: Path) -> None:
    """Raises `StateError` if SQLite finds damage. Then makes sure that the file is on the disk."""
    try:
        with closing(sqlite3.connect(path)) as copy:
            (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        raise state_error(path, error) from error
    if verdict != "ok":
        raise StateError(str(path), f"the copy is damaged ({verdict}); look at the disk of the state itself")
    with path.open("rb") as file:
        os.fsync(file.fileno())
