"""The messages between the coordinator of a delivery and its worker processes.

Each is a pickled value after its length. Both ends are processes of the same user with the same code: nothing
here comes from a network.
"""

import asyncio
import pickle
import socket
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digest.mail.transport import Receipt, Transport
from digest.pipeline.plan import ComposeReport, DueSubscriber
from digest.pipeline.rendering import RenderedMessage
from digest.pipeline.share import RoundResult
from digest.service.log import LogStyle
from digest.service.mail_setup import WriterSetup
from digest.storage.factory import State
from digest.storage.rate_limit import Limits

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What all workers of a delivery need. `holders` and `sessions` have one for each worker.

    `now` was the time when the clock that all processes share (`time.monotonic`) had `monotonic`. Nothing is
    composed without `backlog_since`. The log is written as in the first process: `log_levels` are by the name
    of the logger.
    """

    state: State
    transport: Transport
    writer_setup: WriterSetup
    limits: Limits
    now: datetime
    monotonic: float
    holders: Sequence[str]
    sessions: Sequence[int]
    log_levels: Mapping[str, int]
    log_style: LogStyle | None = None
    backlog_since: datetime | None = None


# From the coordinator.


@dataclass(frozen=True, slots=True)
class Round:
    """Begin a round."""

    sends: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """The answer to `NextBatch`."""

    due: Sequence[DueSubscriber]


@dataclass(frozen=True, slots=True)
class Brake:
    """Whether no other mail may be sent, and the domains to which none may be sent."""

    is_ended: bool
    stopped: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to `Refused`, after all changes of the brake."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the current mails and begin no other."""


# From a worker.


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the worker exists, and may be killed."""

    pid: int


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Instead of `Hello`, from the first worker: the system did not let it make this one."""

    cause: str


@dataclass(frozen=True, slots=True)
class NextBatch:
    """Asks for subscribers whose digests the worker composes."""


@dataclass(frozen=True, slots=True)
class Composed:
    """The last batch is in the outbox."""

    report: ComposeReport


@dataclass(slots=True)
class Progress:
    """The results of mails since the last message. It also shows that the worker is alive.

    `accepted` counts the mails that the server accepted, by domain. `sent` mails are recorded.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    held_back: list[RenderedMessage] = field(default_factory=list)
    sent: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refused:
    """The server refused a recipient. The worker waits for `Judged`."""

    one: RenderedMessage
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class UsedUp:
    """As `digest.pipeline.share.Coordinator.used_up`."""

    number: int


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """The end of a round. `state_error` has the arguments of a `StateError`, which cannot be pickled."""

    result: RoundResult
    state_error: tuple[str, str, bool] | None = None


def framed(message: object) -> bytes:
    """Returns the bytes of a message."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(content)) + content


async def read_message(reader: asyncio.StreamReader) -> object:
    """Raises `asyncio.IncompleteReadError` or `OSError` if the other process has ended."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 (from our own process)


def read_first(connection: socket.socket) -> object:
    """Reads a message before there is an event loop. Raises `EOFError`."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return pickle.loads(_exactly(connection, length))  # noqa: S301 (from our own process)


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        if not (some := connection.recv(size - len(content))):
            raise EOFError
        content += some
    return content
