"""Suppressed addresses, bounces, and returned mails that were not understood."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.channel_stores import IS_CHANNEL
from digest.storage.limits import (
    BOUNCES_COUNT_FOR,
    DOUBTS_COUNT_FOR,
    DOUBTS_LAST_FOR,
    UNREAD_BYTES,
    UNREAD_KEPT,
)
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.values import Bounced, Returned, Suppression, UnreadMail


class Suppressions(Part):
    """The part of the store for bounces and suppressed addresses."""

    def note_bounce(
        self,
        token: str,
        *,
        recipient: str | None,
        concern: str,
        reply: str,
        now: datetime,
        retry_at: datetime,
    ) -> Bounced | None:
        with self._connection.transaction() as db:
            found = db.execute(
                "SELECT number, subscriber, email FROM mailing WHERE token = ?", [token]
            ).fetchone()
            if found is None or (recipient and address_key(recipient) != address_key(found[2])):
                return None
            number, subscriber, email = found
            is_new = (
                self._take_back(db, number, reply, now, retry_at)
                if recipient
                else self._count(db, number, now)
            )
            if is_new:
                db.execute(
                    "INSERT INTO returned (subscriber, token, concern, returned_at) VALUES (?, ?, ?, ?)",
                    [subscriber, token, concern, text_of(now)],
                )
            db.execute("DELETE FROM returned WHERE returned_at <= ?", [text_of(now - BOUNCES_COUNT_FOR)])
            return self._bounced(db, subscriber, email, now)

    @staticmethod
    def _bounced(db: Database, subscriber: int, email: str, now: datetime) -> Bounced:
        rows = db.execute(
            "SELECT token, concern, returned_at FROM returned WHERE subscriber = ? AND concern <> 'other'",
            [subscriber],
        ).fetchall()
        since = now - DOUBTS_COUNT_FOR
        doubts = [
            (token, moment_of(when))
            for token, concern, when in rows
            if concern in {"dead", "doubtful"} and moment_of(when) > since
        ]
        (address,) = db.execute("SELECT address FROM subscriber WHERE number = ?", [subscriber]).fetchone()
        apart = [late - early for one, early in doubts for other, late in doubts if one != other]
        return Bounced(
            email=email,
            bounces=len(rows),
            doubted_for=max([*apart, timedelta(0)]),
            of_all=_returned(db, subscriber, "", now),
            of_domain=_returned(db, subscriber, f"@{address.rpartition('@')[2]}", now),
        )

    @staticmethod
    def _take_back(db: Database, number: int, reply: str, now: datetime, retry_at: datetime) -> bool:
        """Defers a mailing that was sent and did not arrive. A second notification changes nothing.

        If a mail was sent twice after an interrupted attempt, one copy may bounce while the other arrives.
        """
        taken = db.execute(
            """
            UPDATE mailing SET state = 'deferred', due_at = ?, reply = ?, is_blocked = 0,
                bounces = bounces + 1, bounced_at = ?
            WHERE number = ? AND state IN ('sent', 'unknown')
            """,
            [text_of(retry_at), reply, text_of(now), number],
        )
        return bool(taken.rowcount)

    @staticmethod
    def _count(db: Database, number: int, now: datetime) -> bool:
        """Counts a bounce of a mailing that may have arrived elsewhere, at most once."""
        counted = db.execute(
            """
            UPDATE mailing SET bounces = max(bounces, 1), bounced_at = ?
            WHERE number = ? AND (bounces = 0 OR bounced_at <= ?)
            """,
            [text_of(now), number, text_of(now - BOUNCES_COUNT_FOR)],
        )
        return bool(counted.rowcount)

    def subscriber_of_mailing(self, tokens: Sequence[str]) -> str | None:
        for token in tokens:
            for (email,) in self._connection.rows("SELECT email FROM mailing WHERE token = ?", [token]):
                return str(email)
        return None

    def keep_unread(self, mail: UnreadMail, content: bytes) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO unread_mail (received_at, sender, subject, content) VALUES (?, ?, ?, ?)",
                [text_of(mail.received_at), mail.sender, mail.subject, content[:UNREAD_BYTES]],
            )
            db.execute(
                "DELETE FROM unread_mail WHERE number <= (SELECT max(number) FROM unread_mail) - ?",
                [UNREAD_KEPT],
            )

    def unread_mails(self) -> tuple[UnreadMail, ...]:
        rows = self._connection.rows(
            "SELECT number, received_at, sender, subject FROM unread_mail ORDER BY number"
        )
        return tuple(
            UnreadMail(number=number, received_at=moment_of(at), sender=sender, subject=subject)
            for number, at, sender, subject in rows
        )

    def unread_content(self, number: int) -> bytes | None:
        rows = self._connection.rows("SELECT content FROM unread_mail WHERE number = ?", [number])
        return bytes(rows[0][0]) if rows else None

    def clear_unread(self) -> None:
        with self._connection.transaction() as db:
            db.execute("DELETE FROM unread_mail")

    def suppress(self, email: str, *, cause: str, now: datetime) -> None:
        with self._connection.transaction() as db:
            suppress_address(db, email, cause, now)

    def suppressions(self) -> tuple[Suppression, ...]:
        rows = self._connection.rows(
            "SELECT email, since_at, cause FROM suppression ORDER BY since_at, address"
        )
        return tuple(
            Suppression(email=email, since_at=moment_of(since_at), cause=cause)
            for email, since_at, cause in rows
        )

    def resume(self, email: str, *, now: datetime) -> bool:
        with self._connection.transaction() as db:
            return resume_address(db, address_key(email), now)

    def resume_since(self, moment: datetime | None, *, now: datetime) -> tuple[str, ...]:
        with self._connection.transaction() as db:
            rows = db.execute(
                "SELECT address, email FROM suppression WHERE since_at >= ? ORDER BY since_at, address",
                [text_of(moment) if moment else ""],
            ).fetchall()
            for address, _ in rows:
                resume_address(db, address, now)
            return tuple(email for _, email in rows)

    def doubted(self) -> Mapping[str, datetime]:
        rows = self._connection.rows("SELECT address, since_at FROM doubt")
        return {address: moment_of(since_at) for address, since_at in rows}


def suppress_address(db: Database, email: str, cause: str, now: datetime) -> None:
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


def note_doubts(db: Database, addresses: Sequence[str], now: datetime) -> None:
    db.conn.executemany(
        """
        INSERT INTO doubt (address, since_at, last_at) VALUES (?1, ?2, ?2)
        ON CONFLICT (address) DO UPDATE
        SET since_at = CASE WHEN last_at < ?3 THEN ?2 ELSE since_at END, last_at = ?2
        """,
        ((address, text_of(now), text_of(now - DOUBTS_LAST_FOR)) for address in addresses),
    )


def resume_address(db: Database, address: str, now: datetime) -> bool:
    lifted = db.execute("DELETE FROM suppression WHERE address = ?", [address]).rowcount
    db.execute("DELETE FROM doubt WHERE address = ?", [address])
    if lifted:
        db.execute(
            "DELETE FROM returned WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?)",
            [address],
        )
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


def _returned(db: Database, subscriber: int, tail: str, now: datetime) -> Returned:
    """Counts bounced and mailed subscribers whose addresses end in `tail`."""
    (others,) = db.execute(
        """
        SELECT count(DISTINCT returned.subscriber)
        FROM returned JOIN subscriber ON subscriber.number = returned.subscriber
        WHERE returned_at > ?1 AND concern IN ('dead', 'doubtful') AND returned.subscriber <> ?2
            AND (?3 = '' OR substr(address, -length(?3)) = ?3)
        """,
        [text_of(now - timedelta(days=1)), subscriber, tail],
    ).fetchone()
    (mailed,) = db.execute(
        f"""
        SELECT count(DISTINCT mailing.subscriber)
        FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
        WHERE planned_at > ?1 AND (?2 = '' OR substr(address, -length(?2)) = ?2)
            AND NOT {IS_CHANNEL.replace("email", "mailing.email")}
        """,  # noqa: S608 (written here)
        [text_of(now - timedelta(days=2)), tail],
    ).fetchone()
    return Returned(others=others, mailed=mailed)
