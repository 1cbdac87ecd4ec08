"""Who signed up and left is erased once no link brings them back; nobody else is."""

import json
from dataclasses import replace
from datetime import timedelta

from digest.pipeline.cleanup import clean_up
from digest.storage.base import Store
from digest.subscribers.stored import EntryChange, StoredEntry
from tests.factories import make_subscriber
from tests.stores import NOW, enqueue, found, record

CY, DEE, EVE = (make_subscriber(f"{name}@example.org", "tea") for name in ("cy", "dee", "eve"))
SIGNED_UP = replace(CY, is_signed_up=True), replace(EVE, is_signed_up=True)
LOOKBACK = timedelta(days=16)


def test_only_who_signed_up_and_left_90_days_ago_is_erased(store: Store) -> None:
    subscribers = (*SIGNED_UP, DEE)
    for one in (CY, EVE):
        content = json.dumps({"email": one.email, "keywords": ["tea"]})
        entry = StoredEntry(address=one.email, content=content)
        assert store.change_entries([EntryChange(before=None, after=entry)])
    store.enrol(subscribers, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, CY)
    for one in (CY, DEE):
        store.leave(one.email, now=NOW)
    almost, end = NOW + timedelta(days=90, seconds=-1), NOW + timedelta(days=90)
    clean_up(store, subscribers, now=almost, lookback=LOOKBACK)
    assert store.preferences_of(CY.email).left_at == NOW
    clean_up(store, subscribers, now=end, lookback=LOOKBACK)
    assert store.preferences().keys() == {DEE.email}
    assert [one.address for one in store.entries(after=0, limit=9)] == [EVE.email]
    assert store.subscriber_token(CY.email) is None
    assert store.personal_data(CY.email).mailings == ()
    assert not store.erase(CY.email, keeps_mark=False, now=end)
