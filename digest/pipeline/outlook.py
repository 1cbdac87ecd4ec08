"""What a first digest says is to come: how many papers a day, from which keyword, and narrower ones."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property

from digest.keywords.narrower import narrower
from digest.keywords.query import Query
from digest.model.digest import Outlook
from digest.model.paper import ArxivId, Paper
from digest.pipeline.compose import let_through
from digest.sources.arxiv.announcements import announcement_days, whole_days
from digest.sources.window import Coverage
from digest.storage.pipeline_stores import RecentStore
from digest.subscribers.subscriber import Subscriber

LEAST_DAYS = 5
"""Announcements of a week: with fewer, nothing is said."""

MANY = 20
"""A keyword with more papers a day gets proposals for narrower ones."""

_SAMPLE = 400

_Days = tuple[date, ...]


class Outlooks:
    """What new subscribers can expect, by the papers submitted `since`.

    It reads nothing before it is asked. What keywords find is the same for all who filter nothing, and so are
    narrower keywords: these are looked for once.
    """

    def __init__(self, store: RecentStore, *, since: datetime) -> None:
        self._store, self._since = store, since
        self._ids: dict[tuple[str, _Days], frozenset[ArxivId]] = {}
        self._shares: dict[str, tuple[tuple[str, float], ...]] = {}

    def of(self, subscriber: Subscriber) -> Outlook | None:
        """Returns averages over the announcements that were fetched as a whole; `None` if these are few."""
        days = self._days(subscriber)
        if len(days) < LEAST_DAYS:
            return None
        found = {one.text: self._found(subscriber, one.query.key, days) for one in subscriber.heard}
        every = frozenset().union(*found.values())
        if not every:
            return None
        busiest = max(subscriber.heard, key=lambda keyword: len(found[keyword.text]))
        count = len(found[busiest.text])
        shares = self._narrower(busiest.query, days) if count > MANY * len(days) else ()
        return Outlook(
            papers_a_day=round(len(every) / len(days)),
            busiest=busiest.text if len(found) > 1 else None,
            busiest_a_day=round(count / len(days)),
            narrower=tuple((keyword, round(share * count / len(days))) for keyword, share in shares),
        )

    @cached_property
    def _coverage(self) -> Mapping[str, Coverage]:
        return self._store.coverage()

    def _days(self, subscriber: Subscriber) -> _Days:
        """Returns the announcements that were fetched as a whole for each keyword in use."""
        known = [self._coverage.get(keyword.query.key) for keyword in subscriber.heard]
        covered = [one for one in known if one]
        if not known or len(covered) < len(known):
            return ()
        searched_since = max(self._since, *(one.searched_since for one in covered))
        return whole_days(searched_since, min(one.covered_at for one in covered))

    def _found(self, subscriber: Subscriber, query_key: str, days: _Days) -> frozenset[ArxivId]:
        """Returns what the query found on `days` and the subscriber's filters let through."""
        if subscriber.filters.exclude or subscriber.filters.categories:
            papers = let_through(subscriber, self._papers(query_key, days))
            return frozenset(paper.id for paper in papers)
        if (query_key, days) not in self._ids:
            papers = self._papers(query_key, days)
            self._ids[query_key, days] = frozenset(paper.id for paper in papers)
        return self._ids[query_key, days]

    def _papers(self, query_key: str, days: _Days) -> list[Paper]:
        papers = self._store.recent_papers(query_key, since=self._since)
        announced_on = announcement_days(papers)
        return [paper for paper in papers if announced_on.get(paper.id) in days]

    def _narrower(self, query: Query, days: _Days) -> tuple[tuple[str, float], ...]:
        """Returns narrower keywords, and which share of a sample of its papers each keeps."""
        if query.key not in self._shares:
            sample = self._papers(query.key, days)[:_SAMPLE]
            proposals = narrower(query, sample, sample)
            self._shares[query.key] = tuple((one.keyword, one.papers / len(sample)) for one in proposals)
        return self._shares[query.key]
