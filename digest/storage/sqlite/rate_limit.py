"""The mails of the last day, which the limits of a provider count."""

from datetime import datetime, timedelta

from digest.storage.rate_limit import CLOCKS_DIFFER, DAY, LONGEST, MINUTE, Limits, Turn, turn_for
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import exact_text_of, moment_of, text_of

_CONCLUDED = """
UPDATE sending
SET is_open = 0,
    at = max(?, coalesce((SELECT at FROM sending AS former WHERE former.number = sending.number - 1), ''))
WHERE number = (SELECT min(number) FROM sending WHERE is_open)
"""
"""It does not matter which: so the rows stay in the order of their times, and those that are open last."""

_GIVEN_UP = "UPDATE sending SET is_open = 0, at = ? WHERE is_open AND at < ?"


class RateLimit(Part):
    """The part of the store for a provider's limits. Its rows are numbered without gaps."""

    def resume_sending(self, *, now: datetime) -> None:
        begin = text_of(now - DAY)
        with self._connection.transaction() as db:
            since = text_of(now - DAY - CLOCKS_DIFFER)
            counted = self._connection.one("SELECT count(*) FROM sending WHERE at >= ?", [since])
            sent = "FROM mailing WHERE concluded_at >= ? AND attempts > 0"
            if self._connection.one(f"SELECT count(*) {sent}", [begin]) > counted:
                db.execute("DELETE FROM sending")
                db.execute(
                    f"INSERT INTO sending (at) SELECT min(concluded_at, ?) {sent} ORDER BY concluded_at",
                    [text_of(now), begin],
                )

    def reserve_sending(self, limits: Limits, *, now: datetime) -> Turn:
        with self._connection.transaction() as db:
            db.execute(_GIVEN_UP, [exact_text_of(now), exact_text_of(now - LONGEST)])
            last_at = self._nth_last(1, now) or now
            if last_at > now + MINUTE:  # the clock was set back
                db.execute("UPDATE sending SET at = ?1 WHERE at > ?1", [exact_text_of(now)])
                last_at = now
            turn = turn_for(limits, now=now, nth_last=lambda count: self._nth_last(count, now))
            if not turn.wait:
                db.execute(
                    "INSERT INTO sending (at, is_open) VALUES (?, 1)", [exact_text_of(max(now, last_at))]
                )
                db.execute(
                    "DELETE FROM sending WHERE number <"
                    " (SELECT number FROM sending WHERE at > ? ORDER BY number LIMIT 1)",
                    [exact_text_of(now - DAY - CLOCKS_DIFFER)],
                )
            return turn

    def conclude_sending(self, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(_CONCLUDED, [exact_text_of(now)])

    def clock_lead(self) -> tuple[timedelta, timedelta]:
        return timedelta(0), timedelta(0)  # a file has one host

    def _nth_last(self, count: int, now: datetime) -> datetime | None:
        rows = self._connection.rows(
            "SELECT at, is_open FROM sending WHERE number = (SELECT max(number) FROM sending) - ?",
            [count - 1],
        )
        return (now if rows[0][1] else moment_of(rows[0][0])) if rows else None
