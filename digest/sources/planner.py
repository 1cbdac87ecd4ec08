"""Chooses the source for each keyword, so that the number of requests is minimal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter

from digest.keywords.query import Query, is_asked_exactly
from digest.sources.base import MANY, Source
from digest.sources.window import HELD, Coverage, Window

_UNKNOWN_RESULTS = 50
"""The assumed number of papers in the look-back for an unknown keyword."""

_WIDER = 5
_WIDEST = 1_500
"""The assumed factor (`_WIDER`) and least number of papers, if arXiv's search is wider than the keyword.

The real number is unknown: `=modelled` is searched by its stem, which half of all papers have, and a person
by the surname.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchBatch:
    """Keywords with the same window, and the sources that can cover it, the cheapest first.

    `requests` is the estimate for the first of them.
    """

    queries: tuple[Query, ...]
    window: Window
    sources: tuple[Source, ...]
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demand:
    """The demand on a fetch batch: `expected` papers."""

    queries: tuple[Query, ...]
    window: Window
    expected: int = field(default=0)


def plan(
    queries: Sequence[Query],
    sources: Sequence[Source],
    *,
    coverage: Mapping[str, Coverage],
    results: Mapping[str, int],
    now: datetime,
    lookback: timedelta,
) -> tuple[FetchBatch, ...]:
    """One batch for all keywords, or one for the known and one for those that need the whole look-back.

    `coverage` has by query key how far a keyword was fetched, and `results` how many papers of the look-back
    it finds.
    """
    deep, known = _parted(queries, coverage, now, lookback)
    recent = _recent([coverage[query.key] for query in known], now, lookback)
    backlog = Window(announced_since=now - lookback, submitted_since=now - lookback, until=now)
    # For keywords whose look-back has grown, also their usual window.
    if shallow := [coverage[query.key] for query in deep if query.key in coverage]:
        backlog = _both(_recent(shallow, now, lookback), backlog)
    expected = {query.key: _expected(query, results) for query in queries}
    share = (now - recent.submitted_since) / lookback
    demands = [
        _Demand(queries=some, window=window, expected=round(times * sum(expected[one.key] for one in some)))
        for some, window, times in ((known, recent, share), (deep, backlog, 1.0))
        if some
    ]
    apart = tuple(_batch(sources, demand) for demand in demands)
    if len(apart) < 2:
        return apart
    wide = _both(recent, backlog)
    together = _batch(
        sources,
        _Demand(queries=(*known, *deep), window=wide, expected=round(share * sum(expected.values()))),
    )
    return (together,) if together.requests < sum(one.requests for one in apart) else apart


def _recent(covered: Sequence[Coverage], now: datetime, lookback: timedelta) -> Window:
    """The time since the last fetch, and papers that arXiv had held back."""
    since = min((min(one.covered_at, now) for one in covered), default=now)
    return Window(
        announced_since=since,
        submitted_since=since - max(HELD, lookback),
        until=now,
        newest=min((one.newest for one in covered), default=""),
    )


def _both(recent: Window, backlog: Window) -> Window:
    return replace(
        recent,
        announced_since=min(recent.announced_since, backlog.announced_since),
        submitted_since=min(recent.submitted_since, backlog.submitted_since),
        newest=min(filter(None, (recent.newest, backlog.newest)), default=""),
    )


def _parted(
    queries: Sequence[Query], coverage: Mapping[str, Coverage], now: datetime, lookback: timedelta
) -> tuple[tuple[Query, ...], tuple[Query, ...]]:
    """Those that need the whole look-back, and the others."""
    deep: list[Query] = []
    known: list[Query] = []
    for query in queries:
        one = coverage.get(query.key)
        (deep if one is None or one.is_shallow(now, lookback) else known).append(query)
    return tuple(deep), tuple(known)


def _expected(query: Query, results: Mapping[str, int]) -> int:
    found = results.get(query.key, _UNKNOWN_RESULTS)
    return found if is_asked_exactly(query) else max(_WIDER * found, _WIDEST)


def _batch(sources: Sequence[Source], demand: _Demand) -> FetchBatch:
    costs: list[tuple[bool, int, Source]] = []
    for source in reversed(sources):  # the first one counts each query
        able = tuple(query for query in demand.queries if source.can_answer(query))
        is_part = len(able) < len(demand.queries)
        # It does not matter by how much it is dearer than the others.
        of_others = [] if is_part else [cost for is_other_part, cost, _ in costs if not is_other_part]
        enough = max(of_others) + 1 if of_others else MANY
        cost = source.cost(able, demand.window, expected=demand.expected, enough=enough) if able else None
        if cost is not None:
            costs.insert(0, (is_part, cost, source))
    ordered = sorted(costs, key=itemgetter(0, 1))
    return FetchBatch(
        queries=demand.queries,
        window=demand.window,
        sources=tuple(source for _, _, source in ordered),
        requests=ordered[0][1] if ordered else 0,
    )
