"""The mailings and their results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlite_utils import Database

from digest.storage.limits import AUDIT_KEPT, LONGEST_WAIT_FOR_COPY, MAILINGS_KEPT, PRUNED_AT_ONCE
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.mailings import MAILING_COLUMNS, read_mailings
from digest.storage.sqlite.restore_detection import note_claimed, note_last_mailing
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.sqlite.suppressions import note_doubts, suppress_address
from digest.storage.values import DeliveryResult, Mailing, MailingState

_RECLAIM = (
    "UPDATE mailing SET state = 'unknown', may_have_arrived = 1, due_at = ?"
    " WHERE state = 'sending' AND due_at IS NOT NULL"  # NOT NULL: uses the index
)

_UNDO_WRONG_CLOCK = """
UPDATE mailing SET due_at = ?1
WHERE due_at > ?2 AND NOT (
    state = 'unknown'
    AND julianday(due_at) - julianday(?1) <= min(?3, 2 * (julianday(?1) - julianday(planned_at)))
)
"""

_DUE = (
    "due_at <= ?1"
    " AND (?3 IS NULL OR state <> 'sending' OR coalesce(substr(claimed_by, 1, length(?3)), '') <> ?3)"
)
"""Whether a mailing is due for a holder. It never takes what it sends itself, whatever the clock says.

No other holder can be at work, but one that died may have left mailings.
"""


class Outbox(Part):
    """The part of the store for mailings.

    A mailing's `due_at` is the time of its next attempt. While the mailing is claimed, it is the end of the
    lease. It is NULL when the state of the mailing is final. A mailing that `may_have_arrived` is never
    merged.
    """

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        with self._connection.transaction() as db:
            taken = db.execute(_RECLAIM, [text_of(now)]).rowcount
            longest = LONGEST_WAIT_FOR_COPY / timedelta(days=1)
            db.execute(_UNDO_WRONG_CLOCK, [text_of(now), text_of(latest), longest])
        note_last_mailing(self._connection)
        return int(taken)

    def reclaim_from(self, holder: str, *, now: datetime) -> int:
        with self._connection.transaction() as db:
            return int(db.execute(f"{_RECLAIM} AND claimed_by = ?", [text_of(now), holder]).rowcount)

    def retry_now(self, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "UPDATE mailing SET due_at = ?1"
                " WHERE due_at > ?1 AND state IN ('pending', 'unknown', 'deferred')",
                [text_of(now)],
            )

    def claim(
        self, *, now: datetime, until: datetime, limit: int, holder: str | None = None
    ) -> tuple[Mailing, ...]:
        own = holder and holder.partition("/")[0]  # all processes of the holder
        asked = [text_of(now), limit, own]
        with self._connection.transaction() as db:
            while self._withhold(db, asked) or self._put_off(db, asked):
                pass
            rows = db.execute(
                f"""
                SELECT {MAILING_COLUMNS}, due_at
                FROM mailing WHERE {_DUE} ORDER BY due_at, number LIMIT ?2
                """,  # noqa: S608 (written here)
                asked,
            ).fetchall()
            # A process whose lease expired may have sent the mail.
            db.conn.executemany(
                """
                UPDATE mailing
                SET may_have_arrived = max(may_have_arrived, state = 'sending'), state = 'sending',
                    due_at = ?, claimed_by = ?
                WHERE number = ?
                """,
                ((text_of(until), holder, row[0]) for row in rows),
            )
            mailings = read_mailings([row[:-1] for row in rows], self._editions, self._connection.secret)
            claimed = tuple(
                replace(mailing, was_due_at=moment_of(row[-1]))
                for mailing, row in zip(mailings, rows, strict=True)
            )
        if claimed:
            note_claimed(self._connection)
        return claimed

    @staticmethod
    def _withhold(db: Database, asked: Sequence[object]) -> bool:
        """Ends the next mailings whose subscriber was suppressed or left while they were being sent."""
        withheld = db.execute(
            f"""
            UPDATE mailing
            SET may_have_arrived = max(may_have_arrived, state = 'sending'), due_at = NULL,
                state = CASE WHEN is_enrolled THEN 'suppressed' ELSE 'failed' END
            FROM subscriber
            WHERE mailing.number IN (
                    SELECT number FROM mailing WHERE {_DUE} ORDER BY due_at, number LIMIT ?2
                )
                AND subscriber.number = mailing.subscriber
                AND (NOT is_enrolled OR address IN (SELECT address FROM suppression))
            """,  # noqa: S608 (written here)
            asked,
        )
        return withheld.rowcount > 0

    @staticmethod
    def _put_off(db: Database, asked: Sequence[object]) -> bool:
        """Puts off the next mailings that are older than the pause of their subscriber.

        The first digest after the pause merges them. Otherwise they are due at noon UTC of `paused_until`,
        when that day has begun everywhere on earth.
        """
        put_off = db.execute(
            f"""
            UPDATE mailing
            SET may_have_arrived = max(may_have_arrived, state = 'sending'),
                state = CASE state WHEN 'sending' THEN 'unknown' ELSE state END,
                due_at = paused_until || 'T12:00:00+00:00'
            FROM preference
            WHERE mailing.number IN (
                    SELECT number FROM mailing WHERE {_DUE} ORDER BY due_at, number LIMIT ?2
                )
                AND preference.subscriber = mailing.subscriber
                AND dated_on < paused_until AND paused_until || 'T12:00:00+00:00' > ?1
            """,  # noqa: S608 (written here)
            asked,
        )
        return put_off.rowcount > 0

    def renew(self, numbers: Sequence[int], *, until: datetime, holder: str | None = None) -> None:
        # The lock of the state keeps other holders away, here and below.
        with self._connection.transaction() as db:
            db.conn.executemany(
                "UPDATE mailing SET due_at = ? WHERE number = ? AND state = 'sending'",
                ((text_of(until), number) for number in numbers),
            )

    def record_results(
        self, conclusions: Sequence[DeliveryResult], *, now: datetime, holder: str | None = None
    ) -> None:
        with self._connection.transaction() as db:
            db.conn.executemany(
                """
                UPDATE mailing
                SET state = ?1, reply = iif(email = 'erased', NULL, ?2), is_blocked = 0,
                    concluded_at = ?3, attempts = attempts + 1, due_at = ?4,
                    may_have_arrived = max(may_have_arrived, ?1 = 'unknown')
                WHERE number = ?5 AND (state = 'sending' OR ?1 = 'sent')
                """,
                (
                    (one.state.value, one.reply, text_of(now), one.due_at and text_of(one.due_at), one.number)
                    for one in conclusions
                ),
            )
            self._keep_doubts(db, conclusions, now)
            for one in conclusions:
                if one.state is MailingState.SUPPRESSED:
                    email = self._connection.one("SELECT email FROM mailing WHERE number = ?", [one.number])
                    if email != "erased":  # of whom nothing is stored any more
                        suppress_address(db, email, one.reply, now)

    def _keep_doubts(self, db: Database, conclusions: Sequence[DeliveryResult], now: datetime) -> None:
        """Stores new doubts. Removes the doubts about addresses that got mail or are suppressed."""
        doubted = [one.number for one in conclusions if one.is_doubted]
        settled = {MailingState.SENT, MailingState.SUPPRESSED}
        others = [one.number for one in conclusions if one.state in settled]
        if others and self._connection.one("SELECT count(*) FROM doubt"):
            db.conn.executemany("DELETE FROM doubt WHERE address = ?", self._addresses(db, others))
        if doubted:
            note_doubts(db, [address for (address,) in self._addresses(db, doubted)], now)

    @staticmethod
    def _addresses(db: Database, numbers: Sequence[int]) -> list[tuple[str]]:
        rows = db.execute(
            "SELECT address FROM subscriber JOIN mailing ON mailing.subscriber = subscriber.number"
            " WHERE mailing.number IN (SELECT value FROM json_each(?))",
            [json.dumps(numbers)],
        )
        return list(rows.fetchall())

    def accepted_since(self, moment: datetime) -> int:
        return int(
            self._connection.one(
                "SELECT count(*) FROM mailing WHERE concluded_at >= ? AND state = 'sent'", [text_of(moment)]
            )
        )

    def record_of(self, domain: str, *, since: datetime) -> tuple[int, int]:
        tail = f"@{domain}"
        accepted, last_at = self._connection.rows(
            """
            SELECT count(*) FILTER (WHERE concluded_at >= ?1), max(concluded_at)
            FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
            WHERE state = 'sent' AND substr(address, -length(?2)) = ?2
            """,
            [text_of(since), tail],
        )[0]
        dead = self._connection.one(
            "SELECT count(*) FROM suppression WHERE substr(address, -length(?1)) = ?1 AND since_at >= ?2",
            [tail, min(last_at or "", text_of(since))],
        )
        return int(accepted), int(dead)

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
            db.conn.executemany(
                """
                UPDATE mailing
                SET due_at = ?1, reply = coalesce(?2, reply), is_blocked = iif(?2 IS NULL, is_blocked, 1),
                    state = CASE
                        WHEN may_have_arrived THEN 'unknown' WHEN attempts THEN 'deferred' ELSE 'pending' END
                WHERE number = ?3 AND state = 'sending'
                """,
                ((text_of((due_at or {}).get(number, now)), reply, number) for number in numbers),
            )

    def prune(self, *, now: datetime) -> int:
        # The last mailing always stays: new mailings are numbered from it.
        with self._connection.transaction() as db:
            # By the newest paper, since the clock may be far ahead: mailings say what a subscriber had.
            newest = self._connection.one("SELECT max(submitted_at) FROM edition")
            now = min(now, moment_of(newest)) if newest else now
            db.execute("DELETE FROM ended_session WHERE until_at < ?", [text_of(now)])
            db.execute("DELETE FROM audit WHERE at < ?", [text_of(now - AUDIT_KEPT)])
            pruned = db.execute(
                """
                DELETE FROM mailing WHERE number IN (
                    SELECT mailing.number
                    FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
                    WHERE planned_at < ? AND state IN ('sent', 'merged', 'failed') AND revision_cursor IS NULL
                        AND mailing.number < (SELECT max(number) FROM mailing)
                    LIMIT ?
                )
                """,
                [text_of(now - MAILINGS_KEPT), PRUNED_AT_ONCE],
            )
            return int(pruned.rowcount)

    def sending(self, *, now: datetime) -> int:
        asked = "SELECT count(*) FROM mailing WHERE state = 'sending' AND due_at > ?"
        return int(self._connection.one(asked, [text_of(now)]))

    def waiting(self) -> int:
        return count_waiting(self._connection)

    def next_due_at(self) -> datetime | None:
        due_at = self._connection.one("SELECT min(due_at) FROM mailing WHERE due_at IS NOT NULL")
        return due_at and moment_of(due_at)


def count_waiting(connection: Connection) -> int:
    """Counts the unfinished mailings, without those put off by a pause."""
    return waiting_mailings(connection)[0]


def waiting_mailings(connection: Connection) -> tuple[int, datetime | None]:
    """Returns the number of unfinished mailings and when the oldest was composed, without paused ones."""
    count, planned_at = connection.rows(
        """
        SELECT count(*), min(planned_at) FROM mailing LEFT JOIN preference USING (subscriber)
        WHERE due_at IS NOT NULL
            AND (paused_until IS NULL OR due_at <> paused_until || 'T12:00:00+00:00')
        """
    )[0]
    return int(count), planned_at and moment_of(planned_at)
