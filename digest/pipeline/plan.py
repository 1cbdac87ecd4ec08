"""Finds the subscribers who get a digest now, and closes the sending times of those with nothing new."""

from collections import deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from digest.config.parsing import address_key
from digest.pipeline.schedule import is_paused
from digest.storage.pipeline_stores import ComposeStore
from digest.storage.values import ClosedSlot, SubscriberStatus
from digest.subscribers.subscriber import Subscriber

Due = Callable[[Subscriber, SubscriberStatus], datetime | None]
"""Returns the planned time of the digest that is due for a subscriber, or `None` if none is due."""

_READ_AT_ONCE = 2_000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSubscriber:
    """A subscriber whose digest is due, for `planned_at`. Another process may compose it.

    `last_digest_at` and `slot_at` are those of their status. `is_current`: the last fetch of all their
    keywords was good, so their sending time is closed even if there is nothing new.
    """

    subscriber: Subscriber
    planned_at: datetime
    last_digest_at: datetime | None
    slot_at: datetime | None
    is_current: bool


class Plan:
    """Reads the statuses of `subscribers`, some at a time, as callers take the due ones.

    If there is nothing new for a subscriber, their sending time is closed. Exception: if a query of the
    subscriber is `stale` (its last fetch failed), the sending time stays open for the papers of the next
    fetch. Suppressed subscribers are not changed. Subscribers with the same keywords come one after another:
    their digests have much in common, which a worker then prepares once.
    """

    def __init__(
        self,
        store: ComposeStore,
        subscribers: Sequence[Subscriber],
        due: Due,
        *,
        stale: Set[str] = frozenset(),
    ) -> None:
        self._store, self._due, self._stale = store, due, stale
        self._subscribers = sorted(subscribers, key=_keywords)
        self._read = 0
        self._found: deque[DueSubscriber] = deque()
        self._report = ComposeReport()

    @property
    def report(self) -> ComposeReport:
        """The subscribers without a digest so far; complete when `take` has returned nothing."""
        return self._report

    def begin_at(self, part: float) -> None:
        """Takes the subscribers after this part of all (0 to 1) first, before the first `take`."""
        first = int(len(self._subscribers) * part)
        self._subscribers = [*self._subscribers[first:], *self._subscribers[:first]]

    def take(self, count: int) -> tuple[DueSubscriber, ...]:
        """Returns the next due subscribers with news, up to `count`; fewer only if no others are left."""
        while len(self._found) < count and self._read < len(self._subscribers):
            self._read_some()
        return tuple(self._found.popleft() for _ in range(min(count, len(self._found))))

    def _read_some(self) -> None:
        some = self._subscribers[self._read : self._read + _READ_AT_ONCE]
        self._read += len(some)
        statuses = self._store.subscriber_statuses([subscriber.email for subscriber in some])
        closed: list[ClosedSlot] = []
        nothing_new = not_due = suppressed = 0
        for subscriber in some:
            status = statuses.get(address_key(subscriber.email))
            if status is None:
                continue
            planned_at = self._due(subscriber, status)
            if planned_at and is_paused(planned_at, subscriber):
                planned_at = None
            is_current = self._is_current(subscriber)
            if status.is_suppressed:
                suppressed += 1
            elif not status.has_news:
                nothing_new += is_current
                if planned_at is not None and is_current:
                    closed.append(ClosedSlot(subscriber.email, planned_at, status.slot_at))
            elif planned_at is None:
                not_due += 1
            else:
                self._found.append(_due_subscriber(subscriber, status, planned_at, is_current))
        if closed:
            self._store.close_slots(closed)
        self._report += ComposeReport(nothing_new=nothing_new, not_due=not_due, suppressed=suppressed)

    def _is_current(self, subscriber: Subscriber) -> bool:
        return not self._stale or self._stale.isdisjoint(keyword.query.key for keyword in subscriber.keywords)


def _due_subscriber(
    subscriber: Subscriber, status: SubscriberStatus, planned_at: datetime, is_current: bool
) -> DueSubscriber:
    return DueSubscriber(
        subscriber=subscriber,
        planned_at=planned_at,
        last_digest_at=status.last_digest_at,
        slot_at=status.slot_at,
        is_current=is_current,
    )


def _keywords(subscriber: Subscriber) -> list[str]:
    return [keyword.query.key for keyword in subscriber.keywords]
