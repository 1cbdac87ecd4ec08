"""A channel has the promises of a subscriber, apart from mails: new only, nothing lost, nothing twice."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from digest.channels.base import Answer, Outcome, Post
from digest.errors import ServerUnavailable
from digest.mail.smtp.connect import SmtpServer
from digest.mail.smtp.session import SmtpTransport
from digest.mail.transport import Outcome as Mailed
from digest.mail.transport import Receipt
from digest.pipeline import serve_channel
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import MailingState
from tests.factories import invented_paper, make_subscriber
from tests.integration.installation import MONDAY, TEA, TUESDAY, WEDNESDAY, Installation
from tests.integration.mail_server import Do, MailServer, serving
from tests.waiting import LIMIT, until
from tests.webhooks import make_channel

ADA = make_subscriber("ada@example.org", "tea")
BOTH = invented_paper("2606.00003", "Tea with milk", submitted="2026-06-10 10:00")
MORE = invented_paper("2606.00004", "More tea", submitted="2026-06-16 10:00")
CHANNEL = make_channel("lab", "tea")
SENT = Answer(outcome=Outcome.SENT, reply="204 No Content")
REFUSED = Answer(outcome=Outcome.REFUSED, reply="503 Service Unavailable")
UNKNOWN = Answer(outcome=Outcome.UNKNOWN, reply="no answer within 30 seconds")
GONE = Answer(outcome=Outcome.GONE, reply="410 Gone")


@dataclass(slots=True)
class FakeService:
    """Takes posts, and answers as it is told."""

    answer: Answer = SENT
    posts: list[Post] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def send(self, post: Post) -> Answer:
        self.posts.append(post)
        if self.hold:
            await self.hold.wait()
        return self.answer

    def taken(self) -> list[tuple[str, str]]:
        found = [
            (post.token, " ".join(entry.paper.id for entry in post.digest.entries)) for post in self.posts
        ]
        self.posts.clear()
        return found

    def papers(self) -> list[str]:
        return [papers for _, papers in self.taken()]


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def lab(store: SqliteStore, service: FakeService) -> Installation:
    lab = Installation(store, ADA)
    lab.services = {CHANNEL: service}
    return lab


async def test_a_channel_gets_what_is_new_and_each_paper_once(
    lab: Installation, service: FakeService
) -> None:
    report = await lab.run(MONDAY, TEA)
    assert (report.channels_composed, report.channels_sent, report.channels_waiting) == (1, 1, 0)
    assert service.papers() == ["2606.00001"]
    await lab.run(MONDAY, TEA, BOTH)
    assert service.papers() == []
    await lab.run(TUESDAY, TEA, BOTH)
    assert service.papers() == ["2606.00003"]
    assert [papers for _, papers in lab.mails()] == ["2606.00001", "2606.00003"]


async def test_mails_and_their_numbers_are_as_without_a_channel(store: SqliteStore) -> None:
    lab = Installation(store, ADA)
    lab.services = {CHANNEL: FakeService(REFUSED)}
    report = await lab.run(MONDAY, TEA)
    assert (report.digests_composed, report.digests_sent, report.digests_deferred) == (1, 1, 0)
    assert (report.channels_composed, report.channels_sent, report.channels_waiting) == (1, 0, 1)
    assert report.errors == ("channel lab: 503 Service Unavailable",)
    assert report.brakes == ()
    assert (store.waiting(), store.figures().subscribers) == (0, 1)


async def test_a_service_that_hangs_delays_no_mail(lab: Installation, service: FakeService) -> None:
    service.hold = asyncio.Event()
    run = asyncio.create_task(lab.run(MONDAY, TEA))
    await until(lambda: lab.transport.taken and service.posts)
    assert lab.mails() == [("ada@example.org", "2606.00001")]
    service.hold.set()
    assert (await run).channels_sent == 1


async def test_a_service_that_never_ends_is_left(
    lab: Installation, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_channel, "ATTEMPT", timedelta(seconds=1))
    service.hold = asyncio.Event()
    async with asyncio.timeout(LIMIT):
        report = await lab.run(MONDAY, TEA)
    assert report.errors == ("channel lab: no answer within 1 seconds",)
    (first,) = service.taken()
    service.hold = None
    await lab.run(MONDAY + timedelta(hours=1))
    assert service.taken() == [first]


async def test_a_mail_server_that_is_down_delays_no_channel(lab: Installation, service: FakeService) -> None:
    lab.transport.refusing = ServerUnavailable("mx", "connection refused", "check smtp.host")
    report = await lab.run(MONDAY, TEA)
    assert report.digests_deferred == 1
    assert service.papers() == ["2606.00001"]


async def test_a_mail_server_that_hangs_while_mails_wait_delays_no_channel(
    lab: Installation, service: FakeService
) -> None:
    lab.transport.answer = lambda mail: Receipt(outcome=Mailed.DEFERRED, reply="450 later")
    await lab.run(MONDAY, TEA)
    service.taken()
    async with serving(MailServer(answers={"GREETING": Do.HANG})) as server:
        patient = SmtpServer(host="127.0.0.1", port=server.port, security="none", timeout=timedelta(hours=1))
        cycle = replace(lab.cycle(TUESDAY), transport=SmtpTransport(patient))
        lab.source.papers = (TEA, MORE)
        run = asyncio.create_task(cycle.run())
        await until(lambda: service.posts and server.connections)
        assert service.papers() == ["2606.00004"]
        assert not run.done()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run


async def test_one_channel_that_hangs_delays_no_other(lab: Installation, service: FakeService) -> None:
    slow = FakeService(hold=asyncio.Event())
    lab.services[make_channel("slow", "tea")] = slow
    run = asyncio.create_task(lab.run(MONDAY, TEA))
    await until(lambda: service.posts and slow.posts)
    assert lab.store.channel_statuses(["channel:slow"])["channel:slow"].waiting == 1
    assert slow.hold
    slow.hold.set()
    await run


async def test_what_was_refused_comes_with_the_next_digest(lab: Installation, service: FakeService) -> None:
    service.answer = REFUSED
    await lab.run(MONDAY, TEA)
    service.taken()
    service.answer = SENT
    await lab.run(TUESDAY, TEA, MORE)
    assert service.papers() == ["2606.00004 2606.00001"]


async def test_what_may_have_arrived_is_repeated_as_it_was_and_never_merged(
    lab: Installation, service: FakeService
) -> None:
    service.answer = UNKNOWN
    await lab.run(MONDAY, TEA)
    (first,) = service.taken()
    service.answer = SENT
    await lab.run(TUESDAY, TEA, MORE)
    repeated, second = service.taken()
    assert repeated == first
    assert second[0] != first[0]
    assert second[1] == "2606.00004"


async def test_a_wish_to_wait_is_heeded_within_limits(lab: Installation, service: FakeService) -> None:
    service.answer = replace(REFUSED, wait=timedelta(days=365))
    await lab.run(MONDAY, TEA)
    status = lab.store.channel_statuses(["channel:lab"])["channel:lab"]
    assert status.due_at == MONDAY + timedelta(hours=12)
    service.taken()
    await lab.run(MONDAY + timedelta(hours=11))
    assert service.taken() == []


async def test_a_channel_that_is_gone_rests_until_it_has_another_address(
    lab: Installation, service: FakeService
) -> None:
    service.answer = GONE
    await lab.run(MONDAY, TEA)
    assert service.papers() == ["2606.00001"]
    report = await lab.run(TUESDAY, TEA, MORE)
    assert service.papers() == []
    assert report.errors == ()
    assert report.notes == ("channel lab rests since 2026-06-15 12:00 UTC: 410 Gone",)
    service.answer = SENT
    lab.services = {replace(CHANNEL, url=SecretStr("https://example.org/other")): service}
    await lab.run(WEDNESDAY)
    assert service.papers() == ["2606.00004 2606.00001"]


async def test_a_channel_that_rests_goes_on_when_the_operator_says_so(
    lab: Installation, service: FakeService
) -> None:
    service.answer = GONE
    await lab.run(MONDAY, TEA)
    service.taken()
    service.answer = SENT
    assert lab.store.wake_channel("channel:lab", now=MONDAY)
    await lab.run(MONDAY)
    assert service.papers() == ["2606.00001"]


async def test_what_a_killed_process_was_sending_is_repeated_under_its_id(
    lab: Installation, service: FakeService
) -> None:
    service.hold = asyncio.Event()
    run = asyncio.create_task(lab.run(MONDAY, TEA))
    await until(lambda: service.posts)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    (first,) = service.taken()
    service.hold = None
    await lab.run(TUESDAY, TEA, MORE)
    assert service.taken()[0] == first


async def test_an_error_that_nobody_expected_shows_nothing_of_the_address(
    lab: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeService):
        async def send(self, post: Post) -> Answer:
            raise RuntimeError("https://example.org/hooks/T0KEN")

    lab.services = {CHANNEL: Broken()}
    report = await lab.run(MONDAY, TEA)
    (error,) = report.errors
    assert error.startswith("channel lab: unexpected error: RuntimeError in test_channels.py, line ")
    assert "T0KEN" not in caplog.text + repr(report)
    assert lab.store.channel_statuses(["channel:lab"])["channel:lab"].waiting == 1


async def test_a_channel_that_left_the_settings_gets_nothing_more(
    lab: Installation, service: FakeService
) -> None:
    service.answer = REFUSED
    await lab.run(MONDAY, TEA)
    service.taken()
    lab.services = {}
    await lab.run(TUESDAY, TEA, MORE)
    assert service.taken() == []
    (posting,) = lab.store.delivery_history(TEA.id, "channel:lab").postings
    assert posting.state is MailingState.FAILED


async def test_the_keywords_of_a_channel_are_fetched_without_a_subscriber(
    store: SqliteStore, service: FakeService
) -> None:
    lab = Installation(store, ADA)
    lab.services = {make_channel("lab", "milk"): service}
    await lab.run(MONDAY, BOTH)
    assert service.papers() == ["2606.00003"]
    assert store.delivery_history(BOTH.id, "channel:lab").postings[0].state is MailingState.SENT
