"""Each test of a killed run is done over each kind of state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.storage.factory import State
from tests import postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    if request.param == "sqlite":
        yield tmp_path / "state" / "digest.db"
        return
    with postgresql.running() as server:
        yield server.new_database(is_empty=True)
