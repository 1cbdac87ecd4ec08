"""Archives old editions in a fifth of their space (`editions`). They are rarely read."""

from datetime import datetime, timedelta

from sqlite_utils import Database

from digest.storage.sqlite import editions
from digest.storage.sqlite.editions import Part, span_of
from digest.storage.sqlite.row_mapping import LAST_CODE, first_code, moment_of, text_of

_MOST_SHELVES = 8
_MARGIN = timedelta(days=14)


def kept_since(now: datetime, lookback: timedelta) -> datetime:
    """Papers that were submitted since then are not archived: fetches and first digests need them."""
    return now - lookback - _MARGIN


class Archive(Part):
    """The part of the store that archives editions and clears the cache of papers."""

    def forget(self) -> None:
        self._editions.forget()
        self._connection.rows("PRAGMA shrink_memory")

    def archive(self, *, now: datetime, lookback: timedelta) -> int:
        with self._connection.transaction() as db:
            shelves = self._old_shelves(now, lookback)
            served = self._served_up_to() if shelves else {}
            last = self._connection.one("SELECT max(number) FROM hit")
            shelved = 0
            for shelf in shelves:
                if shelved == _MOST_SHELVES:
                    break
                hits = self._connection.rows(
                    "SELECT query, number FROM hit WHERE edition BETWEEN ? AND ?", span_of(shelf)
                )
                # The last hit stays: new hits and cursors are numbered from it.
                if all(number != last and number <= served.get(query, number) for query, number in hits):
                    self._put_away(db, shelf)
                    shelved += 1
            return shelved

    def _served_up_to(self) -> dict[int, int]:
        """Returns for each query the hit up to which all subscribers were served, except suppressed ones."""
        return dict(
            self._connection.rows(
                """
                SELECT query, min(CASE WHEN is_welcomed THEN cursor ELSE began_after END)
                FROM subscription
                JOIN subscriber ON subscriber.number = subscription.subscriber
                WHERE ended_after IS NULL AND began_after IS NOT NULL
                    AND address NOT IN (SELECT address FROM suppression)
                GROUP BY query
                """
            )
        )

    def _old_shelves(self, now: datetime, lookback: timedelta) -> list[int]:
        """Returns the archive blocks whose editions all exist and are all old.

        Old is relative to the newest paper, since the clock may be far ahead. For an edition without a time,
        the id gives the age. The last edition stays: new ones are numbered from it.
        """
        newest = self._connection.one("SELECT max(submitted_at) FROM edition")
        since = kept_since(min(now, moment_of(newest)) if newest else now, lookback)
        rows = self._connection.rows(
            """
            SELECT number / ?1 FROM edition WHERE number / ?1 < (SELECT max(number) / ?1 FROM edition)
            EXCEPT
            SELECT number / ?1 FROM edition WHERE submitted_at >= ?2
            EXCEPT
            SELECT edition.number / ?1
            FROM edition JOIN paper ON paper.number = edition.paper
            WHERE submitted_at IS NULL AND arxiv_id BETWEEN ?3 AND ?4
            ORDER BY 1
            """,
            [editions.PLACES, text_of(since), first_code(since), LAST_CODE],
        )
        return [shelf for (shelf,) in rows]

    def _put_away(self, db: Database, shelf: int) -> None:
        span = span_of(shelf)
        rows = dict(self._editions.live(span, "edition.number BETWEEN ? AND ?"))
        places = [rows.get(number) for number in range(span[0], span[1] + 1)]
        newest = max(
            (row[editions.SUBMITTED_AT] for row in rows.values() if row[editions.SUBMITTED_AT]), default=None
        )
        db.execute("INSERT INTO shelf VALUES (?, ?, ?)", [shelf, newest, editions.packed(places)])
        for statement in (
            """
            INSERT INTO past_hit (paper, query, number, edition, version, is_past)
            SELECT hit.paper, hit.query, hit.number, hit.edition, version, is_past
            FROM hit JOIN edition ON edition.number = hit.edition
            WHERE hit.edition BETWEEN ? AND ?
            """,
            """
            UPDATE query SET newest_past_hit = max(coalesce(newest_past_hit, 0), newest)
            FROM (SELECT query, max(number) AS newest FROM hit WHERE edition BETWEEN ? AND ? GROUP BY query)
                AS away
            WHERE away.query = query.number
            """,
            "DELETE FROM hit WHERE edition BETWEEN ? AND ?",
            "DELETE FROM edition WHERE number BETWEEN ? AND ?",
        ):
            db.execute(statement, span)
