"""The fetches of each source, the last fetch of a daemon or a run, and which host does what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from secrets import token_hex

from digest.storage.postgresql.connection import Connection
from digest.storage.postgresql.editions import Editions, Part
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.values import Host, LastFetch, Lease


class Fetches(Part):
    """The part of the store for the schedule of fetches, and for the leases of tasks.

    The clock of the server decides when a lease ends: those of the hosts may differ.
    """

    def __init__(self, connection: Connection, editions: Editions) -> None:
        super().__init__(connection, editions)
        self._holder = token_hex(8)

    def note_fetch(self, source: str, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(
                """
                INSERT INTO source_fetch (last_hit, source, began_at, ended_at)
                SELECT coalesce(max(number), 0), %(source)s, %(now)s, %(now)s FROM hit
                ON CONFLICT (last_hit, source) DO UPDATE SET ended_at = excluded.ended_at
                """,
                {"source": source, "now": whole_second(now)},
            )

    def fetched_at(self) -> Mapping[str, datetime]:
        return dict(
            self._connection.rows(
                "SELECT source, max(ended_at) FROM source_fetch GROUP BY source ORDER BY source"
            )
        )

    def last_fetch(self) -> LastFetch | None:
        rows = self._connection.rows(
            "SELECT began_at, queries, failed_at, is_missing, brought_papers FROM last_fetch"
        )
        if not rows:
            return None
        began_at, queries, failed_at, is_missing, brought_papers = rows[0]
        return LastFetch(
            began_at=began_at,
            queries=queries,
            failed_at=failed_at,
            is_missing=is_missing,
            brought_papers=brought_papers,
        )

    def note_last_fetch(self, last: LastFetch) -> None:
        with self._connection.transaction() as db:
            db.execute("LOCK TABLE last_fetch IN EXCLUSIVE MODE")
            db.execute("DELETE FROM last_fetch")
            db.execute(
                "INSERT INTO last_fetch VALUES (%s, %s, %s, %s, %s)",
                [
                    whole_second(last.began_at),
                    last.queries,
                    last.failed_at and whole_second(last.failed_at),
                    last.is_missing,
                    last.brought_papers,
                ],
            )

    def take_lease(self, task: str, *, lasting: timedelta) -> Lease | None:
        with self._connection.transaction() as db:
            rows = db.execute(
                """
                WITH former AS (SELECT holder, ends_at FROM lease WHERE task = %(task)s)
                INSERT INTO lease (task, holder, ends_at)
                VALUES (%(task)s, %(holder)s, clock_timestamp() + %(lasting)s)
                ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, ends_at = excluded.ends_at
                    WHERE lease.holder = excluded.holder OR lease.ends_at <= clock_timestamp()
                RETURNING (
                    SELECT clock_timestamp() - ends_at FROM former WHERE ends_at <= clock_timestamp()
                )
                """,
                {"task": task, "holder": self._holder, "lasting": lasting},
            ).fetchall()
            return Lease(idle_for=rows[0][0]) if rows else None

    def end_lease(self, task: str) -> None:
        with self._connection.transaction() as db:
            db.execute(
                """
                UPDATE lease SET ends_at = clock_timestamp()
                WHERE task = %s AND holder = %s AND ends_at > clock_timestamp()
                """,
                [task, self._holder],
            )

    def note_alive(self, name: str) -> int:
        with self._connection.transaction() as db:
            db.execute(
                """
                INSERT INTO host (holder, name, since_at, seen_at) VALUES (%s, %s, now(), now())
                ON CONFLICT (holder) DO UPDATE SET seen_at = excluded.seen_at
                """,
                [self._holder, name],
            )
            # A daemon that runs again on its host, and one that nobody misses any more.
            db.execute(
                """
                DELETE FROM host
                WHERE holder <> %s AND seen_at <= now() - interval '1 minute'
                    AND (name = %s OR seen_at < now() - interval '1 day')
                """,
                [self._holder, name],
            )
            (alive,) = db.execute(
                "SELECT count(*) FROM host WHERE seen_at > now() - interval '1 minute'"
            ).fetchall()[0]
            return int(alive)

    def note_stopped(self) -> None:
        with self._connection.transaction() as db:
            db.execute("DELETE FROM host WHERE holder = %s", [self._holder])

    def hosts(self) -> tuple[Host, ...]:
        rows = self._connection.rows(
            """
            SELECT name, since_at, seen_at, seen_at > now() - interval '1 minute'
            FROM host WHERE seen_at > now() - interval '1 day'
            ORDER BY name, seen_at
            """
        )
        return tuple(
            Host(name=name, since_at=since_at, seen_at=seen_at, is_alive=is_alive)
            for name, since_at, seen_at, is_alive in rows
        )
