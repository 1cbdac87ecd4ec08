"""The editions (texts) of papers, each a row.

There are no archive blocks as in SQLite: indexes of PostgreSQL read old rows no slower than new ones, the
disk of a server has room for 2 KB a paper, and a block that is packed anew would lock more than it saves.
"""

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from digest.model.paper import ArxivId, Paper
from digest.storage.limits import CACHED_EDITIONS
from digest.storage.news_facts import KnownHits
from digest.storage.postgresql.connection import Connection
from digest.storage.postgresql.row_mapping import parse_listed, parse_paper

COLUMNS = (
    "arxiv_id, version, title, abstract, authors, categories, submitted_at, updated_at, comment,"
    " journal_ref, doi"
)


class Editions:
    """Reads editions, and caches them. `hits` are the hits with them, for one call `one_at_a_time`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.hits = KnownHits()
        self.one_at_a_time = Lock()
        self._papers: dict[int, Paper] = {}
        self._numbers: dict[tuple[ArxivId, int], int] = {}

    def forget(self) -> None:
        with self.one_at_a_time:
            self.hits.forget()
        self._papers = {}
        self._numbers = {}

    def read(self, numbers: Iterable[int]) -> Mapping[int, Paper]:
        """Returns the papers of these editions. They are cached, because subscribers share them."""
        wanted = set(numbers)
        cached = self._papers
        known = {number: cached[number] for number in wanted if number in cached}
        missing = sorted(wanted - known.keys())
        if not missing:
            return known
        fresh = {row[0]: parse_paper(row[1:]) for row in self._rows(missing)}
        if len(cached) + len(fresh) > CACHED_EDITIONS:
            self._papers = cached = {}
        cached.update(fresh)
        return known | fresh

    def _rows(self, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        return self._connection.rows(
            f"""
            SELECT edition.number, {COLUMNS}
            FROM edition JOIN paper ON paper.number = edition.paper
            WHERE edition.number = ANY(%s)
            """,  # noqa: S608 (written here)
            [numbers],
        )

    def listed(self, numbers: Sequence[int]) -> tuple[Paper, ...]:
        """Returns papers of the list of announced papers (`listed_papers`), in the order of `numbers`."""
        rows = self._connection.rows(
            'SELECT number, "row" FROM listed_paper WHERE number = ANY(%s)', [list(numbers)]
        )
        found = {number: parse_listed(row) for number, row in rows}
        return tuple(found[number] for number in numbers if number in found)

    def numbers_of(self, papers: Iterable[Paper]) -> Mapping[tuple[ArxivId, int], int]:
        """Returns the latest edition of each of these versions. They are cached: digests share them."""
        wanted = {(paper.id, paper.version) for paper in papers}
        cached = self._numbers
        known = {name: number for name in wanted if (number := cached.get(name))}
        missing = list(wanted - known.keys())
        if not missing:
            return known
        rows = self._connection.rows(
            """
            SELECT asked.arxiv_id, asked.version, max(edition.number)
            FROM unnest(%s::text[], %s::integer[]) AS asked (arxiv_id, version)
            JOIN paper ON paper.arxiv_id = asked.arxiv_id
            JOIN edition ON edition.paper = paper.number AND edition.version = asked.version
            GROUP BY 1, 2
            """,
            [[one for one, _ in missing], [version for _, version in missing]],
        )
        fresh = {(ArxivId(arxiv_id), version): number for arxiv_id, version, number in rows}
        if len(cached) + len(fresh) > CACHED_EDITIONS:
            self._numbers = cached = {}
        cached.update(fresh)
        return known | fresh

    def forget_number(self, arxiv_id: ArxivId, version: int) -> None:
        """Removes a version from the cache. Call it when the version has a new edition."""
        self._numbers.pop((arxiv_id, version), None)


class Part:
    """A part of the store for one subject. All parts share the connection and the editions.

    No part inherits from another one. Code that several parts need within a transaction is a function, which
    takes the database of the transaction and is in the module of its subject.
    """

    def __init__(self, connection: Connection, editions: Editions) -> None:
        self._connection = connection
        self._editions = editions
