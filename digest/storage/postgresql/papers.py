"""The hits (which query found which paper), and the coverage of each query."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from heapq import nlargest

from digest.model.paper import ArxivId, Paper, month_of
from digest.sources.window import Coverage
from digest.storage.limits import CLOCK_SLACK
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.locks import Lock, hold
from digest.storage.postgresql.migrations import require_current
from digest.storage.postgresql.recording import Recording, Seen
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.values import Matched


class Papers(Part):
    """The part of the store for hits and coverage."""

    def covered_at(self) -> Mapping[str, datetime]:
        return dict(self._connection.rows("SELECT key, covered_at FROM query WHERE covered_at IS NOT NULL"))

    def coverage(self) -> Mapping[str, Coverage]:
        with self._connection.snapshot() as db:
            require_current(db, self._connection.url)  # a host that was upgraded may have converted it
            rows = db.execute(
                """
                SELECT key, covered_at, searched_since_at, coalesce(newest_place, '') FROM query
                WHERE covered_at IS NOT NULL AND searched_since_at IS NOT NULL
                """
            ).fetchall()
        return {
            key: Coverage(covered_at=covered_at, searched_since=since, newest=newest)
            for key, covered_at, since, newest in rows
        }

    def recent_hits(self, *, since: datetime) -> Mapping[str, frozenset[ArxivId]]:
        found: dict[str, set[ArxivId]] = defaultdict(set)
        rows = self._connection.rows(
            """
            SELECT query.key, paper.arxiv_id
            FROM edition
            JOIN hit ON hit.paper = edition.paper AND hit.edition = edition.number
            JOIN query ON query.number = hit.query
            JOIN paper ON paper.number = hit.paper
            WHERE submitted_at >= %s
            """,
            [whole_second(since)],
        )
        for key, arxiv_id in rows:
            found[key].add(ArxivId(arxiv_id))
        return {key: frozenset(ids) for key, ids in found.items()}

    def newest_papers(self, query_key: str, *, limit: int) -> tuple[Paper, ...]:
        with self._connection.snapshot():
            rows = self._connection.rows(
                """
                SELECT edition.number, submitted_at, arxiv_id
                FROM query
                JOIN hit ON hit.query = query.number
                JOIN paper ON paper.number = hit.paper
                LEFT JOIN LATERAL (
                    SELECT edition FROM revision WHERE revision.paper = hit.paper
                    ORDER BY version DESC, number DESC LIMIT 1
                ) AS latest ON true
                JOIN edition ON edition.number = coalesce(latest.edition, hit.edition)
                WHERE key = %s
                """,
                [query_key],
            )
            newest = nlargest(limit, ((*_age(at, ArxivId(name)), number) for number, at, name in rows))
            papers = self._editions.read(number for *_, number in newest)
        return tuple(papers[number] for *_, number in newest)

    def record(
        self,
        papers: Iterable[Matched],
        *,
        covered: Mapping[str, datetime],
        now: datetime,
        newest: str = "",
    ) -> int:
        """Waits for the `record` of another host: so hits become visible in the order of their numbers."""
        matched = tuple(papers)
        with self._connection.transaction() as db:
            hold(db, Lock.NUMBERING)
            seen = Seen(db, matched)
            recording = Recording(db, seen, self._editions.read(seen.changed(matched)))
            for one in matched:
                recording.take(one)
            last_hit = recording.write()
            _note_coverage(db, covered, last_hit, whole_second(now), newest)
        for arxiv_id, version in recording.replaced():
            self._editions.forget_number(arxiv_id, version)
        return recording.papers_new

    def archive(self, *, now: datetime, lookback: timedelta) -> int:
        """Returns 0: nothing is archived here (`editions` says why)."""
        return 0

    def forget(self) -> None:
        self._editions.forget()


def _note_coverage(
    db: Database, covered: Mapping[str, datetime], last_hit: int, now: datetime, newest: str
) -> None:
    keys = list(covered)
    db.execute(
        """
        UPDATE subscription SET began_after = %s
        WHERE began_after IS NULL AND query IN (SELECT number FROM query WHERE key = ANY(%s))
        """,
        [last_hit, keys],
    )
    # A time far in the future was stored while the clock was wrong.
    db.execute(
        """
        UPDATE query
        SET covered_at = CASE WHEN covered_at > %(limit)s THEN %(now)s ELSE greatest(covered_at, %(now)s) END,
            searched_since_at = least(searched_since_at, given.since),
            newest_place = greatest(newest_place, %(newest)s)
        FROM unnest(%(keys)s::text[], %(since)s::timestamptz[]) AS given (key, since)
        WHERE query.key = given.key
        """,
        {
            "now": now,
            "limit": now + CLOCK_SLACK,
            "newest": newest,
            "keys": keys,
            "since": [whole_second(since) for since in covered.values()],
        },
    )


def _age(submitted_at: datetime | None, arxiv_id: ArxivId) -> tuple[str, ArxivId]:
    """Returns a sort key for the age. A paper without a time is as old as the month of its id."""
    return submitted_at.isoformat() if submitted_at else month_of(arxiv_id), arxiv_id
