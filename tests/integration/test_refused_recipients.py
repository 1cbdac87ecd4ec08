"""A server that answers some recipients as if it accepted no mail at all keeps nobody else waiting.

hMailServer, for example, says "530 SMTP authentication is required." only at recipients of other domains.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.errors import RecipientRefused
from digest.mail.message import SenderIdentity
from digest.mail.smtp.connect import SmtpServer
from digest.mail.smtp.session import SmtpTransport
from digest.mail.transport import Outcome, Outgoing
from digest.pipeline.confirm import confirm_changes
from digest.pipeline.deliver import DeliveryReport, deliver
from digest.pipeline.signup_mails import send_signup_mails
from digest.storage.confirmations import PageChange
from digest.storage.signups import NewSignup, SignupLimits
from digest.storage.sqlite.store import SqliteStore
from tests.integration import mail_server
from tests.integration.installation import plain
from tests.integration.mail_server import Answer, MailServer, serving
from tests.stores import outbox_of

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)
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
        with pytest.raises(RecipientRefused, match=answer[:3]):
            await session.send(mail)
        assert (await session.send(replace(mail, recipient="bo@example.org"))).outcome is Outcome.SENT
        with pytest.raises(RecipientRefused, match=answer[:3]):
            await session.send(mail)
    assert server.connections == 1


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("answer", [NO_LOGIN, SHORT_NAME])
async def test_all_others_get_their_digests(store: SqliteStore, connections: int, answer: str) -> None:
    outbox_of(store, *strangers(3), *neighbours(9))
    async with serving(refusing(*strangers(3), answer=answer)) as server:
        report = await delivered(store, server, connections, NOW)
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(9)
    assert (report.sent, report.deferred, report.is_server_down) == (9, 3, False)
    assert sum(answer[:3] in error for error in report.errors) == 3
    assert {(one.email, one.attempts) for one in store.troubled(limit=9)} == {
        (one, 1) for one in strangers(3)
    }


async def test_one_that_was_deferred_does_not_stop_the_server_when_it_is_tried_alone(
    store: SqliteStore,
) -> None:
    outbox_of(store, *strangers(1), *neighbours(1))
    async with serving(refusing(*strangers(1))) as server:
        await delivered(store, server, 1, NOW)
        report = await delivered(store, server, 1, NOW + 31 * MINUTE)
    assert (report.sent, report.deferred, report.is_server_down) == (0, 1, False)
    assert [one.attempts for one in store.troubled(limit=9)] == [2]


@pytest.mark.parametrize("connections", [1, 2])
async def test_many_such_recipients_come_behind_the_others_at_the_next_attempt(
    store: SqliteStore, connections: int
) -> None:
    outbox_of(store, *strangers(7), *neighbours(9))
    async with serving(refusing(*strangers(7))) as server:
        first = await delivered(store, server, connections, NOW)
        assert (first.sent, first.is_server_down) == (0, True)
        assert not any(one.attempts for one in store.troubled(limit=99)), "nobody is to blame yet"
        second = await delivered(store, server, connections, NOW + MINUTE)
        third = await delivered(store, server, connections, NOW + 2 * MINUTE)
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(9)
    assert (first.sent + second.sent + third.sent, third.is_server_down) == (9, False)
    assert store.waiting() == 7


async def test_a_server_that_says_so_to_all_blames_nobody(store: SqliteStore) -> None:
    outbox_of(store, *neighbours(9))
    async with serving(MailServer(answers={"RCPT": NO_LOGIN})) as server:
        report = await delivered(store, server, 1, NOW)
        assert len([one for one in server.commands if one.startswith("RCPT")]) == 4
    assert (report.sent, report.is_server_down) == (0, True)
    assert "set smtp.username" in report.errors[0]
    assert {one.attempts for one in store.troubled(limit=9)} <= {0}
    async with serving(MailServer()) as server:
        assert (await delivered(store, server, 1, NOW + MINUTE)).sent == 9


async def test_the_only_subscriber_is_tried_again_as_soon_as_the_settings_are_right(
    store: SqliteStore,
) -> None:
    outbox_of(store, "ada@example.org")
    async with serving(MailServer(answers={"RCPT": NO_LOGIN})) as server:
        assert (await delivered(store, server, 2, NOW)).is_server_down
    async with serving(MailServer()) as server:
        assert (await delivered(store, server, 2, NOW + timedelta(seconds=2))).sent == 1


def sign_up(store: SqliteStore, *emails: str) -> None:
    wide = SignupLimits(per_hour=100, per_network=100)
    for email in emails:
        content = json.dumps({"email": email, "keywords": ["tea"]})
        store.sign_up(NewSignup(email=email, content=content), network="", limits=wide, now=NOW)


async def test_a_stranger_keeps_no_other_sign_up_waiting(store: SqliteStore) -> None:
    sign_up(store, *strangers(2), *neighbours(2))
    async with serving(refusing(*strangers(2))) as server:
        transport = transport_to(server)
        assert await send_signup_mails(store, transport, SENDER, BASE, (), now=NOW) == 2
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(2)
        assert store.signup_mails(now=NOW) == (), "those of the strangers wait for their next attempt"
        assert len(store.signup_mails(now=NOW + 6 * MINUTE)) == 2
        assert await send_signup_mails(store, transport, SENDER, BASE, (), now=NOW + 6 * MINUTE) == 0


async def test_a_confirmation_keeps_no_other_one_waiting(store: SqliteStore) -> None:
    outbox_of(store, *strangers(1), *neighbours(2))
    for one in (*strangers(1), *neighbours(2)):
        store.confirm(one, PageChange.LINK, now=NOW)
    async with serving(refusing(*strangers(1))) as server:
        assert await confirm_changes(store, transport_to(server), SENDER, BASE, (), now=NOW) == 2
        assert sorted(mail.recipient for mail in server.accepted) == neighbours(2)
    async with serving(MailServer()) as server:
        assert await confirm_changes(store, transport_to(server), SENDER, BASE, (), now=NOW) == 1
