"""On which days papers were announced."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

from digest.model.paper import ArxivId, Paper, announcement_order
from digest.sources.arxiv.calendar import announcements_between, earliest_announcement

_SHOWN_WITHIN = timedelta(hours=3)
"""How long after an announcement arXiv's interfaces may not show all of it."""


def announcement_days(papers: Iterable[Paper]) -> dict[ArxivId, date]:
    """When each of `papers` was announced, as far as known; without papers that have no submission time.

    arXiv numbers papers when it announces them. So a paper is not announced before a paper with a lower
    number, and not before the first announcement after its submission. The result is the latest of these
    days. It is also right for a paper that arXiv held back, if its announcement has a paper with a lower
    number that was not held back.
    """
    days: dict[ArxivId, date] = {}
    latest = date.min
    for paper in sorted(papers, key=lambda paper: announcement_order(paper.id)):
        if paper.submitted_at:
            day = earliest_announcement(paper.submitted_at).date()
            latest = max(latest, day) if announcement_order(paper.id) else day
            days[paper.id] = latest
    return days


@lru_cache(maxsize=1_000)
def whole_days(searched_since: datetime, covered_at: datetime) -> tuple[date, ...]:
    """The announcements of which everything was fetched, by all papers submitted since `searched_since`.

    Cached, because many keywords were covered by the same fetches.
    """
    first = earliest_announcement(searched_since)
    return tuple(at.date() for at in announcements_between(first, covered_at - _SHOWN_WITHIN))
