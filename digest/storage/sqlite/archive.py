"""Old editions, put away: seldom read, and a fifth of their size.

A *shelf* holds `PLACES` editions in a row: edition `e` stands on shelf `e // PLACES`, at place
`e % PLACES`. Its papers can be read as before, and its hits, now *past hits*, count as before.
"""

import bz2
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from digest.model.paper import ArxivId, Paper
from digest.storage.sqlite.codec import LAST_CODE, Code, code_of, first_code, moment_of, parse_paper, text_of
from digest.storage.sqlite.connection import StateFile

PLACES = 512
"""About 900 KB of text, which is as much as bz2 compresses in one block."""

Row = Sequence[Any]
"""The columns of `COLUMNS`, as `parse_paper` takes them."""

COLUMNS = (
    "arxiv_id, version, title, abstract, authors, categories, submitted_at, updated_at, comment,"
    " journal_ref, doi"
)
_SUBMITTED_AT = 6

_MOST_SHELVES = 8
_MARGIN = timedelta(days=14)
_CACHED_EDITIONS = 5_000


def packed(rows: Sequence[Row | None]) -> bytes:
    """The editions of one shelf, in the order of their places."""
    return bz2.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())


def kept_since(now: datetime, lookback: timedelta) -> datetime:
    """Papers that were submitted since then are not put away: fetches and first digests look for them."""
    return now - lookback - _MARGIN


class Archive(StateFile):
    """The part of the store that knows the texts of papers."""

    def __init__(self, path: Path, *, patience: float | None = None, keeps_former: bool = True) -> None:
        self._editions: dict[int, Paper] = {}
        self._numbers: dict[tuple[ArxivId, int], int] = {}
        super().__init__(path, patience=patience, keeps_former=keeps_former)

    def forget(self) -> None:
        self._editions.clear()
        self._numbers.clear()
        self._db.execute("PRAGMA shrink_memory")

    def archive(self, *, now: datetime, lookback: timedelta) -> int:
        with self._transaction() as db:
            shelves = self._old_shelves(now, lookback)
            served = self._served_up_to() if shelves else {}
            last = self._one("SELECT max(number) FROM hit")
            shelved = 0
            for shelf in shelves:
                if shelved == _MOST_SHELVES:
                    break
                hits = self._rows("SELECT query, number FROM hit WHERE edition BETWEEN ? AND ?", _span(shelf))
                # Hits and cursors are numbered from the last hit there is: it stays.
                if all(number != last and number <= served.get(query, number) for query, number in hits):
                    self._put_away(db, shelf)
                    shelved += 1
            return shelved

    def _served_up_to(self) -> dict[int, int]:
        """For each query: the hit up to which all its subscribers were served, but for those who get no
        mail.
        """
        return dict(
            self._rows(
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
        """Those whose editions are all there and all old, even if the clock is far ahead of arXiv's papers.

        An edition without a time is as old as its id. The last edition stays: new ones are numbered from it.
        """
        newest = self._one("SELECT max(submitted_at) FROM edition")
        since = kept_since(min(now, moment_of(newest)) if newest else now, lookback)
        rows = self._rows(
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
            [PLACES, text_of(since), first_code(since), LAST_CODE],
        )
        return [shelf for (shelf,) in rows]

    def _put_away(self, db: Database, shelf: int) -> None:
        span = _span(shelf)
        rows = dict(self._live(span, "edition.number BETWEEN ? AND ?"))
        places = [rows.get(number) for number in range(span[0], span[1] + 1)]
        newest = max((row[_SUBMITTED_AT] for row in rows.values() if row[_SUBMITTED_AT]), default=None)
        db.execute("INSERT INTO shelf VALUES (?, ?, ?)", [shelf, newest, packed(places)])
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

    def _papers(self, numbers: Iterable[int]) -> Mapping[int, Paper]:
        """The papers of these editions; the latest used are kept, since subscribers share them."""
        wanted = set(numbers)
        known = {number: self._editions[number] for number in wanted if number in self._editions}
        missing = sorted(wanted - known.keys())
        chosen = "edition.number IN (SELECT value FROM json_each(?))"
        found = dict(self._live([json.dumps(missing)], chosen))
        found.update(self._shelved(number for number in missing if number not in found))
        if len(self._editions) + len(found) > _CACHED_EDITIONS:
            self._editions.clear()
        fresh = {number: parse_paper(row) for number, row in found.items()}
        self._editions.update(fresh)
        return known | fresh

    def _live(self, values: Sequence[object], chosen: str) -> Iterator[tuple[int, Row]]:
        rows = self._rows(
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
            rows = _unpacked(self._one("SELECT papers FROM shelf WHERE number = ?", [shelf]))
            yield from ((number, rows[number % PLACES]) for number in wanted)

    def _shelved_since(self, moment: datetime) -> list[tuple[int, Code]]:
        """The shelved editions of papers that were submitted since then, with the codes of their ids."""
        since = text_of(moment)
        shelves = self._rows("SELECT number, papers FROM shelf WHERE newest_submitted_at >= ?", [since])
        return [
            (shelf * PLACES + place, row[0])
            for shelf, papers in shelves
            for place, row in enumerate(_unpacked(papers))
            if row and row[_SUBMITTED_AT] and row[_SUBMITTED_AT] >= since
        ]

    def _edition_number(self, paper: Paper) -> int:
        """An edition of this version; the latest used are kept, since a day's digests share them."""
        name = paper.id, paper.version
        if name not in self._numbers:
            if len(self._numbers) >= _CACHED_EDITIONS:
                self._numbers.clear()
            self._numbers[name] = self._newest_edition(paper)
        return self._numbers[name]

    def _newest_edition(self, paper: Paper) -> int:
        """The later one, where it was seen again after it was put away."""
        return int(
            self._one(
                """
                WITH wanted AS (SELECT number AS paper, ?2 AS version FROM paper WHERE arxiv_id = ?1)
                SELECT max(edition) FROM (
                    SELECT edition.number AS edition FROM wanted CROSS JOIN edition USING (paper, version)
                    UNION ALL SELECT edition FROM wanted CROSS JOIN past_hit USING (paper, version)
                    UNION ALL SELECT edition FROM wanted CROSS JOIN revision USING (paper, version)
                )
                """,
                [code_of(paper.id), paper.version],
            )
        )


def _span(shelf: int) -> tuple[int, int]:
    return shelf * PLACES, (shelf + 1) * PLACES - 1


def _unpacked(papers: bytes) -> list[Any]:
    rows: list[Any] = json.loads(bz2.decompress(papers))
    return rows
