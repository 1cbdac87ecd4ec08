"""How long it takes to hold a day's papers against all queries."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bench.figures import Figure, seconds
from bench.papers import keywords, papers
from digest.keywords.analysis import stem
from digest.keywords.index import QueryIndex, matches
from digest.keywords.query import Query, parse
from digest.model.paper import Paper

_PAPERS = 1_500
_QUERIES = (100, 1_000, 10_000)
_REPEATS = 3
_SOURCE_PAPERS = 9_000

_T = TypeVar("_T")


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Seconds of one core for one day, at three numbers of queries; beside it both naive loops."""
    known = papers(max(600, int(_SOURCE_PAPERS * scale)))
    day = known[: max(1, int(_PAPERS * scale))]
    texts = keywords(known, max(100, int(_QUERIES[-1] * scale)))
    all_queries = tuple(parse(text) for text in texts)
    base = 0.0
    for wanted in _QUERIES:
        queries = all_queries[: max(10, int(wanted * scale))]
        built, matched, hits = min(_timed(queries, day) for _ in range(_REPEATS))
        total = built + matched
        base = base or total
        is_last = wanted == _QUERIES[-1]
        yield Figure(
            what=f"matching {len(day):,} papers against {len(queries):,} queries ({hits:,} hits)",
            must="≤ 1 s, ≤ 4 × the time for 100" if is_last else "",
            ours=f"{seconds(total)}, {total / base:.1f} × (index {seconds(built)})",
            naive=_naive(queries, day),
            is_held=total <= 1 and total <= 4 * base if is_last else None,
        )


def _timed(queries: Sequence[Query], day: Sequence[Paper]) -> tuple[float, float, int]:
    """Seconds to build the index, seconds to match, and hits: as in a fetch, with no stem known before."""
    stem.cache_clear()
    index, built = _clocked(lambda: QueryIndex(queries))
    hits, matched = _clocked(lambda: sum(len(index.matches(paper)) for paper in day))
    return built, matched, hits


def _naive(queries: Sequence[Query], day: Sequence[Paper]) -> str:
    """Each query alone, and looking for its text as it stands: on a sample, then multiplied."""
    some_queries = queries[:: max(1, len(queries) // 50)]
    some_papers = day[:: max(1, len(day) // 20)]
    _, alone = _clocked(lambda: sum(matches(query, paper) for query in some_queries for paper in some_papers))
    alone *= len(queries) * len(day) / (len(some_queries) * len(some_papers))
    texts = [query.text.lower() for query in queries]
    more_papers = day[:: max(1, len(day) // 150)]

    def substrings() -> int:
        lowered = ((paper.title + "\n" + paper.abstract).lower() for paper in more_papers)
        return sum(text in paper for paper in lowered for text in texts)

    _, plain = _clocked(substrings)
    plain *= len(day) / len(more_papers)
    return f"one by one {seconds(alone)}, substrings {seconds(plain)} (both extrapolated)"


def _clocked(work: Callable[[], _T]) -> tuple[_T, float]:
    began = time.process_time()
    return work(), time.process_time() - began
