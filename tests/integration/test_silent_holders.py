"""A run that comes after a killed one waits until what that one held is free, and does its work."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

import pytest

from digest.mail.links import links_for
from digest.mail.message import SenderIdentity
from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.pipeline import leases
from digest.pipeline.cycle import Cycle
from digest.pipeline.cycle_report import CycleReport
from digest.pipeline.leases import outlast_silent
from digest.service.mail_setup import WriterSetup, build_writer
from digest.storage.base import Store
from digest.storage.factory import open_store
from tests.factories import make_subscriber
from tests.fakes import FakeSource
from tests.integration.mail_server import MailServer, serving
from tests.postgresql import database_of, take_back_databases
from tests.stores import LEASE, outbox_of
from tests.waiting import LIMIT

READERS = [f"reader{number}@example.org" for number in range(5)]
SENDER = SenderIdentity(sender="digest@example.org", contact="library@example.org")
SHORT = timedelta(seconds=1.5)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_POLL_SECONDS", 0.05)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """One database, as two processes have it."""
    with open_store(database_of(tmp_path)) as one, open_store(database_of(tmp_path)) as other:
        yield one, other
    take_back_databases()


async def ran(store: Store) -> tuple[CycleReport, list[str]]:
    """A run, and to whom the mail server got mails."""
    async with serving(MailServer()) as server, asyncio.timeout(LIMIT):
        writer = build_writer(WriterSetup(sender_identity=SENDER, base_url=None), links_for(None, store))
        cycle = Cycle(
            sources=[FakeSource()],
            store=store,
            transport=SmtpTransport(SmtpServer(host="127.0.0.1", port=server.port, security="none")),
            writer=lambda: writer,
            subscribers=[make_subscriber(one, "tea") for one in READERS],
            lookback=timedelta(days=16),
            clock=lambda: datetime.now(UTC),
        )
        report = await cycle.run()
    return report, sorted(mail.recipient for mail in server.accepted)


def held_by_another(store: Store, *, lasting: timedelta) -> None:
    """Two of the mails are held by a process that does nothing more."""
    now = datetime.now(UTC)
    store.begin_claims("other", lasting=lasting)
    assert len(store.claim(now=now, until=now + LEASE, limit=2, holder="other/1")) == 2


def test_who_holds_mails_is_at_work_until_its_lease_ends(stores: tuple[Store, Store]) -> None:
    one, other = stores
    outbox_of(one, *READERS)
    one.begin_claims("idle", lasting=MINUTE)
    assert other.others_at_work() == {}, "it holds nothing"
    held_by_another(one, lasting=MINUTE / 2)
    (until,) = other.others_at_work().values()
    one.keep_claims("other/1", lasting=MINUTE)
    (later,) = other.others_at_work().values()
    assert later > until
    one.take_lease("channel/lab", lasting=MINUTE)
    assert len(other.others_at_work()) == 2
    one.end_lease("channel/lab")
    one.keep_claims("other/1", lasting=SHORT)
    sleep(SHORT.total_seconds())
    assert other.others_at_work() == {}


async def test_a_run_waits_for_the_lease_of_a_killed_one_and_sends_what_it_held(
    stores: tuple[Store, Store],
) -> None:
    one, other = stores
    outbox_of(one, *READERS)
    held_by_another(one, lasting=SHORT)
    report, came = await ran(other)
    assert came == READERS
    assert (report.digests_sent, report.digests_deferred) == (5, 0)
    assert [note for note in report.notes if note.startswith("waited ")]


async def test_a_run_leaves_to_a_living_one_what_that_holds(stores: tuple[Store, Store]) -> None:
    one, other = stores
    outbox_of(one, *READERS)
    held_by_another(one, lasting=MINUTE)

    async def renew() -> None:
        async with asyncio.timeout(LIMIT):
            while True:
                await asyncio.sleep(0.2)
                await asyncio.to_thread(one.keep_claims, "other/1", lasting=MINUTE)

    renewing = asyncio.create_task(renew())
    report, came = await ran(other)
    renewing.cancel()
    assert len(came) == report.digests_sent == 3


class Others:
    """Others that hold something, as they are seen one look after the other."""

    def __init__(self, *looks: Mapping[str, datetime]) -> None:
        self.looks = list(looks)

    def others_at_work(self) -> Mapping[str, datetime]:
        return self.looks.pop(0)


async def test_only_who_is_silent_is_waited_for() -> None:
    until = datetime(2026, 6, 16, 12, tzinfo=UTC)
    begun = {"dead": until, "alive": until, "done": until}
    renewed = {"dead": until, "alive": until + MINUTE}
    others = Others(begun, renewed, renewed, {"alive": until + MINUTE, "new": until})
    async with asyncio.timeout(LIMIT):
        waited = await outlast_silent(others, others.others_at_work(), asyncio.Event())  # type: ignore[arg-type]
    assert others.looks == []
    assert waited > timedelta(0)


async def test_who_is_told_to_stop_waits_for_nobody() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(LIMIT):
        await outlast_silent(Others(), {"dead": datetime.now(UTC)}, stop)  # type: ignore[arg-type]
