"""Opens the state. Code outside this folder does not know the kind of database or the lock file."""

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
    """Opens the state, which other processes may use too. Creates it if it does not exist.

    A change waits up to `patience` seconds, if given, for other writers. Raises `StateError`.
    """
    return SqliteStore(state, patience=patience)


@contextmanager
def open_alone(state: Path) -> Iterator[Store]:
    """Opens the state for this process alone. Raises `AlreadyRunning` and `StateError`."""
    with hold_state(state), open_store(state) as store:
        yield store


@contextmanager
def open_beside(state: Path) -> Iterator[Store]:
    """Opens the state for reading, also while the daemon uses it. If there is none yet, it is empty.

    A state of an older version is not changed: a copy of it is opened.
    """
    is_current = is_there(state) and is_of_this_version(state)
    with open_store(state) if is_current else open_copy(state) as store:
        yield store


@contextmanager
def open_copy(state: Path) -> Iterator[Store]:
    """Opens a temporary copy of the state. Changes of the copy have no effect on the state.

    The files are deleted as soon as they are open, so that a killed process leaves nothing. If a process was
    killed while it copied, a later process removes its files.
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
    """Removes copies that killed processes of this user left."""
    for copy in Path(gettempdir()).glob(f"{_COPY_PREFIX}*/{_COPY_NAME}"):
        with suppress(OSError):
            status = copy.stat()
            if status.st_uid == os.geteuid() and time() - status.st_mtime > _COPY_SECONDS:
                shutil.rmtree(copy.parent, ignore_errors=True)


def is_at_work(state: Path) -> bool:
    """Whether another process uses the state now."""
    if not is_there(state):
        return False
    try:
        with hold_state(state, patience=0):
            return False
    except AlreadyRunning:
        return True


def make_folder(state: Path) -> None:
    """Creates the folder of the state, for this user alone. Raises `StateError`."""
    try:
        make_private_folder(state.parent)
    except OSError as error:
        raise state_error(state, error) from error
