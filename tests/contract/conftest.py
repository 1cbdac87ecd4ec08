"""Each test of what a store promises is done with each kind of store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.storage.base import Store
from tests.contract.back_ends import BACK_ENDS, BackEnd
from tests.postgresql import take_back_databases


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest) -> Iterator[BackEnd]:
    yield BACK_ENDS[request.param]
    if request.param == "postgresql":
        take_back_databases()


@pytest.fixture
def store(back_end: BackEnd, tmp_path: Path) -> Iterator[Store]:
    with back_end.open(tmp_path) as store:
        yield store


@pytest.fixture
def other(store: Store, back_end: BackEnd, tmp_path: Path) -> Iterator[Store]:
    """The same state, as another process has it."""
    with back_end.open(tmp_path) as other:
        yield other
