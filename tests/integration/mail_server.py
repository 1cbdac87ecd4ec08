"""An SMTP server on loopback that answers as it is told: refusing, slow, or gone at any stage."""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum


class Do(Enum):
    """Another keyword than a reply may happen."""

    DROP = "close the connection"
    HANG = "say nothing more"
    TAKE = "take the mail, and close the connection before saying so"
    RESET = "reset the connection"
    CUT = "begin the TLS handshake, and close the connection in the middle of a message"
    ALERT = "answer the TLS handshake as the settings want it, and close the connection"


Answer = str | Do

OFFERS_PIPELINING = True
"""Whether every server here says that it takes several commands at once."""

_DEFAULTS: dict[str, Answer] = {
    "GREETING": "220 mail.example.org ESMTP",
    "HELO": "250 mail.example.org",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 queued",
    "RSET": "250 2.0.0 reset",
    "QUIT": "221 2.0.0 bye",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A mail for which the server said 250."""

    sender: str
    recipient: str
    message: bytes


@dataclass(kw_only=True)
class MailServer:
    """`answers` are by verb, or by verb and address as in `RCPT subscriber@example.org`.

    A sequence is used up one by one over all connections; then the default holds, which for RCPT and DATA
    is 503 after a refusal. `GREETING` is on connecting, `HANDSHAKE` in place of the one that TLS begins with,
    `BODY` within the message (default: read on), `DOT` after it. A 421 closes the connection.
    """

    answers: Mapping[str, Answer | Sequence[Answer]] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("SIZE 10000000", "8BITMIME", "ENHANCEDSTATUSCODES")
    tls: ssl.SSLContext | None = None
    is_tls_from_start: bool = False
    seconds_per_byte: float = 0
    port: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._scripted = {
            verb: [answer] * 10_000 if isinstance(answer, (str, Do)) else list(answer)
            for verb, answer in self.answers.items()
        }

    def forget(self) -> None:
        """From now on everything is taken."""
        self._scripted.clear()

    def is_scripted(self, verb: str) -> bool:
        return bool(self._scripted.get(verb))

    def answer(self, *verbs: str) -> Answer:
        for verb in verbs:
            if self._scripted.get(verb):
                return self._scripted[verb].pop(0)
        return _DEFAULTS.get(verbs[-1], "502 5.5.2 unknown command")

    def ehlo(self) -> Answer:
        extensions = (*self.extensions, *(["PIPELINING"] if OFFERS_PIPELINING else []))
        return "\n".join(["250-mail.example.org", *(f"250-{name}" for name in extensions), "250 HELP"])


class _Gone(Exception):
    """The connection is to be closed now."""


class _Conversation:
    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._subscriber = reader
        self._writer = writer
        self._sender = ""
        self._recipient = ""

    async def hold(self) -> None:
        if self._server.is_tls_from_start and self._server.is_scripted("HANDSHAKE"):
            await self._encrypt()
        await self._say(self._server.answer("GREETING"))
        while line := (await self._subscriber.readline()).decode(errors="replace").rstrip("\r\n"):
            self._server.commands.append(line)
            await self._react(line)

    async def _react(self, line: str) -> None:
        verb = line.partition(" ")[0].upper()
        found = re.search(r"<(.*?)>", line)
        address = found[1] if found else ""
        answer = self._server.answer(f"{verb} {address}", verb)
        if not self._is_in_order(verb) and answer == _DEFAULTS[verb]:
            answer = "503 5.5.1 not now"
        if verb == "EHLO" and "EHLO" not in self._server.answers:
            answer = self._server.ehlo()
        await self._say(answer)
        match verb:
            case "STARTTLS" if str(answer).startswith("220"):
                await self._encrypt()
            case "MAIL":
                self._sender, self._recipient = address if str(answer).startswith("250") else "", ""
            case "RCPT" if str(answer).startswith("250"):
                self._recipient = address
            case "DATA" if str(answer).startswith("354"):
                await self._take_message()
            case "QUIT":
                raise _Gone

    async def _encrypt(self) -> None:
        if not self._server.is_scripted("HANDSHAKE"):
            assert self._server.tls is not None
            await self._writer.start_tls(self._server.tls)
            return
        hello = await self._subscriber.read(1 << 14)
        answer = self._server.answer("HANDSHAKE")
        if answer in {Do.CUT, Do.ALERT}:
            assert self._server.tls is not None
            said = first_flight(self._server.tls, hello)
            self._writer.write(said if answer is Do.ALERT else said[: len(said) // 2])
            await self._writer.drain()
        await self._say(answer)

    def _is_in_order(self, verb: str) -> bool:
        """RFC 5321, section 4.1.4."""
        return bool({"RCPT": self._sender, "DATA": self._recipient}.get(verb, True))

    async def _take_message(self) -> None:
        lines: list[bytes] = []
        while (line := await self._subscriber.readline()) != b".\r\n":
            if not line:
                raise _Gone
            if len(lines) == 3 and self._server.is_scripted("BODY"):
                await self._say(self._server.answer("BODY"))
            lines.append(line.removeprefix(b"."))
        answer = self._server.answer("DOT")
        if answer is Do.TAKE or str(answer).startswith("250"):
            self._server.accepted.append(
                Accepted(sender=self._sender, recipient=self._recipient, message=b"".join(lines))
            )
        await self._say(answer)

    async def _say(self, answer: Answer) -> None:
        if answer is Do.RESET:
            at_once = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self._writer.transport.abort()
        if isinstance(answer, Do) and answer is not Do.HANG:
            raise _Gone
        if answer is Do.HANG:
            await self._subscriber.read()
            raise _Gone
        for byte in str(answer).replace("\n", "\r\n").encode() + b"\r\n":
            self._writer.write(bytes([byte]))
            if self._server.seconds_per_byte:
                await self._writer.drain()
                await asyncio.sleep(self._server.seconds_per_byte)
        await self._writer.drain()
        if str(answer).startswith("421"):
            raise _Gone


def first_flight(tls: ssl.SSLContext, hello: bytes) -> bytes:
    """What a server with these settings says to a client's hello: its own, or an alert."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(hello)
    with suppress(ssl.SSLError):
        tls.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    return outgoing.read()


@asynccontextmanager
async def serving(server: MailServer) -> AsyncIterator[MailServer]:
    """Runs `server` on a free port of 127.0.0.1, which it then knows; ends all its conversations."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        server.connections += 1
        try:
            await _Conversation(server, reader, writer).hold()
        except (_Gone, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            talks.discard(task)

    is_encrypted = server.is_tls_from_start and not server.is_scripted("HANDSHAKE")
    context = server.tls if is_encrypted else None
    listener = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await listener.wait_closed()
