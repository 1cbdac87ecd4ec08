"""What every store promises of the entries of the subscribers that are in the state."""

import json
from dataclasses import replace

from digest.model.paper import ArxivId
from digest.storage.base import Store
from digest.subscribers.stored import EntryChange, StoredEntry
from digest.subscribers.subscriber import Subscriber
from tests.factories import make_subscriber
from tests.stores import NOW

ADA, BO = "ada@example.org", "bo@example.org"


def entry(address: str, *keywords: str) -> StoredEntry:
    return StoredEntry(address=address, content=json.dumps({"email": address, "keywords": keywords}))


def add(store: Store, *entries: StoredEntry) -> None:
    assert store.change_entries([EntryChange(before=None, after=one) for one in entries])


def addresses(store: Store) -> list[str]:
    return [one.address for one in store.entries(after=0, limit=100)]


def stored(store: Store, email: str) -> StoredEntry:
    found = store.entry_of(email)
    assert found
    return found


def test_entries_are_kept_as_they_are_in_the_order_of_their_coming(store: Store) -> None:
    assert store.entries(after=0, limit=9) == ()
    add(store, entry(BO, "tea", 'Zoë’s \\ "quoted" phrase'), entry(ADA, "tea"))
    first, second = store.entries(after=0, limit=9)
    assert [first.address, second.address] == [BO, ADA]
    assert first.content == entry(BO, "tea", 'Zoë’s \\ "quoted" phrase').content
    assert store.entries(after=0, limit=1) == (first,)
    assert store.entries(after=first.number, limit=9) == (second,)
    assert store.entry_of("Ada@Example.ORG") == second
    assert store.entry_of("cy@example.org") is None


def test_a_change_keeps_the_place_and_another_address(store: Store) -> None:
    add(store, entry(ADA, "tea"), entry(BO, "tea"))
    before = stored(store, ADA)
    assert store.change_entries([EntryChange(before=before, after=entry("cy@example.org", "milk"))])
    assert addresses(store) == ["cy@example.org", BO]
    assert stored(store, "cy@example.org").number == before.number
    assert store.change_entries([EntryChange(before=stored(store, BO), after=None)])
    assert addresses(store) == ["cy@example.org"]


def test_every_change_is_another_version_and_nothing_else_is(store: Store) -> None:
    versions = [store.entries_version()]
    add(store, entry(ADA, "tea"))
    versions.append(store.entries_version())
    store.entries(after=0, limit=9)
    assert store.entries_version() == versions[-1]
    assert store.change_entries([EntryChange(before=stored(store, ADA), after=None)])
    versions.append(store.entries_version())
    assert store.change_entries([])
    versions.append(store.entries_version())
    assert versions == sorted(set(versions))


def test_a_change_of_what_another_process_changed_does_nothing_at_all(store: Store, other: Store) -> None:
    add(store, entry(ADA, "tea"))
    before = stored(store, ADA)
    assert other.change_entries([EntryChange(before=before, after=entry(ADA, "tea", "milk"))])
    version = store.entries_version()
    for late in (
        EntryChange(before=before, after=entry(ADA, "coffee")),
        EntryChange(before=before, after=None),
        EntryChange(before=None, after=entry(ADA, "coffee")),
    ):
        assert not store.change_entries([EntryChange(before=None, after=entry(BO, "tea")), late])
    assert addresses(other) == [ADA]
    assert stored(other, ADA).content == entry(ADA, "tea", "milk").content
    assert other.entries_version() == version


def test_an_address_cannot_become_one_that_is_taken(store: Store) -> None:
    add(store, entry(ADA, "tea"), entry(BO, "tea"))
    assert not store.change_entries([EntryChange(before=stored(store, ADA), after=entry(BO, "milk"))])
    assert addresses(store) == [ADA, BO]


def test_two_addresses_can_be_changed_one_after_the_other_in_one_step(store: Store) -> None:
    add(store, entry(ADA, "tea"))
    gone, new = EntryChange(before=stored(store, ADA), after=None), EntryChange(before=None, after=entry(ADA))
    assert store.change_entries([gone, new])
    assert stored(store, ADA).content == entry(ADA).content


def signed_up(email: str) -> Subscriber:
    return replace(make_subscriber(email), is_signed_up=True)


def enrol(store: Store, *subscribers: Subscriber) -> bool:
    """Whether these entries are told of as a change of addresses, after which they are enrolled."""
    change = store.take_up_entries(subscribers, file=None, now=NOW)
    store.enrol(subscribers, now=NOW, current_since=NOW)
    store.count_as_seen(ADA, [ArxivId("2606.00001")])  # a subscriber who knows a paper is worth a question
    return change is not None


def test_only_who_is_in_the_file_has_another_address_after_an_edit_of_it(store: Store) -> None:
    assert not enrol(store, signed_up(ADA))
    assert not enrol(store, make_subscriber(BO))
    assert not enrol(store, make_subscriber(BO), signed_up(ADA))
    assert not enrol(store, make_subscriber(BO), make_subscriber(ADA))
    assert not enrol(store, make_subscriber(BO), signed_up(ADA))
    assert not enrol(store, make_subscriber(BO), make_subscriber(ADA), signed_up("cy@example.org"))
    assert enrol(store, make_subscriber(BO), make_subscriber("ada@example.net"), signed_up("cy@example.org"))
    assert store.subscriber_statuses(["ada@example.net"])
    assert not store.subscriber_statuses([ADA])
