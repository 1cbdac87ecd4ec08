"""Entries of subscribers in a store, from the text of a subscribers.toml."""

import json
from pathlib import Path

from digest.config.parsing import address_key
from digest.subscribers.stored import EntryChange, EntryStore, StoredEntry
from digest.subscribers.toml import all_entries


def add_entries(store: EntryStore, text: str) -> None:
    """Adds the entries to those that are there."""
    entries = (
        StoredEntry(address=address_key(entry["email"]), content=json.dumps(entry))
        for entry in all_entries(text, Path("subscribers.toml"))
    )
    assert store.change_entries([EntryChange(before=None, after=one) for one in entries])
