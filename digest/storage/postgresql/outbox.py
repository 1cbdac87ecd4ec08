"""The outbox: mailings, claimed by one process at a time and recorded until their end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from digest.storage.limits import AUDIT_KEPT, LONGEST_WAIT_FOR_COPY, MAILINGS_KEPT, PRUNED_AT_ONCE
from digest.storage.postgresql.connection import Connection, Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.holders import HELD_BY, HELD_BY_LIVING, reclaim_abandoned
from digest.storage.postgresql.mailings import MAILING_COLUMNS, read_mailings
from digest.storage.postgresql.restore_detection import note_claimed, note_last_mailing
from digest.storage.postgresql.row_mapping import storable, whole_second
from digest.storage.postgresql.suppressions import note_doubts, suppress_addresses
from digest.storage.values import DeliveryResult, Mailing, MailingState

_UNDO_WRONG_CLOCK = """
UPDATE mailing SET due_at = %(now)s
WHERE due_at > %(latest)s
    AND NOT (state = 'unknown' AND due_at - %(now)s <= least(%(longest)s, 2 * (%(now)s - planned_at)))
"""

_NEXT_DUE = f"""
SELECT mailing.number, is_enrolled,
    EXISTS (SELECT 1 FROM suppression WHERE suppression.address = subscriber.address),
    dated_on < paused_until AND paused_until + time '12:00' > %(now)s AT TIME ZONE 'UTC',
    due_at
FROM mailing
JOIN subscriber ON subscriber.number = mailing.subscriber
LEFT JOIN preference ON preference.subscriber = mailing.subscriber
WHERE due_at <= %(now)s AND NOT {HELD_BY_LIVING}
ORDER BY due_at, mailing.number LIMIT %(limit)s
FOR UPDATE OF mailing SKIP LOCKED
"""  # noqa: S608 (written here)
"""The next due mailings, without those that another process claims at this moment, or sends."""

_WITHHOLD = """
UPDATE mailing
SET may_have_arrived = may_have_arrived OR state = 'sending', due_at = NULL,
    state = CASE WHEN is_enrolled THEN 'suppressed' ELSE 'failed' END
FROM subscriber WHERE mailing.number = ANY(%s) AND subscriber.number = mailing.subscriber
"""
"""Ends mailings whose subscriber was suppressed or left while they were being sent."""

_PUT_OFF = """
UPDATE mailing
SET may_have_arrived = may_have_arrived OR state = 'sending',
    state = CASE state WHEN 'sending' THEN 'unknown' ELSE state END,
    due_at = (paused_until + time '12:00') AT TIME ZONE 'UTC'
FROM preference WHERE mailing.number = ANY(%s) AND preference.subscriber = mailing.subscriber
"""
"""Puts off mailings that are older than the pause of their subscriber.

The first digest after the pause merges them. Otherwise they are due at noon UTC of `paused_until`, when that
day has begun everywhere on earth.
"""

_CLAIM = f"""
UPDATE mailing
SET may_have_arrived = may_have_arrived OR state = 'sending', state = 'sending', due_at = %s, claimed_by = %s
FROM unnest(%s::bigint[], %s::timestamptz[]) AS due (number, was_due_at)
WHERE mailing.number = due.number
RETURNING {MAILING_COLUMNS}, was_due_at
"""  # noqa: S608 (written here)
"""A process whose lease expired may have sent the mail."""

_RECORD = f"""
UPDATE mailing
SET state = result.state, reply = CASE WHEN email <> 'erased' THEN result.reply END,
    is_blocked = false, concluded_at = %(now)s,
    attempts = attempts + 1, due_at = result.due_at,
    may_have_arrived = may_have_arrived OR result.state = 'unknown'
FROM unnest(%(numbers)s::bigint[], %(states)s::text[], %(replies)s::text[], %(due_at)s::timestamptz[])
    AS result (number, state, reply, due_at)
WHERE mailing.number = result.number AND (mailing.state = 'sending' AND {HELD_BY} OR result.state = 'sent')
"""  # noqa: S608 (written here)

_RECLAIM = (
    "UPDATE mailing SET state = 'unknown', may_have_arrived = true, due_at = %(now)s WHERE state = 'sending'"
)


class Outbox(Part):
    """The part of the store for mailings.

    `may_have_arrived`: an attempt was cut off when the server might have had the mail. Such a mailing is
    never merged.
    """

    def claim(
        self, *, now: datetime, until: datetime, limit: int, holder: str | None = None
    ) -> tuple[Mailing, ...]:
        with self._connection.transaction() as db:
            due = _due(db, whole_second(now), limit)
            asked = [whole_second(until), holder, [*due.keys()], [*due.values()]]
            rows = db.execute(_CLAIM, asked).fetchall() if due else []
            rows.sort(key=lambda row: (row[-1], row[0]))
        if rows:
            note_claimed(self._connection)
        mailings = read_mailings([row[:-1] for row in rows], self._editions, self._connection.secret)
        return tuple(
            replace(mailing, was_due_at=row[-1]) for mailing, row in zip(mailings, rows, strict=True)
        )

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        """Others may be sending: only what is past its lease is taken."""
        with self._connection.transaction() as db:
            taken = reclaim_abandoned(db, now)
            taken += db.execute(
                f"{_RECLAIM} AND due_at <= %(now)s AND NOT {HELD_BY_LIVING}", {"now": whole_second(now)}
            ).rowcount
            values = {
                "now": whole_second(now),
                "latest": whole_second(latest),
                "longest": LONGEST_WAIT_FOR_COPY,
            }
            db.execute(_UNDO_WRONG_CLOCK, values)
        note_last_mailing(self._connection)
        return taken

    def reclaim_from(self, holder: str, *, now: datetime) -> int:
        with self._connection.transaction() as db:
            return db.execute(
                f"{_RECLAIM} AND due_at IS NOT NULL AND claimed_by = %(holder)s",
                {"now": whole_second(now), "holder": holder},
            ).rowcount

    def retry_now(self, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(
                """
                UPDATE mailing SET due_at = %(now)s
                WHERE due_at > %(now)s AND state IN ('pending', 'unknown', 'deferred')
                """,
                {"now": whole_second(now)},
            )

    def renew(self, numbers: Sequence[int], *, until: datetime, holder: str | None = None) -> None:
        with self._connection.transaction() as db:
            db.execute(
                f"""
                UPDATE mailing SET due_at = %(until)s
                WHERE number = ANY(%(numbers)s) AND state = 'sending' AND {HELD_BY}
                """,  # noqa: S608 (written here)
                {"until": whole_second(until), "numbers": list(numbers), "holder": holder},
            )

    def record_results(
        self, conclusions: Sequence[DeliveryResult], *, now: datetime, holder: str | None = None
    ) -> None:
        with self._connection.transaction() as db:
            db.execute(
                _RECORD,
                {
                    "now": whole_second(now),
                    "numbers": [one.number for one in conclusions],
                    "states": [one.state.value for one in conclusions],
                    "replies": [storable(one.reply) for one in conclusions],
                    "due_at": [one.due_at and whole_second(one.due_at) for one in conclusions],
                    "holder": holder,
                },
            )
            _keep_doubts(db, conclusions, now)
            causes = {one.number: one.reply for one in conclusions if one.state is MailingState.SUPPRESSED}
            if causes:
                rows = db.execute(  # nothing is stored any more of who was erased
                    "SELECT number, email FROM mailing WHERE number = ANY(%s) AND email <> 'erased'",
                    [list(causes)],
                )
                suppress_addresses(db, {email: causes[number] for number, email in rows.fetchall()}, now)

    def release(
        self,
        numbers: Sequence[int],
        *,
        now: datetime,
        reply: str | None = None,
        holder: str | None = None,
        due_at: Mapping[int, datetime] | None = None,
    ) -> None:
        with self._connection.transaction() as db:
            db.execute(
                f"""
                UPDATE mailing
                SET due_at = given.due_at, reply = coalesce(%(reply)s::text, reply),
                    is_blocked = is_blocked OR %(reply)s::text IS NOT NULL,
                    state = CASE WHEN may_have_arrived THEN 'unknown'
                        WHEN attempts > 0 THEN 'deferred' ELSE 'pending' END
                FROM unnest(%(numbers)s::bigint[], %(due)s::timestamptz[]) AS given (number, due_at)
                WHERE mailing.number = given.number AND state = 'sending' AND {HELD_BY}
                """,  # noqa: S608 (written here)
                {
                    "due": [whole_second((due_at or {}).get(number, now)) for number in numbers],
                    "reply": reply and storable(reply),
                    "numbers": list(numbers),
                    "holder": holder,
                },
            )

    def accepted_since(self, moment: datetime) -> int:
        return int(
            self._connection.one(
                "SELECT count(*) FROM mailing WHERE concluded_at >= %s AND state = 'sent'",
                [whole_second(moment)],
            )
        )

    def record_of(self, domain: str, *, since: datetime) -> tuple[int, int]:
        values: dict[str, object] = {"domain": domain, "since": whole_second(since)}
        accepted = self._connection.one(_ACCEPTED, values)
        if not accepted:
            values["since"] = self._connection.one(_LAST_ACCEPTED, values)
        return int(accepted), int(self._connection.one(_DEAD, values))

    def prune(self, *, now: datetime) -> int:
        # By the newest paper, since the clock may be far ahead: mailings say what a subscriber had.
        newest = self._connection.one("SELECT max(submitted_at) FROM edition")
        current = whole_second(min(now, newest) if newest else now)
        with self._connection.transaction() as db:
            db.execute("DELETE FROM audit WHERE at < %s", [current - AUDIT_KEPT])
            db.execute("DELETE FROM ended_session WHERE until_at < %s", [current])
            # The last mailing always stays: `restore_detection` looks for it.
            return db.execute(
                """
                DELETE FROM mailing WHERE number = ANY(ARRAY(
                    SELECT number FROM mailing
                    WHERE planned_at < %s AND state IN ('sent', 'merged', 'failed')
                        AND (SELECT revision_cursor IS NULL FROM subscriber WHERE number = mailing.subscriber)
                        AND number <> (SELECT max(number) FROM mailing)
                    LIMIT %s
                    FOR UPDATE SKIP LOCKED
                ))
                """,
                [current - MAILINGS_KEPT, PRUNED_AT_ONCE],
            ).rowcount

    def sending(self, *, now: datetime) -> int:
        asked = f"state = 'sending' AND due_at IS NOT NULL AND (due_at > %s OR {HELD_BY_LIVING})"
        return int(self._connection.one(f"SELECT count(*) FROM mailing WHERE {asked}", [now]))  # noqa: S608

    def waiting(self) -> int:
        return count_waiting(self._connection)

    def next_due_at(self) -> datetime | None:
        due_at: datetime | None = self._connection.one(
            f"SELECT min(due_at) FROM mailing WHERE due_at IS NOT NULL AND NOT {HELD_BY_LIVING}"  # noqa: S608
        )
        return due_at


_ACCEPTED = """
SELECT count(*) FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
WHERE concluded_at >= %(since)s AND state = 'sent' AND split_part(address, '@', -1) = %(domain)s
"""

_LAST_ACCEPTED = """
SELECT least(%(since)s, coalesce(max(concluded_at), 'epoch'))
FROM subscriber JOIN mailing ON mailing.subscriber = subscriber.number
WHERE state = 'sent' AND split_part(address, '@', -1) = %(domain)s
"""

_DEAD = """
SELECT count(*) FROM suppression
WHERE split_part(address, '@', -1) = %(domain)s AND since_at >= %(since)s
"""


def _due(db: Database, now: datetime, limit: int) -> dict[int, datetime]:
    """Locks the next due mailings, and ends or puts off those that may not be sent. Returns since when."""
    while True:
        rows = db.execute(_NEXT_DUE, {"now": now, "limit": limit}).fetchall()
        withheld = [number for number, is_enrolled, is_dead, _, _ in rows if is_dead or not is_enrolled]
        put_off = [row[0] for row in rows if row[3] and row[0] not in withheld]
        if withheld:
            db.execute(_WITHHOLD, [withheld])
        if put_off:
            db.execute(_PUT_OFF, [put_off])
        if not withheld and not put_off:
            return {number: due_at for number, *_, due_at in rows}


def _keep_doubts(db: Database, conclusions: Sequence[DeliveryResult], now: datetime) -> None:
    """Stores new doubts. Removes the doubts about addresses that got mail or are suppressed."""
    settled = {MailingState.SENT, MailingState.SUPPRESSED}
    others = [one.number for one in conclusions if one.state in settled]
    if others and db.execute("SELECT 1 FROM doubt LIMIT 1").fetchall():
        db.execute("DELETE FROM doubt WHERE address = ANY(%s)", [_addresses(db, others)])
    if doubted := [one.number for one in conclusions if one.is_doubted]:
        note_doubts(db, _addresses(db, doubted), now)


def _addresses(db: Database, numbers: Sequence[int]) -> list[Any]:
    rows = db.execute(
        """
        SELECT address FROM subscriber JOIN mailing ON mailing.subscriber = subscriber.number
        WHERE mailing.number = ANY(%s)
        """,
        [list(numbers)],
    )
    return [address for (address,) in rows.fetchall()]


def count_waiting(connection: Connection) -> int:
    """Counts the unfinished mailings, without those put off by a pause."""
    return waiting_mailings(connection)[0]


def waiting_mailings(connection: Connection) -> tuple[int, datetime | None]:
    """Returns the number of unfinished mailings and when the oldest was composed, without paused ones."""
    count, planned_at = connection.rows(
        """
        SELECT count(*), min(planned_at) FROM mailing LEFT JOIN preference USING (subscriber)
        WHERE due_at IS NOT NULL
            AND (paused_until IS NULL OR due_at <> (paused_until + time '12:00') AT TIME ZONE 'UTC')
        """
    )[0]
    return int(count), planned_at
