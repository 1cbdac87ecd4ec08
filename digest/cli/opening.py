"""What several commands open: the state, or a copy of it, and the line that shows progress."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from digest.store.lock import sole_worker
from digest.store.sqlite import SqliteStore, copy_state


@contextmanager
def open_state(path: Path) -> Iterator[SqliteStore]:
    """The state, for this process alone. Raises `AlreadyRunning` and `StateError`."""
    with sole_worker(path), SqliteStore(path) as store:
        yield store


@contextmanager
def open_copy(path: Path) -> Iterator[SqliteStore]:
    """A throw-away copy of the state as it is now: what happens to it marks nothing."""
    with TemporaryDirectory(prefix="digest-") as folder:
        copy_path = Path(folder) / "copy.db"
        if path.exists():
            copy_state(path, copy_path)
        with SqliteStore(copy_path) as copy:
            yield copy


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows what is being done on a terminal; elsewhere shows nothing."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda text: status.update(text)
