"""What tests of more than one folder stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "digest.db") as store:
        yield store
