"""Detects that an older copy of the database was put in its place (docs/decisions/restored-state.md).

Each host notes the last mailing in a file of its own. So it notices a restored dump, a restored moment, and a
failover to a standby that had not got the last transactions; not a copy that is newer than its last delivery.
"""

import os
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from digest.config.atomic_write import replace_text
from digest.config.file_lock import make_private_folder
from digest.config.loader import state_folder
from digest.storage.postgresql.connection import Connection
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.values import Restored

_LAST_MAILING = "SELECT coalesce(max(number), 0) FROM mailing"


class RestoreDetection(Part):
    """The part of the store that detects a restored state."""

    def restored(self) -> Restored | None:
        restored_at, last_mailing = self._connection.rows(
            f"SELECT restored_at, ({_LAST_MAILING}) FROM installation"  # noqa: S608 (written here)
        )[0]
        if last_mailing < _noted_mailing(self._connection.secret):
            return Restored(copied_at=None, noticed_at=None)
        return Restored(copied_at=None, noticed_at=restored_at) if restored_at else None

    def take_up_restored(self, *, now: datetime) -> Restored | None:
        with self._connection.transaction() as db:
            found = self.restored()
            if found is None or found.noticed_at is not None:
                return None
            # Unfinished mailings may have been sent after the copy was made.
            db.execute(
                """
                UPDATE mailing SET may_have_arrived = true,
                    state = CASE WHEN state IN ('pending', 'deferred') THEN 'unknown' ELSE state END
                WHERE state NOT IN ('sent', 'merged') AND NOT may_have_arrived
                """
            )
            db.execute("UPDATE installation SET restored_at = %s", [whole_second(now)])
        note_last_mailing(self._connection)
        return found


def note_last_mailing(connection: Connection) -> None:
    """Stores the number of the last mailing on this host; not of a copy, whose mailings have no effect."""
    file = _file_of(connection.secret)
    if file is None or connection.is_copy:
        return
    noted = f"{connection.one(_LAST_MAILING)}\n"
    if _text_of(file) != noted:
        with suppress(OSError):  # without the file, a restored state is not noticed
            make_private_folder(file.parent)
            replace_text(file, noted)


def note_claimed(connection: Connection) -> None:
    """Does so if the number is higher: another process may have noted a later mailing.

    Call it before mailings are sent, so that an older copy without them is detected.
    """
    if connection.one(_LAST_MAILING) > _noted_mailing(connection.secret):
        note_last_mailing(connection)


def _noted_mailing(secret: str) -> int:
    """Returns 0 if the file is missing or unreadable."""
    number = _text_of(_file_of(secret)).strip()
    return int(number) if number.isdecimal() else 0


def _file_of(secret: str) -> Path | None:
    """Returns the file of this installation, whose name does not reveal its secret."""
    folder = state_folder(os.environ)
    name = blake2b(secret.encode(), digest_size=8, person=b"last mailing").hexdigest()
    return folder / f"{name}.last-mailing" if folder else None


def _text_of(file: Path | None) -> str:
    try:
        return file.read_text(encoding="ascii") if file else ""
    except (OSError, ValueError):
        return ""
