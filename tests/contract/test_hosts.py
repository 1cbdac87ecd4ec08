"""What several hosts do over one PostgreSQL database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest

from digest.storage.base import Store
from digest.storage.factory import open_store
from tests.postgresql import database_of, take_back_databases

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
