"""The facts from which `digest.pipeline.news` decides what is new. Every store gives the same.

Numbers of queries, papers, editions and subscriptions are those of the state.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from digest.model.digest import Hit
from digest.model.paper import Paper
from digest.storage.values import Mailing, Progress, Standing

_PAPERS_KEPT = 5_000
"""About 20 MB with the texts of their hits."""


class Subscription(NamedTuple):
    """A subscriber's keyword, followed or dropped (`ended_after`), by the numbers of hits.

    `began_after`: the last hit of the backlog; `None` until its query was covered. `is_welcomed`: a digest
    had its backlog, and what was found until then (`welcomed_after`, `None` if not known).
    """

    number: int
    query: int
    began_after: int | None
    is_welcomed: bool
    welcomed_after: int | None
    ended_after: int | None

    @property
    def is_beginning(self) -> bool:
        """Whether the next digest has its backlog."""
        return not self.is_welcomed and self.ended_after is None and self.began_after is not None

    def news_after(self, cursor: int) -> int | None:
        """Returns the hit after which its hits are news for a subscriber with this cursor; `None`: none are.

        A dropped keyword has those that were found while it was followed.
        """
        if self.began_after is None or (self.ended_after is not None and self.ended_after <= cursor):
            return None
        return max(cursor, self.began_after) if self.is_welcomed else self.began_after


class QueryFacts(NamedTuple):
    """A query, with the last of its archived hits, and of the revisions and changes of its papers.

    `covered_at`: its coverage ends then; `None` if arXiv was never asked for it.
    """

    key: str
    newest_past_hit: int | None
    newest_revision: int | None
    newest_change: int | None
    covered_at: datetime | None


class PaperHit(NamedTuple):
    """A hit on a known paper: of the past, if the paper was announced before the query was followed."""

    query: int
    number: int
    is_past: bool


class BacklogHit(NamedTuple):
    """A hit that is in the backlog of those who began to follow its query later."""

    hit: Hit
    paper: int
    is_past: bool


class SeenRevision(NamedTuple):
    """A new version of a paper, by its number."""

    number: int
    paper: int
    edition: int


class SeenChange(NamedTuple):
    """A change of a paper, by its number, from one edition to another."""

    number: int
    paper: int
    before: int
    after: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FoundHits:
    """All hits of one query after the hit `after` that are not of the past, in the order of their `numbers`.

    `papers` has the paper of each. `seen_before` are the places of those whose paper has an earlier hit, by
    another query, each with the number of the first one. Compared by identity.
    """

    after: int
    numbers: tuple[int, ...]
    hits: tuple[Hit, ...]
    papers: tuple[int, ...]
    seen_before: tuple[tuple[int, int], ...]

    def span(self, after: int, last: int | None) -> tuple[int, int]:
        """Returns the places of the hits after `after` up to `last`, which is the very last if `None`."""
        begin = bisect_right(self.numbers, after) if after > self.after else 0
        return begin, len(self.numbers) if last is None else bisect_right(self.numbers, last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailed:
    """The editions in a subscriber's mailings. `given_up`: in those that wait for the subscriber's return."""

    editions: frozenset[int] = frozenset()
    given_up: frozenset[int] = frozenset()


NOTHING_MAILED = Mailed()
NO_PAPERS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberFacts:
    """One subscriber, with all their subscriptions. `seen_elsewhere` are papers.

    `mailed` is only read for those whose keywords find a paper that has a later revision or change.
    `undelivered`: their mailings that certainly have not arrived, the oldest first.
    """

    standing: Standing
    subscriptions: Sequence[Subscription]
    seen_elsewhere: frozenset[int] = NO_PAPERS
    mailed: Mailed = NOTHING_MAILED
    undelivered: tuple[Mailing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The `revisions` and `changes` since the earliest cursor of a batch, in the order of their numbers.

    `editions` has all editions of their papers, with the versions, by paper. `changed_for` has the queries
    with a recent hit on a changed paper, by paper. `papers` are the editions that were seen or changed.
    """

    revisions: Sequence[SeenRevision] = ()
    changes: Sequence[SeenChange] = ()
    editions: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    changed_for: Mapping[int, frozenset[int]] = field(default_factory=dict)
    papers: Mapping[int, Paper] = field(default_factory=dict)


NO_VERSIONS = Versions()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsFacts:
    """What a batch of subscribers needs, all of it at one moment: that of `frontier`.

    `subscribers` are by `address_key`, `found` and `backlog` by query, `hits_of_paper` by paper. The backlog
    has papers since the look-back only.
    """

    frontier: Progress
    subscribers: Mapping[str, SubscriberFacts]
    queries: Mapping[int, QueryFacts]
    found: Mapping[int, FoundHits]
    backlog: Mapping[int, Sequence[BacklogHit]]
    hits_of_paper: Mapping[int, Sequence[PaperHit]]
    versions: Versions = NO_VERSIONS


class Wanted:
    """The hits that a batch of subscribers needs: of each query those `after` a number; whole `backlogs`."""

    def __init__(self, subscribers: Iterable[tuple[Standing, Sequence[Subscription]]]) -> None:
        self.after: dict[int, int] = {}
        self.backlogs: set[int] = set()
        for standing, subscriptions in subscribers:
            for one in subscriptions:
                after = one.news_after(standing.hit)
                if after is not None:
                    self.after[one.query] = min(after, self.after.get(one.query, after))
                if one.is_beginning:
                    self.backlogs.add(one.query)


class WantedVersions:
    """The `subscribers` to whom new versions or changes of papers may matter, and after which numbers."""

    def __init__(
        self,
        subscribers: Iterable[tuple[Standing, Sequence[Subscription]]],
        queries: Mapping[int, QueryFacts],
    ) -> None:
        self.subscribers: set[int] = set()
        self.revisions_after: int | None = None
        self.changes_after: int | None = None
        for standing, subscriptions in subscribers:
            if standing.revision is None and standing.change is None:
                continue
            followed = [queries[one.query] for one in subscriptions if one.ended_after is None]
            after = standing.revision
            if after is not None and any((one.newest_revision or 0) > after for one in followed):
                self.revisions_after = _lower(after, self.revisions_after)
                self.subscribers.add(standing.subscriber)
            after = standing.change
            if after is not None and any((one.newest_change or 0) > after for one in followed):
                self.changes_after = _lower(after, self.changes_after)
                self.subscribers.add(standing.subscriber)


def _lower(after: int, other: int | None) -> int:
    return after if other is None else min(after, other)


class KnownHits:
    """The hits that were read for earlier batches, for the next ones.

    They are valid until a hit, revision or change is recorded. That some are archived meanwhile changes
    nothing: the same hits are read from the archive.
    """

    def __init__(self) -> None:
        self._valid: tuple[Progress, str] | None = None
        self.forget()

    def forget(self) -> None:
        self.found: dict[int, FoundHits] = {}
        self.backlog: dict[int, Sequence[BacklogHit]] = {}
        self.hits_of_paper: dict[int, Sequence[PaperHit]] = {}

    def begin(self, frontier: Progress, since: str) -> None:
        """Call it at the beginning of each batch: forgets what is no longer valid, or too much."""
        if self._valid != (frontier, since) or len(self.hits_of_paper) > _PAPERS_KEPT:
            self.forget()
            self._valid = frontier, since

    def missing(self, wanted: Wanted) -> dict[int, int]:
        """Returns the queries whose hits must be read, and after which number."""
        return {
            query: after
            for query, after in wanted.after.items()
            if query not in self.found or self.found[query].after > after
        }


def found_hits(
    after: int,
    rows: Iterable[tuple[int, int, int]],
    key: str,
    papers: Mapping[int, Paper],
    hits_of_paper: Mapping[int, Sequence[PaperHit]],
) -> FoundHits:
    """Returns the hits of the query with this key, from rows of number, paper and edition in any order."""
    ordered = sorted(rows)
    return FoundHits(
        after=after,
        numbers=tuple(number for number, _, _ in ordered),
        hits=tuple(
            Hit(number=number, query_key=key, paper=papers[edition], is_backlog=False)
            for number, _, edition in ordered
        ),
        papers=tuple(paper for _, paper, _ in ordered),
        seen_before=tuple(
            (place, first)
            for place, (number, paper, _) in enumerate(ordered)
            if (first := min(hit.number for hit in hits_of_paper[paper])) < number
        ),
    )
