"""The protocol of a transport, which delivers mails."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Outcome(Enum):
    """What became of one mail.

    `UNKNOWN`: the connection was lost after the final dot, so the server may have it (RFC 1047).
    `REJECTED`: this mail is not wanted, now or ever. `DEAD`: the mailbox does not exist.
    `DOUBTFUL`: it seems so.
    """

    SENT = "sent"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    DEAD = "dead address"
    DOUBTFUL = "doubtful address"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message for one recipient; `token` is the same for every attempt at the same mailing.

    `is_dotless`: no line of the message begins with a dot, so that SMTP can send it as it is.
    """

    sender: str
    recipient: str
    message: bytes
    token: str
    is_dotless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The outcome of one attempt; `reply` is the server's answer, or the cause and what to do about it."""

    outcome: Outcome
    reply: str


class Session(Protocol):
    """One connection, used for one mail after the other."""

    async def send(self, mail: Outgoing) -> Receipt:
        """Hands over one mail. Raises `ServerUnavailable` when this session can take no mail any more."""
        ...


class Transport(Protocol):
    """Where mails go; `sessions` is how many may be open at once."""

    @property
    def sessions(self) -> int: ...

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Opens a session. Entering raises `ServerUnavailable` with cause and remedy."""
        ...
