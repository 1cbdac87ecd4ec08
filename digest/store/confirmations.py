"""What subscribers are told by mail of what was done, or asked for, on their pages."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from sqlite_utils import Database

from digest.notation import address_key
from digest.store import Confirmation, PageChange
from digest.store.restoring import Restorable
from digest.store.rows import moment_of, text_of

_ONCE_IN = timedelta(days=1)
"""Of each kind of change one mail in that time: nobody fills a mailbox from a page."""

_SENT_WITHIN = timedelta(days=3)
_UNDONE_WITHIN = timedelta(days=90)
_TOKEN_BYTES = 18


class Confirmations(Restorable):
    """The part of the store that knows what to tell subscribers, and how they take it back."""

    def leave_and_tell(self, email: str, *, now: datetime) -> None:
        with self._transaction() as db:
            self.leave(email, now=now)
            self._write(db, email, PageChange.LEFT, now)

    def tell(self, email: str, change: PageChange, *, now: datetime) -> None:
        with self._transaction() as db:
            self._write(db, email, change, now)

    @staticmethod
    def _write(db: Database, email: str, change: PageChange, now: datetime) -> None:
        db.execute("DELETE FROM confirmation WHERE written_at < ?", [text_of(now - _UNDONE_WITHIN)])
        db.execute(
            """
            INSERT INTO confirmation (subscriber, change, token, written_at)
            SELECT number, ?1, ?2, ?3 FROM subscriber
            WHERE address = ?4 AND NOT EXISTS (
                SELECT 1 FROM confirmation
                WHERE subscriber = subscriber.number AND change = ?1 AND written_at > ?5
            )
            """,
            [
                change.value,
                token_urlsafe(_TOKEN_BYTES),
                text_of(now),
                address_key(email),
                text_of(now - _ONCE_IN),
            ],
        )

    def confirmations(self, *, now: datetime) -> tuple[Confirmation, ...]:
        rows = self._rows(
            """
            SELECT confirmation.number, email, change, token, written_at
            FROM confirmation JOIN subscriber ON subscriber.number = confirmation.subscriber
            WHERE sent_at IS NULL AND written_at > ?
                AND address NOT IN (SELECT address FROM suppression)
            ORDER BY confirmation.number
            """,
            [text_of(now - _SENT_WITHIN)],
        )
        return tuple(map(_confirmation, rows))

    def note_confirmed(self, number: int, *, now: datetime) -> None:
        with self._transaction() as db:
            db.execute("UPDATE confirmation SET sent_at = ? WHERE number = ?", [text_of(now), number])

    def confirmation_of(self, token: str, *, now: datetime) -> Confirmation | None:
        rows = self._rows(
            """
            SELECT confirmation.number, email, change, token, written_at
            FROM confirmation JOIN subscriber ON subscriber.number = confirmation.subscriber
            WHERE token = ? AND written_at > ?
            """,
            [token, text_of(now - _UNDONE_WITHIN)],
        )
        return _confirmation(rows[0]) if rows else None


def _confirmation(row: Sequence[Any]) -> Confirmation:
    number, email, change, token, written_at = row
    return Confirmation(
        number=number,
        email=email,
        change=PageChange(change),
        token=token,
        written_at=moment_of(written_at),
    )
