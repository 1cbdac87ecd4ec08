"""Changing a file that others read and write: one writer at a time, and never half of a text."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from digest.errors import ConfigurationError

_LOCK_TIMEOUT = 30.0


@contextmanager
def exclusive(path: Path) -> Iterator[Path]:
    """The file that `path` is or links to, for this writer alone; its folder is made if missing.

    Raises `ConfigurationError` where it cannot be had or written.
    """
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=_LOCK_TIMEOUT):
            yield target
    except Timeout as error:
        raise ConfigurationError(f"{path}: somebody else is editing it; try again in a minute") from error
    except OSError as error:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "make room" if is_full else "run this as a user who may write there"
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}; {remedy}") from error


def replace_text(target: Path, text: str) -> None:
    """Replaces the file at once: whoever reads it sees the old or the new text, also after a power cut."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode())
            _keep_mode(stream.fileno(), target)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _keep_mode(descriptor: int, target: Path) -> None:
    try:
        old = target.stat()
    except FileNotFoundError:
        umask = os.umask(0o022)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask)
        return
    with suppress(PermissionError):  # only root may give a file away
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o7777)
