"""The entries of the subscribers who are in the state."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from digest.config.parsing import address_key
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.values import OtherFile
from digest.subscribers.stored import EntryChange, StoredEntry

_SELECT = "SELECT number, address, content, joined_at FROM subscriber_entry"


class SubscriberEntries(Part):
    """The part of the store that keeps the entries of the subscribers."""

    def entries_version(self) -> int:
        return int(self._connection.one("SELECT entries_version FROM installation"))

    def entries(self, *, after: int, limit: int) -> tuple[StoredEntry, ...]:
        rows = self._connection.rows(
            f"{_SELECT} WHERE number > %s ORDER BY number LIMIT %s",
            [after, limit],
        )
        return tuple(map(_entry, rows))

    def entry_of(self, email: str) -> StoredEntry | None:
        rows = self._connection.rows(f"{_SELECT} WHERE address = %s", [address_key(email)])
        return next(map(_entry, rows), None)

    def take_up_file(self, host: str, content: str, *, now: datetime) -> OtherFile | None:
        with self._connection.transaction() as db:
            db.execute("SELECT 1 FROM installation FOR UPDATE")
            other = _other_file(db, host, content)
            if other is None:
                db.execute("UPDATE host_file SET is_in_force = content = %s", [content])
            db.execute(
                """
                INSERT INTO host_file VALUES (%(host)s, %(content)s, %(now)s, %(is_in_force)s)
                ON CONFLICT (host) DO UPDATE SET content = %(content)s, since_at = %(now)s, is_in_force = true
                WHERE host_file.content <> %(content)s
                """,
                {
                    "host": host,
                    "content": content,
                    "now": whole_second(now),
                    "is_in_force": other is None,
                },
            )
            return other

    def other_file(self, host: str, content: str) -> OtherFile | None:
        with self._connection.snapshot() as db:
            return _other_file(db, host, content)

    def change_entries(self, changes: Sequence[EntryChange]) -> bool:
        with self._connection.transaction() as db:
            # One process at a time changes entries: so they become visible in the order of their numbers.
            db.execute("SELECT 1 FROM installation FOR UPDATE")
            try:
                with db.transaction():
                    for one in changes:
                        _change_entry(db, one)
                    db.execute("UPDATE installation SET entries_version = entries_version + 1")
            except (_DoesNotFit, psycopg.errors.UniqueViolation):
                return False
            return True


def _other_file(db: Database, host: str, content: str) -> OtherFile | None:
    """The file in force, if that of `host` is not."""
    in_force = db.execute(
        "SELECT host, content, since_at FROM host_file WHERE is_in_force ORDER BY since_at, host"
    ).fetchall()
    former = db.execute("SELECT content FROM host_file WHERE host = %s", [host]).fetchall()
    is_edited = bool(former) and former != [(content,)]
    if not in_force or is_edited or content in {row[1] for row in in_force}:
        return None
    name, _, since_at = in_force[0]
    return OtherFile(host=name, since_at=since_at)


class _DoesNotFit(Exception):
    """A change does not fit the entry."""


def _entry(row: Sequence[Any]) -> StoredEntry:
    number, address, content, joined_at = row
    return StoredEntry(number=number, address=address, content=content, joined_at=joined_at)


def _change_entry(db: Database, change: EntryChange) -> None:
    before, after = change.before, change.after
    joined_at = after and after.joined_at and whole_second(after.joined_at)
    if before and after:
        done = db.execute(
            "UPDATE subscriber_entry SET address = %s, content = %s, joined_at = coalesce(%s, joined_at)"
            " WHERE number = %s AND content = %s",
            [after.address, after.content, joined_at, before.number, before.content],
        )
    elif after:
        sql = "INSERT INTO subscriber_entry (address, content, joined_at) VALUES (%s, %s, %s)"
        done = db.execute(sql, [after.address, after.content, joined_at])
    elif before:
        sql = "DELETE FROM subscriber_entry WHERE number = %s AND content = %s"
        done = db.execute(sql, [before.number, before.content])
    else:
        return
    if done.rowcount != 1:
        raise _DoesNotFit
