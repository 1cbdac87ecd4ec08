"""Decides what is new for subscribers, from facts of the store."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from digest.config.parsing import address_key
from digest.model.digest import Change, Hit, Revision
from digest.storage.news_facts import FoundHits, NewsFacts, SubscriberFacts, Subscription
from digest.storage.pipeline_stores import NewsStore
from digest.storage.values import News

_GROUPS_KEPT = 2_000

_Span: TypeAlias = tuple[FoundHits, int, int]
"""The hits of one query from one place up to another."""


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
        spans, is_shared = _spans(facts, subscriber)
        if is_shared:
            groups = tuple([self._group(*span) for span in spans])
        else:
            groups = (_unknown(facts, subscriber, spans),)
        return News(
            groups=groups,
            frontier=facts.frontier,
            is_shared=is_shared,
            standing=subscriber.standing,
            undelivered=subscriber.undelivered,
            revisions=tuple(_revisions(facts, subscriber)) if facts.versions.revisions else (),
            changes=tuple(_changes(facts, subscriber)) if facts.versions.changes else (),
        )


def news_for(store: NewsStore, email: str, *, backlog_since: datetime) -> News:
    """Returns what is new for one subscriber. The backlog is limited to papers since `backlog_since`."""
    facts = store.news_facts([email], backlog_since=backlog_since)
    return Deciding().news(facts, address_key(email))


def _group(found: FoundHits, begin: int, end: int) -> tuple[Hit, ...]:
    return found.hits[begin:end]


def _spans(facts: NewsFacts, subscriber: SubscriberFacts) -> tuple[list[_Span], bool]:
    """Returns the hits after the cursor, and whether the subscriber knows none of their papers.

    They know none if each paper was first found after the cursor. There must also be no backlog.
    """
    cursor, is_shared = subscriber.standing.hit, not subscriber.seen_elsewhere
    spans: list[_Span] = []
    queries = set()
    for one in subscriber.subscriptions:
        after = one.news_after(cursor)
        if after is None:
            continue
        found = facts.found[one.query]
        begin, end = found.span(after, one.ended_after)
        if begin < end:
            spans.append((found, begin, end))
            is_shared = is_shared and found.earliest[begin] > cursor and one.query not in queries
            queries.add(one.query)
        if one.is_beginning and facts.backlog.get(one.query):
            is_shared = False
    return spans, is_shared


def _unknown(facts: NewsFacts, subscriber: SubscriberFacts, spans: Sequence[_Span]) -> tuple[Hit, ...]:
    """Returns the hits of `spans` and of the backlog whose papers the subscriber does not know."""
    served = _served(subscriber)
    candidates = [
        (found.hits[place], found.papers[place]) for found, begin, end in spans for place in range(begin, end)
    ]
    for one in subscriber.subscriptions:
        if one.is_beginning:
            candidates += _backlog(facts, one)
    hits = [
        hit
        for hit, paper in candidates
        if paper not in subscriber.seen_elsewhere and not _is_served(facts, served, paper)
    ]
    return tuple(sorted(hits, key=attrgetter("number")))


def _backlog(facts: NewsFacts, beginning: Subscription) -> Iterator[tuple[Hit, int]]:
    last = beginning.began_after or 0
    for hit, paper, is_past in facts.backlog.get(beginning.query, ()):
        if hit.number <= last or is_past:
            yield hit, paper


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


def _is_served(facts: NewsFacts, served: Mapping[int, Sequence[_Served]], paper: int) -> bool:
    return any(
        one.first < number <= (one.last_past if is_past else one.last)
        for query, number, is_past in facts.hits_of_paper[paper]
        for one in served.get(query, ())
    )


def _open_queries(subscriber: SubscriberFacts) -> set[int]:
    return {one.query for one in subscriber.subscriptions if one.ended_after is None}


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
