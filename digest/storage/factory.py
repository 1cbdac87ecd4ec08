"""Opens the state. Code outside this folder does not know the kind of database or the lock file."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import time
from types import ModuleType

from digest.config.database_url import DatabaseUrl
from digest.config.file_lock import make_private_folder
from digest.errors import AlreadyRunning, ConfigurationError, StateError
from digest.storage.base import Store
from digest.storage.lock import descriptors_of, hold_state
from digest.storage.pipeline_stores import LeaseStore
from digest.storage.sqlite import backup, inspection
from digest.storage.sqlite import errors as sqlite_errors
from digest.storage.sqlite.entry_reader import open_reader
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Restored
from digest.subscribers.stored import EntryReader

State = Path | DatabaseUrl
"""Where the state is: a file of SQLite, or a database of PostgreSQL."""

_COPY_PREFIX = "digest-"
_COPY_NAME = "copy.db"
_COPY_SECONDS = 3600


def open_store(state: State, *, patience: float | None = None) -> AbstractContextManager[Store]:
    """Opens the state, which other processes may use too. Creates it if it does not exist.

    A change waits up to `patience` seconds, if given, for other writers. Raises `StateError`.
    """
    if isinstance(state, DatabaseUrl):
        return _store(postgresql("store").open_store(state, patience=patience))
    return SqliteStore(state, patience=patience)


@contextmanager
def open_alone(state: State) -> Iterator[Store]:
    """Opens a state file for this process alone; a database has any number of hosts.

    Raises `AlreadyRunning` and `StateError`.
    """
    with ExitStack() as stack:
        if isinstance(state, Path):
            stack.enter_context(hold_state(state))
        yield stack.enter_context(open_store(state))


def lock_descriptors(state: State) -> tuple[int, ...]:
    """Returns the descriptors that a process of the same run must inherit, to keep other runs away."""
    return descriptors_of(state) if isinstance(state, Path) else ()


@contextmanager
def open_leases(state: State) -> Iterator[LeaseStore | None]:
    """Opens the part of a database that keeps its hosts apart. Raises `StateError`.

    Gives `None` for a state file, which has one host, and for a database without a state yet.
    """
    if isinstance(state, DatabaseUrl) and is_there(state):
        with open_beside(state) as store:
            yield store
    else:
        yield None


@contextmanager
def open_beside(state: State) -> Iterator[Store]:
    """Opens the state for reading, also while the daemon uses it. If there is none yet, it is empty.

    A state file of an older version is not changed: a copy of it is opened.
    """
    if isinstance(state, DatabaseUrl) and is_there(state):
        opened = _store(postgresql("store").open_beside(state))
    elif isinstance(state, Path) and is_there(state) and inspection.is_of_this_version(state):
        opened = open_store(state)
    else:
        opened = open_copy(state)
    with opened as store:
        yield store


@contextmanager
def open_entries(state: State) -> Iterator[EntryReader | None]:
    """Opens the entries of subscribers for reading. Gives `None` if there is no state yet.

    A state file of an older version is neither changed nor copied. Raises `StateError`.
    """
    if not is_there(state):
        yield None
    elif isinstance(state, Path):
        with open_reader(state) as reader:
            yield reader
    else:
        with open_beside(state) as store:
            yield store


@contextmanager
def open_copy(state: State, *, emails: Collection[str] | None = None) -> Iterator[Store]:
    """Opens a temporary copy of the state. Changes of the copy have no effect on the state.

    It has what a cycle needs that sends nothing; of a database, with `emails`, for these subscribers only.

    The files are deleted as soon as they are open, so that a killed process leaves nothing. If a process was
    killed while it copied, a later process removes its files.
    """
    is_known = is_there(state)
    if isinstance(state, DatabaseUrl) and is_known:
        with _store(postgresql("store").open_copy(state, emails)) as store:
            yield store
        return
    _remove_left_copies()
    with TemporaryDirectory(prefix=_COPY_PREFIX, ignore_cleanup_errors=True) as folder:
        copy_path = Path(folder) / _COPY_NAME
        if isinstance(state, Path) and is_known:
            backup.copy_state(state, copy_path)
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


def is_there(state: State) -> bool:
    """Whether the state exists. Raises `StateError` if this cannot be found out."""
    if isinstance(state, DatabaseUrl):
        return bool(postgresql("inspection").is_there(state))
    return sqlite_errors.is_there(state)


def size_of(state: State) -> int:
    """Returns the size of the state in bytes; 0 if there is none. Raises `StateError`."""
    if not is_there(state):
        return 0
    return (
        int(postgresql("inspection").size_of(state))
        if isinstance(state, DatabaseUrl)
        else state.stat().st_size
    )


def is_at_work(state: State) -> bool:
    """Whether another process of this machine uses the state file now."""
    if isinstance(state, DatabaseUrl) or not is_there(state):
        return False
    try:
        with hold_state(state, patience=0):
            return False
    except AlreadyRunning:
        return True


def look_into(state: State, *, busy: timedelta, within: timedelta) -> bool:
    """Checks the state for damage. Returns false if this takes longer than `within`. Changes nothing.

    Raises `StateError` if it is damaged, of another program or of a newer version, if it cannot be written,
    or if another process still locks it after `busy`. The pages of a database are its server's concern.
    """
    if isinstance(state, DatabaseUrl):
        postgresql("inspection").look_into(state)
        return True
    return inspection.look_into(state, busy=busy, within=within)


def restored_in(state: State) -> Restored | None:
    """Returns the result of `Store.restored`. Only reads the state. Raises `StateError`."""
    if isinstance(state, DatabaseUrl):
        return None
    return inspection.restored_in(state)


def back_up(state: State, copy: Path, *, now: datetime) -> int:
    """Copies the state file to `copy`, checks it, and returns its size in bytes. Raises `StateError`."""
    if isinstance(state, DatabaseUrl):
        reason = "is a database, which its server backs up: `pg_dump --format=custom` copies it"
        raise StateError(str(state), f"{reason} (digest docs postgresql)")
    return backup.back_up(state, copy, now=now)


def make_folder(folder: Path) -> None:
    """Creates the folder of a state, for this user alone. Raises `StateError`."""
    try:
        make_private_folder(folder)
    except OSError as error:
        raise sqlite_errors.state_error(folder, error) from error


def _store(opened: AbstractContextManager[Store]) -> AbstractContextManager[Store]:
    """Gives what an imported module returns its type."""
    return opened


def postgresql(module: str) -> ModuleType:
    """Imports a module of `storage/postgresql`, which needs the extra. Raises `ConfigurationError`."""
    try:
        return import_module(f"digest.storage.postgresql.{module}")
    except ImportError as error:
        raise ConfigurationError(
            f"the state is a PostgreSQL database, and {error.name or error} is not installed:"
            " install the extra postgresql (digest docs postgresql)"
        ) from error
