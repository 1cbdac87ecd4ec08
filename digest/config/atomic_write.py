"""Replaces files that others read and write: one writer at a time, never half a text."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from digest.config.file_lock import LockFile
from digest.config.os_errors import explain, is_passing
from digest.errors import ConfigurationError

_LOCK_TIMEOUT = 30.0
_LOOK_SECONDS = 0.05


@contextmanager
def exclusive(path: Path) -> Iterator[Path]:
    """The file that `path` is or links to, locked for this writer; creates its folder.

    Raises `ConfigurationError` if it cannot be locked or written.
    """
    try:
        target = target_of(path)
        if target.exists() and not (target.is_file() or target.is_dir()):  # a folder is reported when read
            raise ConfigurationError(
                f"{path}: is a device or a pipe, and only a file can be edited: give the path of a file"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = LockFile(target.with_name(f".{target.name}.lock"))
        end = monotonic() + _LOCK_TIMEOUT
        while not lock.acquire():
            if monotonic() >= end:
                by = f" ({holder})" if (holder := lock.holder()) else ""
                raise ConfigurationError(
                    f"{path}: another process is editing it{by}; try again in a minute", is_passing=True
                )
            sleep(_LOOK_SECONDS)
        try:
            yield target
        finally:
            lock.release()
    except OSError as error:
        raise unwritable(path, error) from error


def target_of(path: Path) -> Path:
    """The file that `path` is or links to. Raises `OSError` for links that form a loop."""
    try:
        return path.resolve()
    except RuntimeError as error:  # Python 3.11 and 3.12; later ones leave it to who opens the file
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error


def unwritable(path: Path, error: OSError) -> ConfigurationError:
    """The error for a `path` that cannot be written."""
    return ConfigurationError(
        f"{path}: cannot be written: {explain(error, path)}", is_passing=is_passing(error)
    )


def replace_text(target: Path, text: str) -> None:
    """Replaces the file atomically: it has the old or the new text, also after a power cut."""
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
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Makes a new name in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_mode(descriptor: int, target: Path) -> None:
    try:
        old = target.stat()
    except FileNotFoundError:
        umask = os.umask(0o022)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask)
        return
    with suppress(PermissionError):  # only root may change the owner
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o7777)
