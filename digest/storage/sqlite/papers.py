"""The hits (which query found which paper), and the coverage of each query."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from sqlite_utils import Database

from digest.model.paper import ArxivId, Paper, month_of
from digest.sources.window import Coverage
from digest.storage.limits import CLOCK_SLACK
from digest.storage.sqlite import editions
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.revisions import Edition, Revisions
from digest.storage.sqlite.row_mapping import Code, checksum_of, code_of, id_of, moment_of, text_of
from digest.storage.values import Matched

_ALWAYS = "9999"
"""Later than every time: an edition of unknown age must be read."""


class Papers(Part):
    """The part of the store for hits and coverage."""

    def covered_at(self) -> Mapping[str, datetime]:
        rows = self._connection.rows("SELECT key, covered_at FROM query WHERE covered_at IS NOT NULL")
        return {key: moment_of(covered_at) for key, covered_at in rows}

    def recent_hits(self, *, since: datetime) -> Mapping[str, frozenset[ArxivId]]:
        found: dict[str, set[ArxivId]] = defaultdict(set)
        rows = self._connection.rows(
            """
            SELECT query.key, paper.arxiv_id
            FROM edition
            CROSS JOIN hit ON hit.paper = edition.paper AND hit.edition = edition.number
            CROSS JOIN query ON query.number = hit.query
            CROSS JOIN paper ON paper.number = hit.paper
            WHERE submitted_at >= ?
            """,
            [text_of(since)],
        )
        for key, code in (*rows, *self._past_hits(since)):
            found[key].add(id_of(code))
        return {key: frozenset(ids) for key, ids in found.items()}

    def _past_hits(self, since: datetime) -> list[tuple[str, Code]]:
        """Usually empty. If the look-back grew or fetches failed for weeks, it reads whole archive blocks."""
        shelved = self._editions.shelved_since(since)
        return self._connection.rows(
            """
            SELECT query.key, paper.arxiv_id
            FROM json_each(?) AS asked
            CROSS JOIN paper ON paper.arxiv_id = json_extract(asked.value, '$[1]')
            CROSS JOIN past_hit
                ON past_hit.paper = paper.number AND past_hit.edition = json_extract(asked.value, '$[0]')
            CROSS JOIN query ON query.number = past_hit.query
            """,
            [json.dumps(shelved)],
        )

    def coverage(self) -> Mapping[str, Coverage]:
        rows = self._connection.rows(
            """
            SELECT key, covered_at, searched_since_at, newest_place FROM query
            WHERE covered_at IS NOT NULL AND searched_since_at IS NOT NULL
            """
        )
        return {
            key: Coverage(
                covered_at=moment_of(covered_at), searched_since=moment_of(since), newest=newest or ""
            )
            for key, covered_at, since, newest in rows
        }

    def newest_papers(self, query_key: str, *, limit: int) -> tuple[Paper, ...]:
        """Reads editions until no other can be newer. An archive block has the time of its newest edition."""
        with self._connection.snapshot():
            rows = self._connection.rows(
                """
                WITH found AS (
                    SELECT paper, edition FROM hit
                    WHERE query = (SELECT number FROM query WHERE key = ?1)
                    UNION ALL
                    SELECT paper, edition FROM past_hit
                    WHERE query = (SELECT number FROM query WHERE key = ?1 AND newest_past_hit IS NOT NULL)
                ),
                latest AS (
                    SELECT coalesce(
                        (
                            SELECT edition FROM revision
                            WHERE revision.paper = found.paper ORDER BY version DESC, number DESC LIMIT 1
                        ),
                        found.edition
                    ) AS number
                    FROM found
                )
                SELECT latest.number,
                    CASE WHEN edition.number IS NULL THEN newest_submitted_at ELSE edition.submitted_at END
                FROM latest
                LEFT JOIN edition ON edition.number = latest.number
                LEFT JOIN shelf ON shelf.number = latest.number / ?2
                """,
                [query_key, editions.PLACES],
            )
            newest: list[Paper] = []
            later = sorted(((bound or _ALWAYS, number) for number, bound in rows), reverse=True)
            for bound, group in groupby(later, key=itemgetter(0)):
                if len(newest) == limit and _age(newest[-1])[0] > bound:
                    break
                papers = self._editions.read(number for _, number in group)
                newest = sorted((*newest, *papers.values()), key=_age, reverse=True)[:limit]
            return tuple(newest)

    def record(
        self,
        papers: Iterable[Matched],
        *,
        covered: Mapping[str, datetime],
        now: datetime,
        newest: str = "",
    ) -> int:
        with self._connection.transaction() as db:
            papers_new = self._record_papers(db, tuple(papers))
            db.conn.executemany(
                """
                UPDATE subscription SET began_after = (SELECT coalesce(max(number), 0) FROM hit)
                WHERE began_after IS NULL AND query = (SELECT number FROM query WHERE key = ?)
                """,
                ((key,) for key in covered),
            )
            # A time far in the future was stored while the clock was wrong.
            db.conn.executemany(
                """
                UPDATE query
                SET covered_at = CASE
                        WHEN covered_at > ?4 OR covered_at IS NULL THEN ?1 ELSE max(covered_at, ?1) END,
                    searched_since_at = min(coalesce(searched_since_at, ?2), ?2),
                    newest_place = max(coalesce(newest_place, ''), ?5)
                WHERE key = ?3
                """,
                (
                    (text_of(now), text_of(since), key, text_of(now + CLOCK_SLACK), newest)
                    for key, since in covered.items()
                ),
            )
            return papers_new

    def _record_papers(self, db: Database, papers: Sequence[Matched]) -> int:
        """A query has only one hit on a paper, the first one. A later version is a revision of the paper."""
        papers_new = 0
        revisions = Revisions(self._connection, self._editions)
        versions, latest_editions, known = self._seen_of([one.paper.id for one in papers])
        for one in papers:
            paper, latest = one.paper, latest_editions.get(one.paper.id)
            seen = versions.get(paper.id)
            fresh = [
                (key, is_past)
                for keys, is_past in ((one.query_keys, False), (one.past_keys, True))
                for key in keys
                if key not in known[paper.id]
            ]
            is_revision = seen is not None and paper.version > seen
            is_changed = latest is not None and latest.is_changed_by(paper)
            if not fresh and not is_revision and not is_changed:
                continue
            papers_new += seen is None and bool(one.query_keys)
            versions[paper.id] = max(seen or 0, paper.version)
            known[paper.id].update(key for key, _ in fresh)
            edition = revisions.keep_edition(db, paper, latest if is_changed else None)
            if latest is None or paper.version >= latest.version:
                latest_editions[paper.id] = Edition(edition, paper.version, checksum_of(paper))
            self._keep_hits(db, paper, edition, fresh)
            if is_revision:
                revisions.keep_revision(db, paper, edition)
        return papers_new

    @staticmethod
    def _keep_hits(db: Database, paper: Paper, edition: int, fresh: Sequence[tuple[str, bool]]) -> None:
        db.conn.executemany(
            """
            INSERT INTO hit (query, paper, edition, is_past)
            SELECT query.number, edition.paper, edition.number, ?
            FROM query, edition WHERE query.key = ? AND edition.number = ?
            """,
            ((is_past, key, edition) for key, is_past in fresh),
        )
        db.conn.executemany(
            "UPDATE query SET newest_hit = (SELECT max(number) FROM hit) WHERE key = ?",
            ((key,) for key, _ in fresh),
        )

    def _seen_of(
        self, ids: Sequence[ArxivId]
    ) -> tuple[dict[ArxivId, int], dict[ArxivId, Edition], defaultdict[ArxivId, set[str]]]:
        """Returns newest version, latest edition and keys of the queries that found it, for each seen paper.

        Archived editions are left out. CROSS JOIN makes SQLite start with the few ids, not with the many hits
        (https://sqlite.org/optoverview.html).
        """
        newest: dict[ArxivId, int] = {}
        latest_editions: dict[ArxivId, Edition] = {}
        known: defaultdict[ArxivId, set[str]] = defaultdict(set)
        asked = {code_of(one): one for one in ids}
        rows = self._connection.rows(
            """
            WITH seen AS MATERIALIZED (
                SELECT number, arxiv_id
                FROM json_each(?) AS asked CROSS JOIN paper ON paper.arxiv_id = asked.value
            )
            SELECT arxiv_id, version, NULL, edition.number, checksum
            FROM seen CROSS JOIN edition ON edition.paper = seen.number
            UNION ALL
            SELECT arxiv_id, version, NULL, NULL, NULL
            FROM seen CROSS JOIN revision ON revision.paper = seen.number
            UNION ALL
            SELECT arxiv_id, 0, query.key, NULL, NULL
            FROM seen
            CROSS JOIN hit ON hit.paper = seen.number
            CROSS JOIN query ON query.number = hit.query
            UNION ALL
            SELECT arxiv_id, version, query.key, NULL, NULL
            FROM seen
            CROSS JOIN past_hit ON past_hit.paper = seen.number
            CROSS JOIN query ON query.number = past_hit.query
            """,
            [json.dumps(list(asked))],
        )
        for code, version, key, number, checksum in rows:
            id_ = asked[code]
            newest[id_] = max(version, newest.get(id_, 0))
            if key is not None:
                known[id_].add(key)
            elif number is not None:
                latest = latest_editions.get(id_)
                if latest is None or (latest.version, latest.number) < (version, number):
                    latest_editions[id_] = Edition(number, version, checksum)
        return newest, latest_editions, known


def _age(paper: Paper) -> tuple[str, ArxivId]:
    """Returns a sort key for the age. A paper without a time is as old as the month of its id."""
    return text_of(paper.submitted_at) if paper.submitted_at else month_of(paper.id), paper.id
