"""Servers that take several commands at once, and what else they may do with them (RFC 2920)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from digest.errors import ServerUnavailable
from digest.mail import Outcome, Outgoing
from digest.mail.smtp import SmtpServer, SmtpSession, SmtpTransport
from tests.integration.mail_server import MailServer, serving

BODY = b"Subject: 3 new papers\r\n\r\nlast line\r\n"
VERBS = ["MAIL", "RCPT", "DATA"]

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def outgoing(recipient: str = "reader@example.org") -> Outgoing:
    return Outgoing(
        sender="digest@example.org", recipient=recipient, message=BODY, token=recipient[:3], is_dotless=True
    )


@asynccontextmanager
async def session(port: int) -> AsyncIterator[SmtpSession]:
    transport = SmtpTransport(
        SmtpServer(host="127.0.0.1", port=port, security="none", timeout=timedelta(seconds=2))
    )
    async with transport.session() as opened:
        yield opened


@asynccontextmanager
async def session_with(talk: Talk, *extensions: str) -> AsyncIterator[SmtpSession]:
    """With a server that greets as usual and then does as `talk` has it."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            writer.write(b"220 mail.example.org ESMTP\r\n")
            await reader.readline()
            lines = ["250-mail.example.org", *(f"250-{name}" for name in extensions), "250 HELP", ""]
            writer.write("\r\n".join(lines).encode())
            await talk(reader, writer)
        writer.close()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        async with session(listener.sockets[0].getsockname()[1]) as opened:
            yield opened
    finally:
        listener.close()


async def verbs_at_once(reader: asyncio.StreamReader) -> list[str]:
    """Those of the commands that come without an answer."""
    verbs = []
    with suppress(TimeoutError):
        while True:
            line = await asyncio.wait_for(reader.readline(), 0.2)
            verbs.append(line.split()[0].decode())
    return verbs


async def take_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n.\r\n")
    writer.write(b"250 queued\r\n")
    await reader.readline()
    writer.write(b"221 bye\r\n")


async def test_a_mail_is_announced_in_one_go_where_the_server_takes_that() -> None:
    seen: list[list[str]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await verbs_at_once(reader))
        writer.write(b"250 ok\r\n250 ok\r\n354 go ahead\r\n")
        await take_message(reader, writer)

    async with session_with(talk, "PIPELINING") as opened:
        assert (await opened.send(outgoing())).outcome is Outcome.SENT
    assert seen == [VERBS]


async def test_and_command_by_command_elsewhere() -> None:
    seen: list[list[str]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go ahead\r\n"):
            seen.append(await verbs_at_once(reader))
            writer.write(answer)
        await take_message(reader, writer)

    async with session_with(talk, "8BITMIME") as opened:
        assert (await opened.send(outgoing())).outcome is Outcome.SENT
    assert seen == [[verb] for verb in VERBS]


@pytest.mark.parametrize(
    "pieces",
    [
        [b"250-2.1.0 well\r\n250 2.1.0 done\r\n250 2.1.5 ok\r\n354 go ahead\r\n"],
        [b"250-2.1.0 well\r\n25", b"0 2.1.0 done\r", b"\n250 2.1.5 ok\r\n354 go", b" ahead\r\n"],
        [b"250 ok\n250 ok\n354\n"],
    ],
    ids=["several lines", "in pieces", "bare"],
)
async def test_replies_come_as_they_like(pieces: list[bytes]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        await take_message(reader, writer)

    async with session_with(talk, "PIPELINING") as opened:
        receipt = await opened.send(outgoing())
    assert (receipt.outcome, receipt.reply) == (Outcome.SENT, "250 queued")


@pytest.mark.parametrize(
    ("replies", "outcome", "told"),
    [
        (b"250 ok\r\n550 5.1.1 no such user\r\n503 no\r\n", Outcome.DEAD, "550 5.1.1 no such user"),
        (b"552 5.3.4 too big\r\n503 no\r\n503 no\r\n", Outcome.REJECTED, "552 5.3.4 too big"),
        (b"250 ok\r\n550 5.1.1 no such user\r\n", Outcome.DEAD, "550 5.1.1 no such user"),
        (b"250 ok\r\n", Outcome.DEFERRED, "closed the connection at RCPT"),
        (b"250 ok\r\n250 ok\r\n", Outcome.DEFERRED, "closed the connection at DATA"),
    ],
)
async def test_the_first_refusal_counts_whatever_follows(replies: bytes, outcome: Outcome, told: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        writer.write(replies)

    async with session_with(talk, "PIPELINING") as opened:
        receipt = await opened.send(outgoing())
    assert receipt.outcome is outcome
    assert told in receipt.reply


@pytest.mark.parametrize(
    ("replies", "told"),
    [
        (b"250 ok\r\n421 4.3.2 going down\r\n", "421 4.3.2 going down"),
        (b"", "closed the connection at MAIL"),
        (b"250 ok\r\n250 ok\r\n250 what\r\n", "does not speak SMTP (250 what)"),
        (b"250 ok\r\nwhat is this\r\n354 go ahead\r\n", "does not speak SMTP (what is this)"),
        (b"250 ok\r\n250 ok\r\n250-" + b"x" * 40_000, "does not speak SMTP (Response too long)"),
    ],
    ids=["farewell", "gone", "out of step", "nonsense", "endless"],
)
async def test_for_a_server_of_no_use_no_reader_is_blamed(replies: bytes, told: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        writer.write(replies)

    async with session_with(talk, "PIPELINING") as opened:
        with pytest.raises(ServerUnavailable) as caught:
            await opened.send(outgoing())
    assert told in str(caught.value)


async def test_a_silent_server_is_waited_for_and_then_left() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        writer.write(b"250 ok\r\n")
        await reader.read()

    async with session_with(talk, "PIPELINING") as opened:
        receipt = await opened.send(outgoing())
    assert receipt.outcome is Outcome.DEFERRED
    assert "no answer to RCPT" in receipt.reply


async def test_a_server_that_wants_a_message_for_nobody_gets_none() -> None:
    """Some say 354 whatever they said to RCPT: an empty message would be the only thing to give them."""
    said_after: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        writer.write(b"250 ok\r\n550 5.1.1 no such user\r\n354 anything at all\r\n")
        said_after.set_result(await reader.read())

    async with session_with(talk, "PIPELINING") as opened:
        assert (await opened.send(outgoing())).outcome is Outcome.DEAD
    assert await asyncio.wait_for(said_after, 2) == b""


async def test_and_the_next_mail_goes_over_another_connection() -> None:
    server = MailServer(answers={"RCPT one@example.org": "550 5.1.1 no such user", "DATA": "354 anything"})
    async with serving(server), session(server.port) as opened:
        first = await opened.send(outgoing("one@example.org"))
        second = await opened.send(outgoing("two@example.org"))
    assert (first.outcome, second.outcome) == (Outcome.DEAD, Outcome.SENT)
    assert [mail.recipient for mail in server.accepted] == ["two@example.org"]
    assert server.connections == 2
