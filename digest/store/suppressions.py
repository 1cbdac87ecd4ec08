"""Addresses that get no mail any more, and mails that came back."""

from datetime import datetime, timedelta

from sqlite_utils import Database

from digest.notation import address_key
from digest.store import Bounced, Suppression
from digest.store.preferences import Choices
from digest.store.rows import moment_of, text_of

_BOUNCES_COUNT_FOR = timedelta(days=30)
_BOUNCED_AGAIN_AFTER = timedelta(days=1)
"""When a digest that came back is tried again, unless the reader's next one takes over its papers before."""


class Suppressions(Choices):
    """The part of the store that knows whom not to mail."""

    def note_bounce(self, token: str, *, recipient: str | None, reply: str, now: datetime) -> Bounced | None:
        with self._transaction() as db:
            found = db.execute(
                "SELECT number, subscriber, email FROM mailing WHERE token = ?", [token]
            ).fetchone()
            if found is None or (recipient and address_key(recipient) != address_key(found[2])):
                return None
            number, subscriber, email = found
            if recipient:
                self._take_back(db, number, reply, now)
            else:
                db.execute(
                    "UPDATE mailing SET bounces = max(bounces, 1), bounced_at = ? WHERE number = ?",
                    [text_of(now), number],
                )
            (bounces,) = db.execute(
                "SELECT coalesce(sum(bounces), 0) FROM mailing WHERE subscriber = ? AND bounced_at > ?",
                [subscriber, text_of(now - _BOUNCES_COUNT_FOR)],
            ).fetchone()
            return Bounced(email=email, bounces=bounces)

    @staticmethod
    def _take_back(db: Database, number: int, reply: str, now: datetime) -> None:
        """It was sent and did not arrive. A notification that comes twice changes nothing more.

        Of a mail that was sent twice, since an attempt was cut off, one may come back and the other arrive.
        """
        db.execute(
            """
            UPDATE mailing SET state = 'deferred', due_at = ?, reply = ?,
                bounces = bounces + 1, bounced_at = ?
            WHERE number = ? AND state IN ('sent', 'unknown')
            """,
            [text_of(now + _BOUNCED_AGAIN_AFTER), reply, text_of(now), number],
        )

    def suppress(self, email: str, *, cause: str, now: datetime) -> None:
        with self._transaction() as db:
            self._suppress(db, email, cause, now)

    @staticmethod
    def _suppress(db: Database, email: str, cause: str, now: datetime) -> None:
        address = address_key(email)
        db.execute(
            "INSERT OR IGNORE INTO suppression (address, email, since_at, cause) VALUES (?, ?, ?, ?)",
            [address, email, text_of(now), cause],
        )
        db.execute(
            """
            UPDATE mailing SET state = 'suppressed', due_at = NULL
            WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?)
                AND state IN ('pending', 'unknown', 'deferred')
            """,
            [address],
        )

    def suppressions(self) -> tuple[Suppression, ...]:
        rows = self._rows("SELECT email, since_at, cause FROM suppression ORDER BY since_at, address")
        return tuple(
            Suppression(email=email, since_at=moment_of(since_at), cause=cause)
            for email, since_at, cause in rows
        )

    def resume(self, email: str, *, now: datetime) -> bool:
        address = address_key(email)
        with self._transaction() as db:
            lifted = db.execute("DELETE FROM suppression WHERE address = ?", [address]).rowcount
            if lifted:
                db.execute(
                    """
                    UPDATE mailing
                    SET bounced_at = NULL, bounces = 0,
                        due_at = CASE state WHEN 'suppressed' THEN ?1 ELSE due_at END,
                        state = CASE WHEN state <> 'suppressed' THEN state
                            WHEN may_have_arrived THEN 'unknown' ELSE 'deferred' END
                    WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?2)
                    """,
                    [text_of(now), address],
                )
            return bool(lifted)
