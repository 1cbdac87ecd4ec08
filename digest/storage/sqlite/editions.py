"""The editions (texts) of papers: recent ones as rows, old ones in archive blocks.

An archive block (table `shelf`) holds `PLACES` editions in a row: edition `e` is in block `e // PLACES`, at
place `e % PLACES`. Its papers can be read as before, and its hits, now *past hits*, count as before.
"""

import bz2
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from digest.model.paper import Paper
from digest.storage.limits import CACHED_EDITIONS
from digest.storage.news_facts import KnownHits
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.row_mapping import Code, code_of, parse_paper, text_of

PLACES = 512
"""About 900 KB of text, which is as much as bz2 compresses in one block."""

Row = Sequence[Any]
"""The values of `COLUMNS`, for `parse_paper`."""

COLUMNS = (
    "arxiv_id, version, title, abstract, authors, categories, submitted_at, updated_at, comment,"
    " journal_ref, doi"
)
SUBMITTED_AT = 6


def packed(rows: Sequence[Row | None]) -> bytes:
    """Compresses the editions of one archive block, in the order of their places."""
    return bz2.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())


class Editions:
    """Reads editions from rows and archive blocks, and caches them. `hits` are the hits with them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.hits = KnownHits()
        self._papers: dict[int, Paper] = {}
        self._numbers: dict[int, tuple[Paper, int]] = {}
        self._since: tuple[str, list[int]] = ("", [])

    def forget(self) -> None:
        self.hits.forget()
        self._papers.clear()
        self._numbers.clear()
        self._since = ("", [])

    def read(self, numbers: Iterable[int]) -> Mapping[int, Paper]:
        """Returns the papers of these editions. They are cached, because subscribers share them."""
        wanted = set(numbers)
        known = {number: self._papers[number] for number in wanted if number in self._papers}
        missing = sorted(wanted - known.keys())
        if not missing:
            return known
        chosen = "edition.number IN (SELECT value FROM json_each(?))"
        found = dict(self.live([json.dumps(missing)], chosen))
        found.update(self._shelved(number for number in missing if number not in found))
        if len(self._papers) + len(found) > CACHED_EDITIONS:
            self._papers.clear()
        fresh = {number: parse_paper(row) for number, row in found.items()}
        self._papers.update(fresh)
        return known | fresh

    def live(self, values: Sequence[object], chosen: str) -> Iterator[tuple[int, Row]]:
        rows = self._connection.rows(
            f"""
            SELECT edition.number, {COLUMNS}
            FROM edition JOIN paper ON paper.number = edition.paper
            WHERE {chosen}
            """,  # noqa: S608 (both are written here)
            values,
        )
        return ((row[0], row[1:]) for row in rows)

    def _shelved(self, numbers: Iterable[int]) -> Iterator[tuple[int, Row]]:
        for shelf, wanted in groupby(sorted(numbers), key=lambda number: number // PLACES):
            rows = unpacked(self._connection.one("SELECT papers FROM shelf WHERE number = ?", [shelf]))
            yield from ((number, rows[number % PLACES]) for number in wanted)

    def shelves_since(self, moment: datetime) -> list[int]:
        """Returns the archive blocks with papers submitted since then, usually none.

        Cached, since all subscribers of a run have the same look-back. A run archives no such papers.
        """
        since = text_of(moment)
        if self._since[0] != since:
            rows = self._connection.rows("SELECT number FROM shelf WHERE newest_submitted_at >= ?", [since])
            self._since = (since, [number for (number,) in rows])
        return self._since[1]

    def shelved_since(self, moment: datetime) -> list[tuple[int, Code]]:
        """Returns the archived editions of papers submitted since then, with the codes of their ids."""
        since = text_of(moment)
        shelves = self._connection.rows(
            "SELECT number, papers FROM shelf WHERE newest_submitted_at >= ?", [since]
        )
        return [
            (shelf * PLACES + place, row[0])
            for shelf, papers in shelves
            for place, row in enumerate(unpacked(papers))
            if row and row[SUBMITTED_AT] and row[SUBMITTED_AT] >= since
        ]

    def listed(self, numbers: Sequence[int]) -> tuple[Paper, ...]:
        """Returns papers of the list of announced papers (`listed_papers`), in the order of `numbers`."""
        rows = self._connection.rows(
            'SELECT number, "row" FROM listed_paper WHERE number IN (SELECT value FROM json_each(?))',
            [json.dumps(numbers)],
        )
        found = {number: parse_paper(json.loads(row)) for number, row in rows}
        return tuple(found[number] for number in numbers if number in found)

    def number_of(self, paper: Paper) -> int:
        """Returns an edition of this version.

        It is cached for this object, because the digests of a day share it.
        """
        known = self._numbers.get(id(paper))  # it keeps the paper, so that no other gets its id
        if known is not None:
            return known[1]
        if len(self._numbers) >= CACHED_EDITIONS:
            self._numbers.clear()
        number = self._newest_edition(paper)
        self._numbers[id(paper)] = paper, number
        return number

    def _newest_edition(self, paper: Paper) -> int:
        """Returns the later edition, if the version was seen again after it was archived."""
        return int(
            self._connection.one(
                """
                SELECT edition FROM paper CROSS JOIN known_edition ON known_edition.paper = paper.number
                WHERE arxiv_id = ? AND version = ? ORDER BY edition DESC LIMIT 1
                """,
                [code_of(paper.id), paper.version],
            )
        )

    def forget_numbers(self) -> None:
        """Call it when a version has a new edition."""
        self._numbers.clear()


class Part:
    """A part of the store for one subject. All parts share the connection and the editions.

    No part inherits from another one. Code that several parts need within a transaction is a function, which
    takes the database of the transaction and is in the module of its subject.
    """

    def __init__(self, connection: Connection, editions: Editions) -> None:
        self._connection = connection
        self._editions = editions


def span_of(shelf: int) -> tuple[int, int]:
    return shelf * PLACES, (shelf + 1) * PLACES - 1


def unpacked(papers: bytes) -> list[Any]:
    rows: list[Any] = json.loads(bz2.decompress(papers))
    return rows
