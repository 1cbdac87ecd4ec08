"""The protocol of a transport, which delivers mails."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Outcome(Enum):
    """The result for one mail.

    `UNKNOWN`: the connection was lost after the final dot, so the server may have the mail (RFC 1047).
    `REJECTED`: the server refuses this mail for good. `DEAD`: the mailbox does not exist.
    `DOUBTFUL`: the mailbox probably does not exist. `UNSERVED`: at this recipient, the server said that it
    accepts no mail, for example without a login; it may accept mails for others.
    """

    SENT = "sent"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    DEAD = "dead address"
    DOUBTFUL = "doubtful address"
    UNSERVED = "not served"
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
    """The outcome of one attempt; `reply` is the server's answer, or the cause and the remedy."""

    outcome: Outcome
    reply: str


class Session(Protocol):
    """One connection, used for one mail after the other."""

    async def send(self, mail: Outgoing) -> Receipt:
        """Hands over one mail. Raises `ServerUnavailable` when this session cannot accept more mails."""
        ...


class Transport(Protocol):
    """Where mails go; `sessions` is how many sessions may be open at once."""

    @property
    def sessions(self) -> int: ...

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Opens a session. Entering raises `ServerUnavailable` with cause and remedy."""
        ...
