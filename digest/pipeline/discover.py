"""Papers that match no keyword of a subscriber, and are near to what they like."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache

from digest.keywords.index import QueryIndex
from digest.model.digest import Digest
from digest.model.paper import Paper
from digest.pipeline.compose import Nearness, let_through
from digest.subscribers.subscriber import Keyword, Subscriber

_LEAST_NEARNESS = 2.0
"""In standard deviations above the mean of the day: of a thousand papers, some thirty are nearer."""

_LEAST_PAPERS = 50
"""Of fewer, none can be called near."""

_INDEXES_KEPT = 256


class Discoveries:
    """Reads the papers of the day when the first subscriber needs them, by `listed`."""

    def __init__(self, listed: Callable[[], Mapping[Paper, datetime]]) -> None:
        self._read = listed

    @cached_property
    def _listed(self) -> Mapping[Paper, datetime]:
        return self._read()

    def near(
        self, digest: Digest, subscriber: Subscriber, nearness: Nearness, *, since: datetime | None
    ) -> tuple[Paper, ...]:
        """Returns up to `subscriber.discover` papers, the nearest first.

        They match none of the subscriber's keywords, muted ones included, and pass their filters. They were
        listed after `since`.
        """
        known = {entry.paper.id for entry in digest.entries} | {one.paper.id for one in digest.revisions}
        papers = [
            paper
            for paper, listed_at in self._listed.items()
            if paper.id not in known and (since is None or listed_at > since)
        ]
        if len(papers) < _LEAST_PAPERS:
            return ()
        return tuple(_chosen(papers, nearness(papers), subscriber))


def _chosen(papers: Sequence[Paper], scores: Sequence[float], subscriber: Subscriber) -> list[Paper]:
    index = _index(subscriber.keywords)
    order = sorted(range(len(papers)), key=lambda place: (-scores[place], papers[place].id))
    chosen: list[Paper] = []
    for place in order:
        if len(chosen) == subscriber.discover or scores[place] < _LEAST_NEARNESS:
            break
        paper = papers[place]
        if let_through(subscriber, [paper]) and not index.matches(paper):
            chosen.append(paper)
    return chosen


@lru_cache(maxsize=_INDEXES_KEPT)
def _index(keywords: tuple[Keyword, ...]) -> QueryIndex:
    return QueryIndex(keyword.query for keyword in keywords)
