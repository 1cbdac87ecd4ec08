"""State files as older versions left them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from digest.store.migrations import migrations


def older_state(path: Path) -> None:
    """As a version of before the last migration left it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        last = migrations.pending(Database(memory=True))[-1].name
        migrations.apply(Database(connection), stop_before=last)
