"""The mails of the last day, which the limits of a provider count over all hosts."""

from datetime import UTC, datetime, timedelta

from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.locks import Lock, hold, last_number
from digest.storage.rate_limit import CLOCKS_DIFFER, DAY, LONGEST, MINUTE, Limits, Turn, turn_for

_CONCLUDED = """
UPDATE sending
SET is_open = false,
    at = greatest(%s, (SELECT at FROM sending former WHERE former.number = sending.number - 1))
WHERE number = (SELECT min(number) FROM sending WHERE is_open)
"""
"""It does not matter which: so the rows stay in the order of their times, and those that are open last."""


class RateLimit(Part):
    """The part of the store for a provider's limits. Its rows are numbered without gaps."""

    def resume_sending(self, *, now: datetime) -> None:
        begin = now - DAY
        with self._connection.transaction() as db:
            hold(db, Lock.SENDING)
            ((counted, sent),) = db.execute(
                """
                SELECT (SELECT count(*) FROM sending WHERE at >= %(since)s),
                    (SELECT count(*) FROM mailing WHERE concluded_at >= %(begin)s AND attempts > 0)
                """,
                {"since": begin - CLOCKS_DIFFER, "begin": begin},
            ).fetchall()
            if sent > counted:
                db.execute("DELETE FROM sending")
                db.execute(
                    """
                    INSERT INTO sending (number, at)
                    SELECT row_number() OVER (ORDER BY concluded_at), least(concluded_at, %s)
                    FROM mailing WHERE concluded_at >= %s AND attempts > 0
                    """,
                    [now, begin],
                )

    def reserve_sending(self, limits: Limits, *, now: datetime) -> Turn:
        with self._connection.transaction() as db:
            hold(db, Lock.SENDING)
            db.execute(
                "UPDATE sending SET is_open = false, at = %s WHERE is_open AND at < %s", [now, now - LONGEST]
            )
            last = last_number(db, "sending")

            def nth_last(count: int) -> datetime | None:
                return _at(db, last - count + 1, now)

            last_at = nth_last(1) or now
            if last_at > now + MINUTE:  # the clock was set back
                db.execute("UPDATE sending SET at = %(now)s WHERE at > %(now)s", {"now": now})
                last_at = now
            turn = turn_for(limits, now=now, nth_last=nth_last)
            if not turn.wait:
                at = max(now, last_at).astimezone(UTC)
                db.execute("INSERT INTO sending VALUES (%s, %s, true)", [last + 1, at])
                db.execute(
                    """
                    DELETE FROM sending
                    WHERE number < (SELECT number FROM sending WHERE at > %s ORDER BY number LIMIT 1)
                    """,
                    [now - DAY - CLOCKS_DIFFER],
                )
            return turn

    def conclude_sending(self, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            hold(db, Lock.SENDING)
            db.execute(_CONCLUDED, [now.astimezone(UTC)])

    def clock_lead(self) -> tuple[timedelta, timedelta]:
        before = datetime.now(UTC)
        there: datetime = self._connection.one("SELECT clock_timestamp()")
        return there - datetime.now(UTC), there - before


def _at(db: Database, number: int, now: datetime) -> datetime | None:
    rows = db.execute("SELECT at, is_open FROM sending WHERE number = %s", [number]).fetchall()
    return (now if rows[0][1] else rows[0][0]) if rows else None
