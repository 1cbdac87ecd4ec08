"""How fast a store of 3,000,000 papers tells known papers from new ones, and how large it is."""

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import filling
from bench.figures import Figure, megabytes, seconds
from bench.filling import QUERIES
from bench.papers import papers
from digest.model.paper import ArxivId, Paper
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Matched

_PAPERS = 3_000_000
KNOWN, NEW = 1_500, 500
_REPEATS = 5
_MOST_SECONDS = 0.020
_MOST_BYTES = 1.5e9
NOW = datetime(2026, 7, 2, tzinfo=UTC)


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Time to diff, time to write down a fetch, size; beside them a set of ids kept in a JSON file."""
    count = max(10 * KNOWN, int(_PAPERS * scale))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "digest.db")
        began = time.monotonic()
        models = papers(9_000)
        filling.fill(path, models, count, NOW)
        again = known(models, count)
        sys.stderr.write(f"a store of {count:,} papers made in {seconds(time.monotonic() - began)}\n")
        with SqliteStore(path) as store:
            yield _diff(store, again, count, Path(folder, "seen.json"))
            yield _record(store, again, count)
        size = path.stat().st_size
        yield Figure(
            what=f"size of a store with {count:,} papers, full metadata",
            must="≤ 1,500 MB",
            ours=f"{megabytes(size)}: {_where_bytes_go(path)}",
            naive=f"{megabytes(Path(folder, 'seen.json').stat().st_size)} (ids alone)",
            is_held=size <= _MOST_BYTES,
        )


def _diff(store: SqliteStore, again: Sequence[Matched], count: int, ids: Path) -> Figure:
    """Known papers with the keywords that found them, and new ones that match none: nothing to write."""
    fetched = [*again, *(replace(one, query_keys=()) for one in unknown())]
    times = [_timed(store, fetched, {}) for _ in range(_REPEATS)]
    took = statistics.median(times)
    return Figure(
        what=f"diffing {len(fetched):,} ids against {count:,} papers",
        must="≤ 20 ms",
        ours=f"{seconds(took)} (the first time {seconds(times[0])})",
        naive=_naive(ids, count, [one.paper.id for one in fetched]),
        is_held=took <= _MOST_SECONDS,
    )


def _record(store: SqliteStore, again: Sequence[Matched], count: int) -> Figure:
    covered = {filling.key(number): NOW for number in range(QUERIES)}
    took = _timed(store, [*again, *unknown()], covered)
    return Figure(
        what=f"the same with {NEW} new papers written down and {QUERIES:,} queries covered",
        ours=seconds(took),
    )


def _timed(store: SqliteStore, fetched: Sequence[Matched], covered: Mapping[str, datetime]) -> float:
    began = time.perf_counter()
    store.record(fetched, covered=covered, now=NOW)
    return time.perf_counter() - began


def known(models: Sequence[Paper], count: int) -> list[Matched]:
    """Papers of the last weeks, as a look-back brings them again."""
    numbers = range(count - 3 * KNOWN, count, 3)
    return [
        Matched(
            paper=filling.stored(models, count, number),
            query_keys=tuple(map(filling.key, filling.hits(number))),
        )
        for number in numbers
    ]


def unknown() -> list[Matched]:
    return [
        Matched(paper=_paper(f"2607.{number:05}"), query_keys=tuple(map(filling.key, filling.hits(number))))
        for number in range(1, NEW + 1)
    ]


def _paper(arxiv_id: str) -> Paper:
    return Paper(
        id=ArxivId(arxiv_id),
        version=1,
        title="On nothing in particular",
        abstract="We say little, and show less. " * 40,
        authors=("Ada Example", "Bo Sample"),
        categories=("cs.LG",),
        submitted_at=NOW,
    )


def _naive(path: Path, count: int, fetched: Sequence[str]) -> str:
    path.write_text(
        json.dumps([filling.arxiv_id(number, count) for number in range(count)]), encoding="ascii"
    )
    began = time.perf_counter()
    seen = set(json.loads(path.read_text(encoding="ascii")))
    loaded = time.perf_counter()
    new = [one for one in fetched if one not in seen]
    done = time.perf_counter()
    if len(new) != NEW:
        raise RuntimeError(f"the naive loop finds {len(new)} new papers instead of {NEW}")
    return f"set from JSON: {seconds(loaded - began)} to load, {seconds(done - loaded)}"


def _where_bytes_go(path: Path) -> str:
    """The largest tables and indexes, where SQLite was built to tell."""
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("PRAGMA page_size").fetchone()
        try:
            # Not `pgsize`: for a whole table it wraps around at 4 GiB.
            rows = db.execute(
                "SELECT name, pageno FROM dbstat WHERE aggregate = 1 ORDER BY pageno DESC LIMIT 8"
            ).fetchall()
        except sqlite3.OperationalError:
            return "not known by table"
    return ", ".join(f"{name} {pages * page / 1e6:,.0f}" for name, pages in rows)
