"""The commands for one mail and the replies to them: one command after another, or several at once.

aiosmtplib reads one reply to each command; data that arrives together with a reply then counts as the answer
to the next command. So for each mail a `Dialogue` takes over the connection of aiosmtplib. There, a reply
only answers commands that were sent before it arrived.
"""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import aiosmtplib

from digest.mail.smtp.reply import Reply

_LINE = re.compile(rb"(?P<code>\d{3})(?:(?P<sign>[ -])(?P<words>.*))?", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_LONGEST_REPLY = 1 << 15
_NOT_SMTP = -1


class Unanswered(Exception):
    """The time limit was reached (`is_silent`), or the connection has ended."""

    def __init__(self, *, is_silent: bool) -> None:
        super().__init__("silence" if is_silent else "the end")
        self.is_silent = is_silent


class OutOfStep(Exception):
    """There is a `reply` without a command: it is unknown what later replies answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


@contextmanager
def dialogue(client: aiosmtplib.SMTP) -> Iterator["Dialogue"]:
    """The connection, for one mail. Raises `Unanswered` if the connection has ended.

    Afterwards `client` has the connection again, or has closed it: after an error, or with an unread reply.
    """
    owner, wire = client.protocol, cast("asyncio.Transport | None", client.transport)
    if owner is None or wire is None or wire.is_closing():
        raise Unanswered(is_silent=False)
    talk = Dialogue(owner, wire)
    wire.set_protocol(talk)
    is_done = False
    try:
        yield talk
        is_done = not talk.has_unread
    finally:
        wire.set_protocol(owner)
        if not is_done:
            client.close()


class Dialogue(asyncio.Protocol):
    """Splits the server's data into replies (RFC 5321, section 4.2.1), and notifies `owner` of the end."""

    def __init__(self, owner: asyncio.Protocol, wire: asyncio.Transport) -> None:
        self._owner = owner
        self._wire = wire
        self._rest = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._has_ended = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def has_unread(self) -> bool:
        return bool(self._replies or self._lines or self._rest)

    def command(self, *commands: bytes) -> None:
        """Sends them at once; only the last may be DATA (RFC 2920, section 3.1). Raises as `write`.

        Raises `ValueError` for text that would be more than one command.
        """
        if any(map(_CONTROL.search, commands)):
            raise ValueError("a command with a control character in it")
        self.write(b"".join([command + b"\r\n" for command in commands]))

    def write(self, *pieces: bytes) -> None:
        """Raises `OutOfStep` if there is an unread reply, and `Unanswered` if the connection is closing."""
        if self.has_unread:
            reply = self._replies[0] if self._replies else _reply([*self._lines, self._rest])
            raise OutOfStep(Reply(code=_NOT_SMTP, text=str(reply)))
        if self._wire.is_closing():
            raise Unanswered(is_silent=False)
        for piece in pieces:
            self._wire.write(piece)

    def give_up(self) -> bool:
        """Ends the connection so that no more data is sent. Returns whether all data had been sent."""
        is_all_out = self._wire.get_write_buffer_size() == 0
        self._wire.abort()
        return is_all_out

    async def reply(self, patience: float) -> Reply:
        """The next reply. Raises `Unanswered` after `patience` seconds, or when the connection ends."""
        if not self._replies and not self._has_ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(self._waiter, patience)
            except TimeoutError as error:
                raise Unanswered(is_silent=True) from error
        if not self._replies:
            raise Unanswered(is_silent=False)
        return self._replies.popleft()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.append(line.removesuffix(b"\r"))
            found = _LINE.fullmatch(self._lines[-1])
            if found is None or found["sign"] != b"-":
                self._replies.append(_reply(self._lines))
                self._lines = []
        if len(self._rest) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            self._replies.append(Reply(code=_NOT_SMTP, text="Response too long"))
            self._rest, self._lines = b"", []
        if self._replies:
            self._wake()

    def eof_received(self) -> None:
        """Does nothing: the transport then closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self._wake()
        self._owner.connection_lost(exc)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


def _reply(lines: Sequence[bytes]) -> Reply:
    """The reply in lines without line ends; the last code counts. Text that is not SMTP is kept as it is."""
    found = [_LINE.fullmatch(line) for line in lines]
    last = found[-1]
    words = (one["words"] or b"" if one and last else line for one, line in zip(found, lines, strict=True))
    text = "\n".join(part.strip().decode("utf-8", "surrogateescape") for part in words)
    return Reply(code=int(last["code"]) if last else _NOT_SMTP, text=text)
