"""Composes the digests that are due, and stores them as mailings."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.pipeline.compose import best_first, compose
from digest.pipeline.discover import Discoveries
from digest.pipeline.merge import merge
from digest.pipeline.outlook import Outlooks
from digest.pipeline.schedule import is_paused
from digest.storage.pipeline_stores import ComposeStore, NewsStore
from digest.storage.values import Served, SubscriberStatus
from digest.subscribers.subscriber import Subscriber

Due = Callable[[Subscriber, SubscriberStatus], datetime | None]
"""Returns the planned time of the digest that is due for a subscriber, or `None` if none is due."""

_SUBSCRIBERS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeReport:
    """How many digests were composed, and how many subscribers get none, by reason."""

    composed: int = 0
    nothing_new: int = 0
    not_due: int = 0
    suppressed: int = 0

    def __add__(self, other: "ComposeReport") -> "ComposeReport":
        return ComposeReport(
            composed=self.composed + other.composed,
            nothing_new=self.nothing_new + other.nothing_new,
            not_due=self.not_due + other.not_due,
            suppressed=self.suppressed + other.suppressed,
        )


def compose_due(
    store: ComposeStore,
    subscribers: Sequence[Subscriber],
    due: Due,
    *,
    backlog_since: datetime,
    stale: Set[str] = frozenset(),
) -> ComposeReport:
    """Composes a digest for each subscriber with a due sending time and new papers.

    The digest includes the papers of earlier digests that have not arrived. If there is nothing new, the
    sending time is closed. Exception: if a query of the subscriber is `stale` (its last fetch failed), the
    sending time stays open for the papers of the next fetch. Suppressed subscribers are not changed.
    """
    report = ComposeReport()
    outlooks = Outlooks(store, since=backlog_since)
    discoveries = Discoveries(lambda: store.listed(since=backlog_since))
    for begin in range(0, len(subscribers), _SUBSCRIBERS_AT_ONCE):
        some = subscribers[begin : begin + _SUBSCRIBERS_AT_ONCE]
        report += _compose_some(store, some, due, backlog_since, stale, outlooks, discoveries)
    return report


def _compose_some(
    store: ComposeStore,
    subscribers: Sequence[Subscriber],
    due: Due,
    backlog_since: datetime,
    stale: Set[str],
    outlooks: Outlooks,
    discoveries: Discoveries,
) -> ComposeReport:
    subscriber_statuses = store.subscriber_statuses([subscriber.email for subscriber in subscribers])
    served: list[Served] = []
    nothing_new = not_due = suppressed = 0
    for subscriber in subscribers:
        subscriber_status = subscriber_statuses.get(address_key(subscriber.email))
        if subscriber_status is None:
            continue
        planned_at = due(subscriber, subscriber_status)
        if planned_at and is_paused(planned_at, subscriber):
            planned_at = None
        is_current = stale.isdisjoint(keyword.query.key for keyword in subscriber.keywords)
        if subscriber_status.is_suppressed:
            suppressed += 1
        elif not subscriber_status.has_news:
            nothing_new += is_current
            if planned_at is not None and is_current:
                served.append(Served(email=subscriber.email, slot_at=planned_at))
        elif planned_at is None:
            not_due += 1
        else:
            result = _composed(store, subscriber, subscriber_status, planned_at, backlog_since, outlooks)
            result = _with_discoveries(store, subscriber, subscriber_status, result, discoveries)
            nothing_new += result.digest is None and is_current
            if result.digest is not None or is_current:
                served.append(result)
    composed = store.enqueue(served) if served else 0
    return ComposeReport(composed=composed, nothing_new=nothing_new, not_due=not_due, suppressed=suppressed)


def _composed(
    store: NewsStore,
    subscriber: Subscriber,
    subscriber_status: SubscriberStatus,
    planned_at: datetime,
    backlog_since: datetime,
    outlooks: Outlooks,
) -> Served:
    news = store.news(subscriber.email, backlog_since=backlog_since)
    digest = compose(
        subscriber,
        news.hits,
        planned_at=planned_at,
        is_first=subscriber_status.last_digest_at is None,
        revisions=news.revisions,
        changes=news.changes,
    )
    served = Served(email=subscriber.email, slot_at=planned_at, frontier=news.frontier)
    if digest is None:
        return served
    if digest.is_first:
        digest = replace(digest, outlook=outlooks.of(subscriber))
    merged = merge(digest, [mailing.digest for mailing in news.undelivered])
    return replace(
        served,
        digest=in_order_of_interest(store, subscriber, merged),
        merges=tuple(mailing.number for mailing in news.undelivered),
    )


def _with_discoveries(
    store: NewsStore,
    subscriber: Subscriber,
    subscriber_status: SubscriberStatus,
    served: Served,
    discoveries: Discoveries,
) -> Served:
    digest = served.digest
    profile = store.profile_of(subscriber.email) if digest and subscriber.discover else None
    if digest is None or profile is None:
        return served
    from digest.interest.profile import nearness

    near = discoveries.near(digest, subscriber, partial(nearness, profile), since=subscriber_status.slot_at)
    return replace(served, digest=replace(digest, near=near))


def in_order_of_interest(store: NewsStore, subscriber: Subscriber, digest: Digest) -> Digest:
    """Returns the digest with its best papers first, if the subscriber liked any paper before."""
    profile = store.profile_of(subscriber.email) if len(digest.entries) > 1 else None
    if profile is None:
        return digest
    from digest.interest.profile import nearness  # imports numpy, which few installations need

    return best_first(digest, subscriber, partial(nearness, profile))
