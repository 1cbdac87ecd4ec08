"""What becomes of a mail, and what the operator is told, for everything that a mail server may do."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from digest.errors import ServerUnavailable
from digest.mail.smtp import connect as connect_module
from digest.mail.smtp import session as session_module
from digest.mail.smtp.connect import connect
from digest.mail.smtp.session import Security, SmtpServer, SmtpSession, SmtpTransport
from digest.mail.transport import Outcome, Outgoing, Receipt
from tests.integration import mail_server
from tests.integration.mail_server import Answer, Do, MailServer, serving
from tests.waiting import LIMIT

BODY = b"Subject: 3 new papers\r\n\r\n.a line that begins with a dot\r\nlast line\r\n"
PASSWORD = "correct horse battery"
SHORT = 1.0
"""How many seconds a server that hangs is waited for: long enough for what a busy machine does meanwhile."""


def outgoing(recipient: str = "reader@example.org", message: bytes = BODY) -> Outgoing:
    return Outgoing(sender="digest@example.org", recipient=recipient, message=message, token=recipient[:3])


def reach(
    server: MailServer,
    *,
    host: str = "127.0.0.1",
    security: Security = "none",
    username: str | None = None,
    seconds: float = LIMIT,
    messages: int | None = None,
    bounce_address: str | None = None,
) -> SmtpTransport:
    return SmtpTransport(
        SmtpServer(
            host=host,
            port=server.port,
            security=security,
            username=username,
            password=PASSWORD if username else None,
            timeout=timedelta(seconds=seconds),
            messages_per_connection=messages,
            bounce_address=bounce_address,
        )
    )


@asynccontextmanager
async def session_with(server: MailServer, **options: float) -> AsyncIterator[SmtpSession]:
    async with serving(server), reach(server, **options).session() as session:  # type: ignore[arg-type]
        yield session


async def receipts(server: MailServer, *recipients: str, seconds: float = LIMIT) -> list[Receipt]:
    async with session_with(server, seconds=seconds) as session:
        return [await session.send(outgoing(recipient)) for recipient in recipients]


async def refusal_to_open(server: MailServer, **options: str | float) -> ServerUnavailable:
    async with serving(server):
        with pytest.raises(ServerUnavailable) as caught:
            async with reach(server, **options).session():  # type: ignore[arg-type]
                pass
    return caught.value


@pytest.fixture(autouse=True, params=[True, False], ids=["at once", "in turn"])
def pipelining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """All of it must be so whether or not the server takes several commands at once."""
    monkeypatch.setattr(mail_server, "OFFERS_PIPELINING", request.param)
    return bool(request.param)


def certificate(
    authority: trustme.CA, name: str = "127.0.0.1", not_after: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context


async def test_mails_go_over_one_connection_with_their_lines_as_they_are() -> None:
    server = MailServer()
    got = await receipts(server, "one@example.org", "two@example.org")
    assert [one.outcome for one in got] == [Outcome.SENT, Outcome.SENT]
    assert got[0].reply == "250 2.0.0 queued"
    assert server.connections == 1
    assert [mail.message for mail in server.accepted] == [BODY, BODY]
    assert [mail.recipient for mail in server.accepted] == ["one@example.org", "two@example.org"]
    assert server.commands[-1] == "QUIT"


async def test_a_connection_is_encrypted_by_starttls_before_the_login(trusted: trustme.CA) -> None:
    server = MailServer(tls=certificate(trusted), extensions=("STARTTLS", "AUTH PLAIN LOGIN"))
    async with serving(server), reach(server, security="starttls", username="me").session() as session:
        assert (await session.send(outgoing())).outcome is Outcome.SENT
    assert [command.split()[0] for command in server.commands[:4]] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_a_connection_can_be_encrypted_from_the_start(trusted: trustme.CA) -> None:
    server = MailServer(tls=certificate(trusted), is_tls_from_start=True, extensions=("AUTH LOGIN",))
    async with serving(server), reach(server, security="tls").session() as session:
        assert (await session.send(outgoing())).outcome is Outcome.SENT


async def test_a_server_without_starttls_gets_nothing() -> None:
    server = MailServer()
    error = await refusal_to_open(server, security="starttls", username="me")
    assert "offers no encryption (STARTTLS), so nothing was sent" in error.reason
    assert "465" in error.remedy
    assert [command.split()[0] for command in server.commands] == ["EHLO"]


async def test_a_refused_starttls_is_the_end() -> None:
    server = MailServer(extensions=("STARTTLS",), answers={"STARTTLS": "454 4.7.0 TLS not available"})
    error = await refusal_to_open(server, security="starttls")
    assert "does not start it (454 4.7.0 TLS not available)" in error.reason
    assert "MAIL" not in " ".join(server.commands)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_untrusted_certificate_is_refused(authority: trustme.CA, security: Security) -> None:
    server = MailServer(
        tls=certificate(authority), extensions=("STARTTLS",), is_tls_from_start=security == "tls"
    )
    error = await refusal_to_open(server, security=security, username="me")
    assert "certificate is not valid (unable to get local issuer certificate)" in error.reason
    assert "SSL_CERT_FILE" in error.remedy
    assert "AUTH" not in " ".join(server.commands)


async def test_an_expired_certificate_is_refused(trusted: trustme.CA) -> None:
    expired = certificate(trusted, not_after=datetime(2020, 1, 1, tzinfo=UTC))
    error = await refusal_to_open(MailServer(tls=expired, extensions=("STARTTLS",)), security="starttls")
    assert "certificate is not valid (certificate has expired)" in error.reason
    assert "must renew it" in error.remedy


async def test_a_certificate_for_another_name_is_refused(trusted: trustme.CA) -> None:
    other = certificate(trusted, "mail.example.net")
    error = await refusal_to_open(MailServer(tls=other, extensions=("STARTTLS",)), security="starttls")
    assert "certificate is not valid" in error.reason
    assert "set smtp.host to a name" in error.remedy


async def test_tls_from_the_start_on_a_port_that_speaks_plain_smtp_names_the_ports() -> None:
    error = await refusal_to_open(MailServer(), security="tls")
    assert "no encrypted connection" in error.reason
    assert '"starttls" with port 587' in error.remedy


async def test_starttls_on_a_port_that_begins_with_tls_names_the_port(authority: trustme.CA) -> None:
    server = MailServer(tls=certificate(authority), is_tls_from_start=True)
    error = await refusal_to_open(server, security="starttls", seconds=SHORT)
    assert "no answer within 1 s" in error.reason
    assert '465 needs smtp.security = "tls"' in error.remedy


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN"])
async def test_a_refused_login_never_shows_the_password(method: str) -> None:
    secret = b64encode(f"\0me\0{PASSWORD}".encode()).decode()
    server = MailServer(
        extensions=(f"AUTH {method}",),
        answers={"AUTH": [f"535 5.7.8 no: {secret} {PASSWORD} {b64encode(PASSWORD.encode()).decode()}"]},
    )
    error = await refusal_to_open(server, username="me")
    assert error.reason == "login refused (535 5.7.8 no: … … …)"
    assert "Gmail and Outlook need an app password" in error.remedy
    assert "check smtp.username and the password" in str(error)
    assert PASSWORD not in repr(reach(server, username="me"))


async def test_a_server_without_logins_is_told_from_a_refused_login() -> None:
    error = await refusal_to_open(MailServer(), username="me")
    assert "offers no login" in error.reason


@pytest.mark.parametrize("host", ["192.0.2.1", "mail.example.org", "127.0.0.1.example.org"])
async def test_a_password_goes_to_no_other_machine_without_encryption(host: str) -> None:
    with pytest.raises(ServerUnavailable, match="password was not sent") as caught:
        async with reach(MailServer(port=25), host=host, username="me").session():
            pass
    assert '"starttls" or "tls"' in caught.value.remedy


async def test_a_login_to_this_machine_needs_no_encryption() -> None:
    server = MailServer(extensions=("AUTH PLAIN",))
    async with serving(server), reach(server, username="me").session() as session:
        assert (await session.send(outgoing())).outcome is Outcome.SENT


async def test_a_server_that_is_not_there_is_named_with_what_to_check() -> None:
    server = MailServer()
    async with serving(server):
        pass
    with pytest.raises(ServerUnavailable) as caught:
        async with reach(server).session():
            pass
    error = caught.value
    assert error.server == f"127.0.0.1:{server.port}"
    assert error.reason == "nothing listens there"
    assert "check smtp.host and smtp.port" in error.remedy


@pytest.mark.parametrize(
    ("answers", "reason", "remedy"),
    [
        ({"GREETING": Do.DROP}, "closed the connection at the greeting", "tries again later"),
        ({"GREETING": Do.HANG}, "no answer within 1 s at the greeting", "firewall"),
        ({"GREETING": "421 4.3.2 too many connections"}, "accepts no mail for now (421", "smtp.connections"),
        ({"GREETING": "554 5.7.1 you are on a list"}, "no mail from this machine (554", "with a login"),
        ({"GREETING": "* OK IMAP4rev1 ready"}, "does not speak SMTP", "check smtp.host and smtp.port"),
        ({"EHLO": Do.DROP}, "closed the connection at EHLO", "tries again later"),
        ({"EHLO": Do.HANG}, "no answer within 1 s at EHLO", "tries again later"),
        ({"EHLO": "550 5.7.1 your name is odd"}, "no mail from this machine (550", "check smtp.host"),
    ],
)
async def test_a_server_that_fails_at_the_door_is_unavailable(
    answers: dict[str, Answer], reason: str, remedy: str
) -> None:
    error = await refusal_to_open(MailServer(answers=answers), seconds=SHORT)
    assert reason in error.reason
    assert remedy in error.remedy


async def test_answers_of_one_byte_a_second_end_in_time() -> None:
    async with asyncio.timeout(LIMIT):
        error = await refusal_to_open(MailServer(seconds_per_byte=10), seconds=SHORT)
    assert "no answer within 1 s" in error.reason


async def test_a_server_that_knows_only_helo_takes_mail() -> None:
    server = MailServer(answers={"EHLO": "502 5.5.1 what is that"})
    assert [one.outcome for one in await receipts(server, "one@example.org")] == [Outcome.SENT]


@pytest.mark.parametrize(
    ("answers", "outcome", "told"),
    [
        (
            {"RCPT": "450 4.2.1 greylisted"},
            Outcome.DEFERRED,
            "450 4.2.1 greylisted (not accepted for now; digest",
        ),
        ({"RCPT": "451 4.3.0 local error"}, Outcome.DEFERRED, "tries again later"),
        ({"RCPT": "452 4.2.2 mailbox full"}, Outcome.DEFERRED, "tries again later"),
        (
            {"RCPT": "550 5.1.1 no such user"},
            Outcome.DEAD,
            "the mailbox does not exist; correct the address",
        ),
        ({"RCPT": "554 5.7.1 relay access denied"}, Outcome.REJECTED, "set smtp.username and its password"),
        ({"RCPT": "552 5.2.2 mailbox full"}, Outcome.REJECTED, "the subscriber must free some space"),
        ({"MAIL": "552 5.3.4 message too big"}, Outcome.REJECTED, "too large"),
        ({"DATA": "451 4.7.1 try later"}, Outcome.DEFERRED, "tries again later"),
        ({"DATA": "554 5.5.1 no"}, Outcome.REJECTED, "rules of the server refuse this mail"),
        ({"DOT": "451 4.3.0 queue file"}, Outcome.DEFERRED, "tries again later"),
        ({"DOT": "550 5.7.1 looks like spam"}, Outcome.REJECTED, "SPF, DKIM"),
        ({"DOT": "552 5.3.4 too big"}, Outcome.REJECTED, "fewer or narrower keywords"),
    ],
)
async def test_a_refused_mail_does_not_touch_the_next(
    answers: dict[str, Answer], outcome: Outcome, told: str
) -> None:
    once = {verb: [answer] for verb, answer in answers.items()}
    server = MailServer(answers=once)
    first, second = await receipts(server, "one@example.org", "two@example.org")
    assert first.outcome is outcome
    assert told in first.reply
    assert second.outcome is Outcome.SENT
    assert server.connections == 1
    assert "RSET" in server.commands


async def test_a_connection_that_cannot_be_reset_is_replaced() -> None:
    server = MailServer(answers={"RCPT": ["550 5.1.1 no such user"], "RSET": Do.DROP})
    first, second = await receipts(server, "one@example.org", "two@example.org")
    assert (first.outcome, second.outcome) == (Outcome.DEAD, Outcome.SENT)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answers", "reason", "remedy"),
    [
        (
            {"MAIL": "530 5.7.0 Authentication required"},
            "requires a login or encryption",
            "set smtp.username",
        ),
        (
            {"MAIL": "550 5.7.60 not allowed to send as"},
            "accept mail from this sender (550",
            "set smtp.sender",
        ),
        ({"MAIL": "452 4.3.1 disk full"}, "accepts no mail for now (452", "tries again later"),
        ({"MAIL": "421 4.7.0 too much mail"}, "accepts no mail for now (421", "tries again later"),
        ({"MAIL": Do.DROP}, "closed the connection at MAIL", "tries again later"),
        ({"MAIL": Do.HANG}, "no answer to MAIL", "tries again later"),
        ({"RCPT": "what?"}, "does not speak SMTP", "check smtp.host"),
    ],
)
async def test_what_concerns_every_mail_blames_no_recipient(
    answers: dict[str, Answer], reason: str, remedy: str
) -> None:
    server = MailServer(answers=answers)
    async with session_with(server, seconds=SHORT) as session:
        with pytest.raises(ServerUnavailable) as caught:
            await session.send(outgoing())
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy
    assert server.accepted == []


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        *((verb, "421 4.7.0 too much mail") for verb in ("RCPT", "DATA", "DOT")),
        *((verb, Do.DROP) for verb in ("RCPT", "DATA")),
    ],
)
async def test_a_server_that_goes_away_at_three_mails_in_a_row_is_at_fault(verb: str, answer: Answer) -> None:
    usual = {"RCPT": "250 ok", "DATA": "354 go", "DOT": "250 ok"}[verb]
    server = MailServer(answers={verb: [answer, answer, usual, *[answer] * 4]})
    async with session_with(server) as session:
        outcomes = [(await session.send(outgoing())).outcome for _ in range(5)]
        with pytest.raises(ServerUnavailable, match=r"accepts no mail for now|closed the connection"):
            await session.send(outgoing())
    deferred = Outcome.DEFERRED
    assert outcomes == [deferred, deferred, Outcome.SENT, deferred, deferred]


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
@pytest.mark.parametrize("deed", [Do.DROP, Do.HANG])
async def test_a_mail_at_which_the_server_goes_away_waits_and_the_next_goes(
    pipelining: bool, verb: str, deed: Do
) -> None:
    tries = 2 if pipelining and deed is Do.HANG else 1  # at once, and then in turn
    server = MailServer(answers={verb: [deed] * tries})
    first, second = await receipts(server, "one@example.org", "two@example.org", seconds=SHORT)
    assert first.outcome is Outcome.DEFERRED
    assert f"at {verb}" in first.reply or f"no answer to {verb}" in first.reply
    assert "tries again later" in first.reply
    assert second.outcome is Outcome.SENT
    assert server.connections == tries + 1


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        *((verb, "421 4.7.0 enough for one connection") for verb in ("MAIL", "RCPT", "DATA", "DOT")),
        *((verb, Do.DROP) for verb in ("MAIL", "RCPT", "DATA")),
    ],
)
async def test_a_connection_that_ends_after_some_mails_is_renewed_silently(verb: str, answer: Answer) -> None:
    usual = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "DOT": "250 ok"}[verb]
    server = MailServer(answers={verb: [usual, answer]})
    first, second = await receipts(server, "one@example.org", "two@example.org")
    assert (first.outcome, second.outcome) == (Outcome.SENT, Outcome.SENT)
    assert server.connections == 2
    assert [mail.recipient for mail in server.accepted] == ["one@example.org", "two@example.org"]


async def test_a_connection_is_renewed_once_for_a_mail_and_not_for_ever() -> None:
    server = MailServer(answers={"MAIL": ["250 ok", Do.DROP, Do.DROP, Do.DROP]})
    async with session_with(server) as session:
        await session.send(outgoing())
        with pytest.raises(ServerUnavailable, match="closed the connection at MAIL"):
            await session.send(outgoing())
    assert server.connections == 2


@pytest.mark.parametrize("deed", [Do.DROP, Do.HANG])
async def test_silence_after_the_final_dot_leaves_the_outcome_unknown(
    deed: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_PATIENCE_AFTER_DOT", 1)
    server = MailServer(answers={"DOT": [deed]})
    first, second = await receipts(server, "one@example.org", "two@example.org", seconds=SHORT)
    assert first.outcome is Outcome.UNKNOWN
    assert "the server may have it" in first.reply
    assert second.outcome is Outcome.SENT
    assert server.connections == 2


@pytest.mark.parametrize("deed", [Do.DROP, Do.HANG, Do.TAKE])
async def test_a_server_that_says_nothing_after_three_mails_in_a_row_is_at_fault(
    deed: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each of many subscribers would get a copy, and again at each attempt."""
    monkeypatch.setattr(session_module, "_PATIENCE_AFTER_DOT", 1)
    server = MailServer(answers={"DOT": [deed, deed, "250 ok", deed, deed, deed]})
    async with session_with(server, seconds=SHORT) as session:
        outcomes = [(await session.send(outgoing())).outcome for _ in range(6)]
        with pytest.raises(ServerUnavailable, match="lost after each of the last three mails"):
            await session.send(outgoing())
    unknown = Outcome.UNKNOWN
    assert outcomes == [unknown, unknown, Outcome.SENT, unknown, unknown, unknown]


async def test_a_mail_of_which_a_part_never_left_waits_and_the_rest_never_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "_PATIENCE_AFTER_DOT", 1)
    large = b"a line of a mail\r\n" * 1_000_000
    late_subscriber = LateSubscriber()
    async with late_subscriber.serving() as port:
        async with reach(MailServer(port=port), seconds=SHORT).session() as session:
            receipt = await session.send(outgoing(message=large))
        late_subscriber.wakes.set()
        await late_subscriber.has_read.wait()
    assert receipt.outcome is Outcome.DEFERRED
    assert "stopped reading" in receipt.reply
    assert late_subscriber.octets < len(large)


class LateSubscriber:
    """A server that reads a message only when it is woken, and then all that comes."""

    def __init__(self) -> None:
        self.wakes = asyncio.Event()
        self.has_read = asyncio.Event()
        self.octets = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        listener = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=1024)
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            await listener.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        for answer in (b"250 hello", b"250 ok", b"250 ok", b"354 go"):
            await reader.readline()
            writer.write(answer + b"\r\n")
        await self.wakes.wait()
        with suppress(ConnectionError):
            while some := await reader.read(65536):
                self.octets += len(some)
        self.has_read.set()
        writer.close()


async def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(ServerUnavailable, match=r"no such host; check smtp\.host"):
        async with reach(MailServer(port=25), host="mail..example").session():
            pass


async def test_an_address_that_could_smuggle_a_command_is_not_used() -> None:
    server = MailServer()
    for address in ("a@example.org>\r\nDATA", "a b@example.org", "<a@example.org>", "nobody", "a@b@c"):
        (receipt,) = await receipts(server, address)
        assert receipt.outcome is Outcome.REJECTED
        assert "correct it with digest rename" in receipt.reply
    assert not [command for command in server.commands if command.startswith(("MAIL", "DATA"))]


async def test_a_domain_beyond_ascii_is_written_in_ascii() -> None:
    server = MailServer()
    assert (await receipts(server, "leser@straße.example"))[0].outcome is Outcome.SENT
    assert server.accepted[0].recipient == "leser@xn--strae-oqa.example"


async def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    server = MailServer()
    (refused,) = await receipts(server, "用户@example.org")
    assert refused.outcome is Outcome.REJECTED
    assert "SMTPUTF8" in refused.reply
    able = MailServer(extensions=("SMTPUTF8", "8BITMIME"))
    assert (await receipts(able, "用户@example.org"))[0].outcome is Outcome.SENT
    assert able.accepted[0].recipient == "用户@example.org"
    assert "MAIL FROM:<digest@example.org> SMTPUTF8 BODY=8BITMIME" in able.commands


async def test_a_connection_takes_its_number_of_mails_and_is_closed_properly_for_another() -> None:
    server = MailServer()
    async with serving(server), reach(server, messages=2).session() as session:
        for name in ("one", "two", "three", "four", "five"):
            assert (await session.send(outgoing(f"{name}@example.org"))).outcome is Outcome.SENT
    verbs = [command.split()[0] for command in server.commands]
    per_connection = " ".join(verbs).split("EHLO")[1:]
    assert [part.split().count("MAIL") for part in per_connection] == [2, 2, 1]
    assert all(part.split()[-1] == "QUIT" for part in per_connection)
    assert server.connections == 3


async def test_a_refused_mail_counts_for_its_connection_too() -> None:
    server = MailServer(answers={"RCPT": ["550 5.1.1 nobody"]})
    async with serving(server), reach(server, messages=1).session() as session:
        assert (await session.send(outgoing())).outcome is Outcome.DEAD
        assert (await session.send(outgoing())).outcome is Outcome.SENT
    assert server.connections == 2


async def test_a_connection_that_the_server_ended_begins_its_number_anew() -> None:
    server = MailServer(answers={"MAIL": ["250 ok", Do.DROP]})
    async with serving(server), reach(server, messages=2).session() as session:
        for _ in range(3):
            assert (await session.send(outgoing())).outcome is Outcome.SENT
    assert server.connections == 2


async def test_no_other_connection_is_opened_before_there_is_a_mail_for_it() -> None:
    server = MailServer()
    async with serving(server), reach(server, messages=1).session() as session:
        await session.send(outgoing())
    assert server.connections == 1


async def test_a_server_that_is_gone_for_the_next_connection_blames_no_mail() -> None:
    server = MailServer(answers={"GREETING": ["220 hello", "421 4.7.0 too many connections"]})
    async with serving(server), reach(server, messages=1).session() as session:
        await session.send(outgoing())
        with pytest.raises(ServerUnavailable):
            await session.send(outgoing())
        server.forget()
        assert (await session.send(outgoing())).outcome is Outcome.SENT


async def test_bounces_go_to_an_address_that_names_the_mailing_and_the_mail_stays_the_same() -> None:
    server = MailServer()
    async with serving(server), reach(server, bounce_address="bounce@läb.example").session() as session:
        await session.send(outgoing("one@example.org"))
        await session.send(outgoing("two@example.org"))
    assert [mail.sender for mail in server.accepted] == [
        "bounce+one@xn--lb-via.example",
        "bounce+two@xn--lb-via.example",
    ]
    assert {mail.message for mail in server.accepted} == {BODY}


@pytest.mark.parametrize(
    ("helo", "machine", "name"),
    [
        (None, "laptop", "lab.example"),
        (None, "mx1.uni.example", "mx1.uni.example"),
        ("mail.lab.example", "mx1.uni.example", "mail.lab.example"),
    ],
)
async def test_a_server_is_greeted_by_a_full_name(
    monkeypatch: pytest.MonkeyPatch, helo: str | None, machine: str, name: str
) -> None:
    monkeypatch.setattr(connect_module, "machine_name", lambda: machine)
    async with serving(MailServer()) as server:
        target = SmtpServer(
            host="127.0.0.1", port=server.port, security="none", helo=helo, sender="digest@lab.example"
        )
        (await connect(target)).close()
    assert server.commands[0] == f"EHLO {name}"
