"""Detects that an older copy of the state was put in its place (docs/decisions/restored-state.md)."""

from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from sqlite_utils import Database

from digest.config.atomic_write import replace_text
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.values import Restored

_LAST_MAILING = "SELECT coalesce(max(number), 0) FROM mailing"


class RestoreDetection(Part):
    """The part of the store that detects a restored state."""

    def restored(self) -> Restored | None:
        with self._connection.snapshot() as db:
            return found_in(db, self._connection.path)

    def take_up_restored(self, *, now: datetime) -> Restored | None:
        with self._connection.transaction() as db:
            found = found_in(db, self._connection.path)
            if found is None or found.noticed_at is not None:
                return None
            # Unfinished mailings may have been sent after the copy was made.
            db.execute(
                """
                UPDATE mailing SET may_have_arrived = 1,
                    state = CASE WHEN state IN ('pending', 'deferred') THEN 'unknown' ELSE state END
                WHERE state NOT IN ('sent', 'merged')
                """
            )
            db.execute("UPDATE installation SET copied_at = NULL, restored_at = ?", [text_of(now)])
        note_last_mailing(self._connection)
        return found


def note_last_mailing(connection: Connection) -> None:
    """Stores the number of the last mailing beside the state."""
    noted = f"{_fingerprint(connection.secret)} {connection.one(_LAST_MAILING)}\n"
    file = _file_beside(connection.path)
    if _text_of(file) != noted:
        with suppress(OSError):  # a full disk is reported when the state is written
            replace_text(file, noted)


def note_claimed(connection: Connection) -> None:
    """Does so if the number is higher: another process may have noted a later mailing.

    Call it before mailings are sent, so that an older copy without them is detected.
    """
    if connection.one(_LAST_MAILING) > _noted_mailing(connection.path, connection.secret):
        note_last_mailing(connection)


def found_in(db: Database, path: Path) -> Restored | None:
    """Returns the result of `Store.restored`, also for a state of an earlier version. Changes nothing."""
    if "copied_at" not in db["installation"].columns_dict:
        return None
    secret, copied_at, restored_at = db.execute(
        "SELECT secret, copied_at, restored_at FROM installation"
    ).fetchone()
    (last_mailing,) = db.execute(_LAST_MAILING).fetchone()
    if copied_at is not None or last_mailing < _noted_mailing(path, secret):
        return Restored(copied_at=copied_at and moment_of(copied_at), noticed_at=None)
    return Restored(copied_at=None, noticed_at=moment_of(restored_at)) if restored_at else None


def mark_copy(db: Database, *, now: datetime) -> None:
    """Marks a copy as a copy, if the version of its format allows it."""
    if "copied_at" in db["installation"].columns_dict:
        db.execute("UPDATE installation SET copied_at = ?", [text_of(now)])


def _file_beside(state: Path) -> Path:
    """Returns the path of the file with the number of the last mailing that may have been sent.

    An older copy of the state has a lower number. The name is not `digest.db-…`, because those files are
    removed when a copy is put back.
    """
    return state.with_name(f"{state.name}.last-mailing")


def _noted_mailing(state: Path, secret: str) -> int:
    """Returns 0 if the file is missing, unreadable, or of another installation."""
    fingerprint, _, number = _text_of(_file_beside(state)).strip().partition(" ")
    return int(number) if fingerprint == _fingerprint(secret) and number.isdecimal() else 0


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _fingerprint(secret: str) -> str:
    """Identifies an installation without revealing its secret."""
    return blake2b(secret.encode(), digest_size=8, person=b"last mailing").hexdigest()
