"""What takes the digests of a channel, and what became of one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from digest.model.digest import Digest


class Outcome(Enum):
    """What became of one attempt.

    `REFUSED`: it certainly did not arrive. `UNKNOWN`: it may have arrived. `GONE`: the service takes no more
    for this address, ever.
    """

    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one attempt. `wait` is how long the service asked to wait. `reply` shows no secret."""

    outcome: Outcome
    reply: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A digest for a channel. `token` is the same for every attempt, `page` leads to all of it on the web.

    `is_test`: its papers are invented.
    """

    token: str
    title: str
    digest: Digest
    sent_at: datetime
    page: str | None = None
    is_test: bool = False


class Service(Protocol):
    """Takes the digests of one channel."""

    async def send(self, post: Post) -> Answer:
        """Hands over one digest. Never raises for what the service does; ends within its time limit."""
        ...
