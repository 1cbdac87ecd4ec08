"""Confirmations: mails about changes and requests that were made on web pages."""

from collections.abc import Sequence
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from psycopg.types.json import Jsonb

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
from digest.storage.postgresql.connection import Connection, Database
from digest.storage.postgresql.editions import Editions, Part
from digest.storage.postgresql.locks import Lock, hold
from digest.storage.postgresql.preferences import SavedPreferences
from digest.storage.postgresql.row_mapping import whole_second
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
            if (subscriber := _locked(db, email)) is None:
                return
            former = Jsonb(choices_as_list(self._preferences.preferences_of(email)))
            self._preferences.save_preferences(email, preferences)
            waiting = """
                SELECT 1 FROM confirmation
                WHERE subscriber = %s AND change = %s AND sent_at IS NULL AND written_at > %s
            """
            change, since = PageChange.CHANGED.value, whole_second(now - CONFIRMATIONS_SENT_WITHIN)
            if not db.execute(waiting, [subscriber, change, since]).fetchall():
                _add(db, subscriber, PageChange.CHANGED, now, former)

    def confirm(self, email: str, change: PageChange, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            self._write(db, email, change, now)

    @staticmethod
    def _write(db: Database, email: str, change: PageChange, now: datetime) -> None:
        db.execute(
            "DELETE FROM confirmation WHERE written_at < %s", [whole_second(now - CHANGES_UNDONE_WITHIN)]
        )
        if (subscriber := _locked(db, email)) is None:
            return
        known = """
            SELECT 1 FROM confirmation
            WHERE subscriber = %s AND change = %s AND written_at > %s AND NOT is_taken_back
        """
        if not db.execute(
            known, [subscriber, change.value, whole_second(now - CONFIRMED_ONCE_IN)]
        ).fetchall():
            _add(db, subscriber, change, now, None)

    def ask_address(self, email: str, new: str, *, is_free: bool, now: datetime) -> bool:
        with self._connection.transaction() as db:
            hold(db, Lock.ADDRESSES)
            found = "SELECT number, email FROM subscriber WHERE address = %s"
            for number, present in db.execute(found, [address_key(email)]).fetchall():
                return _ask_address(db, number, present, new, is_free=is_free, now=now)
            return False

    def may_ask_address(self, email: str, *, now: datetime) -> bool:
        (asked,) = self._connection.rows(
            "SELECT count(*) FROM confirmation JOIN subscriber ON subscriber.number = confirmation.subscriber"
            " WHERE address = %s AND change = 'moving' AND written_at > %s",
            [address_key(email), whole_second(now - CONFIRMED_ONCE_IN)],
        )[0]
        return bool(asked < MOST_ADDRESSES_A_DAY)

    def is_mailed(self, email: str) -> bool:
        rows = self._connection.rows(
            "SELECT 1 FROM subscriber WHERE address = %s AND (is_enrolled OR last_digest_at IS NOT NULL)",
            [address_key(email)],
        )
        return bool(rows)

    def stop_address(self, email: str) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "UPDATE confirmation SET is_taken_back = true WHERE change = 'address'"
                " AND subscriber = (SELECT number FROM subscriber WHERE address = %s)",
                [address_key(email)],
            )

    def confirmations(self, *, now: datetime) -> tuple[Confirmation, ...]:
        rows = self._connection.rows(
            f"""
            {_SELECT}
            WHERE sent_at IS NULL AND written_at > %s
                AND (change = 'address' OR NOT EXISTS (
                    SELECT 1 FROM suppression WHERE suppression.address = subscriber.address
                ))
                AND (change NOT IN ('address', 'moving', 'link', 'erase') OR written_at > %s)
                AND NOT (change = 'address' AND is_taken_back)
                AND NOT (change = 'changed' AND EXISTS (
                    SELECT 1 FROM confirmation AS last
                    WHERE last.subscriber = subscriber.number AND last.change = 'changed'
                        AND last.sent_at > %s
                ))
            ORDER BY confirmation.number
            """,  # noqa: S608 (all of it is written here)
            [
                whole_second(now - CONFIRMATIONS_SENT_WITHIN),
                whole_second(now - REQUESTS_CONFIRMED_WITHIN),
                whole_second(now - CHOICES_CONFIRMED_ONCE_IN),
            ],
        )
        return tuple(map(_confirmation, rows))

    def note_confirmed(self, number: int, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute("UPDATE confirmation SET sent_at = %s WHERE number = %s", [whole_second(now), number])

    def confirmation_of(self, token: str, *, now: datetime) -> Confirmation | None:
        rows = self._connection.rows(
            f"{_SELECT} WHERE token = %s AND written_at > %s AND NOT (change = 'address' AND is_taken_back)",
            [token, whole_second(now - CHANGES_UNDONE_WITHIN)],
        )
        found = _confirmation(rows[0]) if rows else None
        if found and found.change.is_request and found.written_at <= now - REQUESTS_CONFIRMED_WITHIN:
            return None
        return found


def _ask_address(
    db: Database, subscriber: int, present: str, new: str, *, is_free: bool, now: datetime
) -> bool:
    since = whole_second(now - CONFIRMED_ONCE_IN)
    ((asked,),) = db.execute(
        "SELECT count(*) FROM confirmation WHERE subscriber = %s AND change = 'moving' AND written_at > %s",
        [subscriber, since],
    ).fetchall()
    if asked >= MOST_ADDRESSES_A_DAY:
        return False
    db.execute(
        "UPDATE confirmation SET is_taken_back = true WHERE subscriber = %s AND change = 'address'",
        [subscriber],
    )
    mailed = db.execute(
        "SELECT number, subscriber, recipient FROM confirmation WHERE change = 'address' AND written_at > %s",
        [since],
    ).fetchall()
    same = [(number, owner) for number, owner, to in mailed if address_key(to) == address_key(new)]
    _write_to(db, subscriber, PageChange.MOVING, present, now)
    if same:
        own = [number for number, owner in same if owner == subscriber]
        db.execute(
            "UPDATE confirmation SET is_taken_back = false WHERE number = %s", [max(own, default=None)]
        )
    elif is_free:
        _write_to(db, subscriber, PageChange.ADDRESS, new, now)
    return True


def _write_to(db: Database, subscriber: int, change: PageChange, recipient: str, now: datetime) -> None:
    """Unless the recipient's address is suppressed."""
    suppressed = "SELECT 1 FROM suppression WHERE address = %s"
    if not db.execute(suppressed, [address_key(recipient)]).fetchall():
        _add(db, subscriber, change, now, None, recipient)


def _locked(db: Database, email: str) -> int | None:
    """The subscriber's number. Until the end of the transaction no other one adds a confirmation for them."""
    found = "SELECT number FROM subscriber WHERE address = %s FOR UPDATE"
    rows = db.execute(found, [address_key(email)]).fetchall()
    return rows[0][0] if rows else None


def _add(
    db: Database,
    subscriber: int,
    change: PageChange,
    now: datetime,
    former: Jsonb | None,
    recipient: str | None = None,
) -> None:
    token = token_urlsafe(CONFIRMATION_TOKEN_BYTES)
    db.execute(
        "INSERT INTO confirmation (subscriber, change, token, written_at, former, recipient)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [subscriber, change.value, token, whole_second(now), former, recipient],
    )


def _confirmation(row: Sequence[Any]) -> Confirmation:
    number, email, change, token, written_at, former, recipient = row
    return Confirmation(
        number=number,
        email=email,
        change=PageChange(change),
        token=token,
        written_at=written_at,
        former=choices_from_list(former) if former else Preferences(),
        recipient=recipient,
    )
