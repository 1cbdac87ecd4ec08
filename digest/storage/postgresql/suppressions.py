"""Suppressed addresses, bounces, and returned mails that were not understood."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from digest.config.parsing import address_key
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.row_mapping import whole_second

_DOUBTS_LAST_FOR = timedelta(days=30)


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
            "former": whole_second(now - _DOUBTS_LAST_FOR),
            "addresses": list(addresses),
        },
    )
