"""What every `Transport` promises."""

import asyncio
import mailbox
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config.loader import load_settings
from digest.config.transports import TRANSPORTS
from digest.errors import ConfigurationError, ServerUnavailable
from digest.mail.maildir import MaildirTransport
from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.mail.transport import Outcome, Outgoing, Transport
from digest.service.finding import Verdict
from digest.service.transports.base import transport_kind
from tests.integration.mail_server import MailServer, serving
from tests.ports import unused_port
from tests.waiting import LIMIT

MESSAGE = (
    b"From: digest@example.org\r\n"
    b"Subject: 2 new papers\r\n"
    b"\r\n"
    b"text\r\n.one dot\r\n..two dots\r\n.\r\nFrom here on\r\n\r\nend\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A transport that works, what arrived by it, and one of its kind that cannot work."""

    transport: Transport
    arrived: Callable[[], list[bytes]]
    broken: Transport


def mail(token: str, message: bytes = MESSAGE) -> Outgoing:
    return Outgoing(sender="digest@example.org", recipient="reader@example.org", message=message, token=token)


def smtp(port: int) -> SmtpTransport:
    return SmtpTransport(
        SmtpServer(host="127.0.0.1", port=port, security="none", timeout=timedelta(seconds=LIMIT))
    )


def stored(path: Path) -> list[bytes]:
    folder = mailbox.Maildir(path, create=False)
    try:
        return [folder.get_bytes(key).replace(b"\n", b"\r\n") for key in sorted(folder.keys())]
    finally:
        folder.close()


@pytest.fixture(params=["smtp", "maildir"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    if request.param == "maildir":
        (tmp_path / "file").touch()
        path = tmp_path / "some" / "Maildir"
        yield Case(
            transport=MaildirTransport(path),
            arrived=lambda: stored(path),
            broken=MaildirTransport(tmp_path / "file"),
        )
        return
    async with serving(MailServer()) as server:
        with unused_port() as port:
            yield Case(
                transport=smtp(server.port),
                arrived=lambda: [accepted.message for accepted in server.accepted],
                broken=smtp(port),
            )


async def test_a_mail_that_was_sent_arrived_unchanged(case: Case) -> None:
    async with case.transport.session() as session:
        receipt = await session.send(mail("m1"))
    assert receipt.outcome is Outcome.SENT
    assert receipt.reply
    assert case.arrived() == [MESSAGE]


async def test_a_mail_without_dots_before_its_lines_needs_none_doubled(case: Case) -> None:
    dotless = replace(mail("m1", MESSAGE.replace(b"\n.", b"\nx")), is_dotless=True)
    async with case.transport.session() as session:
        await session.send(dotless)
    assert case.arrived() == [dotless.message]


async def test_a_session_takes_one_mail_after_the_other(case: Case) -> None:
    messages = [MESSAGE + b"%d\r\n" % number for number in range(5)]
    async with case.transport.session() as session:
        for number, message in enumerate(messages):
            assert (await session.send(mail(f"m{number}", message))).outcome is Outcome.SENT
    assert case.arrived() == messages


async def test_as_many_sessions_as_it_names_work_at_once(case: Case) -> None:
    async def send_two(number: int) -> None:
        async with case.transport.session() as session:
            await session.send(mail(f"a{number}"))
            await session.send(mail(f"b{number}"))

    assert case.transport.sessions >= 1
    await asyncio.gather(*(send_two(number) for number in range(case.transport.sessions)))
    assert len(case.arrived()) == 2 * case.transport.sessions


async def test_a_session_without_mails_leaves_nothing_behind(case: Case) -> None:
    async with case.transport.session():
        pass
    assert case.arrived() == []


async def test_a_transport_that_cannot_work_says_why_and_what_to_do(case: Case) -> None:
    with pytest.raises(ServerUnavailable) as caught:
        async with case.broken.session():
            pass
    assert caught.value.reason
    assert caught.value.remedy


async def test_an_error_within_a_session_comes_through(case: Case) -> None:
    with pytest.raises(LookupError):
        async with case.transport.session():
            raise LookupError


@pytest.mark.parametrize("name", TRANSPORTS)
def test_each_name_of_the_settings_has_a_transport_and_says_what_it_needs(name: str, tmp_path: Path) -> None:
    path, need = tmp_path / "digest.toml", TRANSPORTS[name]
    path.write_text(f'[delivery]\ntransport = "{name}"\n')
    environ = {"DIGEST_STATE": str(tmp_path / "digest.db")}
    if need:
        with pytest.raises(ConfigurationError, match=f"set {need.table}.{need.key}"):
            load_settings(path, environ)
        environ[f"DIGEST_{need.table}__{need.key}".upper()] = "mail.lab.example"
    settings = load_settings(path, environ)
    kind = transport_kind(settings)
    assert kind.build(settings).sessions >= 1
    assert kind.summary(settings).startswith("mails go ")
    assert kind.label(settings) == "" or kind.label(settings).startswith(" ")
    assert kind.limits(settings).per_day is None
    assert not [one for one in kind.check_files(settings) if one.verdict is not Verdict.OK]
