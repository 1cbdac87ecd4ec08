"""What every store promises of requests for a new address: who is asked, how often, and until when."""

from datetime import timedelta

import pytest

from digest.storage.base import Store
from digest.storage.confirmations import Confirmation, PageChange
from tests.factories import make_subscriber
from tests.stores import NOW

ADA, BO, NEW = "ada@example.org", "bo@example.org", "New@example.org"
DAY = timedelta(days=1)


@pytest.fixture
def store(store: Store) -> Store:
    store.enrol([make_subscriber(ADA, "tea"), make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    return store


def ask(store: Store, new: str = NEW, email: str = ADA, *, days: float = 0, is_free: bool = True) -> bool:
    return store.ask_address(email, new, is_free=is_free, now=NOW + days * DAY)


def waiting(store: Store, days: float = 0) -> list[tuple[PageChange, str]]:
    return [(one.change, one.mailed_to) for one in store.confirmations(now=NOW + days * DAY)]


def request(store: Store) -> Confirmation:
    return [one for one in store.confirmations(now=NOW) if one.change is PageChange.ADDRESS][-1]


def test_both_addresses_get_a_mail_whose_links_end_after_two_days(store: Store) -> None:
    assert ask(store)
    assert waiting(store) == [(PageChange.MOVING, ADA), (PageChange.ADDRESS, NEW)]
    for one in store.confirmations(now=NOW):
        assert store.confirmation_of(one.token, now=NOW + 1.9 * DAY) == one
        assert store.confirmation_of(one.token, now=NOW + 2 * DAY) is None
    assert waiting(store, 2) == []


def test_an_address_in_use_and_one_that_was_asked_today_get_no_mail(store: Store) -> None:
    assert ask(store, is_free=False)
    assert waiting(store) == [(PageChange.MOVING, ADA)]
    assert ask(store)
    assert ask(store, NEW.upper(), BO)
    assert [to for change, to in waiting(store) if change is PageChange.ADDRESS] == [NEW]
    assert ask(store, NEW.upper(), BO, days=1.01)
    assert [to for change, to in waiting(store, 1.01) if change is PageChange.ADDRESS] == [NEW, NEW.upper()]


def test_a_subscriber_asks_for_three_a_day_and_the_last_wish_counts(store: Store) -> None:
    assert all(ask(store, f"{one}@example.org") for one in "xyz")
    assert request(store).mailed_to == "z@example.org"
    assert len([one for one in waiting(store) if one[0] is PageChange.ADDRESS]) == 1
    assert not ask(store)
    assert ask(store, days=1.01)


def test_the_first_of_two_wishes_can_be_wished_again(store: Store) -> None:
    ask(store)
    token = request(store).token
    ask(store, "x@example.org")
    assert store.confirmation_of(token, now=NOW) is None
    ask(store)
    assert store.confirmation_of(token, now=NOW)
    assert request(store).token == token


def test_what_is_stopped_is_neither_mailed_nor_confirmed(store: Store) -> None:
    ask(store)
    token = request(store).token
    store.stop_address(ADA)
    assert store.confirmation_of(token, now=NOW) is None
    assert waiting(store) == [(PageChange.MOVING, ADA)]


def test_a_suppressed_address_gets_no_mail_and_who_has_one_may_move(store: Store) -> None:
    store.suppress("new@example.org", cause="550", now=NOW)
    ask(store)
    assert waiting(store) == [(PageChange.MOVING, ADA)]
    store.suppress(BO, cause="550", now=NOW)
    ask(store, "x@example.org", BO)
    assert waiting(store) == [(PageChange.MOVING, ADA), (PageChange.ADDRESS, "x@example.org")]


def test_after_the_move_only_the_links_that_made_or_stop_it_are_left(store: Store) -> None:
    store.leave_and_confirm(ADA, now=NOW)
    ask(store)
    mails = {one.change: one for one in store.confirmations(now=NOW)}
    for one in mails.values():
        store.note_confirmed(one.number, now=NOW)
    assert store.rename(ADA, NEW, now=NOW)
    found = {change: store.confirmation_of(one.token, now=NOW) for change, one in mails.items()}
    left = {change: (one.email, one.mailed_to) for change, one in found.items() if one}
    assert left == {PageChange.MOVING: (NEW, ADA), PageChange.ADDRESS: (NEW, NEW)}
    assert store.rename(NEW, "third@example.org", now=NOW)
    assert store.confirmation_of(mails[PageChange.ADDRESS].token, now=NOW) is None


def test_who_is_not_known_is_asked_for_nothing(store: Store) -> None:
    assert not ask(store, email="nobody@example.org")
    assert waiting(store) == []


def test_an_address_is_in_use_by_who_is_enrolled_or_was_mailed(store: Store) -> None:
    assert store.is_mailed("ADA@example.org")
    assert not store.is_mailed(NEW)
    store.enrol([make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    assert not store.is_mailed(ADA)


def test_whether_a_subscriber_may_ask_is_known_before(store: Store) -> None:
    for number in range(3):
        assert store.may_ask_address(ADA, now=NOW)
        assert ask(store, f"{number}@example.org")
    assert not store.may_ask_address(ADA, now=NOW)
    assert store.may_ask_address(BO, now=NOW)
    assert store.may_ask_address(ADA, now=NOW + DAY)
