"""Composes the digests that are due, and stores them as mailings."""

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.pipeline.compose import best_first, compose
from digest.pipeline.discover import Discoveries
from digest.pipeline.merge import merge, mergeable
from digest.pipeline.news import Deciding
from digest.pipeline.outlook import Outlooks
from digest.pipeline.plan import ComposeReport, Due, DueSubscriber, Plan
from digest.pipeline.shared_entries import SharedEntries
from digest.storage.pipeline_stores import ComposeStore, NewsStore
from digest.storage.values import Mailing, News, Served, Standing
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
        self._deciding, self._shared = Deciding(), SharedEntries()
        self._outlooks = Outlooks(store, since=backlog_since)
        self._discoveries = Discoveries(lambda: store.listed(since=backlog_since))

    def compose_batch(self, due: Sequence[DueSubscriber]) -> ComposeReport:
        """Adds the digests of these subscribers to the outbox, and closes their sending times.

        The digest includes the papers of earlier digests that have not arrived. If there is nothing new, the
        sending time is closed, unless a query of the subscriber is stale. A subscriber whom another process
        has served since the plan was made is left out.
        """
        emails = [one.subscriber.email for one in due]
        facts = self._store.news_facts(emails, backlog_since=self._backlog_since)
        profiles = self._store.profiles_of(emails)
        served: list[Served] = []
        nothing_new = 0
        for one in due:
            address = address_key(one.subscriber.email)
            news = self._deciding.news(facts, address)
            if news.standing is None or news.standing.slot_at != one.slot_at:
                continue
            earlier = mergeable(news.undelivered)
            digest = self._digest(one, news, earlier, profiles.get(address))
            nothing_new += digest is None and one.is_current
            if digest is not None or one.is_current:
                served.append(_served(one, news, news.standing, digest, earlier))
        composed = self._store.enqueue(served) if served else 0
        return ComposeReport(composed=composed, nothing_new=nothing_new)

    def _digest(
        self, due: DueSubscriber, news: News, earlier: Sequence[Mailing], profile: bytes | None
    ) -> Digest | None:
        is_shared = news.is_shared and not news.changes
        digest = compose(
            due.subscriber,
            () if is_shared else news.hits,
            planned_at=due.planned_at,
            is_first=due.last_digest_at is None,
            revisions=news.revisions,
            changes=news.changes,
            entries=self._shared.of(due.subscriber, news.groups) if is_shared else None,
            covered_at=news.covered_at,
        )
        if digest is None:
            return None
        if digest.is_first and (outlook := self._outlooks.of(due.subscriber)):
            digest = replace(digest, outlook=outlook)
        digest = merge(digest, [mailing.digest for mailing in earlier])
        if profile is None:
            return digest
        return self._with_discoveries(due, _best_first(digest, due.subscriber, profile), profile)

    def _with_discoveries(self, due: DueSubscriber, digest: Digest, profile: bytes) -> Digest:
        if not due.subscriber.discover:
            return digest
        from digest.subscribers.interest.profile import nearness

        near = self._discoveries.near(digest, due.subscriber, partial(nearness, profile), since=due.slot_at)
        return replace(digest, near=near)


def _served(
    due: DueSubscriber, news: News, standing: Standing, digest: Digest | None, earlier: Sequence[Mailing]
) -> Served:
    return Served(
        standing=standing,
        slot_at=due.planned_at,
        frontier=news.frontier,
        digest=digest,
        merges=tuple([mailing.number for mailing in earlier]) if digest else (),
    )


def in_order_of_interest(store: NewsStore, subscriber: Subscriber, digest: Digest) -> Digest:
    """Returns the digest with its best papers first, if the subscriber liked any paper before."""
    profile = store.profiles_of([subscriber.email]).get(address_key(subscriber.email))
    return digest if profile is None else _best_first(digest, subscriber, profile)


def _best_first(digest: Digest, subscriber: Subscriber, profile: bytes) -> Digest:
    if len(digest.entries) < 2:
        return digest
    from digest.subscribers.interest.profile import nearness  # imports numpy, which few installations need

    return best_first(digest, subscriber, partial(nearness, profile))
