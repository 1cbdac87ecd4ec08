"""Explains errors of SQLite and of the system to an operator (https://sqlite.org/rescode.html)."""

import sqlite3
from pathlib import Path

from digest.config import os_errors
from digest.errors import StateError

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_OF_THE_SYSTEM = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}
_HEADER = b"SQLite format 3\0"


def state_error(path: Path, error: sqlite3.Error | OSError) -> StateError:
    """Explains what happened to the database at `path`, and what an operator can do."""
    if isinstance(error, OSError):
        reason = f"cannot be used: {os_errors.explain(error, path)}"
        if os_errors.is_full(error):
            reason = os_errors.explain(error)
        return StateError(str(path), reason, is_passing=os_errors.is_passing(error))
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return StateError(str(path), _unreadable(path, error))
    if code in _LOCKED:
        return StateError(
            str(path), "is locked by another program; close that and run again", is_passing=True
        )
    if code in _OF_THE_SYSTEM:
        return _of_the_system(path, error, code)
    return StateError(str(path), f"{error}; the state was not changed")


def _of_the_system(path: Path, error: sqlite3.Error, code: int) -> StateError:
    """Finds the cause of a system error by writing a small file beside the database.

    SQLite does not report the system's error, and often calls a full disk "disk I/O error".
    """
    if code == sqlite3.SQLITE_FULL:
        reason = "the disk is full; free some space and run again; no file is incomplete"
        return StateError(str(path), reason, is_passing=True)
    if code == sqlite3.SQLITE_NOMEM:
        return StateError(str(path), "there is no memory left; run again when there is", is_passing=True)
    found = os_errors.probe(path.parent)
    if found is not None and os_errors.is_passing(found):
        return StateError(str(path), os_errors.explain(found), is_passing=True)
    name = getattr(error, "sqlite_errorname", "")
    if code == sqlite3.SQLITE_IOERR:
        # A disk or a file server may work again after a failure.
        reason = (
            f"{error} ({name}); the disk or its file server fails: see `dmesg`; the state was not changed"
        )
        return StateError(str(path), reason, is_passing=found is None)
    remedy = (
        os_errors.explain(found, path) if found else f"check who owns it; this is {os_errors.this_user()}"
    )
    return StateError(str(path), f"cannot be written ({error}): {remedy}")


def _unreadable(path: Path, error: sqlite3.Error) -> str:
    """Explains whether the file is a damaged state, or never was a state."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_HEADER))
    except OSError:
        start = b""
    if start == _HEADER or (start and not start.strip(b"\0")):
        return f"is damaged ({error}); put back a backup (digest docs delivery). It was left as it is"
    return f"is not a digest state file ({error}); name another with DIGEST_STATE. It was left as it is"


def is_there(path: Path) -> bool:
    """Whether the state exists. Raises `StateError` if this user has no access."""
    try:
        return path.exists()
    except OSError as error:
        raise state_error(path, error) from error
