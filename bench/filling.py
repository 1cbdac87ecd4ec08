"""A store that has seen papers for ten years, made through the store's own tables and not by its methods."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.papers import Paper
from digest.store.rows import text_of
from digest.store.sqlite import SqliteStore

QUERIES = 10_000

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


def arxiv_id(paper: int, count: int) -> str:
    """Of `count` papers, which ten years brought evenly, the one with this number, from 0."""
    year, month, place, _ = _announced(paper, count)
    return f"{year % 100:02}{month:02}.{place + 1:05}"


def fill(path: Path, models: Sequence[Paper], count: int) -> None:
    """A store in `path` with `count` papers, whose texts are those of `models`, over and over."""
    SqliteStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO query (number, key, covered_at) VALUES (?, ?, '2026-07-01T00:00:00+00:00')",
            ((number + 1, key(number)) for number in range(QUERIES)),
        )
        db.executemany(
            "INSERT INTO paper (number, arxiv_id) VALUES (?, ?)",
            ((number + 1, arxiv_id(number, count)) for number in range(count)),
        )
        db.executemany(
            """
            INSERT INTO edition (number, paper, version, title, abstract, authors, categories, comment,
                submitted_at, updated_at)
            VALUES (?1, ?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
            """,
            _editions(models, count),
        )
        db.executemany(
            "INSERT INTO hit (query, paper, edition) VALUES (?1, ?2, ?2)",
            ((query + 1, number + 1) for number in range(count) for query in hits(number)),
        )
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")


def _editions(models: Sequence[Paper], count: int) -> Iterator[tuple[object, ...]]:
    texts = [
        (
            paper.title,
            paper.abstract,
            json.dumps(paper.authors, ensure_ascii=False),
            json.dumps(paper.categories),
            paper.comment,
        )
        for paper in models
    ]
    for number in range(count):
        submitted_at = text_of(_announced(number, count)[3])
        yield (number + 1, *texts[number % len(texts)], submitted_at)


def _announced(paper: int, count: int) -> tuple[int, int, int, datetime]:
    """Year, month, place within the month, and the moment of submission."""
    per_month = -(-count // _MONTHS)
    months_ago = _MONTHS - 1 - paper // per_month
    place = paper % per_month
    year, month = divmod(_LAST_YEAR * 12 + _LAST_MONTH - 1 - months_ago, 12)
    begun_at = datetime(year, month + 1, 1, tzinfo=UTC)
    return year, month + 1, place, begun_at + place * timedelta(days=28) / per_month
