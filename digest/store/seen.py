"""What this installation has seen: which query found which paper, and how far each was fetched."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from sqlite_utils import Database

from digest.papers import ArxivId, Paper, month_of
from digest.store import Matched, shelves
from digest.store.revisions import Revisions
from digest.store.rows import Code, code_of, id_of, moment_of, text_of

_ALWAYS = "9999"
"""After every moment: an edition of which it is not known how old it is has to be looked at."""


class Seen(Revisions):
    """The part of the store that knows the hits."""

    def covered_at(self) -> Mapping[str, datetime]:
        rows = self._rows("SELECT key, covered_at FROM query WHERE covered_at IS NOT NULL")
        return {key: moment_of(covered_at) for key, covered_at in rows}

    def recent_hits(self, *, since: datetime) -> Mapping[str, frozenset[ArxivId]]:
        found: dict[str, set[ArxivId]] = defaultdict(set)
        rows = self._rows(
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
        """None, unless the look-back grew or a fetch failed for weeks; then it reads whole shelves."""
        editions = self._shelved_since(since)
        return self._rows(
            """
            SELECT query.key, paper.arxiv_id
            FROM json_each(?) AS asked
            CROSS JOIN paper ON paper.arxiv_id = json_extract(asked.value, '$[1]')
            CROSS JOIN past_hit
                ON past_hit.paper = paper.number AND past_hit.edition = json_extract(asked.value, '$[0]')
            CROSS JOIN query ON query.number = past_hit.query
            """,
            [json.dumps(editions)],
        )

    def searched_since(self) -> Mapping[str, datetime]:
        rows = self._rows("SELECT key, searched_since_at FROM query WHERE searched_since_at IS NOT NULL")
        return {key: moment_of(searched_since_at) for key, searched_since_at in rows}

    def newest_papers(self, query_key: str, *, limit: int) -> tuple[Paper, ...]:
        """Reads editions until no other can be newer; of a shelved one its shelf tells how new it may be."""
        with self._snapshot():
            rows = self._rows(
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
                [query_key, shelves.PLACES],
            )
            newest: list[Paper] = []
            later = sorted(((bound or _ALWAYS, number) for number, bound in rows), reverse=True)
            for bound, group in groupby(later, key=itemgetter(0)):
                if len(newest) == limit and _age(newest[-1])[0] > bound:
                    break
                papers = self._papers(number for _, number in group)
                newest = sorted((*newest, *papers.values()), key=_age, reverse=True)[:limit]
            return tuple(newest)

    def record(self, papers: Iterable[Matched], *, covered: Mapping[str, datetime], now: datetime) -> int:
        with self._transaction() as db:
            papers_new = self._record_papers(db, tuple(papers))
            db.conn.executemany(
                """
                UPDATE subscription SET began_after = (SELECT coalesce(max(number), 0) FROM hit)
                WHERE began_after IS NULL AND query = (SELECT number FROM query WHERE key = ?)
                """,
                ((key,) for key in covered),
            )
            db.conn.executemany(
                """
                UPDATE query
                SET covered_at = ?1, searched_since_at = min(coalesce(searched_since_at, ?2), ?2)
                WHERE key = ?3
                """,
                ((text_of(now), text_of(since), key) for key, since in covered.items()),
            )
            return papers_new

    def _record_papers(self, db: Database, papers: Sequence[Matched]) -> int:
        """A query's first hit on a paper stands for good: a later version is a revision of the paper."""
        papers_new = 0
        newest, known = self._seen_of([one.paper.id for one in papers])
        for one in papers:
            paper = one.paper
            seen = newest.get(paper.id)
            fresh = [key for key in one.query_keys if key not in known[paper.id]]
            is_revision = seen is not None and paper.version > seen
            if not fresh and not is_revision:
                continue
            papers_new += seen is None
            newest[paper.id] = max(seen or 0, paper.version)
            known[paper.id].update(fresh)
            self._keep_edition(db, paper)
            db.conn.executemany(
                """
                INSERT INTO hit (query, paper, edition)
                SELECT query.number, paper.number, edition.number
                FROM query, paper JOIN edition ON edition.paper = paper.number AND edition.version = ?
                WHERE query.key = ? AND paper.arxiv_id = ?
                """,
                ((paper.version, key, code_of(paper.id)) for key in fresh),
            )
            db.conn.executemany(
                "UPDATE query SET newest_hit = (SELECT max(number) FROM hit) WHERE key = ?",
                ((key,) for key in fresh),
            )
            if is_revision:
                self._keep_revision(db, paper)
        return papers_new

    def _seen_of(self, ids: Sequence[ArxivId]) -> tuple[dict[ArxivId, int], defaultdict[ArxivId, set[str]]]:
        """Of those papers that were seen: the newest version, and the keys of the queries that found it.

        CROSS JOIN has SQLite begin at the few ids, not at the many hits (https://sqlite.org/optoverview.html).
        """
        newest: dict[ArxivId, int] = {}
        known: defaultdict[ArxivId, set[str]] = defaultdict(set)
        asked = {code_of(one): one for one in ids}
        rows = self._rows(
            """
            WITH seen AS MATERIALIZED (
                SELECT number, arxiv_id
                FROM json_each(?) AS asked CROSS JOIN paper ON paper.arxiv_id = asked.value
            )
            SELECT arxiv_id, version, NULL FROM seen CROSS JOIN edition ON edition.paper = seen.number
            UNION ALL
            SELECT arxiv_id, version, NULL FROM seen CROSS JOIN revision ON revision.paper = seen.number
            UNION ALL
            SELECT arxiv_id, 0, query.key
            FROM seen
            CROSS JOIN hit ON hit.paper = seen.number
            CROSS JOIN query ON query.number = hit.query
            UNION ALL
            SELECT arxiv_id, version, query.key
            FROM seen
            CROSS JOIN past_hit ON past_hit.paper = seen.number
            CROSS JOIN query ON query.number = past_hit.query
            """,
            [json.dumps(list(asked))],
        )
        for code, version, key in rows:
            newest[asked[code]] = max(version, newest.get(asked[code], 0))
            if key is not None:
                known[asked[code]].add(key)
        return newest, known


def _age(paper: Paper) -> tuple[str, ArxivId]:
    """A paper without a time is as old as the month of its id."""
    return text_of(paper.submitted_at) if paper.submitted_at else month_of(paper.id), paper.id
