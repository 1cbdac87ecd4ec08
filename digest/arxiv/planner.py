"""Which of arXiv's interfaces to ask for which keywords, so that the fewest requests bring everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from digest.arxiv import Source
from digest.arxiv.ground import Ground
from digest.query import Query

_UNKNOWN_RESULTS = 50
"""What a keyword of which nothing is known is taken to find within the look-back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Keywords with the same ground to cover, and the sources that can cover it, the cheapest first.

    `requests` is what the first of them is thought to take.
    """

    queries: tuple[Query, ...]
    ground: Ground
    sources: tuple[Source, ...]
    requests: int


def plan(
    queries: Sequence[Query],
    sources: Sequence[Source],
    *,
    covered_at: Mapping[str, datetime],
    results: Mapping[str, int],
    now: datetime,
    lookback: timedelta,
) -> tuple[Errand, ...]:
    """One errand for all keywords, or one for the known and one for those that were never fetched.

    `covered_at` and `results` tell by query key when a keyword was last fetched, and how many papers of
    the look-back it is known to find.
    """
    fresh = tuple(query for query in queries if query.key not in covered_at)
    known = tuple(query for query in queries if query.key in covered_at)
    backlog = Ground(announced_since=now - lookback, submitted_since=now - lookback, until=now)
    since = min((min(covered_at[query.key], now) for query in known), default=now)
    recent = Ground(announced_since=since, submitted_since=since - lookback, until=now)

    def errand(some: tuple[Query, ...], ground: Ground) -> Errand:
        expected = sum(results.get(query.key, _UNKNOWN_RESULTS) for query in some)
        costs = [(source.cost(some, ground, expected=expected), source) for source in sources]
        able = sorted(((cost, source) for cost, source in costs if cost is not None), key=itemgetter(0))
        return Errand(
            queries=some,
            ground=ground,
            sources=tuple(source for _, source in able),
            requests=able[0][0] if able else 0,
        )

    apart = tuple(errand(some, ground) for some, ground in ((known, recent), (fresh, backlog)) if some)
    if len(apart) < 2:
        return apart
    wide = Ground(
        announced_since=min(since, backlog.announced_since),
        submitted_since=min(recent.submitted_since, backlog.submitted_since),
        until=now,
    )
    together = errand((*known, *fresh), wide)
    return (together,) if together.requests < sum(one.requests for one in apart) else apart
