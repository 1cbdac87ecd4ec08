"""Decides what is new for subscribers, from facts of the store."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from digest.config.parsing import address_key
from digest.model.digest import Change, Hit, Revision
from digest.storage.news_facts import FoundHits, NewsFacts, SubscriberFacts
from digest.storage.pipeline_stores import NewsStore
from digest.storage.values import News

_GROUPS_KEPT = 2_000


class _Served(NamedTuple):
    """What a subscriber was served by hits of one query: those after `first`, up to `last`.

    Of the hits of the past, those up to `last_past`: only the first digest had them.
    """

    first: int
    last: int
    last_past: int


class Deciding:
    """Decides for many subscribers. The hits that several have in common are one object."""

    def __init__(self) -> None:
        self._group = lru_cache(_GROUPS_KEPT)(_group)

    def news(self, facts: NewsFacts, address: str) -> News:
        """Returns what is new for the subscriber with this `address_key`: nothing if they are not known.

        That are the hits after their cursor, without papers that they know already from an earlier hit or
        from elsewhere, and the backlog of the keywords that they began to follow.
        """
        subscriber = facts.subscribers.get(address)
        if subscriber is None:
            return News(groups=(), frontier=facts.frontier)
        groups, is_shared = self._groups(facts, subscriber)
        return News(
            groups=tuple(groups),
            frontier=facts.frontier,
            is_shared=is_shared,
            standing=subscriber.standing,
            undelivered=subscriber.undelivered,
            revisions=tuple(_revisions(facts, subscriber)) if facts.versions.revisions else (),
            changes=tuple(_changes(facts, subscriber)) if facts.versions.changes else (),
            covered_at=_covered_at(facts, subscriber),
        )

    def _groups(self, facts: NewsFacts, subscriber: SubscriberFacts) -> tuple[list[tuple[Hit, ...]], bool]:
        """Returns the hits after the cursor by query, and the backlog; and whether others share them."""
        groups: list[tuple[Hit, ...]] = []
        queries = []
        for one in subscriber.subscriptions:
            after = one.news_after(subscriber.standing.hit)
            if after is None:
                continue
            found = facts.found[one.query]
            begin, end = found.span(after, one.ended_after)
            if begin < end:
                known = _known(facts, subscriber, found, begin, end)
                if group := self._group(found, begin, end, known):
                    groups.append(group)
                    queries.append(one.query)
        backlog = _backlog(facts, subscriber)
        if backlog:
            groups.append(backlog)
        return groups, not backlog and len(set(queries)) == len(queries)


def news_for(store: NewsStore, email: str, *, backlog_since: datetime) -> News:
    """Returns what is new for one subscriber. The backlog is limited to papers since `backlog_since`."""
    facts = store.news_facts([email], backlog_since=backlog_since)
    return Deciding().news(facts, address_key(email))


def _group(found: FoundHits, begin: int, end: int, left_out: tuple[int, ...]) -> tuple[Hit, ...]:
    if not left_out:
        return found.hits[begin:end]
    return tuple(hit for place, hit in enumerate(found.hits[begin:end], start=begin) if place not in left_out)


def _known(
    facts: NewsFacts, subscriber: SubscriberFacts, found: FoundHits, begin: int, end: int
) -> tuple[int, ...]:
    """Returns the places of the hits whose papers the subscriber knows from an earlier hit or from elsewhere.

    Hits that they were served are not after their cursor.
    """
    cursor = subscriber.standing.hit
    if subscriber.seen_elsewhere or found.numbers[begin] <= cursor:
        places: Iterable[int] = range(begin, end)
    else:
        places = [at for at, first in found.seen_before if first <= cursor and begin <= at < end]
    if not places:
        return ()
    served = _served(subscriber)
    return tuple(place for place in places if _knows(facts, subscriber, served, found.papers[place]))


def _knows(
    facts: NewsFacts, subscriber: SubscriberFacts, served: Mapping[int, Sequence[_Served]], paper: int
) -> bool:
    return paper in subscriber.seen_elsewhere or any(
        one.first < number <= (one.last_past if is_past else one.last)
        for query, number, is_past in facts.hits_of_paper[paper]
        for one in served.get(query, ())
    )


def _backlog(facts: NewsFacts, subscriber: SubscriberFacts) -> tuple[Hit, ...]:
    """Returns the backlog of what the subscriber began to follow, without papers that they know."""
    beginning = [one for one in subscriber.subscriptions if one.is_beginning and facts.backlog.get(one.query)]
    if not beginning:
        return ()
    candidates = [
        (hit, paper)
        for one in beginning
        for hit, paper, is_past in facts.backlog[one.query]
        if hit.number <= (one.began_after or 0) or is_past
    ]
    served = _served(subscriber)
    if served or subscriber.seen_elsewhere:
        candidates = [one for one in candidates if not _knows(facts, subscriber, served, one[1])]
    return tuple([hit for hit, _ in candidates])


def _served(subscriber: SubscriberFacts) -> Mapping[int, Sequence[_Served]]:
    """Returns what the subscriber was served, by query.

    That are all hits up to their cursor of what they follow. Of what they dropped, that are all that were
    there by then, if its first digest had come, else those that were news.
    """
    cursor = subscriber.standing.hit
    served: dict[int, list[_Served]] = defaultdict(list)
    for one in subscriber.subscriptions:
        if one.began_after is None or not (one.is_welcomed or one.ended_after is not None):
            continue
        first = 0 if one.is_welcomed else one.began_after
        last = cursor if one.ended_after is None else min(one.ended_after, cursor)
        welcomed_after = cursor if one.welcomed_after is None else one.welcomed_after
        last_past = min(last, welcomed_after) if one.is_welcomed else 0
        served[one.query].append(_Served(first, last, last_past))
    return served


def _open_queries(subscriber: SubscriberFacts) -> set[int]:
    return {one.query for one in subscriber.subscriptions if one.ended_after is None}


def _covered_at(facts: NewsFacts, subscriber: SubscriberFacts) -> datetime | None:
    for queries in (_open_queries(subscriber), {one.query for one in subscriber.subscriptions}):
        covered = [moment for query in queries if (moment := facts.queries[query].covered_at)]
        if covered:
            return min(covered)
    return None


def _revisions(facts: NewsFacts, subscriber: SubscriberFacts) -> Iterator[Revision]:
    """The new versions after the subscriber's cursor.

    The subscriber had an earlier version of the paper, and one of their keywords still finds it.
    """
    cursor = subscriber.standing.revision
    if cursor is None:
        return
    versions, had = facts.versions, subscriber.mailed.editions
    queries = {one for one in _open_queries(subscriber) if (facts.queries[one].newest_revision or 0) > cursor}
    for number, paper, edition in versions.revisions:
        if number > cursor and any(hit.query in queries for hit in facts.hits_of_paper[paper]):
            known = [version for one, version in versions.editions[paper].items() if one in had]
            if known:
                yield Revision(paper=versions.papers[edition], from_version=max(known))


def _changes(facts: NewsFacts, subscriber: SubscriberFacts) -> Iterator[Change]:
    """The changes after the subscriber's cursor, by query, of papers that no mailing contained.

    Leaves out papers of the past: they are never new.
    """
    cursor = subscriber.standing.change
    if cursor is None:
        return
    versions, mailed = facts.versions, subscriber.mailed
    queries = {one for one in _open_queries(subscriber) if (facts.queries[one].newest_change or 0) > cursor}
    for number, paper, before, after in versions.changes:
        if number <= cursor or paper in subscriber.seen_elsewhere:
            continue
        if any(one in mailed.editions or one in mailed.given_up for one in versions.editions[paper]):
            continue
        for query in sorted(versions.changed_for.get(paper, frozenset()) & queries):
            yield Change(
                query_key=facts.queries[query].key,
                before=versions.papers[before],
                after=versions.papers[after],
            )
