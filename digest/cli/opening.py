"""What several commands open or look up: the state, or a copy of it, a reader, and the progress line."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from digest.errors import AlreadyRunning, ConfigurationError
from digest.notation import address_key, parse_address
from digest.store.failures import is_there
from digest.store.lock import sole_worker
from digest.store.sqlite import SqliteStore, copy_state
from digest.subscribers import Subscriber


@contextmanager
def open_state(path: Path) -> Iterator[SqliteStore]:
    """The state, for this process alone. Raises `AlreadyRunning` and `StateError`."""
    with sole_worker(path), SqliteStore(path) as store:
        yield store


@contextmanager
def open_beside(path: Path) -> Iterator[SqliteStore]:
    """The state, also while the daemon is at work on it; where there is none yet, an empty one."""
    if is_there(path):
        with SqliteStore(path) as store:
            yield store
    else:
        with open_copy(path) as store:
            yield store


@contextmanager
def open_copy(path: Path) -> Iterator[SqliteStore]:
    """A throw-away copy of the state as it is now: what happens to it marks nothing."""
    with TemporaryDirectory(prefix="digest-") as folder:
        copy_path = Path(folder) / "copy.db"
        if is_there(path):
            copy_state(path, copy_path)
        with SqliteStore(copy_path) as copy:
            yield copy


def is_at_work(path: Path) -> bool:
    """Whether another process works on the state now."""
    if not is_there(path):
        return False
    try:
        with sole_worker(path, patience=0):
            return False
    except AlreadyRunning:
        return True


def reader_called(email: str, subscribers: Sequence[Subscriber], path: Path) -> Subscriber:
    """The one of `subscribers`, who come from `path`. Raises `ConfigurationError` if there is none."""
    try:
        email = parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    for subscriber in subscribers:
        if address_key(subscriber.email) == address_key(email):
            return subscriber
    raise ConfigurationError(f"{path}: {email} is no subscriber; see digest subscribers")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows what is being done on a terminal; elsewhere shows nothing."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda text: status.update(text)
