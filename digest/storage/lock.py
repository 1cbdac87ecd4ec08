"""The lock that lets only one process at a time use a state file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from digest.config.file_lock import LockFile, make_private_folder
from digest.errors import AlreadyRunning
from digest.storage.sqlite.errors import state_error

_PATIENCE = 1.0
"""In seconds. `digest status` holds the lock for a moment to see whether it is free."""

_WORKERS_PATIENCE = 10.0
"""In seconds. The workers of a process that was killed hold the lock until they have ended."""

_held: dict[Path, LockFile] = {}
"""The locks of this process, by state."""


@contextmanager
def hold_state(state: Path, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Holds the lock of `state`. The lock is released when the process dies.

    Raises `AlreadyRunning`, which names the holder, if another process holds the lock for longer than
    `patience` seconds (longer if only the workers of a dead process are left), and `StateError` if the lock
    file cannot be created.
    """
    lock = lock_of(state)
    end = monotonic() + patience
    try:
        make_private_folder(state.parent)
        while not lock.acquire():
            holder = lock.holder()
            is_left_over = patience > 0 and not (holder and holder.is_alive)
            if monotonic() >= end + (_WORKERS_PATIENCE if is_left_over else 0):
                raise AlreadyRunning(str(state), str(holder or ""))
            sleep(0.05)
    except OSError as error:
        raise state_error(lock.path, error) from error
    _held[state] = lock
    try:
        yield
    finally:
        del _held[state]
        lock.release()


def descriptors_of(state: Path) -> tuple[int, ...]:
    """Returns the descriptors with which a child process holds the lock of `state` as long as it lives."""
    descriptor = _held[state].descriptor if state in _held else None
    return () if descriptor is None else (descriptor,)


def lock_of(state: Path) -> LockFile:
    return LockFile(state.with_name(f"{state.name}.lock"))
