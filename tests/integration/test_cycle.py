"""One cycle over a real state file, with a source and a transport that do as they are told."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from digest.errors import ServerUnavailable, StateError, Unreachable, Unwritable
from digest.keywords.query import Query
from digest.mail.transport import Outcome, Outgoing, Receipt, Transport
from digest.model.paper import Paper
from digest.pipeline import receipt_writer
from digest.pipeline import share as share_module
from digest.pipeline.deliver import deliver
from digest.service.health import examine
from digest.sources.window import HELD, Window
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment
from tests.fakes import FakeSource, FakeTransport
from tests.integration.installation import LOOKBACK, MONDAY, TEA, TUESDAY, WEDNESDAY, Installation, plain
from tests.waiting import LIMIT, until

DOWN = ServerUnavailable("mx.example.org:25", "connection refused", "check smtp.host")


class OneSession(FakeTransport):
    """A server that refuses a second connection."""

    @asynccontextmanager
    async def session(self) -> AsyncIterator[FakeTransport]:
        if self.opened:
            raise ServerUnavailable("mx.example.org:25", "421 too many connections", "lower smtp.connections")
        async with super().session() as session:
            await asyncio.sleep(0.01)
            yield session


MILK = invented_paper("2606.00002", "Milk and more", submitted="2026-06-12 10:00")
BOTH = invented_paper("2606.00003", "Tea with milk", submitted="2026-06-10 10:00")
COFFEE = invented_paper("2606.00004", "Coffee", submitted="2026-06-12 10:00")


async def test_each_subscriber_gets_what_matches_and_nobody_what_does_not(store: SqliteStore) -> None:
    lab = Installation(store)
    report = await lab.run(TUESDAY, TEA, MILK, BOTH, COFFEE)
    assert lab.mails() == [
        ("ada@example.org", "2606.00001 2606.00003"),
        ("bo@example.org", "2606.00002 2606.00003"),
    ]
    assert (report.papers_new, report.digests_sent, report.exit_code) == (3, 2, 0)


async def test_a_second_run_sends_nothing(store: SqliteStore) -> None:
    lab = Installation(store)
    await lab.run(MONDAY, TEA)
    lab.mails()
    for now in (MONDAY, TUESDAY):
        report = await lab.run(now)
        assert lab.mails() == []
        assert (report.papers_new, report.digests_sent, report.subscribers_nothing_new) == (0, 0, 2)


async def test_more_than_one_digest_a_day_only_by_force(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    await lab.run(MONDAY, TEA)
    lab.mails()
    await lab.run(MONDAY, TEA, BOTH)
    assert lab.mails() == []
    await lab.run(MONDAY, TEA, BOTH, force=True)
    assert lab.mails() == [("ada@example.org", "2606.00003")]


async def test_a_paper_announced_two_weeks_after_its_submission_still_comes(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    await lab.run(MONDAY, TEA)
    await lab.run(TUESDAY, TEA, invented_paper("2606.00009", "Late tea", submitted="2026-06-02 00:00"))
    assert lab.mails()[-1] == ("ada@example.org", "2606.00009")


async def test_the_first_digest_brings_ten_papers_a_keyword(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    papers = [invented_paper(f"2606.{n:05}", "Tea", submitted=f"2026-06-{n:02} 00:00") for n in range(1, 16)]
    await lab.run(TUESDAY, *papers)
    newest = " ".join(f"2606.{n:05}" for n in range(15, 5, -1))
    assert lab.mails() == [("ada@example.org", newest)]
    await lab.run(WEDNESDAY)
    assert lab.mails() == []


async def test_a_fetch_covers_the_lookback_before_the_last_good_one(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    await lab.run(MONDAY, TEA)
    lab.source.failing = lambda queries: Unreachable("http://arxiv", "no answer")
    await lab.run(TUESDAY)
    lab.source.failing = lambda queries: None
    await lab.run(MONDAY + timedelta(days=30))
    assert [window.submitted_since for _, window in lab.source.asked] == [
        MONDAY - LOOKBACK,
        *[MONDAY - HELD] * 2,
    ]


async def test_how_the_fetch_of_a_run_ended_is_kept(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    await lab.run(MONDAY, TEA)
    good = store.last_fetch()
    assert good is not None
    assert (good.began_at, good.failed_at, good.brought_papers) == (MONDAY, None, True)
    lab.source.failing = lambda queries: Unreachable("http://arxiv", "no answer")
    await lab.run(TUESDAY)
    bad = store.last_fetch()
    assert bad is not None
    assert (bad.began_at, bad.failed_at, bad.queries) == (TUESDAY, TUESDAY, good.queries)


async def test_a_failed_fetch_is_no_quiet_day(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    await lab.run(MONDAY, TEA)
    lab.mails()
    lab.source.failing = lambda queries: Unreachable("http://arxiv", "no answer")
    report = await lab.run(TUESDAY, TEA, BOTH)
    assert (report.exit_code, lab.mails()) == (3, [])
    assert "no answer" in report.errors[0]
    lab.source.failing = lambda queries: None
    assert (await lab.run(TUESDAY)).exit_code == 0
    assert lab.mails() == [("ada@example.org", "2606.00003")]


async def test_keywords_whose_fetch_failed_do_not_hold_up_the_others(store: SqliteStore) -> None:
    lab = Installation(store, group=1)
    lab.source.failing = lambda queries: (
        Unreachable("http://arxiv", "no answer") if queries[0].text == "milk" else None
    )
    report = await lab.run(MONDAY, TEA, MILK)
    assert lab.mails() == [("ada@example.org", "2606.00001")]
    assert report.exit_code == 1
    assert "no answer" in report.errors[0]
    assert report.errors[-1].endswith("asks again for milk")


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.REJECTED, Outcome.UNKNOWN])
async def test_a_mail_that_fails_waits_and_the_others_go(store: SqliteStore, outcome: Outcome) -> None:
    lab = Installation(store)
    normal = lab.transport.answer
    lab.transport.answer = lambda mail: (
        Receipt(outcome=outcome, reply="452 full") if mail.recipient == "ada@example.org" else normal(mail)
    )
    report = await lab.run(MONDAY, TEA, MILK)
    assert lab.mails() == [("bo@example.org", "2606.00002")]
    assert (report.digests_sent, report.digests_deferred, report.exit_code) == (1, 1, 1)
    assert "ada@example.org" in report.errors[0]
    assert "452 full" in report.errors[0]
    lab.transport.answer = normal
    assert (await lab.run(MONDAY + timedelta(minutes=29))).digests_sent == 0
    report = await lab.run(MONDAY + timedelta(minutes=30))
    assert (report.digests_sent, report.digests_deferred, report.exit_code) == (1, 0, 0)
    assert lab.mails() == [("ada@example.org", "2606.00001")]


async def test_a_digest_that_waits_when_the_next_is_due_goes_into_it(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    normal = lab.transport.answer
    lab.transport.answer = lambda mail: Receipt(outcome=Outcome.DEFERRED, reply="451 later")
    await lab.run(MONDAY, TEA)
    await lab.run(TUESDAY, TEA, BOTH)
    lab.transport.answer = normal
    report = await lab.run(WEDNESDAY)
    assert lab.mails() == [("ada@example.org", "2606.00001 2606.00003")]
    assert (report.digests_sent, report.digests_deferred) == (1, 0)


async def test_force_tries_at_once_what_waits(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    normal = lab.transport.answer
    lab.transport.answer = lambda mail: Receipt(outcome=Outcome.DEFERRED, reply="451 later")
    await lab.run(MONDAY, TEA)
    lab.transport.answer = normal
    assert (await lab.run(MONDAY, force=True)).digests_sent == 1


@pytest.mark.parametrize("sessions", [1, 3])
async def test_a_server_that_is_down_is_nobodys_fault(store: SqliteStore, sessions: int) -> None:
    lab = Installation(store)
    lab.transport.sessions = sessions
    lab.transport.refusing = DOWN
    report = await lab.run(MONDAY, TEA, MILK)
    assert (report.digests_sent, report.digests_deferred, report.exit_code) == (0, 2, 1)
    assert report.errors == (str(DOWN),)
    lab.transport.refusing = None
    assert (await lab.run(MONDAY)).digests_sent == 2
    assert len(lab.mails()) == 2


async def test_a_server_that_goes_down_in_the_middle_leaves_the_rest_untried(store: SqliteStore) -> None:
    subscribers = [make_subscriber(f"reader{number}@example.org", "tea") for number in range(5)]
    lab = Installation(store, *subscribers)
    normal = lab.transport.answer
    lab.transport.answer = lambda mail: DOWN if len(lab.transport.taken) == 2 else normal(mail)
    report = await lab.run(MONDAY, TEA)
    assert (report.digests_sent, report.digests_deferred) == (2, 3)
    lab.transport.answer = normal
    await lab.run(MONDAY)
    assert len({recipient for recipient, _ in lab.mails()}) == 5


async def test_many_sessions_send_each_mail_once(store: SqliteStore) -> None:
    subscribers = [make_subscriber(f"reader{number}@example.org", "tea") for number in range(40)]
    lab = Installation(store, *subscribers)
    lab.transport.sessions = 7
    await lab.run(MONDAY, TEA)
    assert sorted(recipient for recipient, _ in lab.mails()) == sorted(one.email for one in subscribers)
    assert lab.transport.opened <= 7


async def test_when_told_to_stop_the_mail_in_hand_is_finished_and_no_other_begun(store: SqliteStore) -> None:
    subscribers = [make_subscriber(f"reader{number}@example.org", "tea") for number in range(5)]
    lab = Installation(store, *subscribers)
    lab.transport.refusing = DOWN
    await lab.run(MONDAY, TEA)
    lab.transport.refusing = None
    stop = asyncio.Event()

    def stop_while_sending(mail: Outgoing) -> Receipt:
        stop.set()
        return Receipt(outcome=Outcome.SENT, reply="250 taken")

    lab.transport.answer = stop_while_sending
    report = await deliver(store, lab.transport, plain, lambda: MONDAY, stop=stop)
    assert (report.sent, store.waiting()) == (1, 4)


async def test_a_subscriber_in_another_case_is_the_same_subscriber(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("Ada@Example.org", "tea"))
    await lab.run(MONDAY, TEA)
    lab.subscribers = (make_subscriber("ada@example.org", "tea"),)
    await lab.run(TUESDAY)
    assert lab.mails() == [("Ada@Example.org", "2606.00001")]


async def test_a_keyword_that_rested_floods_nobody_when_it_is_taken_up_again(store: SqliteStore) -> None:
    ada, bo = make_subscriber("ada@example.org", "tea"), make_subscriber("bo@example.org", "milk")
    cy = make_subscriber("cy@example.org", "milk")
    lab = Installation(store, ada, bo)
    await lab.run(
        MONDAY - timedelta(days=40), invented_paper("2604.00001", "Tea", submitted="2026-05-01 00:00")
    )
    lab.subscribers = (ada,)
    await lab.run(MONDAY, TEA)
    lab.mails()
    lab.subscribers = (ada, cy)
    old_tea = invented_paper("2604.00009", "Tea long ago", submitted="2026-04-01 00:00")
    milks = [invented_paper(f"2606.1{n:04}", "Milk", submitted=f"2026-06-{n:02} 00:00") for n in range(1, 13)]
    await lab.run(TUESDAY, TEA, old_tea, *milks)
    ((subscriber_, papers),) = lab.mails()
    assert subscriber_ == "cy@example.org"
    assert len(papers.split()) == 10


async def test_a_longer_lookback_makes_no_old_paper_new(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    await lab.run(MONDAY, TEA)
    lab.mails()
    lab.lookback = timedelta(days=60)
    await lab.run(TUESDAY, TEA, invented_paper("2605.00001", "Old tea", submitted="2026-05-10 00:00"))
    assert lab.mails() == []


async def test_the_first_digest_is_short_also_where_others_follow_the_keyword(store: SqliteStore) -> None:
    ada, bo = make_subscriber("ada@example.org", "tea"), make_subscriber("bo@example.org", "tea")
    lab = Installation(store, ada)
    await lab.run(MONDAY, TEA)
    lab.mails()
    lab.subscribers = (ada, bo)
    teas = [invented_paper(f"2606.1{n:04}", "Tea", submitted="2026-06-15 00:00") for n in range(15)]
    await lab.run(TUESDAY, TEA, *teas)
    assert [(email, len(papers.split())) for email, papers in lab.mails()] == [
        ("ada@example.org", 15),
        ("bo@example.org", 10),
    ]


async def test_a_subscriber_who_has_left_is_not_mailed_what_still_waits(store: SqliteStore) -> None:
    ada, bo = make_subscriber("ada@example.org", "tea"), make_subscriber("bo@example.org", "tea")
    lab = Installation(store, ada, bo)
    lab.transport.refusing = DOWN
    await lab.run(MONDAY, TEA)
    lab.transport.refusing = None
    lab.subscribers = (ada,)
    report = await lab.run(MONDAY)
    assert lab.mails() == [("ada@example.org", "2606.00001")]
    assert (report.digests_sent, report.digests_failed, report.digests_deferred) == (1, 1, 0)


async def test_while_arxiv_is_down_nobody_is_said_to_have_nothing_new(store: SqliteStore) -> None:
    lab = Installation(store)
    lab.source.failing = lambda queries: Unreachable("http://arxiv", "no answer")
    assert (await lab.run(MONDAY)).subscribers_nothing_new == 0


async def test_subscribers_who_had_their_digest_are_told_apart_from_those_with_nothing_new(
    store: SqliteStore,
) -> None:
    lab = Installation(store)
    await lab.run(MONDAY, TEA)
    report = await lab.run(MONDAY, TEA, BOTH)
    assert (report.subscribers_not_due, report.subscribers_nothing_new, report.digests_sent) == (1, 0, 1)


async def test_a_server_that_takes_one_session_gets_all_mails_over_it(store: SqliteStore) -> None:
    subscribers = [make_subscriber(f"reader{number}@example.org", "tea") for number in range(10)]
    lab = Installation(store, *subscribers)
    lab.transport = OneSession(sessions=3)
    report = await lab.run(MONDAY, TEA)
    assert (report.digests_sent, report.errors) == (10, ())


async def test_a_delivery_takes_up_what_an_earlier_one_left_in_the_middle(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    lab.transport.refusing = DOWN
    await lab.run(MONDAY, TEA)
    lab.transport.refusing = None
    assert len(store.claim(now=MONDAY, until=MONDAY, limit=1)) == 1
    assert (await deliver(store, lab.transport, plain, lambda: MONDAY)).sent == 1


async def test_a_state_that_fails_while_mailing_is_named_plainly(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Installation(store)

    def full(*args: object, **named: object) -> None:
        raise StateError("digest.db", "the disk is full")

    monkeypatch.setattr(store, "record_results", full)
    monkeypatch.setattr(receipt_writer, "LONGEST_WAIT", 0)
    with pytest.raises(StateError, match="the disk is full"):
        await lab.run(MONDAY, TEA, MILK)


class SlowTransport(FakeTransport):
    """Takes a mail, and answers once `answers` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def send(self, mail: Outgoing) -> Receipt:
        receipt = await super().send(mail)
        await self.answers.wait()
        return receipt


async def test_a_fetch_that_ends_in_an_error_waits_for_the_mails_that_are_being_sent(
    store: SqliteStore,
) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    lab.transport.refusing = DOWN
    await lab.run(MONDAY, TEA)
    lab.transport = slow = SlowTransport()
    lab.source.failing = lambda queries: StateError("digest.db", "the disk is full") if slow.taken else None
    lab.source.search = partial(search_later, lab.source.search, lambda: slow.taken)  # type: ignore[method-assign]
    run = asyncio.create_task(lab.run(TUESDAY))
    await until(lambda: len(lab.source.asked) == 2)
    slow.answers.set()
    with pytest.raises(StateError, match="the disk is full"):
        await run
    assert (len(slow.taken), store.waiting()) == (1, 0)


async def search_later(
    search: Callable[..., Awaitable[tuple[Paper, ...]]], begins: Callable[[], object], *asked: Any
) -> tuple[Paper, ...]:
    await until(begins)
    return await search(*asked)


async def test_a_state_that_cannot_be_written_for_longer_than_a_lease_repeats_no_mail(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Installation(store)
    writable_from = time.monotonic() + 0.6
    record_results, renew = store.record_results, store.renew
    refused = 0

    def once_writable(method: Callable[..., None], *args: object, **named: object) -> None:
        nonlocal refused
        if refused < 5 or time.monotonic() < writable_from:
            refused += 1
            raise StateError("digest.db", "the disk is full")
        method(*args, **named)

    monkeypatch.setattr(store, "record_results", partial(once_writable, record_results))
    monkeypatch.setattr(store, "renew", partial(once_writable, renew))
    monkeypatch.setattr(share_module, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(receipt_writer, "_PAUSE", 0.02)
    report = await lab.run(MONDAY, TEA, MILK)
    assert refused > 4
    assert (report.digests_sent, len(lab.mails()), store.waiting()) == (2, 2, 0)


async def test_a_digest_that_cannot_be_written_waits_and_the_others_go(store: SqliteStore) -> None:
    lab = Installation(store)

    def write(mailing: Mailing) -> Outgoing:
        if mailing.digest.email == "ada@example.org":
            raise Unwritable("the template has no such field")
        return plain(mailing)

    lab.write = write
    report = await lab.run(MONDAY, TEA, MILK)
    assert lab.mails() == [("bo@example.org", "2606.00002")]
    assert "no such field" in report.errors[0]


async def test_a_cycle_that_is_stopped_breaks_off_the_fetch_and_moves_nothing(store: SqliteStore) -> None:
    lab = Installation(store)
    lab.stop.set()
    report = await lab.run(MONDAY, TEA)
    assert "stopped" in report.errors[0]
    assert store.covered_at() == {}


async def test_a_digest_put_off_by_a_pause_is_no_failure(store: SqliteStore) -> None:
    lab = Installation(store)
    lab.transport.refusing = ServerUnavailable("mx.example.org:25", "nothing listens there", "start it")
    assert (await lab.run(MONDAY, TEA)).exit_code == 1
    lab.transport.refusing = None
    store.save_preferences("ada@example.org", Preferences(paused_until=date(2027, 3, 1)))
    store.save_preferences("bo@example.org", Preferences(paused_until=date(2027, 3, 1)))
    report = await lab.run(TUESDAY)
    assert (report.digests_sent, report.digests_deferred, report.exit_code) == (0, 0, 0)


async def test_no_weekend_is_told_of_where_arxiv_could_not_be_asked(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    await lab.run(moment("2026-06-12 12:00"), TEA)
    sunday = moment("2026-06-14 12:00")
    assert str((await lab.run(sunday)).missing_news).endswith("the weekend")
    await lab.run(MONDAY, TEA)
    lab.source.failing = lambda _: Unreachable("http://arxiv", "no answer")
    report = await lab.run(sunday + timedelta(hours=1))
    assert (report.exit_code, report.missing_news) == (3, None)


async def test_the_monday_after_a_friday_holiday_is_quiet_and_all_comes_on_tuesday(
    store: SqliteStore,
) -> None:
    def teas(first: int, submitted: str) -> list[Paper]:
        return [invented_paper(f"2606.{first + n:05}", "Tea", submitted=submitted) for n in range(300)]

    lab = Installation(store, make_subscriber("ada@example.org", "tea"))
    thursday, weekend = teas(1, "2026-06-17 12:00"), teas(1001, "2026-06-19 12:00")
    await lab.run(moment("2026-06-19 12:00"), *thursday)
    reason = "no announcement follows a holiday on a Friday (Juneteenth)"
    for day, evening in (("21", "Saturday"), ("22", "Sunday")):
        report = await lab.run(moment(f"2026-06-{day} 12:00"))
        assert (report.exit_code, report.errors, report.papers_new) == (0, (), 0)
        assert evening in str(report.missing_news)
    assert str(report.missing_news).endswith(reason)
    health = examine(store, lab.subscribers, now=moment("2026-06-22 12:30"))
    assert (health.quiet, health.expected_at) == (report.missing_news, moment("2026-06-19 00:00"))
    report = await lab.run(moment("2026-06-23 12:00"), *thursday, *weekend)
    assert (report.exit_code, report.papers_new, report.notes, report.missing_news) == (0, 300, (), None)


class Silent(FakeSource):
    """Never answers."""

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        self.asked.append((queries, window))
        await asyncio.sleep(LIMIT)
        raise AssertionError("nobody ended it")


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_a_fetch_that_is_cancelled_or_told_to_stop_leaves_nothing_at_work(
    store: SqliteStore, is_cancelled: bool
) -> None:
    lab = Installation(store)
    lab.source = Silent()
    cycle = lab.cycle(MONDAY)
    subscribers = (await cycle.enrol()).subscribers
    before = asyncio.all_tasks()
    fetching = asyncio.create_task(cycle.fetch(subscribers))
    await until(lambda: lab.source.asked)
    if is_cancelled:
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
    else:
        lab.stop.set()
        assert await fetching is None
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_the_operator_is_told_at_the_end_also_when_arxiv_is_down_but_not_by_a_dry_run(
    store: SqliteStore,
) -> None:
    lab = Installation(store)
    told: list[tuple[list[str], Sequence[str], datetime]] = []

    async def tell(
        transport: Transport, subscribers: Sequence[Subscriber], brakes: Sequence[str], now: datetime
    ) -> None:
        told.append(([one.email for one in subscribers], brakes, now))

    await lab.run(MONDAY, TEA)
    lab.source.failing = lambda _: Unreachable("http://arxiv", "no answer")
    lab.store.leave("bo@example.org", now=MONDAY)
    await replace(lab.cycle(TUESDAY), notify_operator=tell).run()
    await replace(lab.cycle(TUESDAY), notify_operator=tell, transport=None).run()
    assert told == [(["ada@example.org"], (), TUESDAY)]
