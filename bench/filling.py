"""A store that has seen papers for ten years, made through the store's own tables and not by its methods."""

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from digest.model.paper import ArxivId, Paper
from digest.storage.sqlite.archive import kept_since
from digest.storage.sqlite.editions import COLUMNS, PLACES, Row, packed
from digest.storage.sqlite.row_mapping import checksum, code_of, parse_paper, text_of
from digest.storage.sqlite.store import SqliteStore

QUERIES = 10_000
LOOKBACK = timedelta(days=16)

_MONTHS = 120
_LAST_YEAR = 2026
_LAST_MONTH = 6


def key(query: int) -> str:
    """The key of one of `QUERIES` queries."""
    return f':"word{query} other{query % 97}"'


def hits(paper: int) -> tuple[int, ...]:
    """The one or two queries that found a paper."""
    first = paper * 7_919 % QUERIES
    return (first,) if paper % 2 else (first, (first + 1 + paper % 4_999) % QUERIES)


def arxiv_id(paper: int, count: int) -> ArxivId:
    """Of `count` papers, which ten years brought evenly, the one with this number, from 0."""
    year, month, place, _ = _announced(paper, count)
    return ArxivId(f"{year % 100:02}{month:02}.{place + 1:05}")


def fill(path: Path, models: Sequence[Paper], count: int, now: datetime) -> None:
    """A store in `path` with `count` papers, whose texts are those of `models`, over and over.

    Old ones stand on shelves, as by `now` the daemon would have put them away; no two shelves are the same.
    """
    SqliteStore(path).close()
    shelves = _old_shelves(count, text_of(kept_since(now, LOOKBACK)))
    kept = range(max(0, shelves * PLACES - 1), count)
    editions = partial(_edition, [_text(paper) for paper in models], count)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, ThreadPoolExecutor() as pool:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO query (number, key, covered_at) VALUES (?, ?, '2026-07-01T00:00:00+00:00')",
            ((number + 1, key(number)) for number in range(QUERIES)),
        )
        db.executemany(
            "INSERT INTO paper (number, arxiv_id) VALUES (?, ?)",
            ((number + 1, code_of(arxiv_id(number, count))) for number in range(count)),
        )
        db.executemany(
            "INSERT INTO shelf VALUES (?, ?, ?)", pool.map(partial(_shelf, editions), range(shelves))
        )
        kept_rows = ((number, editions(number)) for number in kept)
        db.executemany(
            f"INSERT INTO edition (number, paper, {COLUMNS.removeprefix('arxiv_id, ')}, checksum)"  # noqa: S608
            " VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            ((number + 1, *row[1:], checksum(row[2], row[3], row[5])) for number, row in kept_rows),
        )
        db.executemany(
            "INSERT INTO past_hit (paper, query, number, edition, version) VALUES (?1, ?2, ?3, ?1, 1)",
            _hits(range(kept.start)),
        )
        db.executemany(
            "INSERT INTO hit (paper, query, number, edition) VALUES (?1, ?2, ?3, ?1)",
            (one for one in _hits(range(count)) if one[0] > kept.start),
        )
        for column, table in (
            ("newest_past_hit", "past_hit"),
            ("newest_hit", "past_hit"),
            ("newest_hit", "hit"),
        ):
            db.execute(
                f"UPDATE query SET {column} = newest"  # noqa: S608
                f" FROM (SELECT query, max(number) AS newest FROM {table} GROUP BY query) AS found"
                " WHERE found.query = query.number"
            )
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")


def _old_shelves(count: int, kept_since: str) -> int:
    """How many shelves are full of papers from before then, the first of which has no edition 0."""
    old = bisect_left(range(count), kept_since, key=lambda number: text_of(_announced(number, count)[3]))
    return (min(old, count - 1) + 1) // PLACES


def _shelf(editions: Callable[[int], Row], shelf: int) -> tuple[int, object, bytes]:
    numbers = range(shelf * PLACES - 1, (shelf + 1) * PLACES - 1)
    rows = [editions(number) if number >= 0 else None for number in numbers]
    return shelf, rows[-1] and rows[-1][6], packed(rows)


def _hits(papers: Iterable[int]) -> Iterator[tuple[int, int, int]]:
    """Paper, query and number of the hits, from 1."""
    found = ((paper + 1, query + 1) for paper in papers for query in hits(paper))
    return ((paper, query, number) for number, (paper, query) in enumerate(found, start=1))


def _text(paper: Paper) -> tuple[str, str, str, str, str | None]:
    authors, categories = json.dumps(paper.authors, ensure_ascii=False), json.dumps(paper.categories)
    return paper.title, paper.abstract, authors, categories, paper.comment


def stored(models: Sequence[Paper], count: int, number: int) -> Paper:
    """A paper as the store has it."""
    return parse_paper(_edition([_text(models[number % len(models)])], count, number))


def _edition(texts: Sequence[tuple[str, str, str, str, str | None]], count: int, number: int) -> Row:
    *text, comment = texts[number % len(texts)]
    at = text_of(_announced(number, count)[3])
    return (code_of(arxiv_id(number, count)), 1, *text, at, at, comment, None, None)


def _announced(paper: int, count: int) -> tuple[int, int, int, datetime]:
    """Year, month, place within the month, and the moment of submission."""
    per_month = -(-count // _MONTHS)
    months_ago = _MONTHS - 1 - paper // per_month
    place = paper % per_month
    year, month = divmod(_LAST_YEAR * 12 + _LAST_MONTH - 1 - months_ago, 12)
    begun_at = datetime(year, month + 1, 1, tzinfo=UTC)
    return year, month + 1, place, begun_at + place * timedelta(days=28) / per_month
