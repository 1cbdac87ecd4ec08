"""The entries of the subscribers who are in the state."""

from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.sqlite.editions import Part
from digest.storage.values import OtherFile
from digest.subscribers.stored import EntryChange, StoredEntry


class SubscriberEntries(Part):
    """The part of the store that keeps the entries of the subscribers."""

    def entries_version(self) -> int:
        return int(self._connection.one("SELECT entries_version FROM installation"))

    def entries(self, *, after: int, limit: int) -> tuple[StoredEntry, ...]:
        rows = self._connection.rows(
            "SELECT number, address, content FROM subscriber_entry WHERE number > ? ORDER BY number LIMIT ?",
            [after, limit],
        )
        return tuple(StoredEntry(number=row[0], address=row[1], content=row[2]) for row in rows)

    def entry_of(self, email: str) -> StoredEntry | None:
        rows = self._connection.rows(
            "SELECT number, address, content FROM subscriber_entry WHERE address = ?", [address_key(email)]
        )
        return next((StoredEntry(number=row[0], address=row[1], content=row[2]) for row in rows), None)

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


def _change_entry(db: Database, change: EntryChange) -> bool:
    """Whether it fitted, and was made."""
    before, after = change.before, change.after
    if before and after:
        sql = (
            "UPDATE OR IGNORE subscriber_entry SET address = ?, content = ? WHERE number = ? AND content = ?"
        )
        values: list[object] = [after.address, after.content, before.number, before.content]
    elif after:
        sql = "INSERT OR IGNORE INTO subscriber_entry (address, content) VALUES (?, ?)"
        values = [after.address, after.content]
    elif before:
        sql = "DELETE FROM subscriber_entry WHERE number = ? AND content = ?"
        values = [before.number, before.content]
    else:
        return True
    return bool(db.execute(sql, values).rowcount == 1)
