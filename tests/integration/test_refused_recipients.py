"""A server that answers some recipients as if it accepted no mail at all keeps nobody else waiting.

hMailServer, for example, says "530 SMTP authentication is required." only at recipients of other domains.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from digest.mail.message import SenderIdentity
from digest.mail.smtp.connect import SmtpServer
from digest.mail.smtp.session import SmtpTransport
from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.pipeline.confirm import confirm_changes
from digest.pipeline.deliver import DeliveryReport, deliver
from digest.pipeline.signup_mails import send_signup_mails
from digest.storage.confirmations import PageChange
from digest.storage.sqlite.store import SqliteStore
from tests.factories import invented_paper, make_subscriber
from tests.fakes import FakeTransport
from tests.integration import mail_server
from tests.integration.installation import MONDAY, Installation, plain
from tests.integration.mail_server import Answer, MailServer, serving
from tests.stores import NOW, outbox_of, sign_up

MINUTE = timedelta(minutes=1)
SENDER = SenderIdentity(sender="digest@example.org", contact="library@example.org")
BASE = "https://digest.example.org"
NO_LOGIN = "530 SMTP authentication is required."
SHORT_NAME = "504 5.5.2 <laptop>: Helo command rejected: need fully-qualified hostname"


def transport_to(server: MailServer, connections: int = 1) -> SmtpTransport:
    return SmtpTransport(
        SmtpServer(host="127.0.0.1", port=server.port, security="none", connections=connections)
    )


def strangers(count: int) -> list[str]:
    return [f"stranger{number}@example.net" for number in range(count)]


def neighbours(count: int) -> list[str]:
    return [f"neighbour{number}@example.org" for number in range(count)]


def refusing(*addresses: str, answer: str = NO_LOGIN) -> MailServer:
    answers: dict[str, Answer] = {f"RCPT {one}": answer for one in addresses}
    return MailServer(answers=answers)


async def delivered(
    store: SqliteStore, server: MailServer, connections: int, now: datetime
) -> DeliveryReport:
    return await deliver(store, transport_to(server, connections), plain, lambda: now)


@pytest.mark.parametrize("is_pipelining", [True, False], ids=["at once", "in turn"])
@pytest.mark.parametrize("answer", [NO_LOGIN, SHORT_NAME, "535 5.7.8 log in again"])
async def test_a_session_goes_on_after_such_a_recipient(
    answer: str, is_pipelining: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_server, "OFFERS_PIPELINING", is_pipelining)
    mail = Outgoing(sender="digest@example.org", recipient="ada@example.net", message=b"hi\r\n", token="t")
    server = refusing("ada@example.net", answer=answer)
    async with serving(server), transport_to(server).session() as session:
        first = await session.send(mail)
        assert (first.outcome, first.reply[:3]) == (Outcome.UNSERVED, answer[:3])
        assert (await session.send(replace(mail, recipient="bo@example.org"))).outcome is Outcome.SENT
        assert (await session.send(mail)).outcome is Outcome.UNSERVED
    assert server.connections == 1


@pytest.mark.parametrize("connections", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 8, 29])
@pytest.mark.parametrize("answer", [NO_LOGIN, SHORT_NAME])
async def test_all_others_get_their_digests(
    store: SqliteStore, answer: str, count: int, connections: int
) -> None:
    outbox_of(store, *strangers(count), *neighbours(9))
    async with serving(refusing(*strangers(count), answer=answer)) as server:
        report = await delivered(store, server, connections, NOW)
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(9)
    assert (report.sent, report.deferred, report.is_server_down) == (9, count, False)
    assert sum(answer[:3] in error for error in report.errors) == count
    troubled = {(one.email, one.attempts) for one in store.troubled(limit=99)}
    assert troubled == {(one, 1) for one in strangers(count)}


@pytest.mark.parametrize("connections", [1, 2])
async def test_very_many_such_recipients_come_behind_the_others_at_the_next_attempts(
    store: SqliteStore, connections: int
) -> None:
    outbox_of(store, *strangers(75), *neighbours(9))
    server = refusing(*strangers(75))
    async with serving(server):
        for minute in (0, 1, 6):
            report = await delivered(store, server, connections, NOW + minute * MINUTE)
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(9)
    assert not report.is_server_down


@pytest.mark.parametrize("count", [9, 40])
async def test_a_server_that_says_so_to_all_blames_nobody(store: SqliteStore, count: int) -> None:
    outbox_of(store, *neighbours(count))
    async with serving(MailServer(answers={"RCPT": NO_LOGIN})) as server:
        report = await delivered(store, server, 1, NOW)
        assert len([one for one in server.commands if one.startswith("RCPT")]) == min(count, 30)
    assert (report.sent, report.is_server_down) == (0, True)
    assert "set smtp.username" in report.errors[0]
    assert {one.attempts for one in store.troubled(limit=99)} == {0}
    async with serving(MailServer()) as server:
        soon = await delivered(store, server, 1, NOW)
        rest = await delivered(store, server, 1, NOW + 31 * MINUTE)
    assert (soon.sent, rest.sent) == ((9, 0) if count == 9 else (10, 30))


async def test_a_server_that_begins_to_say_so_in_the_middle_blames_few(store: SqliteStore) -> None:
    outbox_of(store, *neighbours(80))
    async with serving(MailServer(answers={"RCPT": ["250 ok"] * 20 + [NO_LOGIN] * 99})) as server:
        report = await delivered(store, server, 1, NOW)
    assert (report.sent, report.is_server_down) == (20, True)
    assert {one.attempts for one in store.troubled(limit=99)} == {0}


async def test_one_that_was_refused_for_now_before_does_not_make_others_wait_longer(
    store: SqliteStore,
) -> None:
    """As after greylisting: a server that serves nobody is to blame, however often it was asked."""
    outbox_of(store, *neighbours(6))
    async with serving(MailServer(answers={"RCPT": "450 4.2.0 greylisted"})) as server:
        await delivered(store, server, 1, NOW)
    async with serving(MailServer(answers={"RCPT": NO_LOGIN})) as server:
        for hours in (1, 2, 3):
            report = await delivered(store, server, 1, NOW + hours * 60 * MINUTE)
            assert report.is_server_down
    async with serving(MailServer()) as server:
        assert (await delivered(store, server, 1, NOW + 181 * MINUTE)).sent == 6


async def test_one_who_is_tried_again_alone_is_refused_and_the_server_has_not_failed(
    store: SqliteStore,
) -> None:
    outbox_of(store, *strangers(1), *neighbours(1))
    async with serving(refusing(*strangers(1))) as server:
        for minute in (0, 31, 98):
            report = await delivered(store, server, 1, NOW + minute * MINUTE)
            assert (report.deferred, report.is_server_down) == (1, False)
    assert [one.attempts for one in store.troubled(limit=9)] == [3]


async def test_what_was_taken_when_the_batch_ended_is_not_sent_beside_the_end(store: SqliteStore) -> None:
    """A mail that another session had begun is accepted after the thirtieth refusal."""
    outbox_of(store, *neighbours(50))
    transport = FakeTransport(sessions=2)
    refused, late = asyncio.Event(), neighbours(1)[0]

    async def send(mail: Outgoing) -> Receipt:
        if mail.recipient == late:
            await refused.wait()
            return Receipt(outcome=Outcome.SENT, reply="250 taken")
        sent.append(mail.recipient)
        if len(sent) == 30:
            refused.set()
        return Receipt(outcome=Outcome.UNSERVED, reply=NO_LOGIN)

    sent: list[str] = []
    transport.send = send  # type: ignore[method-assign]
    report = await deliver(store, transport, plain, lambda: NOW)
    assert (report.sent, len(sent), report.is_server_down, report.is_doubtful) == (1, 30, True, False)
    assert {one.attempts for one in store.troubled(limit=99)} == {0}


async def test_those_who_are_tried_first_alone_keep_nobody_waiting_who_is_due_afterwards(
    store: SqliteStore,
) -> None:
    """As by a run once a day: what waits is sent before the digests of the day are composed."""
    readers = (*strangers(5), *neighbours(3))
    lab = Installation(store, *(make_subscriber(one, "tea") for one in readers))
    papers = [
        invented_paper(f"2606.{day:05}", "Tea", submitted=f"2026-06-{day:02} 01:00") for day in range(12, 18)
    ]
    async with serving(refusing(*strangers(5))) as server:
        lab.transport = transport_to(server)  # type: ignore[assignment]
        for day in range(6):
            report = await lab.run(MONDAY + timedelta(days=day), *papers[: day + 1])
            assert (report.exit_code, report.failed_steps) == (1, ())
            came = [mail.recipient for mail in server.accepted]
            assert sorted(came) == neighbours(3), "each day each of them gets one mail"
            server.accepted.clear()
    async with serving(MailServer()) as server:
        lab.transport = transport_to(server)  # type: ignore[assignment]
        await lab.run(MONDAY + timedelta(days=6), *papers)
        mails = [mail.message for mail in server.accepted if mail.recipient == strangers(1)[0]]
        assert mails == [b" ".join(paper.id.encode() for paper in reversed(papers)) + b"\r\n"]


async def test_a_stranger_keeps_no_other_sign_up_waiting(store: SqliteStore) -> None:
    sign_up(store, *strangers(2), *neighbours(2))
    async with serving(refusing(*strangers(2))) as server:
        transport = transport_to(server)
        assert await send_signup_mails(store, transport, SENDER, BASE, (), now=NOW) == 2
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(2)
        assert store.signup_mails(now=NOW) == (), "those of the strangers wait for their next attempt"
        assert len(store.signup_mails(now=NOW + 6 * MINUTE)) == 2
        assert await send_signup_mails(store, transport, SENDER, BASE, (), now=NOW + 6 * MINUTE) == 0


async def test_sign_ups_go_soon_after_a_server_that_served_nobody_is_mended(store: SqliteStore) -> None:
    sign_up(store, *neighbours(3))
    async with serving(MailServer(answers={"RCPT": NO_LOGIN})) as server:
        for minutes in range(0, 47 * 60, 5):
            await send_signup_mails(store, transport_to(server), SENDER, BASE, (), now=NOW + minutes * MINUTE)
    async with serving(MailServer()) as server:
        later = NOW + (47 * 60 + 46) * MINUTE
        assert await send_signup_mails(store, transport_to(server), SENDER, BASE, (), now=later) == 3


async def test_a_confirmation_keeps_no_other_one_waiting(store: SqliteStore) -> None:
    outbox_of(store, *strangers(1), *neighbours(2))
    for one in (*strangers(1), *neighbours(2)):
        store.confirm(one, PageChange.LINK, now=NOW)
    async with serving(refusing(*strangers(1))) as server:
        assert await confirm_changes(store, transport_to(server), SENDER, BASE, (), now=NOW) == 2
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(2)
    async with serving(MailServer()) as server:
        assert await confirm_changes(store, transport_to(server), SENDER, BASE, (), now=NOW) == 1
