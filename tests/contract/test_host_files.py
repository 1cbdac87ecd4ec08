"""What every store promises of a file of subscribers that several hosts have: one is in force."""

from datetime import timedelta

import pytest

from digest.storage.base import Store
from digest.storage.values import OtherFile
from tests.contract.back_ends import BACK_ENDS, BackEnd
from tests.stores import NOW

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def shared(back_end: BackEnd, store: Store) -> Store:
    """A state that several hosts can use."""
    if back_end is BACK_ENDS["sqlite"]:
        pytest.skip("a state file has one host")
    return store


def test_a_state_file_takes_any_file_of_its_host(back_end: BackEnd, store: Store) -> None:
    if back_end is not BACK_ENDS["sqlite"]:
        pytest.skip("a database has several hosts")
    assert store.take_up_file("mars", "a", now=NOW) is None
    assert store.take_up_file("venus", "b", now=NOW) is None
    assert store.other_file("pluto", "c") is None


def test_the_same_file_is_in_force_on_all_hosts(shared: Store) -> None:
    assert shared.other_file("mars", "a") is None
    for host in ("mars", "venus", "mars"):
        assert shared.take_up_file(host, "a", now=NOW) is None
        assert shared.other_file(host, "a") is None


def test_an_edit_on_any_host_is_in_force_and_a_file_that_was_not_changed_is_not(shared: Store) -> None:
    for host in ("mars", "venus"):
        assert shared.take_up_file(host, "a", now=NOW) is None
    assert shared.take_up_file("venus", "b", now=LATER) is None
    other = OtherFile(host="venus", since_at=LATER)
    for _ in range(3):  # looking, or starting again, changes nothing
        assert shared.other_file("mars", "a") == other
        assert shared.take_up_file("mars", "a", now=LATER) == other
        assert shared.other_file("venus", "b") is None
    assert shared.take_up_file("mars", "b", now=LATER) is None


def test_an_edit_can_be_undone(shared: Store) -> None:
    for content in ("a", "b", "a"):
        assert shared.take_up_file("mars", content, now=NOW) is None
        assert shared.other_file("mars", content) is None
        assert shared.take_up_file("venus", content, now=NOW) is None


def test_a_new_host_with_another_file_takes_nothing_over_until_it_is_edited(shared: Store) -> None:
    assert shared.take_up_file("mars", "a", now=NOW) is None
    other = OtherFile(host="mars", since_at=NOW)
    for _ in range(2):
        assert shared.take_up_file("venus", "example", now=LATER) == other
        assert shared.other_file("mars", "a") is None
    assert shared.take_up_file("venus", "c", now=LATER) is None
    assert shared.other_file("mars", "a") == OtherFile(host="venus", since_at=LATER)


def test_a_file_is_in_force_again_when_the_other_host_has_its_content(shared: Store) -> None:
    for host, content in (("mars", "a"), ("venus", "a"), ("venus", "b")):
        assert shared.take_up_file(host, content, now=NOW) is None
    assert shared.other_file("mars", "a")
    assert shared.take_up_file("venus", "a", now=LATER) is None
    assert shared.other_file("mars", "a") is None
