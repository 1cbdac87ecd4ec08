"""What tests of more than one folder stand on."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.service.log import LogHandler
from digest.storage.sqlite.store import SqliteStore
from tests import examples, once

LONG_TEST = 3600
"""Seconds."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process of `digest` would compile the whole package
examples.register()
once.register()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "digest.db") as store:
        yield store


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Commands and services that a test runs in this process set levels, and write to their own output."""
    root, before = logging.getLogger(), _levels()
    handlers = [*root.handlers]
    yield
    for name in _levels():
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))
    for handler in root.handlers[:]:
        if isinstance(handler, LogHandler) and handler not in handlers:
            root.removeHandler(handler)


def _levels() -> dict[str | None, int]:
    """Of the root and of our own loggers, by name."""
    ours = (name for name in logging.Logger.manager.loggerDict if name.startswith("digest"))
    return {name: logging.getLogger(name).level for name in (None, *ours)}


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one more than the cores, because a third of the time is spent waiting for servers."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_TEST))
