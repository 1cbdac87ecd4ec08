"""The mails of the last day, which the limits of a provider count."""

from datetime import UTC, datetime

from digest.storage.rate_limit import DAY, MINUTE, Limits, Turn, turn_for
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of


class RateLimit(Part):
    """The part of the store for a provider's limits. Its rows are numbered without gaps."""

    def resume_sending(self, *, now: datetime) -> None:
        begin = text_of(now - DAY)
        with self._connection.transaction() as db:
            counted = self._connection.one("SELECT count(*) FROM sending WHERE at >= ?", [begin])
            sent = "FROM mailing WHERE concluded_at >= ? AND attempts > 0"
            if self._connection.one(f"SELECT count(*) {sent}", [begin]) > counted:
                db.execute("DELETE FROM sending")
                db.execute(
                    f"INSERT INTO sending (at) SELECT min(concluded_at, ?) {sent} ORDER BY concluded_at",
                    [text_of(now), begin],
                )

    def reserve_sending(self, limits: Limits, *, now: datetime) -> Turn:
        with self._connection.transaction() as db:
            last_at = self._nth_last(1) or now
            if last_at > now + MINUTE:  # the clock was set back
                db.execute("UPDATE sending SET at = ?1 WHERE at > ?1", [_exact(now)])
                last_at = now
            turn = turn_for(limits, now=now, nth_last=self._nth_last)
            if not turn.wait:
                db.execute("INSERT INTO sending (at) VALUES (?)", [_exact(max(now, last_at))])
                db.execute(
                    "DELETE FROM sending WHERE number <"
                    " (SELECT number FROM sending WHERE at > ? ORDER BY number LIMIT 1)",
                    [_exact(now - DAY)],
                )
            return turn

    def _nth_last(self, count: int) -> datetime | None:
        rows = self._connection.rows(
            "SELECT at FROM sending WHERE number = (SELECT max(number) FROM sending) - ?", [count - 1]
        )
        return moment_of(rows[0][0]) if rows else None


def _exact(moment: datetime) -> str:
    """With microseconds: of a second that is cut off, a minute would be too short."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
