"""One process at a time works on a state file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from digest.errors import AlreadyRunning, StateError


@contextmanager
def sole_worker(state: Path) -> Iterator[None]:
    """Holds the right to work on `state`; a process that dies gives it up.

    Raises `AlreadyRunning` when another holds it, and `StateError` when the folder cannot be written.
    """
    lock = FileLock(state.with_name(f"{state.name}.lock"), timeout=0)
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise AlreadyRunning(str(state)) from error
    except OSError as error:
        raise StateError(str(state), f"its folder cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
