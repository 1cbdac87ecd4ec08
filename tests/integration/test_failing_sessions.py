"""No session with the mail server: cause and remedy are said, all mails wait, and nobody is blamed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from digest.cli.doctor_checks.run_all import exit_code
from digest.mail.smtp.connect import Security, SmtpServer
from digest.mail.smtp.session import SmtpTransport
from digest.pipeline.deliver import deliver
from digest.service.event_loop import run
from digest.service.finding import Finding, Verdict
from digest.service.transports import smtp_checks as checks_of_smtp
from digest.service.transports.smtp_checks import check_mail_server
from digest.storage.sqlite.store import SqliteStore
from tests.integration.certificates import (
    issued,
    only_tls_1_0,
    only_weak_ciphers,
    self_signed,
    with_short_key,
)
from tests.integration.installation import plain
from tests.integration.mail_server import Answer, Do, MailServer, serving
from tests.stores import NOW, outbox_of
from tests.waiting import LIMIT

SUBSCRIBERS = [f"reader{number}@example.org" for number in range(5)]
OPERATOR = "the operator of the server must"


pytestmark = pytest.mark.usefixtures("trusted")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_of_smtp, "_PROBE_SECONDS", 1.0)


@pytest.fixture
def store(store: SqliteStore) -> SqliteStore:
    outbox_of(store, *SUBSCRIBERS)
    return store


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a server does, and what is to be said of it; `advice` where the doctor knows better."""

    server: Callable[[trustme.CA, Path, bool], MailServer]
    cause: str
    remedy: str
    advice: str | None = None


def offering(tls: Callable[[trustme.CA, Path], object], **answers: Answer) -> Callable[..., MailServer]:
    def server(authority: trustme.CA, folder: Path, is_tls_from_start: bool) -> MailServer:
        return MailServer(
            tls=tls(authority, folder),  # type: ignore[arg-type]
            is_tls_from_start=is_tls_from_start,
            extensions=("STARTTLS",),
            answers=answers,
        )

    return server


def shaking(answer: Answer) -> Callable[..., MailServer]:
    return offering(lambda authority, folder: issued(authority), HANDSHAKE=answer)


EITHER = {
    "TLS 1.0 alone": Failure(
        server=offering(lambda authority, folder: only_tls_1_0(authority), HANDSHAKE=Do.ALERT),
        cause="its TLS is older than 1.2",
        remedy=f"{OPERATOR} turn on TLS 1.2 or 1.3",
    ),
    "TLS 1.0 alone, and no word of it": Failure(
        server=offering(lambda authority, folder: only_tls_1_0(authority)),
        cause="closed the connection during the TLS handshake",
        remedy="the server may not support TLS 1.2",
    ),
    "weak ciphers": Failure(
        server=offering(lambda authority, folder: only_weak_ciphers(authority), HANDSHAKE=Do.ALERT),
        cause="its encryption is too weak for this machine",
        remedy=f"{OPERATOR} allow the ciphers of TLS 1.2",
    ),
    "1,024 bits": Failure(
        server=offering(with_short_key),
        cause="its certificate is too weak to be trusted",
        remedy=f"{OPERATOR} replace it: an RSA key needs 2,048 bits",
    ),
    "expired": Failure(
        server=offering(
            lambda authority, folder: issued(authority, not_after=datetime(2020, 1, 1, tzinfo=UTC))
        ),
        cause="its certificate is not valid (certificate has expired)",
        remedy=f"{OPERATOR} renew it; check the clock",
    ),
    "self-signed": Failure(
        server=offering(lambda authority, folder: self_signed(folder)),
        cause="its certificate is not valid (self",
        remedy="if the server is yours, set SSL_CERT_FILE",
    ),
    "unknown authority": Failure(
        server=offering(lambda authority, folder: issued(trustme.CA())),
        cause="its certificate is not valid (",
        remedy="trust the authority that signed it",
    ),
    "another name": Failure(
        server=offering(lambda authority, folder: issued(authority, "mail.example.net")),
        cause="its certificate is not valid (IP address mismatch",
        remedy="set smtp.host to a name in the certificate",
    ),
    "reset in the handshake": Failure(
        server=shaking(Do.RESET),
        cause="closed the connection during the TLS handshake",
        remedy="digest tries again later",
    ),
    "closed in the handshake": Failure(
        server=shaking(Do.DROP),
        cause="closed the connection during the TLS handshake",
        remedy="digest tries again later",
    ),
    "closed in the middle of a message of it": Failure(
        server=shaking(Do.CUT),
        cause="closed the connection during the TLS handshake",
        remedy="digest tries again later",
    ),
}
STARTTLS = {
    "STARTTLS answered 250": Failure(
        server=lambda *_: MailServer(extensions=("STARTTLS",), answers={"STARTTLS": "250 ok"}),
        cause="offers encryption but does not start it (250 ok)",
        remedy='try port 465 with smtp.security = "tls"',
    ),
    "no STARTTLS": Failure(
        server=lambda *_: MailServer(),
        cause="offers no encryption (STARTTLS), so nothing was sent",
        remedy='try port 465 with smtp.security = "tls"',
    ),
    "a handshake that hangs": Failure(
        server=shaking(Do.HANG), cause="no answer within 1 s at STARTTLS", remedy="try port 465"
    ),
    "no encryption after STARTTLS": Failure(
        server=shaking("500 5.5.1 what is that"),
        cause="agreed to STARTTLS and continued without encryption",
        remedy="try port 465",
    ),
    "a port of TLS": Failure(
        server=lambda authority, *_: MailServer(tls=issued(authority), is_tls_from_start=True),
        cause="no answer within 1 s at the greeting",
        remedy='port 465 needs smtp.security = "tls"',
        advice='set smtp.security = "tls"',
    ),
    "a greeting that is none": Failure(
        server=lambda *_: MailServer(answers={"GREETING": "250 ok"}),
        cause="the server sent an unexpected reply (250 ok)",
        remedy="check smtp.host and smtp.port",
    ),
    "no way to log in behind TLS": Failure(
        server=offering(
            lambda authority, folder: issued(authority), EHLO="250-mail.example\n250 STARTTLS", QUIT=Do.DROP
        ),
        cause="the server offers no login",
        remedy="check smtp.port",
    ),
}
TLS = {
    "a handshake that hangs": Failure(
        server=shaking(Do.HANG),
        cause="no answer within 1 s at the greeting",
        remedy='port 587 needs smtp.security = "starttls"',
    ),
    "a plain port": Failure(
        server=lambda *_: MailServer(),
        cause="no encrypted connection (",
        remedy='"starttls" with port 587',
        advice='set smtp.security = "starttls"',
    ),
}
CASES: list[tuple[Security, Failure]] = [
    *(("starttls", one) for one in (*EITHER.values(), *STARTTLS.values())),
    *(("tls", one) for one in (*EITHER.values(), *TLS.values())),
]
NAMES = [
    *(f"starttls: {name}" for name in (*EITHER, *STARTTLS)),
    *(f"tls: {name}" for name in (*EITHER, *TLS)),
]


def reach(server: MailServer, security: Security, failure: Failure) -> SmtpServer:
    is_silent = "no answer within 1 s" in failure.cause
    return SmtpServer(
        host="127.0.0.1",
        port=server.port,
        security=security,
        username="me",
        password="open sesame",
        helo="mail.lab.example",
        timeout=timedelta(seconds=1 if is_silent else LIMIT),
    )


@pytest.mark.parametrize(("security", "failure"), CASES, ids=NAMES)
def test_all_mails_wait_and_nobody_is_blamed(
    store: SqliteStore, authority: trustme.CA, tmp_path: Path, security: Security, failure: Failure
) -> None:
    server = failure.server(authority, tmp_path, security == "tls")

    async def delivery() -> None:
        async with serving(server), asyncio.timeout(60):
            report = await deliver(store, SmtpTransport(reach(server, security, failure)), plain, lambda: NOW)
        assert report.is_server_down
        assert (report.sent, report.deferred, report.suppressed, len(report.errors)) == (0, 0, 0, 1)
        assert failure.cause in report.errors[0]
        assert failure.remedy in report.errors[0]

    run(delivery())
    assert server.connections <= 2
    assert not [line for line in server.commands if line.startswith(("AUTH", "MAIL"))]
    assert (store.suppressions(), store.doubted(), store.waiting()) == ((), {}, len(SUBSCRIBERS))
    assert {one.attempts for one in store.troubled(limit=20)} == {0}
    assert failure.cause in store.blocked(now=NOW).reply


@pytest.mark.parametrize(("security", "failure"), CASES, ids=NAMES)
async def test_the_doctor_says_the_same(
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    security: Security,
    failure: Failure,
) -> None:
    if failure.advice:  # the probe must succeed
        monkeypatch.setattr(checks_of_smtp, "_PROBE_SECONDS", LIMIT)
    server = failure.server(authority, tmp_path, security == "tls")
    findings: list[Finding] = []
    async with serving(server), asyncio.timeout(60):
        target = reach(server, security, failure)
        findings = [finding async for finding in check_mail_server(target, "digest@lab.example")]
    assert [one.verdict for one in findings[:-1]] == [Verdict.OK] * (len(findings) - 1)
    assert exit_code(tuple(findings)) == 1
    assert failure.cause in findings[-1].said
    assert (failure.advice or failure.remedy) in findings[-1].remedy
