"""What tests of more than one folder stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.storage.sqlite.store import SqliteStore
from tests.examples import register

LONG_TEST = 3600
"""Seconds."""

register()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "digest.db") as store:
        yield store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_TEST))
