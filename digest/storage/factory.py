"""Opens the state. Nothing outside this folder knows what kind of database it is, or its lock file."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import time

from digest.config.file_lock import make_private_folder
from digest.errors import AlreadyRunning
from digest.storage.base import Store
from digest.storage.lock import hold_state
from digest.storage.sqlite.backup import back_up, copy_state
from digest.storage.sqlite.errors import is_there, state_error
from digest.storage.sqlite.inspection import is_of_this_version, look_into, restored_in
from digest.storage.sqlite.store import SqliteStore

__all__ = [
    "back_up",
    "is_at_work",
    "is_there",
    "look_into",
    "make_folder",
    "open_alone",
    "open_beside",
    "open_copy",
    "open_store",
    "restored_in",
]

_COPY_PREFIX = "digest-"
_COPY_NAME = "copy.db"
_COPY_SECONDS = 3600


def open_store(state: Path, *, patience: float | None = None) -> AbstractContextManager[Store]:
    """The state, which others may use as well. Makes it where there is none; raises `StateError`.

    A change waits `patience` seconds for others who write, if given.
    """
    return SqliteStore(state, patience=patience)


@contextmanager
def open_alone(state: Path) -> Iterator[Store]:
    """The state, for this process alone. Raises `AlreadyRunning` and `StateError`."""
    with hold_state(state), open_store(state) as store:
        yield store


@contextmanager
def open_beside(state: Path) -> Iterator[Store]:
    """The state to look at, also while the daemon is at work on it; where there is none yet, an empty one.

    One that an older version made stays as it is: a copy of it is looked at.
    """
    is_current = is_there(state) and is_of_this_version(state)
    with open_store(state) if is_current else open_copy(state) as store:
        yield store


@contextmanager
def open_copy(state: Path) -> Iterator[Store]:
    """A throw-away copy of the state as it is now: what happens to it marks nothing.

    Its files have no name once they are open, so that a process that is killed leaves nothing; what one left
    that was killed while it copied is removed by a later one.
    """
    _remove_left_copies()
    with TemporaryDirectory(prefix=_COPY_PREFIX, ignore_cleanup_errors=True) as folder:
        copy_path = Path(folder) / _COPY_NAME
        if is_there(state):
            copy_state(state, copy_path)
        with SqliteStore(copy_path, keeps_former=False) as copy:
            shutil.rmtree(folder, ignore_errors=True)
            yield copy


def _remove_left_copies() -> None:
    """Those of this user, of processes that were killed."""
    for copy in Path(gettempdir()).glob(f"{_COPY_PREFIX}*/{_COPY_NAME}"):
        with suppress(OSError):
            status = copy.stat()
            if status.st_uid == os.geteuid() and time() - status.st_mtime > _COPY_SECONDS:
                shutil.rmtree(copy.parent, ignore_errors=True)


def is_at_work(state: Path) -> bool:
    """Whether another process works on the state now."""
    if not is_there(state):
        return False
    try:
        with hold_state(state, patience=0):
            return False
    except AlreadyRunning:
        return True


def make_folder(state: Path) -> None:
    """Makes the folder of the state, for this user alone. Raises `StateError`."""
    try:
        make_private_folder(state.parent)
    except OSError as error:
        raise state_error(state, error) from error
