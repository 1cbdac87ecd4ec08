"""What the log says at the end of a run that left something: how many digests wait, why, and until when."""

from dataclasses import dataclass
from datetime import datetime

from digest.storage.base import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`waiting` digests, what stands in their way, and when the first mailing is due, also after a pause."""

    waiting: int = 0
    cause: str = ""
    due_at: datetime | None = None


def outlook(store: Store, *, now: datetime) -> Outlook:
    """Raises `StateError`."""
    waiting = store.waiting()
    cause = (store.blocked(now=now).reply or store.refused(least=0).reply) if waiting else ""
    return Outlook(waiting=waiting, cause=cause, due_at=store.next_due_at())
