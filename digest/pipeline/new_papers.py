"""Decides which papers of an answer are new for their queries. `news` decides it for subscribers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.keywords.query import Query, asks_for_remarks
from digest.model.paper import ArxivId, Paper, announcement_order
from digest.sources.arxiv.calendar import announcements_between, earliest_announcement, last_announcement
from digest.sources.plausibility import INDEX_LAG
from digest.sources.window import Coverage, Window
from digest.storage.values import Matched, Restored

_CLOCK_SLACK = timedelta(days=2)


def newest_before(restored: Restored | None, coverage: Mapping[str, Coverage]) -> str | None:
    """Returns the newest paper of a restored state, as long as nothing was fetched since.

    A keyword that is not in the copy may have been followed after the copy was made. All papers announced
    since then are new for it, whenever they were submitted. Returns "" if the copy has no papers, and `None`
    if the state was not restored.
    """
    moment = restored.noticed_at if restored else None
    if moment is None or any(one.covered_at > moment for one in coverage.values()):
        return None
    return max((one.newest for one in coverage.values()), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPapers:
    """The rules of one fetch at `now`.

    `known` are the papers that earlier fetches found, by query. `newest_restored` is what `newest_before`
    returns.
    """

    known: Mapping[str, frozenset[ArxivId]]
    coverage: Mapping[str, Coverage]
    now: datetime
    lookback: timedelta
    newest_restored: str | None

    def in_time(self, matched: Matched) -> Matched:
        """Returns the paper with the queries for which it is new, and those for which it is of the past.

        Older papers are not stored, since some sources have more of them than others.
        """
        news, past = [], []
        paper = matched.paper
        for key in matched.query_keys:
            one = self.coverage.get(key)
            if one is None:
                is_news = self.is_recent(paper) or self.is_since_copy(paper)
            else:
                is_news = one.is_news(paper, self.now, self.lookback)
            if is_news:
                news.append(key)
            elif self.is_recent(paper):
                past.append(key)
        return Matched(paper=paper, query_keys=tuple(news), past_keys=tuple(past))

    def is_since_copy(self, paper: Paper) -> bool:
        """Whether the state was restored, and the paper may have been announced after the copy was made."""
        if not self.newest_restored:
            return self.newest_restored is not None and self.is_recent(paper)
        return announcement_order(paper.id) > self.newest_restored

    def is_recent(self, paper: Paper) -> bool:
        return not paper.submitted_at or paper.submitted_at >= self.now - self.lookback

    def known_of(self, queries: Sequence[Query]) -> set[ArxivId]:
        return {id_ for query in queries for id_ in self.known.get(query.key, ())}

    def expected_again(self, queries: Sequence[Query]) -> set[ArxivId]:
        """Returns the known papers that a complete list must contain. Comments change, and do not count."""
        return self.known_of([query for query in queries if not asks_for_remarks(query)])

    def count(self, queries: Sequence[Query], papers: Sequence[Paper], *, newest: str) -> int:
        """Counts unknown papers that are within the look-back or later than the `newest` paper."""
        known = self.known_of(queries)
        return sum(
            1
            for paper in papers
            if paper.id not in known and (self.is_recent(paper) or "" < newest < announcement_order(paper.id))
        )

    def covered_at(self, queries: Sequence[Query]) -> list[datetime]:
        """When these queries were covered last.

        A query that was never fetched, or was not followed for a while, is not expected to find papers.
        """
        return [one.covered_at for query in queries if (one := self.coverage.get(query.key))]


def newest_whole(papers: Sequence[Paper], window: Window, now: datetime) -> str:
    """Returns the place in the order of announcements up to which these papers are complete.

    Shortly after an announcement, arXiv may not show all of its papers yet. The place is then the beginning
    of the previous announcement.
    """
    if not announcements_between(window.until - INDEX_LAG, window.until):
        return max((_place(paper, now) for paper in papers), default="")
    before = last_announcement(window.until - INDEX_LAG)
    places = (
        _place(paper, now)
        for paper in papers
        if paper.submitted_at and earliest_announcement(paper.submitted_at) == before
    )
    return min(filter(None, places), default="")


def _place(paper: Paper, now: datetime) -> str:
    """Returns the place in the order of announcements; "" for an identifier of a future month."""
    place = announcement_order(paper.id)
    return place if place[:4] <= f"{now + _CLOCK_SLACK:%y%m}" else ""
