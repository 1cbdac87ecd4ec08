"""Several commands in one go, and then their replies (RFC 2920): one journey to the server and back.

aiosmtplib reads one reply to each command. While a group is under way, what comes from the server is read
here; before and after that, and in all else, the connection is aiosmtplib's.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast

import aiosmtplib

from digest.mail.replies import Reply

_LONGEST_REPLY = 1 << 15
_NOT_SMTP = -1


class Unanswered(Exception):
    """Not all came: `replies` did, and then the time was up (`is_silent`) or the connection ended."""

    def __init__(self, replies: Sequence[Reply], *, is_silent: bool) -> None:
        super().__init__(f"{len(replies)} replies came")
        self.replies = tuple(replies)
        self.is_silent = is_silent


async def ask_at_once(client: aiosmtplib.SMTP, commands: Sequence[bytes], patience: float) -> list[Reply]:
    """Their replies, one for each, in order. The last may be DATA, and no other (RFC 2920, section 3.1).

    `patience` is for each reply, in seconds. Raises `Unanswered`, after which the client is to be closed.
    """
    owner, wire = client.protocol, cast("asyncio.Transport | None", client.transport)
    if owner is None or wire is None or not owner.is_connected:
        raise Unanswered((), is_silent=False)
    reader = _Reader(owner)
    wire.set_protocol(reader)
    try:
        wire.write(b"".join([command + b"\r\n" for command in commands]))
        replies: list[Reply] = []
        for _ in commands:
            try:
                reply = await reader.next(patience)
            except TimeoutError as error:
                raise Unanswered(replies, is_silent=True) from error
            if reply is None:
                raise Unanswered(replies, is_silent=False)
            replies.append(reply)
        return replies
    finally:
        wire.set_protocol(owner)


class _Reader(asyncio.Protocol):
    """Cuts what comes into replies (RFC 5321, section 4.2.1), and tells `owner` of the end."""

    def __init__(self, owner: asyncio.Protocol) -> None:
        self._owner = owner
        self._rest = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._has_ended = False
        self._waiter: asyncio.Future[None] | None = None

    async def next(self, patience: float) -> Reply | None:
        """`None` when the connection ended before it. Raises `TimeoutError`."""
        if not self._replies and not self._has_ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await asyncio.wait_for(self._waiter, patience)
        return self._replies.popleft() if self._replies else None

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.append(line)
            if line[3:4] != b"-":
                self._replies.append(_reply(self._lines))
                self._lines = []
        if len(self._rest) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            self._replies.append(Reply(code=_NOT_SMTP, text="Response too long"))
            self._rest, self._lines = b"", []
        if self._replies:
            self._wake()

    def eof_received(self) -> None:
        """The transport closes itself then."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self._wake()
        self._owner.connection_lost(exc)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


def _reply(lines: Sequence[bytes]) -> Reply:
    """Of lines without their ends."""
    code = lines[-1][:3]
    is_smtp = code.isdigit()
    words = (line[4:] if is_smtp else line for line in lines)
    text = "\n".join(part.strip().decode("utf-8", "surrogateescape") for part in words)
    return Reply(code=int(code) if is_smtp else _NOT_SMTP, text=text)
