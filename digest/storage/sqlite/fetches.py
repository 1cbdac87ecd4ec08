"""The fetches of each source, the last fetch of a daemon or a run, and the leases of tasks."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.values import Host, LastFetch, Lease


class Fetches(Part):
    """The part of the store for the schedule of fetches."""

    def note_fetch(self, source: str, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            (last_hit,) = db.execute("SELECT coalesce(max(number), 0) FROM hit").fetchone()
            db.execute(
                """
                INSERT INTO fetch (source, last_hit, began_at, ended_at) VALUES (?1, ?2, ?3, ?3)
                ON CONFLICT (last_hit, source) DO UPDATE SET ended_at = ?3
                """,
                [source, last_hit, text_of(now)],
            )

    def last_fetch(self) -> LastFetch | None:
        rows = self._connection.rows(
            "SELECT began_at, queries, failed_at, is_missing, brought_papers FROM last_fetch"
        )
        if not rows:
            return None
        began_at, queries, failed_at, is_missing, brought_papers = rows[0]
        return LastFetch(
            began_at=moment_of(began_at),
            queries=queries,
            failed_at=failed_at and moment_of(failed_at),
            is_missing=bool(is_missing),
            brought_papers=bool(brought_papers),
        )

    def note_last_fetch(self, last: LastFetch) -> None:
        with self._connection.transaction() as db:
            db.execute("DELETE FROM last_fetch")
            db.execute(
                "INSERT INTO last_fetch VALUES (?, ?, ?, ?, ?)",
                [
                    text_of(last.began_at),
                    last.queries,
                    last.failed_at and text_of(last.failed_at),
                    last.is_missing,
                    last.brought_papers,
                ],
            )

    def fetched_at(self) -> Mapping[str, datetime]:
        rows = self._connection.rows(
            "SELECT source, max(ended_at) FROM fetch GROUP BY source ORDER BY source"
        )
        return {source: moment_of(ended_at) for source, ended_at in rows}

    def take_lease(self, task: str, *, lasting: timedelta) -> Lease:
        """Always gives the lease: the lock of the state lets only one process do tasks."""
        return Lease()

    def end_lease(self, task: str) -> None:
        """Does nothing: see `take_lease`."""

    def begin_claims(self, holder: str, *, lasting: timedelta) -> int:
        """Always returns 1: see `take_lease`."""
        return 1

    def keep_claims(self, holder: str, *, lasting: timedelta) -> bool:
        """Always returns true: see `take_lease`."""
        return True

    def others_at_work(self) -> Mapping[str, datetime]:
        """Always empty: see `take_lease`."""
        return {}

    def end_claims(self, holder: str, *, now: datetime) -> None:
        """Does nothing: see `take_lease`."""

    def reclaim_abandoned(self, *, now: datetime) -> int:
        """Always returns 0: `reclaim` has all that a dead process left."""
        return 0

    def note_alive(self, name: str) -> int:
        """Always returns 1: see `take_lease`."""
        return 1

    def note_stopped(self) -> None:
        """Does nothing: see `take_lease`."""

    def hosts(self) -> tuple[Host, ...]:
        """Returns none: the state is of this host alone."""
        return ()
