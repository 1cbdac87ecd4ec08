"""The mails of the last day, which the limits of a provider count over all hosts."""

from datetime import UTC, datetime

from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.locks import Lock, hold, last_number
from digest.storage.rate_limit import DAY, MINUTE, Limits, Turn, turn_for


class RateLimit(Part):
    """The part of the store for a provider's limits. Its rows are numbered without gaps."""

    def resume_sending(self, *, now: datetime) -> None:
        begin = now - DAY
        with self._connection.transaction() as db:
            hold(db, Lock.SENDING)
            ((counted, sent),) = db.execute(
                """
                SELECT (SELECT count(*) FROM sending WHERE at >= %(begin)s),
                    (SELECT count(*) FROM mailing WHERE concluded_at >= %(begin)s AND attempts > 0)
                """,
                {"begin": begin},
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
            last = last_number(db, "sending")

            def nth_last(count: int) -> datetime | None:
                return _at(db, last - count + 1)

            last_at = nth_last(1) or now
            if last_at > now + MINUTE:  # the clock was set back
                db.execute("UPDATE sending SET at = %(now)s WHERE at > %(now)s", {"now": now})
                last_at = now
            turn = turn_for(limits, now=now, nth_last=nth_last)
            if not turn.wait:
                at = max(now, last_at).astimezone(UTC)
                db.execute("INSERT INTO sending VALUES (%s, %s)", [last + 1, at])
                db.execute(
                    """
                    DELETE FROM sending
                    WHERE number < (SELECT number FROM sending WHERE at > %s ORDER BY number LIMIT 1)
                    """,
                    [now - DAY],
                )
            return turn


def _at(db: Database, number: int) -> datetime | None:
    rows = db.execute("SELECT at FROM sending WHERE number = %s", [number]).fetchall()
    return rows[0][0] if rows else None
