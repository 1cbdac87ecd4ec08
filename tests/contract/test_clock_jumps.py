"""A clock that is set forward while mails are sent: a laptop slept, or a machine heard what time it is."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep

import pytest

from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.pipeline.deliver import deliver
from digest.storage.base import Store
from digest.storage.factory import open_store
from tests.contract.back_ends import BackEnd
from tests.fakes import FakeTransport
from tests.integration.installation import plain
from tests.postgresql import database_of, take_back_databases
from tests.stores import LEASE, NOW, outbox_of
from tests.waiting import LIMIT, until

READERS = [f"reader{number}@example.org" for number in range(100)]
DAY = timedelta(days=1)


class Slow(FakeTransport):
    """Answers a moment later, and calls `taking` before."""

    def __init__(self, taking: Callable[[], None] = lambda: None) -> None:
        super().__init__(sessions=2)
        self.taking = taking

    async def send(self, mail: Outgoing) -> Receipt:
        self.taking()
        self.taken.append(mail)
        await asyncio.sleep(0.005)
        return Receipt(outcome=Outcome.SENT, reply="250 taken")


def received(*transports: FakeTransport) -> Counter[str]:
    return Counter(mail.recipient for transport in transports for mail in transport.taken)


async def test_a_clock_that_jumps_while_mails_are_sent_repeats_none(store: Store) -> None:
    outbox_of(store, *READERS)
    clock = [NOW]

    def taking() -> None:
        if len(transport.taken) == 20:
            clock[0] += DAY

    transport = Slow(taking)
    async with asyncio.timeout(LIMIT):
        report = await deliver(store, transport, plain, lambda: clock[0])
    assert received(transport) == Counter(READERS)
    assert (report.sent, store.waiting()) == (100, 0)


def test_no_process_of_a_holder_takes_what_another_one_of_it_sends(store: Store, other: Store) -> None:
    outbox_of(store, "ada@example.org")
    store.begin_claims("a", lasting=DAY)
    assert store.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a/1")
    late = NOW + DAY
    for holder in ("a/2", "a/1", "a"):
        assert other.claim(now=late, until=late + LEASE, limit=1, holder=holder) == ()


def test_a_rehearsal_has_what_a_dead_process_left(store: Store, back_end: BackEnd, tmp_path: Path) -> None:
    outbox_of(store, "ada@example.org")
    store.begin_claims("a", lasting=timedelta(milliseconds=1))
    assert store.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a/1")
    sleep(0.01)
    with back_end.rehearse(tmp_path, None) as copy:
        late = NOW + DAY
        copy.reclaim_abandoned(now=late)
        assert len(copy.claim(now=late, until=late, limit=9)) == 1
    assert store.waiting() == 1


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """One database, as two hosts have it."""
    with open_store(database_of(tmp_path)) as one, open_store(database_of(tmp_path)) as other:
        yield one, other
    take_back_databases()


@pytest.mark.parametrize("lead", [DAY, -DAY])
async def test_a_host_whose_clock_is_wrong_leaves_to_another_what_that_sends(
    hosts: tuple[Store, Store], lead: timedelta
) -> None:
    one, other = hosts
    outbox_of(one, *READERS)
    here, there = Slow(), Slow()
    now: datetime = NOW + 2 * DAY
    async with asyncio.timeout(LIMIT):
        sending = asyncio.create_task(deliver(one, here, plain, lambda: now))
        await until(lambda: len(here.taken) > 10)
        await deliver(other, there, plain, lambda: now + lead)
        await sending
    assert received(here, there) == Counter(READERS)
    assert one.waiting() == 0


def test_what_a_living_holder_sends_is_not_due_for_another(hosts: tuple[Store, Store]) -> None:
    one, other = hosts
    outbox_of(one, "ada@example.org")
    one.begin_claims("a", lasting=DAY)
    (held,) = one.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a/1")
    late = NOW + DAY
    for holder in ("a/1", "a", "b"):
        assert other.claim(now=late, until=late + LEASE, limit=1, holder=holder) == ()
    assert other.reclaim(now=late, latest=late + DAY) == 0
    assert (other.next_due_at(), other.sending(now=late)) == (None, 1)
    one.release([held.number], now=late, holder="a")
    assert (other.next_due_at(), other.sending(now=late)) == (late, 0)
    assert len(other.claim(now=late, until=late + LEASE, limit=1, holder="b")) == 1
