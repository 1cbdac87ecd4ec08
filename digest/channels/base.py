"""A service that takes the digests of a channel, and the result of one attempt."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from digest.model.digest import Digest


class Outcome(Enum):
    """The result of one attempt.

    `REFUSED`: it certainly did not arrive. `UNKNOWN`: it may have arrived. `GONE`: the service never
    accepts anything at this address again.
    """

    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service answered. `wait` is how long the service asked to wait. `reply` shows no secret."""

    outcome: Outcome
    reply: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A digest for a channel. `token` is the same for every attempt, `page` is the web page with all of it.

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
        """Hands over one digest. Raises no error because of the service, and ends within its time limit."""
        ...
