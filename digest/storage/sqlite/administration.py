"""Figures of a period, what is known of subscribers, and the log of what administrators did."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from digest.config.parsing import address_key
from digest.storage.admin_stores import AuditEntry, Deliveries, MailRecord, SubscriberRecord
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.tokens import derived_key
from digest.storage.values import MailingState, Suppression

_RECORDS = """
SELECT address, subscriber.email, subscriber.since_at, joined_at, left_at, paused_until,
    suppression.since_at, cause, state, planned_at, concluded_at, attempts, reply
FROM json_each(?) AS wanted
CROSS JOIN subscriber ON address = wanted.value
LEFT JOIN preference ON preference.subscriber = subscriber.number
LEFT JOIN suppression USING (address)
LEFT JOIN subscriber_entry USING (address)
LEFT JOIN mailing ON mailing.number = (SELECT max(number) FROM mailing WHERE subscriber = subscriber.number)
"""


class Administration(Part):
    """The part of the store for the page of the administrators."""

    def note_action(self, entry: AuditEntry) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO audit (at, who, action, address, details) VALUES (?, ?, ?, ?, ?)",
                [
                    text_of(entry.at),
                    entry.who,
                    entry.action,
                    entry.address and address_key(entry.address),
                    entry.details,
                ],
            )

    def actions(
        self, *, email: str | None = None, since: datetime | None = None, limit: int, skip: int = 0
    ) -> tuple[AuditEntry, ...]:
        theirs = "address = ? AND" if email else ""
        rows = self._connection.rows(
            f"""
            SELECT at, who, action, address, details FROM audit
            WHERE {theirs} at >= ? ORDER BY number DESC LIMIT ? OFFSET ?
            """,  # noqa: S608 (written here)
            [*([address_key(email)] if email else []), text_of(since) if since else "", limit, skip],
        )
        return tuple(
            AuditEntry(at=moment_of(at), who=who, action=action, address=address, details=details)
            for at, who, action, address, details in rows
        )

    def end_session(self, session: str, *, until: datetime, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute("DELETE FROM ended_session WHERE until_at < ?", [text_of(now)])
            db.execute("INSERT OR IGNORE INTO ended_session VALUES (?, ?)", [session, text_of(until)])

    def is_session_ended(self, session: str) -> bool:
        return bool(self._connection.rows("SELECT 1 FROM ended_session WHERE session = ?", [session]))

    def admin_key(self) -> bytes:
        return derived_key(self._connection.secret, "administrators")

    def deliveries(self, begin: datetime, end: datetime) -> Deliveries:
        period = [text_of(begin), text_of(end)]
        with self._connection.snapshot():
            sent, deferred, failed = self._connection.rows(
                """
                SELECT count(*) FILTER (WHERE state = 'sent'),
                    count(*) FILTER (
                        WHERE state IN ('deferred', 'unknown') OR state = 'sent' AND attempts > 1
                    ),
                    count(*) FILTER (WHERE state IN ('suppressed', 'failed'))
                FROM mailing WHERE concluded_at >= ? AND concluded_at < ?
                """,
                period,
            )[0]
            returned = self._connection.one(
                "SELECT count(*) FROM returned WHERE returned_at >= ? AND returned_at < ?", period
            )
            return Deliveries(
                sent=sent,
                deferred=deferred,
                failed=failed,
                returned=returned,
                half_at=self._gone_at(period, sent // 2) if sent else None,
                most_at=self._gone_at(period, sent * 9 // 10) if sent else None,
            )

    def _gone_at(self, period: Sequence[str], place: int) -> datetime:
        """When the mail at this place of those that were sent in the period had gone."""
        rows = self._connection.rows(
            """
            SELECT concluded_at FROM mailing
            WHERE concluded_at >= ? AND concluded_at < ? AND state = 'sent'
            ORDER BY concluded_at LIMIT 1 OFFSET ?
            """,
            [*period, place],
        )
        return moment_of(rows[0][0])

    def papers_found(self, begin: datetime, end: datetime) -> int:
        return int(
            self._connection.one(
                """
                SELECT count(DISTINCT paper) FROM hit
                WHERE NOT is_past
                    AND number > (SELECT coalesce(max(last_hit), 0) FROM fetch WHERE ended_at < ?)
                    AND number <= (SELECT coalesce(max(last_hit), 0) FROM fetch WHERE ended_at < ?)
                """,
                [text_of(begin), text_of(end)],
            )
        )

    def subscriber_records(self, emails: Sequence[str]) -> Mapping[str, SubscriberRecord]:
        rows = self._connection.rows(_RECORDS, [json.dumps([address_key(email) for email in emails])])
        return {address: _record(*row) for address, *row in rows}

    def suppression_of(self, email: str) -> Suppression | None:
        rows = self._connection.rows(
            "SELECT email, since_at, cause FROM suppression WHERE address = ?", [address_key(email)]
        )
        return next(
            (Suppression(email=row[0], since_at=moment_of(row[1]), cause=row[2]) for row in rows), None
        )

    def latest_suppressions(self, *, limit: int, skip: int = 0) -> tuple[Suppression, ...]:
        rows = self._connection.rows(
            "SELECT email, since_at, cause FROM suppression ORDER BY since_at DESC, address DESC"
            " LIMIT ? OFFSET ?",
            [limit, skip],
        )
        return tuple(
            Suppression(email=email, since_at=moment_of(since_at), cause=cause)
            for email, since_at, cause in rows
        )


def _record(
    email: str, since_at: str, joined_at: str | None, left_at: str | None, *rest: Any
) -> SubscriberRecord:
    paused_until, suppressed_at, cause, state, planned_at, concluded_at, attempts, reply = rest
    suppressed = suppressed_at and Suppression(email=email, since_at=moment_of(suppressed_at), cause=cause)
    mail = state and MailRecord(
        state=MailingState(state),
        planned_at=moment_of(planned_at),
        concluded_at=concluded_at and moment_of(concluded_at),
        attempts=attempts,
        reply=reply or "",
    )
    return SubscriberRecord(
        email=email,
        since_at=moment_of(since_at),
        joined_at=moment_of(joined_at) if joined_at else None,
        left_at=moment_of(left_at) if left_at else None,
        paused_until=date.fromisoformat(paused_until) if paused_until else None,
        suppressed=suppressed,
        mail=mail,
    )
