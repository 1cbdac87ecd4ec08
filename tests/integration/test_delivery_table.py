"""For everything that a mail server may do: what becomes of the digest, of its subscriber and of the others.

In each row the server fails while a cycle mails Ada and then Bo over one connection; then it is well, and the
next run delivers what waits: each mail once, under the Message-ID that it had from the beginning.
"""

import asyncio
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Literal

import pytest
import trustme

from digest.config.package_data import templates_folder
from digest.errors import ServerUnavailable
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.mail.smtp.session import Security, SmtpServer, SmtpTransport
from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.pipeline.cycle_report import CycleReport
from digest.pipeline.deliver import deliver
from digest.pipeline.policy import RETRY_BOUNCED_AFTER
from digest.storage.rate_limit import Limits
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing
from tests.factories import make_subscriber
from tests.fakes import FakeTransport
from tests.integration import mail_server
from tests.integration.installation import MONDAY, TEA, TUESDAY, WEDNESDAY, Installation, plain
from tests.integration.mail_server import Answer, Do, MailServer, serving
from tests.stores import NOW, outbox_of
from tests.waiting import LIMIT

ADA, BO = "ada@example.org", "bo@example.org"
SOON = MONDAY + timedelta(minutes=31)
LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="digest@example.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the server does, and the states in which it leaves the mailings of Ada and Bo.

    `tells` is in the report. `is_down`: the server as a whole is called unusable, and nobody is blamed.
    """

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    seconds_per_byte: float = 0
    security: Security = "none"
    certificate: Literal["valid", "expired"] | None = None
    username: str | None = None
    ada: str
    bo: str = "sent"
    tells: str = ""
    copies: int = 1

    @property
    def is_down(self) -> bool:
        return self.ada == self.bo == "pending"


DOWN = "pending"
TABLE = {
    "greylisting": Row(
        answers={f"RCPT {ADA}": ["450 4.2.0 Greylisted, see http://example.org"]},
        ada="deferred",
        tells="450 4.2.0",
    ),
    "421 in mid-session": Row(answers={"MAIL": ["250 ok", "421 4.7.0 enough"]}, ada="sent"),
    "421 at every mail": Row(answers={"MAIL": "421 4.7.0 busy"}, ada=DOWN, bo=DOWN, tells="421 4.7.0 busy"),
    "421 at one recipient": Row(
        answers={f"RCPT {ADA}": "421 4.7.0 later"}, ada="deferred", tells="421 4.7.0 later"
    ),
    "421 at DATA": Row(answers={"DATA": ["421 4.7.0 later"]}, ada="deferred", tells="421 4.7.0 later"),
    "421 at the dot": Row(answers={"DOT": ["421 4.7.0 later"]}, ada="deferred", tells="421 4.7.0 later"),
    "450 at RCPT": Row(answers={"RCPT": ["450 4.2.1 busy"]}, ada="deferred", tells="450 4.2.1"),
    "451 at RCPT": Row(answers={"RCPT": ["451 4.3.0 error"]}, ada="deferred", tells="451 4.3.0"),
    "452 at RCPT": Row(answers={"RCPT": ["452 4.2.2 full"]}, ada="deferred", tells="452 4.2.2"),
    "451 at DATA": Row(answers={"DATA": ["451 4.3.0 error"]}, ada="deferred", tells="451 4.3.0"),
    "452 at the dot": Row(answers={"DOT": ["452 4.3.1 disk"]}, ada="deferred", tells="452 4.3.1"),
    "550 5.1.1 at RCPT": Row(
        answers={"RCPT": ["550 5.1.1 no such user"]}, ada="suppressed", tells="550 5.1.1"
    ),
    "550 5.1.1 at the dot": Row(
        answers={"DOT": ["550 5.1.1 no such user"]}, ada="suppressed", tells="550 5.1.1"
    ),
    "550 5.7.1 at RCPT": Row(answers={"RCPT": ["550 5.7.1 relaying"]}, ada="deferred", tells="550 5.7.1"),
    "550 5.7.1 at the dot": Row(answers={"DOT": ["550 5.7.1 spam"]}, ada="deferred", tells="550 5.7.1"),
    "552 at RCPT": Row(answers={"RCPT": ["552 5.2.2 full"]}, ada="deferred", tells="552 5.2.2"),
    "552 at MAIL": Row(answers={"MAIL": ["552 5.3.4 too big"]}, ada="deferred", tells="552 5.3.4"),
    "552 at the dot": Row(answers={"DOT": ["552 5.3.4 too big"]}, ada="deferred", tells="552 5.3.4"),
    "drop at connect": Row(answers={"GREETING": Do.DROP}, ada=DOWN, bo=DOWN, tells="closed the connection"),
    "drop at HELO": Row(answers={"EHLO": Do.DROP}, ada=DOWN, bo=DOWN, tells="closed the connection"),
    "drop at MAIL": Row(answers={"MAIL": Do.DROP}, ada=DOWN, bo=DOWN, tells="closed the connection"),
    "drop at RCPT": Row(answers={"RCPT": [Do.DROP]}, ada="deferred", tells="closed the connection at RCPT"),
    "drop at DATA": Row(answers={"DATA": [Do.DROP]}, ada="deferred", tells="closed the connection at DATA"),
    "drop at the dot": Row(answers={"BODY": [Do.DROP]}, ada="unknown", tells="may have it"),
    "drop after the dot": Row(answers={"DOT": [Do.DROP]}, ada="unknown", tells="may have it"),
    "drop after the dot, and the mail is taken": Row(
        answers={"DOT": [Do.TAKE]}, ada="unknown", tells="may have it", copies=2
    ),
    "drop after 250": Row(answers={"MAIL": ["250 ok", Do.DROP]}, ada="sent"),
    "one byte a second": Row(seconds_per_byte=1, ada=DOWN, bo=DOWN, tells="no answer within"),
    "no STARTTLS": Row(security="starttls", ada=DOWN, bo=DOWN, tells="offers no encryption"),
    "an expired certificate": Row(
        security="starttls", certificate="expired", ada=DOWN, bo=DOWN, tells="certificate has expired"
    ),
    "a refused login": Row(
        username="digest", answers={"AUTH": "535 5.7.8 no"}, ada=DOWN, bo=DOWN, tells="login refused"
    ),
}


class Lab:
    """An installation with a state file, its subscribers, and a mail server on loopback."""

    def __init__(self, folder: Path, store: SqliteStore, server: MailServer, row: Row) -> None:
        self.path = folder / "digest.db"
        self.server = server
        self._cycle = Installation(store, make_subscriber(ADA, "tea"), make_subscriber(BO, "tea"))
        self._cycle.write = Writer(Renderer(templates_folder()), LETTERHEAD).write
        self._smtp = SmtpServer(
            host="127.0.0.1",
            port=server.port,
            security=row.security,
            username=row.username,
            password="open sesame" if row.username else None,
            connections=1,
        )
        self.wait(0.5 if row.seconds_per_byte else LIMIT)

    def wait(self, seconds: float) -> None:
        """For each answer of the server, from now on."""
        smtp = replace(self._smtp, timeout=timedelta(seconds=seconds))
        self._cycle.transport = SmtpTransport(smtp)  # type: ignore[assignment]

    async def run(self, now: datetime) -> CycleReport:
        return await self._cycle.run(now, TEA)

    def mailings(self) -> dict[str, tuple[str, str, int]]:
        """Of each subscriber's only mailing: its state, its name, and how often it was tried."""
        with closing(sqlite3.connect(self.path)) as state:
            rows = state.execute("SELECT email, state, token, attempts FROM mailing").fetchall()
        assert len(rows) == 2
        return {email: (state, token, attempts) for email, state, token, attempts in rows}

    def arrived(self) -> dict[str, list[bytes]]:
        return {
            email: [mail.message for mail in self.server.accepted if mail.recipient == email]
            for email in (ADA, BO)
        }


def message_id(mail: bytes) -> str:
    return str(message_from_bytes(mail)["Message-ID"])


@pytest.fixture(params=[True, False], ids=["at once", "in turn"])
def pipelining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the server takes several commands at once."""
    monkeypatch.setattr(mail_server, "OFFERS_PIPELINING", request.param)


def server_for(row: Row, authority: trustme.CA) -> MailServer:
    extensions = ("SIZE 10000000", "AUTH PLAIN")
    server = MailServer(answers=row.answers, seconds_per_byte=row.seconds_per_byte, extensions=extensions)
    if row.certificate:
        server.tls = certificate(authority, datetime(2020, 1, 1, tzinfo=UTC))
        server.extensions = (*extensions, "STARTTLS")
    return server


def certificate(authority: trustme.CA, not_after: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=not_after).configure_cert(context)
    return context


def mend(server: MailServer, authority: trustme.CA) -> None:
    """From now on it is as it should be."""
    server.forget()
    server.answers = {}
    server.seconds_per_byte = 0
    server.tls = certificate(authority)
    server.extensions = ("SIZE 10000000", "AUTH PLAIN", "STARTTLS")


@pytest.mark.usefixtures("pipelining", "trusted")
@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
async def test_what_a_mail_server_does_loses_no_digest_and_repeats_none(
    tmp_path: Path, store: SqliteStore, authority: trustme.CA, row: Row
) -> None:
    async with serving(server_for(row, authority)) as server:
        lab = Lab(tmp_path, store, server, row)
        first = await lab.run(MONDAY)
        before = lab.mailings()
        assert (before[ADA][0], before[BO][0]) == (row.ada, row.bo)
        _holds_what_is_told(first, row, server)
        assert (first.exit_code, bool(first.errors)) == (int(bool(row.tells)), bool(row.tells))
        assert {one.email for one in store.suppressions()} == ({ADA} if row.ada == "suppressed" else set())
        if row.is_down:
            assert (before[ADA][2], before[BO][2]) == (0, 0), "tried, though nobody is to blame"

        mend(server, authority)
        lab.wait(LIMIT)
        if row.ada == "suppressed":
            await lab.run(SOON)
            assert lab.arrived()[ADA] == [], "a dead address was mailed"
            assert store.resume(ADA, now=SOON)
        second = await lab.run(SOON)
        after = lab.mailings()
        assert (second.exit_code, after[ADA][0], after[BO][0]) == (0, "sent", "sent")
        await lab.run(WEDNESDAY)
        for email, mails in lab.arrived().items():
            assert len(mails) == (row.copies if email == ADA else 1)
            assert len(set(mails)) == 1, "the copies differ"
            assert message_id(mails[0]) == f"<{before[email][1]}@example.org>"


def _holds_what_is_told(report: CycleReport, row: Row, server: MailServer) -> None:
    errors = " ".join(report.errors)
    assert row.tells in errors
    assert (f"127.0.0.1:{server.port}" in errors) == row.is_down
    waiting = [row.ada, row.bo].count("pending") + (row.ada in {"deferred", "unknown"})
    assert report.digests_deferred == waiting
    assert report.digests_suppressed == (row.ada == "suppressed")
    assert report.digests_sent == [row.ada, row.bo].count("sent")


async def test_a_250_that_was_a_lie_is_made_good_once_the_notification_tells(
    tmp_path: Path, store: SqliteStore, authority: trustme.CA
) -> None:
    """A server that says 250 and cannot deliver has to tell (RFC 5321, section 6.1); before, nobody knows."""
    async with serving(MailServer()) as server:
        lab = Lab(tmp_path, store, server, Row(ada="sent"))
        assert (await lab.run(MONDAY)).digests_sent == 2
        (lost,) = (mail for mail in server.accepted if mail.recipient == ADA)
        server.accepted.remove(lost)
        assert (await lab.run(SOON)).digests_sent == 0
        _, token, _ = lab.mailings()[ADA]
        assert store.note_bounce(
            token,
            recipient=ADA,
            concern="full",
            reply="5.2.2 full",
            now=SOON,
            retry_at=SOON + RETRY_BOUNCED_AFTER,
        )
        assert (await lab.run(TUESDAY)).digests_sent == 0
        assert (await lab.run(WEDNESDAY)).digests_sent == 1
        assert [mail.message for mail in server.accepted if mail.recipient == ADA] == [lost.message]


class OneAtATime(FakeTransport):
    """A server that takes one connection after the other, and refuses a second one beside it."""

    is_busy = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[FakeTransport]:
        if self.is_busy:
            raise ServerUnavailable("mx.example.org:25", "421 too many connections", "lower smtp.connections")
        self.is_busy = True
        try:
            async with super().session() as session:
                await asyncio.sleep(0.01)
                yield session
        finally:
            self.is_busy = False


async def test_a_server_that_refuses_a_connection_is_left_alone_once_the_days_mails_are_used_up(
    store: SqliteStore,
) -> None:
    lab = Installation(store, *(make_subscriber(f"reader{number}@example.org", "tea") for number in range(9)))
    lab.transport.refusing = ServerUnavailable("mx.example.org:25", "nothing listens there", "start it")
    await lab.run(MONDAY, TEA)
    transport = OneAtATime(sessions=3)
    delivering = deliver(store, transport, plain, lambda: MONDAY, limits=Limits(per_day=2))
    report = await asyncio.wait_for(delivering, LIMIT)
    assert (report.sent, store.waiting(), report.is_server_down) == (2, 7, False)
    assert transport.opened <= 3


async def test_what_is_being_written_when_the_server_goes_away_is_given_back(store: SqliteStore) -> None:
    outbox_of(store, *(f"reader{number}@example.org" for number in range(120)))
    transport = FakeTransport(sessions=2)
    gone = ServerUnavailable("mx.example.org:25", "it went away", "start it")
    taken = Receipt(outcome=Outcome.SENT, reply="250 taken")
    transport.answer = lambda mail: gone if len(transport.taken) == 20 else taken

    def slowly(mailing: Mailing) -> Outgoing:
        time.sleep(0.002)
        return plain(mailing)

    report = await deliver(store, transport, slowly, lambda: NOW)
    assert (report.sent, report.is_server_down) == (20, True)
    assert {(one.attempts, one.reply) for one in store.troubled(limit=200)} == {(0, str(gone))}
    assert len(store.claim(now=NOW, until=SOON, limit=200)) == 100
