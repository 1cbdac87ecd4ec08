"""The progress of a run: until when keywords were fetched; how many digests wait, why, and until when."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.storage.delivery_stores import QueueStore
from digest.storage.fingerprints import hash_of_queries
from digest.storage.pipeline_stores import CoverageStore
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)


def covered_until(
    store: CoverageStore, subscribers: Sequence[Subscriber], *, now: datetime
) -> datetime | None:
    """Returns when the keyword with the oldest coverage was last covered.

    Returns `None` if a keyword was never covered, and `now` if there are no keywords. A coverage time in the
    future comes from a wrong clock and counts as never. Raises `StateError`.
    """
    covered_at = store.covered_at()
    keys = _keys(subscribers)
    if any(key not in covered_at or covered_at[key] > now for key in keys):
        return None
    return min((covered_at[key] for key in keys), default=now)


def queries_hash(subscribers: Sequence[Subscriber]) -> bytes:
    """Returns a hash of the keys of all queries."""
    return hash_of_queries(_keys(subscribers))


def uncovered_since(
    store: CoverageStore, subscribers: Sequence[Subscriber], moment: datetime
) -> frozenset[str]:
    """Returns the keys of all queries that were not covered since that moment. Raises `StateError`."""
    covered_at = store.covered_at()
    return frozenset(key for key in _keys(subscribers) if key not in covered_at or covered_at[key] < moment)


def _keys(subscribers: Sequence[Subscriber]) -> set[str]:
    return {keyword.query.key for subscriber in subscribers for keyword in subscriber.keywords}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """The number of waiting digests, their `cause`, and when the first mailing is due, also after a pause."""

    waiting: int = 0
    cause: str = ""
    due_at: datetime | None = None


class WaitingLog:
    """Logs how many digests wait, only if that has changed."""

    def __init__(self) -> None:
        self._logged: tuple[object, ...] = (0, None, None)

    def note(self, waits: OutboxStatus, retry_at: datetime | None) -> None:
        """`retry_at`: when the first of them is tried again."""
        cause = waits.cause or "not tried yet"
        waiting = (waits.waiting, *((retry_at, cause) if waits.waiting and retry_at else (None, None)))
        if waiting != self._logged:
            level = logging.WARNING if waits.waiting else logging.INFO
            _log.log(level, "digests wait count=%d next_try=%s cause=%s", *waiting)
            self._logged = waiting


def outbox_status(store: QueueStore, *, now: datetime) -> OutboxStatus:
    """Returns what waits in the outbox. Raises `StateError`."""
    waiting = store.waiting() - store.sending(now=now)  # those that another host is sending
    cause = (store.blocked(now=now).reply or store.refused(least=0).reply) if waiting else ""
    return OutboxStatus(waiting=waiting, cause=cause, due_at=store.next_due_at())
