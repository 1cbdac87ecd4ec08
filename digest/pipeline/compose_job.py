"""Composes the digests that are due, and stores them as mailings."""

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial

from digest.model.digest import Digest
from digest.pipeline.compose import best_first, compose
from digest.pipeline.discover import Discoveries
from digest.pipeline.merge import merge
from digest.pipeline.outlook import Outlooks
from digest.pipeline.plan import ComposeReport, Due, DueSubscriber, Plan
from digest.storage.pipeline_stores import ComposeStore, NewsStore
from digest.storage.values import Served
from digest.subscribers.subscriber import Subscriber

_COMPOSED_AT_ONCE = 200


def compose_due(
    store: ComposeStore,
    subscribers: Sequence[Subscriber],
    due: Due,
    *,
    backlog_since: datetime,
    stale: Set[str] = frozenset(),
) -> ComposeReport:
    """Composes a digest for each subscriber with a due sending time and new papers (`Plan`, `Composer`)."""
    plan = Plan(store, subscribers, due, stale=stale)
    composer = Composer(store, backlog_since=backlog_since)
    composed = ComposeReport()
    while some := plan.take(_COMPOSED_AT_ONCE):
        composed += composer.compose_batch(some)
    return plan.report + composed


class Composer:
    """Composes digests, a batch of subscribers at a time. It keeps what later batches need again."""

    def __init__(self, store: ComposeStore, *, backlog_since: datetime) -> None:
        """First digests have papers submitted since `backlog_since`."""
        self._store, self._backlog_since = store, backlog_since
        self._outlooks = Outlooks(store, since=backlog_since)
        self._discoveries = Discoveries(lambda: store.listed(since=backlog_since))

    def compose_batch(self, due: Sequence[DueSubscriber]) -> ComposeReport:
        """Adds the digests of these subscribers to the outbox, and closes their sending times.

        The digest includes the papers of earlier digests that have not arrived. If there is nothing new, the
        sending time is closed, unless a query of the subscriber is stale.
        """
        served: list[Served] = []
        nothing_new = 0
        for one in due:
            result = self._composed(one)
            nothing_new += result.digest is None and one.is_current
            if result.digest is not None or one.is_current:
                served.append(result)
        composed = self._store.enqueue(served) if served else 0
        return ComposeReport(composed=composed, nothing_new=nothing_new)

    def _composed(self, due: DueSubscriber) -> Served:
        subscriber, planned_at = due.subscriber, due.planned_at
        news = self._store.news(subscriber.email, backlog_since=self._backlog_since)
        digest = compose(
            subscriber,
            news.hits,
            planned_at=planned_at,
            is_first=due.last_digest_at is None,
            revisions=news.revisions,
            changes=news.changes,
        )
        served = Served(email=subscriber.email, slot_at=planned_at, frontier=news.frontier)
        if digest is None:
            return served
        if digest.is_first:
            digest = replace(digest, outlook=self._outlooks.of(subscriber))
        merged = merge(digest, [mailing.digest for mailing in news.undelivered])
        ordered = in_order_of_interest(self._store, subscriber, merged)
        return replace(
            served,
            digest=self._with_discoveries(due, ordered),
            merges=tuple(mailing.number for mailing in news.undelivered),
        )

    def _with_discoveries(self, due: DueSubscriber, digest: Digest) -> Digest:
        profile = self._store.profile_of(due.subscriber.email) if due.subscriber.discover else None
        if profile is None:
            return digest
        from digest.interest.profile import nearness

        near = self._discoveries.near(digest, due.subscriber, partial(nearness, profile), since=due.slot_at)
        return replace(digest, near=near)


def in_order_of_interest(store: NewsStore, subscriber: Subscriber, digest: Digest) -> Digest:
    """Returns the digest with its best papers first, if the subscriber liked any paper before."""
    profile = store.profile_of(subscriber.email) if len(digest.entries) > 1 else None
    if profile is None:
        return digest
    from digest.interest.profile import nearness  # imports numpy, which few installations need

    return best_first(digest, subscriber, partial(nearness, profile))
