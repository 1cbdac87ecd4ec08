"""What a fetch adds: decided in memory for all papers, written in a few statements."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from digest.model.paper import ArxivId, Paper
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.locks import last_number
from digest.storage.postgresql.row_mapping import checksum_of, row_of
from digest.storage.values import Matched


class Edition(NamedTuple):
    """The latest edition of a paper, with the checksum of its title, abstract and categories."""

    number: int
    version: int
    checksum: int

    def is_changed_by(self, paper: Paper) -> bool:
        return paper.version >= self.version and self.checksum != checksum_of(paper)


class Seen:
    """What is known of the fetched papers: newest versions, editions, and the queries that found them."""

    def __init__(self, db: Database, papers: Sequence[Matched]) -> None:
        self.versions: dict[ArxivId, int] = {}
        self.latest: dict[ArxivId, Edition] = {}
        self.editions: dict[tuple[ArxivId, int], int] = {}
        self.keys: defaultdict[ArxivId, set[str]] = defaultdict(set)
        for arxiv_id, version, key, number, checksum in _rows(db, papers):
            self.versions[arxiv_id] = max(version, self.versions.get(arxiv_id, 0))
            if key is not None:
                self.keys[arxiv_id].add(key)
            else:
                self.add(arxiv_id, Edition(number, version, checksum))

    def add(self, arxiv_id: ArxivId, edition: Edition) -> None:
        name = arxiv_id, edition.version
        self.editions[name] = max(edition.number, self.editions.get(name, 0))
        latest = self.latest.get(arxiv_id)
        if latest is None or (latest.version, latest.number) < (edition.version, edition.number):
            self.latest[arxiv_id] = edition

    def changed(self, papers: Sequence[Matched]) -> list[int]:
        """Returns the latest editions of the papers that have another text now."""
        latest = ((self.latest.get(one.paper.id), one.paper) for one in papers)
        return [edition.number for edition, paper in latest if edition and edition.is_changed_by(paper)]


class Recording:
    """The rows that a fetch adds. The caller holds `Lock.NUMBERING`."""

    def __init__(self, db: Database, seen: Seen, former: Mapping[int, Paper]) -> None:
        self._db, self._seen, self._texts = db, seen, dict(former)
        self._last_edition, self._last_hit = last_number(db, "edition"), last_number(db, "hit")
        self._last_revision, self._last_change = last_number(db, "revision"), last_number(db, "change")
        self._editions: list[tuple[int, Paper]] = []
        self._hits: list[tuple[ArxivId, str, int, bool]] = []
        self._revisions: list[tuple[ArxivId, int, int]] = []
        self._changes: list[tuple[ArxivId, int, int]] = []
        self._replaced: dict[int, int] = {}
        self.papers_new = 0

    def take(self, one: Matched) -> None:
        """Decides what is new about a paper.

        A query has only one hit on it, the first one. A later version is a revision of the paper.
        """
        paper, seen = one.paper, self._seen
        latest, version = seen.latest.get(paper.id), seen.versions.get(paper.id)
        fresh = [
            (key, is_past)
            for keys, is_past in ((one.query_keys, False), (one.past_keys, True))
            for key in keys
            if key not in seen.keys[paper.id]
        ]
        is_revision = version is not None and paper.version > version
        changed = latest if latest is not None and latest.is_changed_by(paper) else None
        if not fresh and not is_revision and changed is None:
            return
        self.papers_new += version is None and bool(one.query_keys)
        seen.versions[paper.id] = max(version or 0, paper.version)
        seen.keys[paper.id].update(key for key, _ in fresh)
        edition = self._edition_of(paper, changed)
        self._hits += ((paper.id, key, edition, is_past) for key, is_past in fresh)
        if is_revision:
            self._revisions.append((paper.id, edition, paper.version))

    def _edition_of(self, paper: Paper, changed: Edition | None) -> int:
        """Returns an edition of this version: one that is there, or a new one if the paper has `changed`."""
        known = self._seen.editions.get((paper.id, paper.version))
        if known is not None and changed is None:
            return known
        if changed is not None:
            paper = _completed(paper, self._texts[changed.number])
        number = self._last_edition + len(self._editions) + 1
        self._editions.append((number, paper))
        self._texts[number] = paper
        self._seen.add(paper.id, Edition(number, paper.version, checksum_of(paper)))
        if changed is not None:
            self._changes.append((paper.id, changed.number, number))
            if changed.version == paper.version:
                self._replaced[changed.number] = number
        return number

    def replaced(self) -> list[tuple[ArxivId, int]]:
        """Returns the versions that have another text from now on."""
        return [(self._texts[number].id, self._texts[number].version) for number in self._replaced.values()]

    def write(self) -> int:
        """Writes all rows. Returns the number of the last hit."""
        papers = self._numbers_of_papers()
        columns = "number, paper, version, title, abstract, authors, categories, submitted_at, updated_at"
        self._copy(
            f"edition ({columns}, comment, journal_ref, doi, checksum)",
            [[number, papers[one.id], *row_of(one)[1:], checksum_of(one)] for number, one in self._editions],
        )
        self._write_hits(papers)
        self._copy(
            "revision (number, paper, edition, version)",
            [
                [number, papers[one], edition, version]
                for number, (one, edition, version) in enumerate(self._revisions, self._last_revision + 1)
            ],
        )
        self._copy(
            "change (number, paper, before, after)",
            [
                [number, papers[one], before, after]
                for number, (one, before, after) in enumerate(self._changes, self._last_change + 1)
            ],
        )
        if self._revisions:
            self._db.execute(_NEWEST_REVISION, [self._last_revision])
        if self._changes:
            self._db.execute(_NEWEST_CHANGE, [self._last_change])
        return self._last_hit

    def _numbers_of_papers(self) -> dict[ArxivId, int]:
        ids = list({paper.id for _, paper in self._editions} | {row[0] for row in self._hits})
        ids += {row[0] for row in (*self._revisions, *self._changes)} - set(ids)
        if not ids:
            return {}
        self._db.execute(
            """
            INSERT INTO paper (arxiv_id)
            SELECT asked.arxiv_id FROM unnest(%s::text[]) AS asked (arxiv_id)
            WHERE NOT EXISTS (SELECT 1 FROM paper WHERE paper.arxiv_id = asked.arxiv_id)
            ON CONFLICT DO NOTHING
            """,
            [ids],
        )
        found = self._db.execute("SELECT arxiv_id, number FROM paper WHERE arxiv_id = ANY(%s)", [ids])
        return {ArxivId(arxiv_id): number for arxiv_id, number in found.fetchall()}

    def _write_hits(self, papers: Mapping[ArxivId, int]) -> None:
        """A hit on a version whose text changed since has the new text. Unknown queries have no hits."""
        if self._replaced:
            latest = [self._latest_text(edition) for edition in self._replaced]
            self._db.execute(_REPLACE, [list(self._replaced), latest])
        keys = list({key for _, key, _, _ in self._hits})
        found = self._db.execute("SELECT key, number FROM query WHERE key = ANY(%s)", [keys]).fetchall()
        queries: dict[str, int] = dict(found)
        rows = [
            [queries[key], papers[one], self._latest_text(edition), is_past]
            for one, key, edition, is_past in self._hits
            if key in queries
        ]
        numbered = [[number, *row] for number, row in enumerate(rows, self._last_hit + 1)]
        self._copy("hit (number, query, paper, edition, is_past)", numbered)
        newest = {query: number for number, query, *_ in numbered}
        if newest:
            self._db.execute(_NEWEST_HIT, [list(newest), list(newest.values())])
        self._last_hit += len(numbered)

    def _latest_text(self, edition: int) -> int:
        while edition in self._replaced:
            edition = self._replaced[edition]
        return edition

    def _copy(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        with self._db.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)


def _rows(db: Database, papers: Sequence[Matched]) -> list[tuple[Any, ...]]:
    return db.execute(
        """
        WITH seen AS MATERIALIZED (SELECT number, arxiv_id FROM paper WHERE arxiv_id = ANY(%s))
        SELECT arxiv_id, version, NULL, edition.number, checksum
        FROM seen JOIN edition ON edition.paper = seen.number
        UNION ALL
        SELECT arxiv_id, 0, query.key, NULL, NULL
        FROM seen JOIN hit ON hit.paper = seen.number JOIN query ON query.number = hit.query
        """,
        [list({one.paper.id for one in papers})],
    ).fetchall()


_REPLACE = """
UPDATE hit SET edition = replaced.after
FROM unnest(%s::bigint[], %s::bigint[]) AS replaced (before, after)
JOIN edition ON edition.number = replaced.before
WHERE hit.paper = edition.paper AND hit.edition = replaced.before
"""

_NEWEST_HIT = """
UPDATE query SET newest_hit = found.newest
FROM unnest(%s::bigint[], %s::bigint[]) AS found (query, newest) WHERE query.number = found.query
"""

_NEWEST_REVISION = """
UPDATE query SET newest_revision = found.newest
FROM (
    SELECT hit.query, max(revision.number) AS newest
    FROM revision JOIN hit ON hit.paper = revision.paper
    WHERE revision.number > %s GROUP BY hit.query
) AS found
WHERE query.number = found.query
"""

_NEWEST_CHANGE = """
UPDATE query SET newest_change = found.newest
FROM (
    SELECT hit.query, max(change.number) AS newest
    FROM change JOIN hit ON hit.paper = change.paper
    WHERE change.number > %s GROUP BY hit.query
) AS found
WHERE query.number = found.query
"""


def _completed(paper: Paper, known: Paper) -> Paper:
    """Fills missing fields of the paper from an earlier edition."""
    missing = ("submitted_at", "updated_at", "comment", "journal_ref", "doi")
    return replace(paper, **{name: getattr(known, name) for name in missing if getattr(paper, name) is None})
