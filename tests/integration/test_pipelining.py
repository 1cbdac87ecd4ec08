"""What is said about one mail, at once where the server takes that, and what may come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from digest.errors import ServerUnavailable
from digest.mail.smtp.session import SmtpServer, SmtpSession, SmtpTransport
from digest.mail.transport import Outcome, Outgoing
from digest.service.event_loop import run
from tests.integration.mail_server import MailServer, serving
from tests.waiting import LIMIT

BODY = b"Subject: 3 new papers\r\n\r\nlast line\r\n"
VERBS = ["MAIL", "RCPT", "DATA"]

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def outgoing(recipient: str = "reader@example.org") -> Outgoing:
    return Outgoing(
        sender="digest@example.org", recipient=recipient, message=BODY, token=recipient[:3], is_dotless=True
    )


@asynccontextmanager
async def session(port: int, *, seconds: float = LIMIT) -> AsyncIterator[SmtpSession]:
    transport = SmtpTransport(
        SmtpServer(host="127.0.0.1", port=port, security="none", timeout=timedelta(seconds=seconds))
    )
    async with transport.session() as opened:
        yield opened


@asynccontextmanager
async def session_with(
    talk: Talk, *extensions: str, after_hello: str = "", seconds: float = LIMIT
) -> AsyncIterator[SmtpSession]:
    """With a server that greets as usual and then does as `talk` has it."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            writer.write(b"220 mail.example.org ESMTP\r\n")
            await reader.readline()
            lines = ["250-mail.example.org", *(f"250-{name}" for name in extensions), "250 HELP", after_hello]
            writer.write("\r\n".join(lines).encode())
            await talk(reader, writer)
        writer.close()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        port = listener.sockets[0].getsockname()[1]
        async with session(port, seconds=seconds) as opened:
            yield opened
    finally:
        listener.close()


async def verbs_at_once(reader: asyncio.StreamReader) -> list[str]:
    """Those of the commands that come without an answer; none when the client has gone."""
    lines = await asyncio.wait_for(reader.read(65_536), LIMIT)
    return [line.split()[0].decode() for line in lines.splitlines()]


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
        (b"421 4.3.2 going down\r\n", "421 4.3.2 going down"),
        (b"", "closed the connection at MAIL"),
        (b"250 ok\r\n250 ok\r\n250 what\r\n", "does not speak SMTP (250 what)"),
        (b"250 ok\r\nwhat is this\r\n354 go ahead\r\n", "does not speak SMTP (what is this)"),
        (b"250 ok\r\n250 ok\r\n250-" + b"x" * 40_000, "does not speak SMTP (Response too long)"),
        (b"250 ok\r\n250 ok\r\n000 go\r\n", "does not speak SMTP"),
        (b"250 ok\r\nbad-line\r\n250 ok\r\n354 go ahead\r\n", "does not speak SMTP (bad-line)"),
        (b"250 ok\r\n25\r\n354 go ahead\r\n", "does not speak SMTP (25)"),
    ],
    ids=["farewell", "gone", "out of step", "nonsense", "endless", "nothing", "no continuation", "half"],
)
async def test_for_a_server_of_no_use_no_subscriber_is_blamed(replies: bytes, told: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        writer.write(replies)

    async with session_with(talk, "PIPELINING") as opened:
        with pytest.raises(ServerUnavailable) as caught:
            await opened.send(outgoing())
    assert told in str(caught.value)


async def test_a_server_that_loses_what_comes_at_once_is_asked_in_turn_from_then_on() -> None:
    seen: list[list[str]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go ahead\r\n"):
            seen.append(await verbs_at_once(reader))
            if seen[-1]:
                writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 queued\r\n")
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go ahead\r\n"):
            seen.append(await verbs_at_once(reader))
            writer.write(answer)
        await take_message(reader, writer)

    async with session_with(talk, "PIPELINING", seconds=1) as opened:
        assert (await opened.send(outgoing())).outcome is Outcome.SENT
        assert (await opened.send(outgoing())).outcome is Outcome.SENT
    assert [verbs for verbs in seen if verbs] == [VERBS, *([verb] for verb in VERBS * 2)]


async def test_a_server_may_take_longer_to_accept_a_mail_than_to_answer_a_command() -> None:
    """RFC 5321, section 4.5.3.2.6: else a server that examines its mails gets copies of each."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go ahead\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        await asyncio.sleep(2)
        writer.write(b"250 queued\r\n")
        await reader.read()

    async with session_with(talk, "PIPELINING", seconds=1) as opened:
        assert (await opened.send(outgoing())).outcome is Outcome.SENT


async def test_a_silent_server_is_waited_for_and_then_left() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"250 ok\r\n")
        await reader.read()

    async with session_with(talk, "PIPELINING", seconds=1) as opened:
        receipt = await opened.send(outgoing())
    assert receipt.outcome is Outcome.DEFERRED
    assert "no answer to RCPT" in receipt.reply


@pytest.mark.parametrize("extension", ["PIPELINING", "8BITMIME"])
@pytest.mark.parametrize(
    ("after_hello", "after_dot"),
    [
        ("", "250 queued\r\n250 queued again"),
        ("250 stray\r\n", "250 queued"),
        ("250 stray\r\n250 stray\r\n354 stray\r\n", "250 queued"),
        ("", "250 queued\r\n550 5.1.1 stray"),
        ("", "250 queued\r\n25"),
    ],
)
async def test_what_nobody_asked_for_is_the_answer_to_nothing(
    extension: str, after_hello: str, after_dot: str
) -> None:
    """The first mail is taken, the second is refused at the dot, and that is what is told of them."""
    dots = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal dots
        answers = {b"MAIL": "250 ok", b"RCPT": "250 ok", b"DATA": "354 go ahead", b"QUIT": "221 bye"}
        while line := await reader.readline():
            writer.write(f"{answers[line[:4]]}\r\n".encode())
            if line == b"DATA\r\n":
                await reader.readuntil(b"\r\n.\r\n")
                dots += 1
                writer.write(f"{after_dot if dots == 1 else '554 5.7.1 spam'}\r\n".encode())

    async with session_with(talk, extension, after_hello=after_hello) as opened:
        first, second = [await opened.send(outgoing()) for _ in range(2)]
    assert (first.outcome, second.outcome) == (Outcome.SENT, Outcome.REJECTED)
    assert (first.reply, second.reply[:15]) == ("250 queued", "554 5.7.1 spam ")


async def test_no_message_follows_an_answer_that_is_too_many() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        writer.write(b"250 ok\r\n250 ok\r\n354 stray\r\n550 5.1.1 no such user\r\n")
        assert await reader.read() == b""

    async with session_with(talk, "PIPELINING") as opened:
        with pytest.raises(ServerUnavailable, match="no such user"):
            await opened.send(outgoing())


async def test_who_stops_in_the_middle_says_nothing_more() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        begun.set()
        heard.set_result(await reader.read())

    async with session_with(talk, "PIPELINING") as opened:
        sending = asyncio.create_task(opened.send(outgoing()))
        await begun.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert await asyncio.wait_for(heard, LIMIT) == b""


async def test_an_address_is_no_place_for_commands() -> None:
    server = MailServer()
    mail = replace(outgoing(), sender="digest@example.org>\r\nRCPT TO:<other@example.org")
    async with serving(server), session(server.port) as opened:
        with pytest.raises(ValueError, match="control character"):
            await opened.send(mail)
    assert not [command for command in server.commands if command.startswith("RCPT")]


async def test_a_server_that_wants_a_message_for_nobody_gets_none() -> None:
    """Some say 354 whatever they said to RCPT: an empty message would be the only thing to give them."""
    said_after: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await verbs_at_once(reader)
        writer.write(b"250 ok\r\n550 5.1.1 no such user\r\n354 anything at all\r\n")
        said_after.set_result(await reader.read())

    async with session_with(talk, "PIPELINING") as opened:
        assert (await opened.send(outgoing())).outcome is Outcome.DEAD
    assert await asyncio.wait_for(said_after, LIMIT) == b""


async def test_and_the_next_mail_goes_over_another_connection() -> None:
    server = MailServer(answers={"RCPT one@example.org": "550 5.1.1 no such user", "DATA": "354 anything"})
    async with serving(server), session(server.port) as opened:
        first = await opened.send(outgoing("one@example.org"))
        second = await opened.send(outgoing("two@example.org"))
    assert (first.outcome, second.outcome) == (Outcome.DEAD, Outcome.SENT)
    assert [mail.recipient for mail in server.accepted] == ["two@example.org"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "trial",
    [
        test_a_mail_is_announced_in_one_go_where_the_server_takes_that,
        test_a_server_that_loses_what_comes_at_once_is_asked_in_turn_from_then_on,
        partial(
            test_what_nobody_asked_for_is_the_answer_to_nothing, "PIPELINING", "250 stray\r\n", "250 queued"
        ),
        partial(test_the_first_refusal_counts_whatever_follows, b"250 ok\r\n", Outcome.DEFERRED, "at RCPT"),
        test_no_message_follows_an_answer_that_is_too_many,
        test_who_stops_in_the_middle_says_nothing_more,
        test_a_server_that_wants_a_message_for_nobody_gets_none,
        test_and_the_next_mail_goes_over_another_connection,
    ],
)
def test_and_so_it_is_in_the_event_loop_of_the_daemon(trial: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(trial())
