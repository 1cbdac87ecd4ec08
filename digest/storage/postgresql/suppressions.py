"""Suppressed addresses, bounces, and returned mails that were not understood."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from digest.config.parsing import address_key
from digest.storage.channel_stores import IS_CHANNEL
from digest.storage.limits import (
    BOUNCES_COUNT_FOR,
    DOUBTS_COUNT_FOR,
    DOUBTS_LAST_FOR,
    UNREAD_BYTES,
    UNREAD_KEPT,
)
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.row_mapping import storable, whole_second
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
            rows = db.execute(
                "SELECT number, subscriber, email FROM mailing WHERE token = %s FOR UPDATE", [token]
            ).fetchall()
            if not rows or (recipient and address_key(recipient) != address_key(rows[0][2])):
                return None
            number, subscriber, email = rows[0]
            is_new = (
                self._take_back(db, number, reply, now, retry_at)
                if recipient
                else self._count(db, number, now)
            )
            if is_new:
                db.execute(
                    "INSERT INTO returned (subscriber, token, concern, returned_at) VALUES (%s, %s, %s, %s)",
                    [subscriber, token, concern, whole_second(now)],
                )
            db.execute(
                "DELETE FROM returned WHERE returned_at <= %s", [whole_second(now - BOUNCES_COUNT_FOR)]
            )
            return self._bounced(db, subscriber, email, now)

    @staticmethod
    def _bounced(db: Database, subscriber: int, email: str, now: datetime) -> Bounced:
        rows = db.execute(
            "SELECT token, concern, returned_at FROM returned WHERE subscriber = %s AND concern <> 'other'",
            [subscriber],
        ).fetchall()
        since = now - DOUBTS_COUNT_FOR
        doubts = [
            (token, at) for token, concern, at in rows if concern in {"dead", "doubtful"} and at > since
        ]
        found = "SELECT address FROM subscriber WHERE number = %s"
        (address,) = db.execute(found, [subscriber]).fetchall()[0]
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
            UPDATE mailing SET state = 'deferred', due_at = %s, reply = %s, is_blocked = false,
                bounces = bounces + 1, bounced_at = %s
            WHERE number = %s AND state IN ('sent', 'unknown')
            """,
            [whole_second(retry_at), storable(reply), whole_second(now), number],
        )
        return bool(taken.rowcount)

    @staticmethod
    def _count(db: Database, number: int, now: datetime) -> bool:
        """Counts a bounce of a mailing that may have arrived elsewhere, at most once."""
        counted = db.execute(
            """
            UPDATE mailing SET bounces = greatest(bounces, 1), bounced_at = %s
            WHERE number = %s AND (bounces = 0 OR bounced_at <= %s)
            """,
            [whole_second(now), number, whole_second(now - BOUNCES_COUNT_FOR)],
        )
        return bool(counted.rowcount)

    def subscriber_of_mailing(self, tokens: Sequence[str]) -> str | None:
        for token in tokens:
            for (email,) in self._connection.rows("SELECT email FROM mailing WHERE token = %s", [token]):
                return str(email)
        return None

    def keep_unread(self, mail: UnreadMail, content: bytes) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO unread_mail (received_at, sender, subject, content) VALUES (%s, %s, %s, %s)",
                [
                    whole_second(mail.received_at),
                    storable(mail.sender),
                    storable(mail.subject),
                    content[:UNREAD_BYTES],
                ],
            )
            db.execute(
                "DELETE FROM unread_mail"
                " WHERE number <= (SELECT number FROM unread_mail ORDER BY number DESC OFFSET %s LIMIT 1)",
                [UNREAD_KEPT],
            )

    def unread_mails(self) -> tuple[UnreadMail, ...]:
        rows = self._connection.rows(
            "SELECT number, received_at, sender, subject FROM unread_mail ORDER BY number"
        )
        return tuple(
            UnreadMail(number=number, received_at=at, sender=sender, subject=subject)
            for number, at, sender, subject in rows
        )

    def unread_content(self, number: int) -> bytes | None:
        rows = self._connection.rows("SELECT content FROM unread_mail WHERE number = %s", [number])
        return bytes(rows[0][0]) if rows else None

    def clear_unread(self) -> None:
        with self._connection.transaction() as db:
            db.execute("DELETE FROM unread_mail")

    def suppress(self, email: str, *, cause: str, now: datetime) -> None:
        with self._connection.transaction() as db:
            suppress_addresses(db, {email: storable(cause)}, now)

    def suppressions(self) -> tuple[Suppression, ...]:
        rows = self._connection.rows(
            "SELECT email, since_at, cause FROM suppression ORDER BY since_at, address"
        )
        return tuple(
            Suppression(email=email, since_at=since_at, cause=cause) for email, since_at, cause in rows
        )

    def resume(self, email: str, *, now: datetime) -> bool:
        with self._connection.transaction() as db:
            return resume_address(db, address_key(email), now)

    def resume_since(self, moment: datetime | None, *, now: datetime) -> tuple[str, ...]:
        since = moment and whole_second(moment)
        with self._connection.transaction() as db:
            rows = db.execute(
                """
                SELECT address, email FROM suppression
                WHERE since_at >= coalesce(%s::timestamptz, '-infinity') ORDER BY since_at, address
                """,
                [since],
            ).fetchall()
            for address, _ in rows:
                resume_address(db, address, now)
            return tuple(email for _, email in rows)

    def doubted(self) -> Mapping[str, datetime]:
        return dict(self._connection.rows("SELECT address, since_at FROM doubt"))


def suppress_addresses(db: Database, causes: Mapping[str, str], now: datetime) -> None:
    """Suppresses each of these addresses, with its cause, and ends its waiting mailings."""
    addresses = [address_key(email) for email in causes]
    db.execute(
        """
        INSERT INTO suppression (address, email, cause, since_at)
        SELECT given.*, %s FROM unnest(%s::text[], %s::text[], %s::text[]) AS given
        ON CONFLICT DO NOTHING
        """,
        [whole_second(now), addresses, list(causes), list(causes.values())],
    )
    db.execute(
        """
        UPDATE mailing SET state = 'suppressed', due_at = NULL
        FROM subscriber
        WHERE subscriber.address = ANY(%s) AND mailing.subscriber = subscriber.number
            AND state IN ('pending', 'unknown', 'deferred')
        """,
        [addresses],
    )


def note_doubts(db: Database, addresses: Sequence[str], now: datetime) -> None:
    db.execute(
        """
        INSERT INTO doubt AS known (address, since_at, last_at)
        SELECT DISTINCT given.address, %(now)s::timestamptz, %(now)s::timestamptz
        FROM unnest(%(addresses)s::text[]) AS given (address)
        ON CONFLICT (address) DO UPDATE
        SET since_at = CASE WHEN known.last_at < %(former)s THEN %(now)s ELSE known.since_at END,
            last_at = %(now)s
        """,
        {
            "now": whole_second(now),
            "former": whole_second(now - DOUBTS_LAST_FOR),
            "addresses": list(addresses),
        },
    )


def resume_address(db: Database, address: str, now: datetime) -> bool:
    lifted = db.execute("DELETE FROM suppression WHERE address = %s", [address]).rowcount
    db.execute("DELETE FROM doubt WHERE address = %s", [address])
    if lifted:
        db.execute(
            "DELETE FROM returned WHERE subscriber = (SELECT number FROM subscriber WHERE address = %s)",
            [address],
        )
        db.execute(
            """
            UPDATE mailing
            SET bounced_at = NULL, bounces = 0,
                due_at = CASE state WHEN 'suppressed' THEN %s ELSE due_at END,
                state = CASE WHEN state <> 'suppressed' THEN state
                    WHEN may_have_arrived THEN 'unknown' ELSE 'deferred' END
            WHERE subscriber = (SELECT number FROM subscriber WHERE address = %s)
            """,
            [whole_second(now), address],
        )
    return bool(lifted)


def _returned(db: Database, subscriber: int, tail: str, now: datetime) -> Returned:
    """Counts bounced and mailed subscribers whose addresses end in `tail`."""
    (others,) = db.execute(
        """
        SELECT count(DISTINCT returned.subscriber)
        FROM returned JOIN subscriber ON subscriber.number = returned.subscriber
        WHERE returned_at > %s AND concern IN ('dead', 'doubtful') AND returned.subscriber <> %s
            AND right(address, %s) = %s
        """,
        [whole_second(now - timedelta(days=1)), subscriber, len(tail), tail],
    ).fetchall()[0]
    (mailed,) = db.execute(
        f"""
        SELECT count(DISTINCT mailing.subscriber)
        FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
        WHERE planned_at > %s AND right(address, %s) = %s
            AND NOT {IS_CHANNEL.replace("email", "mailing.email")}
        """,  # noqa: S608 (written here)
        [whole_second(now - timedelta(days=2)), len(tail), tail],
    ).fetchall()[0]
    return Returned(others=others, mailed=mailed)
