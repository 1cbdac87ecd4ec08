"""What several hosts do over one PostgreSQL database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest

from digest.storage.base import Store
from digest.storage.factory import open_store
from digest.storage.values import MailingState
from tests.postgresql import database_of, take_back_databases
from tests.stores import LEASE, NOW, claim, outbox_of, record_results

MINUTE = timedelta(minutes=1)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """One database, as two hosts have it."""
    with open_store(database_of(tmp_path)) as one, open_store(database_of(tmp_path)) as other:
        yield one, other
    take_back_databases()


def test_one_host_has_a_lease_until_it_ends_it(stores: tuple[Store, Store]) -> None:
    one, other = stores
    first = one.take_lease("fetching", lasting=MINUTE)
    assert first is not None
    assert first.idle_for is None
    assert other.take_lease("fetching", lasting=MINUTE) is None
    assert other.take_lease("finishing", lasting=MINUTE) is not None
    other.end_lease("fetching")
    assert one.take_lease("fetching", lasting=MINUTE) is not None
    one.end_lease("fetching")
    later = other.take_lease("fetching", lasting=MINUTE)
    assert later is not None
    assert later.idle_for is not None
    assert timedelta(0) <= later.idle_for < MINUTE
    assert one.take_lease("fetching", lasting=MINUTE) is None


def test_a_lease_ends_by_itself_when_its_host_is_gone(stores: tuple[Store, Store]) -> None:
    one, other = stores
    assert one.take_lease("fetching", lasting=timedelta(milliseconds=20)) is not None
    sleep(0.05)
    taken = other.take_lease("fetching", lasting=MINUTE)
    assert taken is not None
    assert taken.idle_for is not None
    assert taken.idle_for > timedelta(0)
    one.end_lease("fetching")
    assert one.take_lease("fetching", lasting=MINUTE) is None


def test_daemons_that_run_are_counted_by_their_hosts(stores: tuple[Store, Store]) -> None:
    one, other = stores
    assert (one.note_alive("ada"), other.note_alive("bo"), one.note_alive("ada")) == (1, 2, 2)
    assert [(host.name, host.is_alive) for host in one.hosts()] == [("ada", True), ("bo", True)]
    other.note_stopped()
    assert [host.name for host in one.hosts()] == ["ada"]


def test_what_a_silent_holder_had_is_given_to_others_and_it_cannot_change_it_any_more(
    stores: tuple[Store, Store],
) -> None:
    one, other = stores
    outbox_of(one, *(f"reader{number}@example.org" for number in range(3)))
    one.begin_claims("a", lasting=timedelta(milliseconds=20))
    late = one.claim(now=NOW, until=NOW + LEASE, limit=2, holder="a/1")
    sleep(0.05)
    assert one.keep_claims("a/1", lasting=timedelta(milliseconds=20)), "nobody has taken them"
    sleep(0.05)
    other.begin_claims("b", lasting=MINUTE)
    assert other.reclaim_abandoned(now=NOW) == 2
    assert not one.keep_claims("a", lasting=MINUTE)
    held = other.claim(now=NOW, until=NOW + LEASE, limit=3, holder="b/2")
    assert {mailing.number for mailing in late} < {mailing.number for mailing in held}
    numbers = [mailing.number for mailing in late]
    one.release(numbers, now=NOW, holder="a/1")
    one.renew(numbers, until=NOW, holder="a")
    record_results(one, late[0], MailingState.DEFERRED, "451", due_at=NOW, holder="a/1")
    assert one.claim(now=NOW, until=NOW + LEASE, limit=3, holder="c") == ()
    record_results(one, late[1], MailingState.SENT, "250 taken", holder="a/1")
    other.release([mailing.number for mailing in held], now=NOW, holder="b")
    left = {mailing.number for mailing in held} - {late[1].number}
    assert {mailing.number for mailing in claim(other)} == left, "a mail that was sent was sent"


def test_what_a_living_holder_has_is_left_to_it(stores: tuple[Store, Store]) -> None:
    one, other = stores
    outbox_of(one, "ada@example.org")
    one.begin_claims("a", lasting=MINUTE)
    assert one.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a/1")
    assert other.reclaim_abandoned(now=NOW) == 0
    assert other.reclaim(now=NOW, latest=NOW + MINUTE) == 0


def test_connections_are_shared_by_all_daemons_and_by_all_that_mail(stores: tuple[Store, Store]) -> None:
    one, other = stores
    assert one.begin_claims("a", lasting=MINUTE) == 1
    assert other.begin_claims("b", lasting=MINUTE) == 2
    other.end_claims("b", now=NOW)
    assert one.begin_claims("c", lasting=MINUTE) == 2
    one.end_claims("c", now=NOW)
    one.note_alive("ada")
    other.note_alive("bo")
    assert one.begin_claims("a", lasting=MINUTE) == 2


def test_what_a_holder_has_when_it_ends_is_free(stores: tuple[Store, Store]) -> None:
    """As when the server failed and lost that it was released."""
    one, other = stores
    outbox_of(one, "ada@example.org")
    one.begin_claims("a", lasting=MINUTE)
    assert one.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a/1")
    one.end_claims("a", now=NOW)
    assert len(claim(other)) == 1


def test_what_was_claimed_without_a_lease_is_free_for_the_next_mailing(stores: tuple[Store, Store]) -> None:
    one, other = stores
    outbox_of(one, "ada@example.org")
    assert one.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a/1")
    assert other.reclaim(now=NOW, latest=NOW + MINUTE) == 1


def test_a_session_is_ended_on_all_hosts(stores: tuple[Store, Store]) -> None:
    one, other = stores
    assert not other.is_session_ended("session")
    one.end_session("session", until=NOW + MINUTE, now=NOW)
    assert other.is_session_ended("session")
