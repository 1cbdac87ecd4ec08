"""A server that calls its subscribers dead, one, some or all of them: who gets no more mail, and what is
told.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from digest.errors import ServerUnavailable
from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.mail.transport import Outgoing
from digest.pipeline.deliver import DeliveryReport, deliver
from digest.pipeline.policy import FEW_OVER_QUOTA, QuotaReplies
from digest.storage.sqlite.store import SqliteStore
from tests.factories import make_subscriber
from tests.fakes import FakeTransport
from tests.integration.installation import plain
from tests.integration.mail_server import Answer, MailServer, serving
from tests.stores import NOW, enqueue, found, outbox_of, record

GONE = "550 5.1.1 no such user"
LATER = NOW + timedelta(days=1)


def addresses(count: int) -> list[str]:
    return [f"reader{number}@example.org" for number in range(count)]


async def delivered(
    store: SqliteStore,
    answers: Mapping[str, Answer | list[Answer]],
    *,
    at: object = NOW,
    connections: int = 1,
) -> tuple[DeliveryReport, MailServer]:
    async with serving(MailServer(answers=dict(answers))) as server:
        transport = SmtpTransport(
            SmtpServer(host="127.0.0.1", port=server.port, security="none", connections=connections)
        )
        report = await deliver(store, transport, plain, lambda: at)  # type: ignore[arg-type,return-value]
    return report, server


def suppressed(store: SqliteStore) -> set[str]:
    return {one.email for one in store.suppressions()}


async def test_a_server_that_calls_everybody_dead_is_not_believed(store: SqliteStore) -> None:
    outbox_of(store, *addresses(12))
    for at in (NOW, LATER, LATER + timedelta(days=5)):
        report, server = await delivered(store, {"RCPT": GONE}, at=at)
        assert suppressed(store) == set()
        assert sum(line.startswith("RCPT") for line in server.commands) == 8
        assert report.is_server_down
        assert any("calls 8 addresses dead at once" in error for error in report.errors)
        assert {one.attempts for one in store.troubled(limit=20)} == {0}
        delayed = store.blocked(now=NOW)
        assert delayed.count >= 8
        assert "calls 8 addresses dead at once" in delayed.reply


async def test_a_few_dead_ones_of_a_small_group_are_given_up(store: SqliteStore) -> None:
    outbox_of(store, *addresses(12))
    dead = {"reader0@example.org", "reader4@example.org", "reader9@example.org"}
    report, _ = await delivered(store, {f"RCPT {email}": GONE for email in dead})
    assert (report.sent, report.suppressed) == (9, 3)
    assert suppressed(store) == dead
    assert store.resume_since(NOW + timedelta(days=1), now=LATER) == ()
    assert set(store.resume_since(NOW, now=LATER)) == dead
    assert suppressed(store) == set()


async def test_the_only_subscriber_is_given_up_on_the_second_day(store: SqliteStore) -> None:
    outbox_of(store, *addresses(1))
    await delivered(store, {"RCPT": GONE})
    await delivered(store, {"RCPT": GONE}, at=NOW + timedelta(hours=2))
    assert suppressed(store) == set()
    report, _ = await delivered(store, {"RCPT": GONE}, at=LATER)
    assert (report.suppressed, suppressed(store)) == (1, set(addresses(1)))


async def test_who_is_mailed_in_between_is_in_doubt_no_more(store: SqliteStore) -> None:
    outbox_of(store, *addresses(1))
    await delivered(store, {"RCPT": GONE})
    assert set(store.doubted()) == set(addresses(1))
    report, _ = await delivered(store, {}, at=LATER)
    assert (report.sent, store.doubted()) == (1, {})


def of_domains(**counts: int) -> list[str]:
    """For `lab=2`: reader0@lab.example and reader1@lab.example."""
    return [f"reader{number}@{name}.example" for name, count in counts.items() for number in range(count)]


async def test_a_domain_whose_mail_goes_astray_loses_nobody_and_the_others_are_mailed(
    store: SqliteStore,
) -> None:
    astray = of_domains(lab=20)
    outbox_of(store, *astray, *of_domains(uni=12, college=1))
    dead = {"reader5@uni.example", "reader0@college.example"}
    refused = {f"RCPT {email}": GONE for email in (*astray, *dead)}
    report, server = await delivered(store, refused)
    assert (report.sent, report.suppressed, report.deferred) == (11, 2, 20)
    assert suppressed(store) == dead
    assert store.doubted() == {}
    assert sum("lab.example" in line for line in server.commands) == 8
    assert (report.is_server_down, report.is_braked) == (False, False)
    (cause,) = report.brakes
    assert "the server calls 8 addresses of lab.example dead, too many at once" in cause
    assert "none of them is given up: 550 5.1.1 no such user" in cause
    delayed = store.blocked(now=NOW)
    assert (delayed.count, delayed.reply) == (20, cause)
    for day in range(1, 4):
        report, _ = await delivered(store, refused, at=NOW + timedelta(days=day))
        assert report.suppressed == 0
    report, _ = await delivered(store, {}, at=NOW + timedelta(days=4))
    assert (report.sent, suppressed(store)) == (20, dead)


async def test_a_domain_whose_mail_goes_astray_loses_few_where_each_has_a_time_of_their_own(
    store: SqliteStore,
) -> None:
    astray, others = of_domains(lab=6), of_domains(uni=6)
    refused = {f"RCPT {email}": GONE for email in astray}
    for hour, pair in enumerate(zip(astray, others, strict=True)):
        outbox_of(store, *pair)
        await delivered(store, refused, at=NOW + timedelta(hours=2 * hour))
    assert len(suppressed(store)) == 2
    assert set(store.resume_since(NOW, now=LATER)) < set(astray)


async def test_a_dead_mailbox_of_a_small_domain_is_given_up_as_before(store: SqliteStore) -> None:
    outbox_of(store, *of_domains(one=1, two=2, uni=12))
    dead = set(of_domains(one=1, two=2))
    report, _ = await delivered(store, {f"RCPT {email}": GONE for email in dead})
    assert (report.sent, suppressed(store), report.brakes) == (12, dead, [])


async def test_a_brake_is_told_also_where_all_were_refused_before(store: SqliteStore) -> None:
    astray = of_domains(lab=4)
    outbox_of(store, *astray, *of_domains(uni=4))
    await delivered(store, {f"RCPT {email}": "451 4.7.1 greylisted" for email in astray})
    assert {one.attempts for one in store.troubled(limit=9)} == {1}
    report, _ = await delivered(store, {f"RCPT {email}": GONE for email in astray}, at=LATER)
    assert suppressed(store) == set()
    delayed = store.blocked(now=NOW)
    assert (delayed.count, [delayed.reply]) == (4, report.brakes)


@pytest.mark.parametrize(
    "server_waits", ["450 4.7.1 try again in 31536000 seconds", "451 4.7.0 retry after 1 year"]
)
async def test_a_wait_that_a_server_asks_for_without_measure_is_not_kept(
    store: SqliteStore, server_waits: str
) -> None:
    outbox_of(store, *addresses(1))
    report, _ = await delivered(store, {"RCPT": server_waits})
    assert server_waits in report.errors[0]
    due_at = store.next_due_at()
    assert due_at is not None
    assert due_at - NOW < timedelta(hours=1)


@pytest.mark.parametrize(
    ("verb", "reply", "hours"),
    [
        ("RCPT", "550 5.4.5 Daily user sending limit exceeded", 3),
        ("MAIL", "552 5.2.2 SubmissionQuotaExceeded: the message quota of the sender is used up", 3),
        ("DOT", "554 Daily message quota exceeded", 3),
        ("RCPT", "451 4.7.1 outgoing messages exceeded the hourly limit of this account", 1),
        ("RCPT", "550 5.4.5 Daily user sending limit exceeded, retry after 31536000 seconds", 3),
    ],
)
async def test_a_quota_that_is_used_up_ends_the_batch_until_it_may_be_free(
    store: SqliteStore, verb: str, reply: str, hours: int
) -> None:
    outbox_of(store, *addresses(12))
    report, server = await delivered(store, {verb: reply})
    assert (report.sent, report.is_server_down, report.errors) == (0, False, [])
    assert report.limited_until is not None
    assert timedelta(0) <= report.limited_until - NOW - timedelta(hours=hours) < timedelta(minutes=1)
    assert "limit of mails is reached" in report.notes[0]
    assert f"the next try is at {report.limited_until:%F %H:%M}" in report.notes[0]
    assert sum(line.startswith("MAIL") for line in server.commands) == FEW_OVER_QUOTA
    assert {one.attempts for one in store.troubled(limit=20)} == {0}
    assert suppressed(store) == set()


HOURLY = "451 4.7.1 over the hourly limit of mails per hour"


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("full", [(0,), (4,), (0, 1), (0, 4, 8), (1, 2, 7, 8)])
async def test_a_quota_of_recipients_keeps_no_other_waiting(
    store: SqliteStore, full: tuple[int, ...], connections: int
) -> None:
    readers = addresses(12)
    outbox_of(store, *readers)
    answers: dict[str, Answer | list[Answer]] = {f"RCPT {readers[place]}": HOURLY for place in full}
    first, server = await delivered(store, answers, connections=connections)
    others = [email for place, email in enumerate(readers) if place not in full]
    assert sorted(mail.recipient for mail in server.accepted) == sorted(others)
    assert (first.limited_until, first.is_server_down) == (None, False)
    assert [note.partition("; the next try is at ")[2] for note in first.notes] == ["2026-06-16 08:00 UTC"]
    assert store.blocked(now=NOW).reply.endswith("smtp.messages_per_minute")
    again, server = await delivered(store, {}, at=NOW + timedelta(minutes=59), connections=connections)
    assert server.accepted == []
    again, server = await delivered(store, {}, at=NOW + timedelta(hours=1), connections=connections)
    assert again.sent == len(full)
    assert store.waiting() == 0


@pytest.mark.parametrize("full", [range(3), range(8), range(0, 30, 2)])
async def test_recipients_whose_quota_looks_like_that_of_the_provider_are_tried_after_the_others(
    store: SqliteStore, full: Sequence[int]
) -> None:
    """Three in a row, or ten in all. Those that were refused wait longer than those that were not tried."""
    readers = addresses(30)
    outbox_of(store, *readers)
    answers: dict[str, Answer | list[Answer]] = {f"RCPT {readers[place]}": HOURLY for place in full}
    accepted: set[str] = set()
    for hours in range(3):
        _, server = await delivered(store, answers, at=NOW + timedelta(hours=hours))
        accepted |= {mail.recipient for mail in server.accepted}
    assert len(accepted) == 30 - len(full)


async def test_a_server_that_fails_after_the_quota_of_a_recipient_is_down(store: SqliteStore) -> None:
    outbox_of(store, *addresses(5))
    greetings: list[Answer] = ["220 hello", *["554 no service"] * 9]
    answers: dict[str, Answer | list[Answer]] = {"GREETING": greetings, f"RCPT {addresses(1)[0]}": HOURLY}
    report, _ = await delivered(store, answers)
    assert (report.is_server_down, report.limited_until, report.sent) == (True, None, 0)
    assert "554 no service" in report.errors[0]


async def test_replies_about_a_quota_count_over_deliveries(store: SqliteStore) -> None:
    """With many sending times, each delivery has few mails. A mail that is tried again counts once."""
    readers = [make_subscriber(email, "tea") for email in addresses(8)]
    store.enrol(readers, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    replies, limited = QuotaReplies(), []
    async with serving(MailServer(answers={"RCPT": [HOURLY] * 5})) as server:
        transport = SmtpTransport(
            SmtpServer(host="127.0.0.1", port=server.port, security="none", connections=1)
        )
        for place, hours in enumerate((0, 0, 1, 2, 3, 3)):
            if place != 2:
                enqueue(store, readers[place])
            at = NOW + timedelta(hours=hours, minutes=place)
            report = await deliver(store, transport, plain, lambda at=at: at, quota_replies=replies)  # type: ignore[misc]
            limited.append(report.limited_until is not None)
    assert limited == [False, False, False, True, False, False]
    assert len(server.accepted) == 5


async def test_a_stop_after_a_quota_does_not_call_the_server_down(store: SqliteStore) -> None:
    outbox_of(store, *addresses(3))
    stop = asyncio.Event()

    def quota(mail: Outgoing) -> ServerUnavailable:
        stop.set()
        return ServerUnavailable("mx.example.org:25", HOURLY, "wait", wait=timedelta(hours=1))

    transport = FakeTransport()
    transport.answer = quota
    report = await deliver(store, transport, plain, lambda: NOW, stop=stop)
    assert (report.is_server_down, report.errors, len(report.notes)) == (False, [], 1)
    assert store.waiting() == 3


async def test_a_quota_that_one_session_meets_ends_the_others_too(store: SqliteStore) -> None:
    """They finish the mail in hand. The provider would count each further one against the sender."""
    outbox_of(store, *addresses(30))
    full = "550 5.4.5 Daily user sending limit exceeded"
    answers: dict[str, Answer | list[Answer]] = {"RCPT": ["250 ok", "250 ok", *[full] * 30]}
    report, server = await delivered(store, answers, connections=3)
    assert report.limited_until is not None
    assert report.sent == len(server.accepted) == 2
    # An accepted mail may come between the replies to the three sessions, which then count once more.
    assert sum(line.startswith("RCPT") for line in server.commands) <= 2 + 2 * 3
    assert store.waiting() == 30 - report.sent
