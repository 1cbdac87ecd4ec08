"""Confirmations: mails about changes and requests that were made on web pages."""

import json
from collections.abc import Sequence
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.choices import choices_as_list, choices_from_list
from digest.storage.confirmations import Confirmation, PageChange
from digest.storage.limits import (
    CHANGES_UNDONE_WITHIN,
    CHOICES_CONFIRMED_ONCE_IN,
    CONFIRMATION_TOKEN_BYTES,
    CONFIRMATIONS_SENT_WITHIN,
    CONFIRMED_ONCE_IN,
    MOST_ADDRESSES_A_DAY,
    REQUESTS_CONFIRMED_WITHIN,
)
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Editions, Part
from digest.storage.sqlite.preferences import SavedPreferences
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.subscribers.preferences import Preferences

_SELECT = """
SELECT confirmation.number, email, change, token, written_at, former, recipient
FROM confirmation JOIN subscriber ON subscriber.number = confirmation.subscriber
"""


class Confirmations(Part):
    """The part of the store for confirmations, and the tokens that undo their changes."""

    def __init__(self, connection: Connection, editions: Editions) -> None:
        super().__init__(connection, editions)
        self._preferences = SavedPreferences(connection, editions)

    def leave_and_confirm(self, email: str, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            self._preferences.leave(email, now=now)
            self._write(db, email, PageChange.LEFT, now)

    def save_preferences_and_confirm(self, email: str, preferences: Preferences, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            former = self._preferences.preferences_of(email)
            self._preferences.save_preferences(email, preferences)
            db.execute(
                """
                INSERT INTO confirmation (subscriber, change, token, written_at, former)
                SELECT number, ?1, ?2, ?3, ?4 FROM subscriber
                WHERE address = ?5 AND NOT EXISTS (
                    SELECT 1 FROM confirmation
                    WHERE subscriber = subscriber.number AND change = ?1 AND sent_at IS NULL
                        AND written_at > ?6
                )
                """,
                [
                    PageChange.CHANGED.value,
                    token_urlsafe(CONFIRMATION_TOKEN_BYTES),
                    text_of(now),
                    json.dumps(choices_as_list(former), ensure_ascii=False),
                    address_key(email),
                    text_of(now - CONFIRMATIONS_SENT_WITHIN),
                ],
            )

    def confirm(self, email: str, change: PageChange, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            self._write(db, email, change, now)

    @staticmethod
    def _write(db: Database, email: str, change: PageChange, now: datetime) -> None:
        db.execute("DELETE FROM confirmation WHERE written_at < ?", [text_of(now - CHANGES_UNDONE_WITHIN)])
        db.execute(
            """
            INSERT INTO confirmation (subscriber, change, token, written_at)
            SELECT number, ?1, ?2, ?3 FROM subscriber
            WHERE address = ?4 AND NOT EXISTS (
                SELECT 1 FROM confirmation
                WHERE subscriber = subscriber.number AND change = ?1 AND written_at > ?5
                    AND NOT is_taken_back
            )
            """,
            [
                change.value,
                token_urlsafe(CONFIRMATION_TOKEN_BYTES),
                text_of(now),
                address_key(email),
                text_of(now - CONFIRMED_ONCE_IN),
            ],
        )

    def ask_address(self, email: str, new: str, *, is_free: bool, now: datetime) -> bool:
        with self._connection.transaction() as db:
            rows = db.execute(
                "SELECT number, email FROM subscriber WHERE address = ?", [address_key(email)]
            ).fetchall()
            for number, present in rows:
                return _ask_address(db, number, present, new, is_free=is_free, now=now)
            return False

    def may_ask_address(self, email: str, *, now: datetime) -> bool:
        (asked,) = self._connection.rows(
            "SELECT count(*) FROM confirmation JOIN subscriber ON subscriber.number = confirmation.subscriber"
            " WHERE address = ? AND change = 'moving' AND written_at > ?",
            [address_key(email), text_of(now - CONFIRMED_ONCE_IN)],
        )[0]
        return bool(asked < MOST_ADDRESSES_A_DAY)

    def is_mailed(self, email: str) -> bool:
        rows = self._connection.rows(
            "SELECT 1 FROM subscriber WHERE address = ? AND (is_enrolled OR last_digest_at IS NOT NULL)",
            [address_key(email)],
        )
        return bool(rows)

    def stop_address(self, email: str) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "UPDATE confirmation SET is_taken_back = 1 WHERE change = 'address'"
                " AND subscriber = (SELECT number FROM subscriber WHERE address = ?)",
                [address_key(email)],
            )

    def confirmations(self, *, now: datetime) -> tuple[Confirmation, ...]:
        rows = self._connection.rows(
            f"""
            {_SELECT}
            WHERE sent_at IS NULL AND written_at > ?1
                AND (change = 'address' OR address NOT IN (SELECT address FROM suppression))
                AND (change NOT IN ('address', 'moving', 'link', 'erase') OR written_at > ?3)
                AND NOT (change = 'address' AND is_taken_back)
                AND NOT (change = 'changed' AND EXISTS (
                    SELECT 1 FROM confirmation AS last
                    WHERE last.subscriber = subscriber.number AND last.change = 'changed'
                        AND last.sent_at > ?2
                ))
            ORDER BY confirmation.number
            """,  # noqa: S608 (all of it is written here)
            [
                text_of(now - CONFIRMATIONS_SENT_WITHIN),
                text_of(now - CHOICES_CONFIRMED_ONCE_IN),
                text_of(now - REQUESTS_CONFIRMED_WITHIN),
            ],
        )
        return tuple(map(_confirmation, rows))

    def note_confirmed(self, number: int, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute("UPDATE confirmation SET sent_at = ? WHERE number = ?", [text_of(now), number])

    def confirmation_of(self, token: str, *, now: datetime) -> Confirmation | None:
        rows = self._connection.rows(
            f"{_SELECT} WHERE token = ? AND written_at > ? AND NOT (change = 'address' AND is_taken_back)",
            [token, text_of(now - CHANGES_UNDONE_WITHIN)],
        )
        found = _confirmation(rows[0]) if rows else None
        if found and found.change.is_request and found.written_at <= now - REQUESTS_CONFIRMED_WITHIN:
            return None
        return found


def _ask_address(
    db: Database, subscriber: int, present: str, new: str, *, is_free: bool, now: datetime
) -> bool:
    since = text_of(now - CONFIRMED_ONCE_IN)
    (asked,) = db.execute(
        "SELECT count(*) FROM confirmation WHERE subscriber = ? AND change = 'moving' AND written_at > ?",
        [subscriber, since],
    ).fetchone()
    if asked >= MOST_ADDRESSES_A_DAY:
        return False
    db.execute(
        "UPDATE confirmation SET is_taken_back = 1 WHERE subscriber = ? AND change = 'address'", [subscriber]
    )
    mailed = db.execute(
        "SELECT number, subscriber, recipient FROM confirmation WHERE change = 'address' AND written_at > ?",
        [since],
    ).fetchall()
    same = [(number, owner) for number, owner, to in mailed if address_key(to) == address_key(new)]
    _write_to(db, subscriber, PageChange.MOVING, present, now)
    if same:
        own = [number for number, owner in same if owner == subscriber]
        db.execute("UPDATE confirmation SET is_taken_back = 0 WHERE number = ?", [max(own, default=None)])
    elif is_free:
        _write_to(db, subscriber, PageChange.ADDRESS, new, now)
    return True


def _write_to(db: Database, subscriber: int, change: PageChange, recipient: str, now: datetime) -> None:
    """Unless the recipient's address is suppressed."""
    db.execute(
        "INSERT INTO confirmation (subscriber, change, token, written_at, recipient) SELECT ?, ?, ?, ?, ?"
        " WHERE NOT EXISTS (SELECT 1 FROM suppression WHERE address = ?)",
        [
            subscriber,
            change.value,
            token_urlsafe(CONFIRMATION_TOKEN_BYTES),
            text_of(now),
            recipient,
            address_key(recipient),
        ],
    )


def _confirmation(row: Sequence[Any]) -> Confirmation:
    number, email, change, token, written_at, former, recipient = row
    return Confirmation(
        number=number,
        email=email,
        change=PageChange(change),
        token=token,
        written_at=moment_of(written_at),
        former=choices_from_list(json.loads(former)) if former else Preferences(),
        recipient=recipient,
    )
