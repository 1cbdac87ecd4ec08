"""Mails to the operator: an outage once, its end once, and a sign of life every week."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest

from digest.config.operator_settings import Operator
from digest.errors import ServerUnavailable
from digest.mail.message import SenderIdentity
from digest.mail.transport import Outcome, Outgoing, Receipt, Session
from digest.service.health import examine
from digest.service.notify_operator import notify_operator
from digest.service.operator_mail import OperatorNotice, due_notice, write_notice
from digest.storage.channel_stores import Rest
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.stored import EntryChange, StoredEntry
from tests.factories import make_subscriber, moment
from tests.stores import LONG_AGO, NOW, claim, key, outbox_of
from tests.webhooks import make_channel

ADA = make_subscriber("ada@example.org", "tea")
TUESDAY = moment("2026-06-16 07:00")
BRAKE = "the server calls 8 addresses dead at once, so none of them is given up: 550 5.1.1 no such user"
LETTERHEAD = SenderIdentity(
    sender="digest@example.org", contact="library@example.org", sender_name="Papers, new"
)


@pytest.fixture
def store(store: SqliteStore) -> SqliteStore:
    store.enrol([ADA], now=TUESDAY, current_since=TUESDAY)
    fetch(store, TUESDAY)
    return store


def fetch(store: SqliteStore, now: datetime) -> None:
    store.record((), covered={key("tea"): LONG_AGO}, now=now)


def due(
    store: SqliteStore, now: datetime, told: dict[OperatorNotice, datetime], heartbeat: int | None = None
) -> object:
    return due_notice(examine(store, [ADA], now=now), told, heartbeat=heartbeat)


def test_an_outage_is_told_once_and_so_is_its_end(store: SqliteStore) -> None:
    later = TUESDAY + timedelta(days=3)
    assert due(store, TUESDAY, {}) is None
    assert due(store, later, {}) is OperatorNotice.OUTAGE
    assert due(store, later + timedelta(days=5), {OperatorNotice.OUTAGE: later}) is None
    fetch(store, later)
    assert due(store, later, {OperatorNotice.OUTAGE: later}) is OperatorNotice.RECOVERY
    assert due(store, later, {}) is None


def test_a_heartbeat_comes_once_on_its_weekday_or_as_soon_as_there_is_a_run(store: SqliteStore) -> None:
    monday = 0
    told = {OperatorNotice.HEARTBEAT: moment("2026-06-15 08:00")}
    assert due(store, TUESDAY, {}, monday) is None
    assert due(store, TUESDAY, {}, monday + 1) is OperatorNotice.HEARTBEAT
    assert (
        due(store, TUESDAY, {OperatorNotice.HEARTBEAT: moment("2026-06-14 08:00")}, monday)
        is OperatorNotice.HEARTBEAT
    )
    assert due(store, TUESDAY, told, monday) is None
    assert due(store, moment("2026-06-16 08:00"), told, heartbeat=None) is None
    fetch(store, moment("2026-06-22 01:00"))
    assert due(store, moment("2026-06-21 23:59"), told, monday) is None
    assert due(store, moment("2026-06-22 08:00"), told, monday) is OperatorNotice.HEARTBEAT


def test_the_mail_says_what_needs_a_person_first(store: SqliteStore) -> None:
    health = examine(store, [ADA], now=TUESDAY + timedelta(days=3))
    outgoing = write_notice(OperatorNotice.OUTAGE, health, LETTERHEAD, "op@example.org")
    message = message_from_bytes(outgoing.message, policy=policy.default)
    assert [one.addr_spec for one in message["To"].addresses] == ["op@example.org"]
    assert message["Subject"] == "arXiv digest: no fetch has succeeded for over a day"
    assert [one.display_name for one in message["From"].addresses] == ["Papers, new"]
    assert not message.defects
    first, *rest = message.get_content().splitlines()
    assert first == "needs you: no fetch has succeeded for over a day for tea: run digest doctor"
    assert any(line.startswith("seen        up to Tue 2026-06-16") for line in rest)
    assert outgoing == write_notice(OperatorNotice.OUTAGE, health, LETTERHEAD, "op@example.org")


def test_addresses_beyond_ascii_are_written_as_in_digests(store: SqliteStore) -> None:
    health = examine(store, [ADA], now=TUESDAY)
    sender_identity = SenderIdentity(
        sender="digest@bücher.example", contact="op@bücher.example", sender_name="Fakultät, neu"
    )
    outgoing = write_notice(OperatorNotice.HEARTBEAT, health, sender_identity, "op@bücher.example")
    assert b"\r\nTo: <op@xn--bcher-kva.example>\r\n" in outgoing.message
    message = message_from_bytes(outgoing.message, policy=policy.default)
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Fakultät, neu", "digest@xn--bcher-kva.example")
    assert message["Message-ID"].endswith("@xn--bcher-kva.example>")
    assert not message.defects


class Desk:
    """A transport that takes each mail, or answers as it was told to."""

    sessions = 1

    def __init__(self, outcome: Outcome = Outcome.SENT) -> None:
        self.outcome = outcome
        self.subjects: list[str] = []
        self.texts: list[str] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        if self.outcome is Outcome.UNKNOWN:
            raise ServerUnavailable("the desk", "closed", "come again")
        yield self

    async def send(self, mail: Outgoing) -> Receipt:
        message = message_from_bytes(mail.message, policy=policy.default)
        self.subjects.append(message["Subject"])
        self.texts.append(message.get_content())
        return Receipt(outcome=self.outcome, reply="so it is")


async def tell(
    store: SqliteStore, desk: Desk, now: datetime, brakes: tuple[str, ...] = (), **operator: str
) -> OperatorNotice | None:
    settings = Operator(**{"email": "op@example.org", **operator})  # type: ignore[arg-type]
    return await notify_operator(store, desk, [ADA], LETTERHEAD, settings, brakes=brakes, now=now)


async def test_what_was_told_is_not_told_again_and_the_end_of_it_is(store: SqliteStore) -> None:
    desk, later = Desk(), TUESDAY + timedelta(days=3)
    for now in (TUESDAY, later, later + timedelta(hours=1)):
        await tell(store, desk, now)
    fetch(store, later + timedelta(hours=2))
    for now in (later + timedelta(hours=2), later + timedelta(hours=3)):
        await tell(store, desk, now)
    assert desk.subjects == [
        "arXiv digest: no fetch has succeeded for over a day",
        "arXiv digest: fetching works again",
    ]


async def test_a_server_that_is_not_believed_is_told_of_once_a_day_while_it_lasts(store: SqliteStore) -> None:
    desk = Desk()
    for hours in (0, 1, 23, 24, 25):
        await tell(store, desk, TUESDAY + timedelta(hours=hours), brakes=(BRAKE,))
    assert desk.subjects == ["arXiv digest: a mail server calls many addresses dead"] * 2


def test_the_weekly_mail_tells_who_came_and_went(store: SqliteStore) -> None:
    store.enrol([ADA], now=TUESDAY, current_since=TUESDAY)
    for number in range(60):
        email = f"new{number}@example.org"
        content, joined_at = f'{{"email": "{email}", "keywords": ["tea"]}}', TUESDAY - timedelta(hours=number)
        entry = StoredEntry(address=email, content=content, joined_at=joined_at)
        store.change_entries([EntryChange(before=None, after=entry)])
    store.leave(ADA.email, now=TUESDAY)
    health = examine(store, [ADA], now=TUESDAY)
    outgoing = write_notice(OperatorNotice.HEARTBEAT, health, LETTERHEAD, "op@example.org")
    text = message_from_bytes(outgoing.message, policy=policy.default).get_content()
    lines = text.splitlines()
    assert "joined      Tue 2026-06-16 07:00 UTC  new0@example.org" in lines
    assert "            Sun 2026-06-14 06:00 UTC  new49@example.org" in lines
    assert "            and 10 more addresses: see --json" in lines
    assert "left        Tue 2026-06-16 07:00 UTC  ada@example.org" in lines


def test_the_mail_of_a_brake_begins_with_its_cause_and_has_it_once(store: SqliteStore) -> None:
    outbox_of(store, ADA.email)
    (mailing,) = claim(store)
    store.release([mailing.number], now=NOW, reply=BRAKE)
    health = examine(store, [ADA], now=NOW)
    assert any(BRAKE in problem for problem in health.problems())
    outgoing = write_notice(OperatorNotice.BRAKE, health, LETTERHEAD, "op@example.org", (BRAKE,))
    text = message_from_bytes(outgoing.message, policy=policy.default).get_content()
    assert text.splitlines()[0] == f"needs you: {BRAKE}"
    assert text.count("needs you") == 1


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.UNKNOWN])
async def test_what_could_not_be_sent_is_sent_by_the_next_run(store: SqliteStore, outcome: Outcome) -> None:
    later = TUESDAY + timedelta(days=3)
    assert await tell(store, Desk(outcome), later) is None
    assert await tell(store, Desk(), later) is OperatorNotice.OUTAGE


async def test_nobody_is_told_where_nobody_is_named(store: SqliteStore) -> None:
    desk = Desk()
    assert (
        await notify_operator(store, desk, [ADA], LETTERHEAD, Operator(), now=TUESDAY + timedelta(9)) is None
    )
    assert desk.subjects == []


async def test_a_weekly_sign_of_life_is_sent_once_a_week(store: SqliteStore) -> None:
    desk = Desk()
    for hours in (0, 1):
        await tell(store, desk, TUESDAY + timedelta(hours=hours), heartbeat="mon")
    assert desk.subjects == []
    fetch(store, moment("2026-06-22 08:00"))
    for minute in (0, 1):
        await tell(store, desk, moment(f"2026-06-22 09:0{minute}"), heartbeat="mon")
    assert desk.subjects == ["arXiv digest: this week"]


async def test_the_weekly_mail_tells_of_channels_as_the_status_does(store: SqliteStore) -> None:
    desk, monday = Desk(), moment("2026-06-22 09:00")
    lab = make_channel(url="https://example.org/x")
    fetch(store, monday)
    rest = Rest(since_at=TUESDAY, cause="410 Gone", target=lab.target)
    store.enrol([lab.follower], now=TUESDAY, current_since=TUESDAY)
    store.rest_channel(lab.follower.email, rest)
    operator = Operator(email="op@example.org", heartbeat="mon")  # type: ignore[arg-type]
    await tell(store, desk, TUESDAY, heartbeat="mon")
    await notify_operator(store, desk, [ADA], LETTERHEAD, operator, channels=[lab], now=monday)
    (text,) = desk.texts
    assert text.startswith("needs you: the channel lab rests since 2026-06-16")
    assert "\nchannels    lab: " in text


async def test_the_first_sign_of_life_comes_also_where_nothing_runs_on_its_weekday(
    store: SqliteStore,
) -> None:
    desk = Desk()
    await tell(store, desk, TUESDAY, heartbeat="mon")
    fetch(store, moment("2026-06-23 06:00"))
    await tell(store, desk, TUESDAY + timedelta(weeks=1), heartbeat="mon")
    assert desk.subjects == ["arXiv digest: this week"]
