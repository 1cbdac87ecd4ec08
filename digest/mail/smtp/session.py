"""Sends mails to an SMTP server: one recipient per transaction, many mails per connection."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

import aiosmtplib

from digest.errors import ServerUnavailable
from digest.mail.message import wire_address
from digest.mail.return_addresses import verp
from digest.mail.smtp.connect import Security, SmtpServer, connect, refused
from digest.mail.smtp.pipelining import Dialogue, OutOfStep, Unanswered, dialogue
from digest.mail.smtp.reply import Reply, ReplyClass, Stage
from digest.mail.smtp.reply_codes import judge
from digest.mail.transport import Outcome, Outgoing, Receipt

__all__ = ["Security", "SmtpServer", "SmtpTransport"]

_GOODBYE_SECONDS = 3.0
_MOST_LOSSES = 3
_PATIENCE_AFTER_DOT = 10  # a server may take ten times as long to accept a mail: RFC 5321, section 4.5.3.2.6
_SEE_ITS_LOG = "digest tries again later; if this continues, check the log of the mail server"
_LOST_AFTER_DOT = (
    "the connection was lost after the whole mail was sent, so the server may have it;"
    " it is tried again under the same Message-ID; if this continues, check the log of the mail server"
)
_SILENT_AFTER_DOT = "the connection was lost after each of the last three mails, so the server may have them"
_NO_SMTPUTF8 = "the server accepts no address with non-ASCII letters before the @ (SMTPUTF8)"
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_MAILBOX = re.compile(r'[^\s\x00-\x20\x7f<>()\[\],;:\\"@]+@[^\s\x00-\x20\x7f<>()\[\],;:\\"@]+')


_Refusal: TypeAlias = tuple[Stage, Reply]


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """Sends all mails to one server, over up to `server.connections` connections."""

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
    """Private to this module: the connection ended, and the server cannot have accepted the mail."""

    def __init__(self, stage: Stage, cause: str) -> None:
        super().__init__(cause)
        self.stage = stage
        self.cause = cause


class SmtpSession:
    """A connection that is opened again after its number of mails.

    The same happens if the server ends it between mails: many servers do so after an unknown number.
    """

    def __init__(self, server: SmtpServer, client: aiosmtplib.SMTP) -> None:
        self._server = server
        self._client = client
        self._served = 0
        self._takes_several = True
        self._losses = 0
        self._patience = server.timeout.total_seconds()

    async def send(self, mail: Outgoing) -> Receipt:
        """Hands over one mail; `mail.message` has CRLF line ends.

        If a connection is lost before the final dot, or ended by a 421, it is opened again once, provided
        that it had sent other mails. If it had not, the mail is deferred, because it may be the cause; at the
        third such mail in a row the server is, also if they were lost after the dot. If a server answers the
        first of several commands and then stays silent, commands are sent one by one from then on.
        Raises `ServerUnavailable` for an error that applies to every mail.
        """
        bounce_address = self._server.bounce_address
        sender = wire_address(verp(bounce_address, mail.token) if bounce_address else mail.sender)
        recipient = wire_address(mail.recipient)
        if not _MAILBOX.fullmatch(recipient):
            return _rejected("the address cannot be used in SMTP", "correct it with digest rename")
        while True:
            await self._be_connected()
            if not self._client.supports_extension("smtputf8"):
                if not sender.isascii():
                    key = "smtp.bounce_address" if bounce_address else "smtp.sender"
                    raise ServerUnavailable(str(self._server), _NO_SMTPUTF8, f"set another {key}")
                if not recipient.isascii():
                    return _rejected(_NO_SMTPUTF8, "use another address, or a server with SMTPUTF8")
            was_fresh, took_several = self._served == 0, self._takes_several
            self._served += 1
            try:
                return await self._transact(sender, recipient, mail)
            except _ConnectionLost as loss:
                self._client.close()
                if was_fresh and took_several == self._takes_several:
                    return self._blame(loss)

    async def _be_connected(self) -> None:
        """Opens a new connection where one is needed. Raises `ServerUnavailable`."""
        if self._losses == _MOST_LOSSES:
            raise ServerUnavailable(str(self._server), _SILENT_AFTER_DOT, _SEE_ITS_LOG)
        if self._served == self._server.messages_per_connection:
            await self.close()
        if not self._client.is_connected:
            self._client = await connect(self._server)
            self._served = 0

    def _blame(self, loss: _ConnectionLost) -> Receipt:
        """Before RCPT, and after several mails in a row, the server is at fault; else this mail may be."""
        self._losses += 1
        if loss.stage is Stage.SENDER or self._losses == _MOST_LOSSES:
            raise ServerUnavailable(str(self._server), loss.cause, _SEE_ITS_LOG) from loss
        return Receipt(outcome=Outcome.DEFERRED, reply=f"{loss.cause}; {_SEE_ITS_LOG}")

    async def close(self) -> None:
        """Sends QUIT if the server still answers."""
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
        message = mail.message if mail.is_dotless else _with_doubled_dots(mail.message)
        try:
            with dialogue(self._client) as talk:
                refusal = await self._announce(talk, commands)
                if refusal is None:
                    reply = await self._send_content(talk, message)
                    if reply is None:
                        self._losses += 1
                        return Receipt(outcome=Outcome.UNKNOWN, reply=_LOST_AFTER_DOT)
                    if 200 <= reply.code < 300:
                        self._losses = 0
                        return Receipt(outcome=Outcome.SENT, reply=str(reply))
                    refusal = Stage.CONTENT, reply
        except OutOfStep as error:
            raise refused(self._server, Stage.CONTENT, error.reply) from error
        except Unanswered as error:
            raise _unanswered(Stage.SENDER, error) from error
        return await self._refusal(*refusal)

    def _mail_command(self, sender: str, recipient: str, size: int) -> bytes:
        options = [f" SIZE={size}"] if self._client.supports_extension("size") else []
        if not (sender + recipient).isascii():
            options.append(" SMTPUTF8")
            if self._client.supports_extension("8bitmime"):
                options.append(" BODY=8BITMIME")
        return f"MAIL FROM:<{sender}>{''.join(options)}".encode()

    async def _announce(self, talk: Dialogue, commands: Mapping[Stage, bytes]) -> _Refusal | None:
        """Sends the commands, all at once if the server supports that. Returns the first refusal, if any."""
        if self._takes_several and self._client.supports_extension("pipelining"):
            return await self._at_once(talk, commands)
        return await self._in_turn(talk, commands)

    async def _at_once(self, talk: Dialogue, commands: Mapping[Stage, bytes]) -> _Refusal | None:
        """Reads the replies after a refusal as well, because they answer no other command."""
        replies: dict[Stage, Reply] = {}
        try:
            talk.command(*commands.values())
            for stage in commands:
                replies[stage] = await talk.reply(self._patience)
        except Unanswered as error:
            self._client.close()
            refusal = _first_refusal(replies)
            if refusal is None:
                self._takes_several = not (error.is_silent and replies)
                raise _unanswered(list(commands)[len(replies)], error) from error
            return refusal
        refusal = _first_refusal(replies)
        if refusal and _is_accepted(Stage.CONTENT, replies[Stage.CONTENT]):
            self._client.close()  # the server waits for a message that must not be sent
        return refusal

    async def _in_turn(self, talk: Dialogue, commands: Mapping[Stage, bytes]) -> _Refusal | None:
        for stage, command in commands.items():
            try:
                talk.command(command)
                reply = await talk.reply(self._patience)
            except Unanswered as error:
                raise _unanswered(stage, error) from error
            if refusal := _first_refusal({stage: reply}):
                return refusal
        return None

    async def _send_content(self, talk: Dialogue, message: bytes) -> Reply | None:
        """Sends the message and the final dot; `None` if it stays unknown whether the server has the mail.

        The dot is written separately: appending it would copy the message.
        """
        try:
            talk.write(message, b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
        except Unanswered as error:
            raise _unanswered(Stage.CONTENT, error) from error
        try:
            reply = await talk.reply(self._patience * _PATIENCE_AFTER_DOT)
        except Unanswered as error:
            is_dot_out = talk.give_up()
            self._client.close()
            if not is_dot_out:
                raise _ConnectionLost(Stage.CONTENT, "the server stopped reading at DATA") from error
            return None
        if reply.code < 0:
            self._client.close()
            return None
        return reply

    async def _refusal(self, stage: Stage, reply: Reply) -> Receipt:
        verdict = judge(stage, reply)
        if reply.code == 421:
            raise _ConnectionLost(stage, f"{verdict.cause} ({reply})")
        is_of_server = verdict.reply_class is ReplyClass.SERVER
        if is_of_server and (stage is Stage.SENDER or reply.code < 0 or verdict.wait is not None):
            raise refused(self._server, stage, reply)
        await self._reset()
        if verdict.reply_class is ReplyClass.DEAD_ADDRESS:
            outcome = Outcome.DEAD
        elif verdict.reply_class is ReplyClass.DOUBTFUL_ADDRESS:
            outcome = Outcome.DOUBTFUL
        elif is_of_server:
            outcome = Outcome.UNSERVED
        else:
            outcome = Outcome.DEFERRED if reply.code < 500 else Outcome.REJECTED
        return Receipt(outcome=outcome, reply=f"{reply} ({verdict.cause}; {verdict.remedy})")

    async def _reset(self) -> None:
        """Makes the connection ready for the next mail, or closes it; then the next mail opens another."""
        self._losses = 0
        try:
            await self._client.rset()
        except aiosmtplib.SMTPException:
            self._client.close()


def _is_accepted(stage: Stage, reply: Reply) -> bool:
    return reply.code == 354 if stage is Stage.CONTENT else 200 <= reply.code < 300


def _first_refusal(replies: Mapping[Stage, Reply]) -> _Refusal | None:
    for stage, reply in replies.items():
        if not _is_accepted(stage, reply):
            # 2yz is not valid for DATA: the replies no longer match the commands.
            is_nonsense = stage is Stage.CONTENT and reply.code < 400
            return stage, Reply(code=-1, text=str(reply)) if is_nonsense else reply
    return None


def _unanswered(stage: Stage, error: Unanswered) -> _ConnectionLost:
    if error.is_silent:
        return _ConnectionLost(stage, f"no answer to {stage.value}")
    return _ConnectionLost(stage, f"the server closed the connection at {stage.value}")


def _with_doubled_dots(message: bytes) -> bytes:
    """`message` as it goes over the wire (RFC 5321, section 4.5.2)."""
    return _LEADING_DOT.sub(b"..", message)


def _rejected(cause: str, remedy: str) -> Receipt:
    return Receipt(outcome=Outcome.REJECTED, reply=f"{cause}; {remedy}")
