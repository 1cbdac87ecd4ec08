"""The entries of the subscribers who are in the state."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.values import OtherFile
from digest.subscribers.stored import EntryChange, StoredEntry

_SELECT = "SELECT number, address, content, joined_at FROM subscriber_entry"


class SubscriberEntries(Part):
    """The part of the store that keeps the entries of the subscribers."""

    def entries_version(self) -> int:
        return int(self._connection.one("SELECT entries_version FROM installation"))

    def entries(self, *, after: int, limit: int) -> tuple[StoredEntry, ...]:
        rows = self._connection.rows(
            f"{_SELECT} WHERE number > ? ORDER BY number LIMIT ?",
            [after, limit],
        )
        return tuple(map(_entry, rows))

    def entry_of(self, email: str) -> StoredEntry | None:
        rows = self._connection.rows(f"{_SELECT} WHERE address = ?", [address_key(email)])
        return next(map(_entry, rows), None)

    def take_up_file(self, host: str, content: str, *, now: datetime) -> OtherFile | None:
        return None

    def other_file(self, host: str, content: str) -> OtherFile | None:
        return None

    def change_entries(self, changes: Sequence[EntryChange]) -> bool:
        with self._connection.transaction() as db:
            db.execute("SAVEPOINT entries")
            if not all(_change_entry(db, one) for one in changes):
                db.execute("ROLLBACK TO entries")
                return False
            db.execute("UPDATE installation SET entries_version = entries_version + 1")
            return True


def _entry(row: Sequence[Any]) -> StoredEntry:
    number, address, content, joined_at = row
    return StoredEntry(
        number=number, address=address, content=content, joined_at=joined_at and moment_of(joined_at)
    )


def _change_entry(db: Database, change: EntryChange) -> bool:
    """Whether it fitted, and was made."""
    before, after = change.before, change.after
    joined_at = after and after.joined_at and text_of(after.joined_at)
    if before and after:
        sql = (
            "UPDATE OR IGNORE subscriber_entry SET address = ?, content = ?,"
            " joined_at = coalesce(?, joined_at) WHERE number = ? AND content = ?"
        )
        values: list[object] = [after.address, after.content, joined_at, before.number, before.content]
    elif after:
        sql = "INSERT OR IGNORE INTO subscriber_entry (address, content, joined_at) VALUES (?, ?, ?)"
        values = [after.address, after.content, joined_at]
    elif before:
        sql = "DELETE FROM subscriber_entry WHERE number = ? AND content = ?"
        values = [before.number, before.content]
    else:
        return True
    return bool(db.execute(sql, values).rowcount == 1)
