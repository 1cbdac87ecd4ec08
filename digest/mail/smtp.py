"""Mails to an SMTP server: one recipient a transaction, one connection for many mails."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import aiosmtplib

from digest.errors import ServerUnavailable
from digest.mail import Outcome, Outgoing, Receipt
from digest.mail.bounces import verp
from digest.mail.connecting import Security, SmtpServer, connect, refused
from digest.mail.message import wire_address
from digest.mail.pipelining import Unanswered, ask_at_once
from digest.mail.replies import Reply, ReplyClass, Stage, judge

if TYPE_CHECKING:
    import asyncio

__all__ = ["Security", "SmtpServer", "SmtpTransport"]

_GOODBYE_SECONDS = 3.0
_PATIENCE_AFTER_DOT = 10  # a server may take ten times as long to accept a mail: RFC 5321, section 4.5.3.2.6
_LOST_AFTER_DOT = (
    "the connection was lost after the whole mail was sent, so the server may have it;"
    " it is tried again under the same Message-ID"
)
_NO_SMTPUTF8 = "the server takes no address with letters beyond ASCII before the @ (SMTPUTF8)"
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_MAILBOX = re.compile(r'[^\s\x00-\x20\x7f<>()\[\],;:\\"@]+@[^\s\x00-\x20\x7f<>()\[\],;:\\"@]+')


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """All mails to one server, over up to `server.connections` connections."""

    server: SmtpServer

    @property
    def sessions(self) -> int:
        return self.server.connections

    @asynccontextmanager
    async def session(self) -> AsyncIterator["SmtpSession"]:
        session = SmtpSession(self.server, await connect(self.server))
        try:
            yield session
        finally:
            await session.close()


class _ConnectionLost(Exception):
    """Private to this module: the connection ended, and the server cannot have taken the mail in hand."""

    def __init__(self, stage: Stage, cause: str, *, is_farewell: bool = False) -> None:
        super().__init__(cause)
        self.stage = stage
        self.cause = cause
        self.is_farewell = is_farewell  # the server said 421


class SmtpSession:
    """A connection that is renewed when it has served its number of mails.

    So it is when the server ends it between mails, as many do after a number that they do not tell.
    """

    def __init__(self, server: SmtpServer, client: aiosmtplib.SMTP) -> None:
        self._server = server
        self._client = client
        self._served = 0

    async def send(self, mail: Outgoing) -> Receipt:
        """Hands over one mail; `mail.message` has CRLF line ends.

        A connection lost before the final dot is renewed once if it had served other mails; if not, the mail
        is deferred, as it may itself be the cause. Raises `ServerUnavailable` for what concerns every mail.
        """
        bounce_address = self._server.bounce_address
        sender = wire_address(verp(bounce_address, mail.token) if bounce_address else mail.sender)
        recipient = wire_address(mail.recipient)
        if not _MAILBOX.fullmatch(recipient):
            return _rejected("the address cannot be used in SMTP", "correct it in subscribers.toml")
        while True:
            if self._served == self._server.messages_per_connection:
                await self.close()
            if not self._client.is_connected:
                self._client = await connect(self._server)
                self._served = 0
            if not self._client.supports_extension("smtputf8"):
                if not sender.isascii():
                    key = "smtp.bounce_address" if bounce_address else "smtp.sender"
                    raise ServerUnavailable(str(self._server), _NO_SMTPUTF8, f"set another {key}")
                if not recipient.isascii():
                    return _rejected(_NO_SMTPUTF8, "subscribe another address, or use a server with SMTPUTF8")
            was_fresh = self._served == 0
            self._served += 1
            try:
                return await self._transact(sender, recipient, mail)
            except _ConnectionLost as loss:
                self._client.close()
                if was_fresh:
                    return self._blame(loss)

    def _blame(self, loss: _ConnectionLost) -> Receipt:
        """Before a recipient is named, and at a 421, it is the server as a whole; later perhaps this mail."""
        remedy = "it is tried again later; if this goes on, look into the mail server's log"
        if loss.is_farewell or loss.stage is Stage.SENDER:
            raise ServerUnavailable(str(self._server), loss.cause, remedy) from loss
        return Receipt(outcome=Outcome.DEFERRED, reply=f"{loss.cause}; {remedy}")

    async def close(self) -> None:
        """Says goodbye if the server still listens."""
        if self._client.is_connected:
            with suppress(aiosmtplib.SMTPException):
                await self._client.quit(timeout=_GOODBYE_SECONDS)
        self._client.close()

    async def _transact(self, sender: str, recipient: str, mail: Outgoing) -> Receipt:
        commands = {
            Stage.SENDER: self._mail_command(sender, recipient, len(mail.message)),
            Stage.RECIPIENT: f"RCPT TO:<{recipient}>".encode(),
            Stage.CONTENT: b"DATA",
        }
        is_at_once = self._client.supports_extension("pipelining")
        replies = await (self._at_once(commands) if is_at_once else self._in_turn(commands))
        for stage, reply in replies.items():
            if not _is_accepted(stage, reply):
                if stage is not Stage.CONTENT and _is_accepted(Stage.CONTENT, replies.get(Stage.CONTENT)):
                    self._client.close()  # it waits for a message that nobody is to get
                return await self._refusal(stage, _in_step(stage, reply))
        return await self._send_content(mail.message if mail.is_dotless else _with_doubled_dots(mail.message))

    def _mail_command(self, sender: str, recipient: str, size: int) -> bytes:
        options = [f" SIZE={size}"] if self._client.supports_extension("size") else []
        if not (sender + recipient).isascii():
            options.append(" SMTPUTF8")
            if self._client.supports_extension("8bitmime"):
                options.append(" BODY=8BITMIME")
        return f"MAIL FROM:<{sender}>{''.join(options)}".encode()

    async def _at_once(self, commands: Mapping[Stage, bytes]) -> dict[Stage, Reply]:
        """A reply to each command, or up to a refusal after which the connection ended."""
        stages = list(commands)
        try:
            replies = await ask_at_once(
                self._client, list(commands.values()), self._server.timeout.total_seconds()
            )
        except Unanswered as error:
            self._client.close()
            known = dict(zip(stages, error.replies, strict=False))
            if all(_is_accepted(stage, reply) for stage, reply in known.items()):
                raise _unanswered(stages[len(known)], is_silent=error.is_silent) from error
            return known
        return dict(zip(stages, replies, strict=True))

    async def _in_turn(self, commands: Mapping[Stage, bytes]) -> dict[Stage, Reply]:
        """A reply to each command up to the first that is refused."""
        replies: dict[Stage, Reply] = {}
        for stage, command in commands.items():
            replies[stage] = await self._ask(stage, command)
            if not _is_accepted(stage, replies[stage]):
                break
        return replies

    async def _ask(self, stage: Stage, command: bytes) -> Reply:
        try:
            response = await self._client.execute_command(command)
        except aiosmtplib.SMTPTimeoutError as error:
            raise _unanswered(stage, is_silent=True) from error
        except aiosmtplib.SMTPServerDisconnected as error:
            raise _unanswered(stage, is_silent=False) from error
        except aiosmtplib.SMTPResponseException as error:  # an answer that is not SMTP
            return Reply(code=error.code, text=error.message)
        return Reply(code=response.code, text=response.message)

    async def _send_content(self, message: bytes) -> Receipt:
        """The message and the final dot. Silence now leaves open whether the server has the mail.

        The dot is written by itself: to append it would copy the message.
        """
        protocol, wire = self._client.protocol, self._client.transport
        if protocol is None or wire is None or not protocol.is_connected:
            raise _ConnectionLost(Stage.CONTENT, "the server closed the connection at DATA")
        patience = self._server.timeout.total_seconds() * _PATIENCE_AFTER_DOT
        try:
            protocol.write(message)
            protocol.write(b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
            response = await protocol.read_response(patience)
        except aiosmtplib.SMTPException as error:
            # `abort`, not `close`: what is not yet sent must not follow after we have given up on it.
            stream = cast("asyncio.Transport", wire)
            is_dot_out = stream.get_write_buffer_size() == 0
            stream.abort()
            self._client.close()
            if not is_dot_out:
                raise _ConnectionLost(Stage.CONTENT, "the server stopped reading at DATA") from error
            return Receipt(outcome=Outcome.UNKNOWN, reply=_LOST_AFTER_DOT)
        reply = Reply(code=response.code, text=response.message)
        if 200 <= reply.code < 300:
            return Receipt(outcome=Outcome.SENT, reply=str(reply))
        return await self._refusal(Stage.CONTENT, reply)

    async def _refusal(self, stage: Stage, reply: Reply) -> Receipt:
        verdict = judge(stage, reply)
        if reply.code == 421:
            raise _ConnectionLost(stage, f"{verdict.cause} ({reply})", is_farewell=True)
        if verdict.reply_class is ReplyClass.SERVER:
            raise refused(self._server, stage, reply)
        await self._reset()
        if verdict.reply_class is ReplyClass.DEAD_ADDRESS:
            outcome = Outcome.DEAD
        else:
            outcome = Outcome.DEFERRED if reply.code < 500 else Outcome.REJECTED
        return Receipt(outcome=outcome, reply=f"{reply} ({verdict.cause}; {verdict.remedy})")

    async def _reset(self) -> None:
        """Makes the connection ready for the next mail, or closes it: then the next mail opens another."""
        try:
            await self._client.rset()
        except aiosmtplib.SMTPException:
            self._client.close()


def _is_accepted(stage: Stage, reply: Reply | None) -> bool:
    if reply is None:
        return False
    return reply.code == 354 if stage is Stage.CONTENT else 200 <= reply.code < 300


def _in_step(stage: Stage, reply: Reply) -> Reply:
    """2yz for DATA would be nonsense: then the connection is out of step."""
    is_nonsense = stage is Stage.CONTENT and 0 < reply.code < 400
    return Reply(code=-1, text=str(reply)) if is_nonsense else reply


def _unanswered(stage: Stage, *, is_silent: bool) -> _ConnectionLost:
    if is_silent:
        return _ConnectionLost(stage, f"no answer to {stage.value}")
    return _ConnectionLost(stage, f"the server closed the connection at {stage.value}")


def _with_doubled_dots(message: bytes) -> bytes:
    """`message` as it goes over the wire (RFC 5321, section 4.5.2)."""
    return _LEADING_DOT.sub(b"..", message)


def _rejected(cause: str, remedy: str) -> Receipt:
    return Receipt(outcome=Outcome.REJECTED, reply=f"{cause}; {remedy}")
