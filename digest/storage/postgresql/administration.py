"""Figures of a period, what is known of subscribers, and the log of what administrators did."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from digest.config.parsing import address_key
from digest.storage.admin_stores import AuditEntry, Deliveries, MailRecord, SubscriberRecord
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.row_mapping import storable, whole_second
from digest.storage.tokens import derived_key
from digest.storage.values import MailingState, Suppression

_RECORDS = """
SELECT address, subscriber.email, subscriber.since_at, joined_at, left_at, paused_until,
    suppression.since_at, cause, state, planned_at, concluded_at, attempts, reply
FROM subscriber
LEFT JOIN preference ON preference.subscriber = subscriber.number
LEFT JOIN suppression USING (address)
LEFT JOIN subscriber_entry USING (address)
LEFT JOIN mailing ON mailing.number = (
    -- With the sum, the server does not look for it from the end of the whole table.
    SELECT max(theirs.number + 0) FROM mailing AS theirs WHERE theirs.subscriber = subscriber.number
)
WHERE address = ANY(%s)
"""

_FOUND = """
SELECT count(DISTINCT paper) FROM hit
WHERE NOT is_past
    AND number > (SELECT coalesce(max(last_hit), 0) FROM source_fetch WHERE ended_at < %s)
    AND number <= (SELECT coalesce(max(last_hit), 0) FROM source_fetch WHERE ended_at < %s)
"""


class Administration(Part):
    """The part of the store for the page of the administrators."""

    def note_action(self, entry: AuditEntry) -> None:
        at = whole_second(entry.at)
        address = address_key(entry.address) if entry.address else ""
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO audit (at, who, action, address, details) VALUES (%s, %s, %s, %s, %s)",
                [at, *map(storable, (entry.who, entry.action, address, entry.details))],
            )

    def actions(
        self, *, email: str | None = None, since: datetime | None = None, limit: int, skip: int = 0
    ) -> tuple[AuditEntry, ...]:
        theirs = "address = %s AND" if email else ""
        rows = self._connection.rows(
            f"""
            SELECT at, who, action, address, details FROM audit
            WHERE {theirs} at >= coalesce(%s::timestamptz, '-infinity')
            ORDER BY number DESC LIMIT %s OFFSET %s
            """,  # noqa: S608 (written here)
            [*([address_key(email)] if email else []), since and whole_second(since), limit, skip],
        )
        return tuple(
            AuditEntry(at=at, who=who, action=action, address=address, details=details)
            for at, who, action, address, details in rows
        )

    def end_session(self, session: str, *, until: datetime, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute("DELETE FROM ended_session WHERE until_at < %s", [now])
            db.execute(
                "INSERT INTO ended_session VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [session, whole_second(until)],
            )

    def is_session_ended(self, session: str) -> bool:
        return bool(self._connection.rows("SELECT 1 FROM ended_session WHERE session = %s", [session]))

    def admin_key(self) -> bytes:
        return derived_key(self._connection.secret, "administrators")

    def deliveries(self, begin: datetime, end: datetime) -> Deliveries:
        period = [whole_second(begin), whole_second(end)]
        with self._connection.snapshot():
            sent, deferred, failed = self._connection.rows(
                """
                SELECT count(*) FILTER (WHERE state = 'sent'),
                    count(*) FILTER (
                        WHERE state IN ('deferred', 'unknown') OR state = 'sent' AND attempts > 1
                    ),
                    count(*) FILTER (WHERE state IN ('suppressed', 'failed'))
                FROM mailing WHERE concluded_at >= %s AND concluded_at < %s
                """,
                period,
            )[0]
            returned = self._connection.one(
                "SELECT count(*) FROM returned WHERE returned_at >= %s AND returned_at < %s", period
            )
            return Deliveries(
                sent=sent,
                deferred=deferred,
                failed=failed,
                returned=returned,
                half_at=self._gone_at(period, sent // 2) if sent else None,
                most_at=self._gone_at(period, sent * 9 // 10) if sent else None,
            )

    def _gone_at(self, period: Sequence[datetime], place: int) -> datetime:
        """When the mail at this place of those that were sent in the period had gone."""
        found: datetime = self._connection.one(
            """
            SELECT concluded_at FROM mailing
            WHERE concluded_at >= %s AND concluded_at < %s AND state = 'sent'
            ORDER BY concluded_at LIMIT 1 OFFSET %s
            """,
            [*period, place],
        )
        return found

    def papers_found(self, begin: datetime, end: datetime) -> int:
        return int(self._connection.one(_FOUND, [whole_second(begin), whole_second(end)]))

    def subscriber_records(self, emails: Sequence[str]) -> Mapping[str, SubscriberRecord]:
        rows = self._connection.rows(_RECORDS, [[address_key(email) for email in emails]])
        return {address: _record(*row) for address, *row in rows}

    def suppression_of(self, email: str) -> Suppression | None:
        rows = self._connection.rows(
            "SELECT email, since_at, cause FROM suppression WHERE address = %s", [address_key(email)]
        )
        return next((Suppression(email=row[0], since_at=row[1], cause=row[2]) for row in rows), None)

    def latest_suppressions(self, *, limit: int, skip: int = 0) -> tuple[Suppression, ...]:
        rows = self._connection.rows(
            "SELECT email, since_at, cause FROM suppression"
            " ORDER BY since_at DESC, address DESC LIMIT %s OFFSET %s",
            [limit, skip],
        )
        return tuple(
            Suppression(email=email, since_at=since_at, cause=cause) for email, since_at, cause in rows
        )


def _record(
    email: str, since_at: datetime, joined_at: datetime | None, left_at: datetime | None, *rest: Any
) -> SubscriberRecord:
    paused_until, suppressed_at, cause, state, planned_at, concluded_at, attempts, reply = rest
    suppressed = suppressed_at and Suppression(email=email, since_at=suppressed_at, cause=cause)
    mail = state and MailRecord(
        state=MailingState(state),
        planned_at=planned_at,
        concluded_at=concluded_at,
        attempts=attempts,
        reply=reply or "",
    )
    return SubscriberRecord(
        email=email,
        since_at=since_at,
        joined_at=joined_at,
        left_at=left_at,
        paused_until=paused_until,
        suppressed=suppressed,
        mail=mail,
    )
