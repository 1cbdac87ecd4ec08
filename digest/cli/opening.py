"""What several commands open or look up: the state, or a copy of it, a subscriber, and the progress line."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import time
from typing import TYPE_CHECKING

import typer

from digest.config.parsing import address_key, parse_address
from digest.errors import AlreadyRunning, ConfigurationError
from digest.storage.lock import hold_state
from digest.storage.sqlite.errors import is_there
from digest.storage.sqlite.store import SqliteStore, copy_state, is_of_this_version
from digest.subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.sources.http_client import PoliteClient

_COPY_PREFIX = "digest-"
_COPY_NAME = "copy.db"
_COPY_SECONDS = 3600

_PATIENCE = timedelta(minutes=1)
"""How long a command that asks for one thing waits without any answer of arXiv."""


@contextmanager
def open_state(path: Path) -> Iterator[SqliteStore]:
    """The state, for this process alone. Raises `AlreadyRunning` and `StateError`."""
    with hold_state(path), SqliteStore(path) as store:
        yield store


@contextmanager
def open_beside(path: Path) -> Iterator[SqliteStore]:
    """The state to look at, also while the daemon is at work on it; where there is none yet, an empty one.

    One that an older version made stays as it is: a copy of it is looked at.
    """
    if is_there(path) and is_of_this_version(path):
        with SqliteStore(path) as store:
            yield store
    else:
        with open_copy(path) as store:
            yield store


@contextmanager
def open_copy(path: Path) -> Iterator[SqliteStore]:
    """A throw-away copy of the state as it is now: what happens to it marks nothing.

    Its files have no name once they are open, so that a process that is killed leaves nothing; what one left
    that was killed while it copied is removed by a later one.
    """
    _remove_left_copies()
    with TemporaryDirectory(prefix=_COPY_PREFIX, ignore_cleanup_errors=True) as folder:
        copy_path = Path(folder) / _COPY_NAME
        if is_there(path):
            copy_state(path, copy_path)
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


def is_at_work(path: Path) -> bool:
    """Whether another process works on the state now."""
    if not is_there(path):
        return False
    try:
        with hold_state(path, patience=0):
            return False
    except AlreadyRunning:
        return True


def subscriber_called(email: str, subscribers: Sequence[Subscriber], path: Path) -> Subscriber:
    """The one of `subscribers`, who come from `path`. Raises `ConfigurationError` if there is none."""
    try:
        email = parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    for subscriber in subscribers:
        if address_key(subscriber.email) == address_key(email):
            return subscriber
    raise ConfigurationError(f"{path}: {email} is no subscriber; see digest subscribers")


@asynccontextmanager
async def open_asking(settings: "Settings") -> "AsyncIterator[PoliteClient]":
    """For a command that asks for one thing: it gives up after a minute, and tells a person what goes on."""
    from digest.service.bootstrap import client_settings_for, open_client

    async with open_client(settings, client_settings_for(settings, patience=_PATIENCE)) as client:
        client.tell = tell_person
        yield client


def tell_person(text: str) -> None:
    """Says at once what fails, to who sits at a terminal; a log or a mail gets the outcome alone."""
    if sys.stderr.isatty():
        typer.echo(f"note: {text}", err=True)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows what is being done on a terminal; elsewhere shows nothing."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda text: status.update(text)
