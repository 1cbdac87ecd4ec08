"""After an erasure, no byte of the address is left in a state file or beside it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.preferences import OwnKeyword, Preferences
from tests.persons import ADA, live
from tests.stores import NOW


def test_no_byte_of_the_address_is_left_in_a_state_file(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "digest.db") as store:
        live(store)
        for number in range(3):  # what was changed before is overwritten too
            own = (OwnKeyword(f"rice{number}"),)
            store.save_preferences(ADA, Preferences(timezone="UTC", added=own))
        store.erase(ADA, keeps_mark=False, now=NOW)
        for file in tmp_path.glob("digest.db*"):
            assert b"unmistakable" not in file.read_bytes().lower(), file.name
    with closing(sqlite3.connect(tmp_path / "digest.db")) as state:
        assert state.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
