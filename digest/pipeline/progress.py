"""How far a run came: up to when keywords were fetched, how many digests wait, why, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.storage.pipeline_stores import CoverageStore, QueueStore
from digest.subscribers.subscriber import Subscriber


def covered_until(
    store: CoverageStore, subscribers: Sequence[Subscriber], *, now: datetime
) -> datetime | None:
    """When the stalest keyword was last covered; `None` when one never was, `now` when there is none.

    One that was covered at a moment to come, by a clock that was wrong, never was. Raises `StateError`.
    """
    covered_at = store.covered_at()
    keys = _keys(subscribers)
    if any(key not in covered_at or covered_at[key] > now for key in keys):
        return None
    return min((covered_at[key] for key in keys), default=now)


def uncovered_since(
    store: CoverageStore, subscribers: Sequence[Subscriber], moment: datetime
) -> frozenset[str]:
    """The keys of all queries that were not covered since that moment. Raises `StateError`."""
    covered_at = store.covered_at()
    return frozenset(key for key in _keys(subscribers) if key not in covered_at or covered_at[key] < moment)


def _keys(subscribers: Sequence[Subscriber]) -> set[str]:
    return {keyword.query.key for subscriber in subscribers for keyword in subscriber.keywords}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`waiting` digests, what stands in their way, and when the first mailing is due, also after a pause."""

    waiting: int = 0
    cause: str = ""
    due_at: datetime | None = None


def outlook(store: QueueStore, *, now: datetime) -> Outlook:
    """Raises `StateError`."""
    waiting = store.waiting()
    cause = (store.blocked(now=now).reply or store.refused(least=0).reply) if waiting else ""
    return Outlook(waiting=waiting, cause=cause, due_at=store.next_due_at())
