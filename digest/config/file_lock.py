"""Locks between processes: files that the system unlocks when their process dies (flock(2)).

A lock file can be opened by its owner alone, so that no other user of the machine can hold it.
"""

import fcntl
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from digest.config.os_errors import user_named

_PRIVATE = 0o600
_HELD = re.compile(r"^\d+: FLOCK +\S+ +WRITE +(\d+) +[0-9a-f]+:[0-9a-f]+:(\d+) ", re.MULTILINE)
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds a lock, as far as known."""

    pid: int
    user: str

    @property
    def is_alive(self) -> bool:
        return Path(f"/proc/{self.pid}").exists()

    def __str__(self) -> str:
        return f"process {self.pid} of user {self.user}"


class LockFile:
    """An exclusive lock on the file at `path`, which is created for this user only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None

    def acquire(self) -> bool:
        """Whether the lock was free and is held now. Raises `OSError` if the file cannot be used."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
        try:
            _make_private(descriptor, self.path.parent)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptor = descriptor
        return True

    def release(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def holder(self) -> Holder | None:
        """Which process took it, if the system says so: Linux does, except in some containers.

        If that process has ended, and its children still hold the lock, Linux may name nobody.
        """
        with suppress(OSError):
            inode = self.path.stat().st_ino
            for pid, held in _HELD.findall(_LOCKS.read_text(encoding="ascii", errors="replace")):
                if int(held) == inode and int(pid) > 0:
                    return Holder(pid=int(pid), user=_user_of(int(pid)))
        return None


def make_private_folder(folder: Path) -> None:
    """Creates the folder for this user only, with any umask. Raises `OSError`."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # another process was quicker
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)


def give_to_owner(descriptor: int, folder: Path) -> None:
    """A file that root creates in another user's folder gets that user as owner."""
    if os.geteuid() == 0:
        owner = folder.stat()
        if owner.st_uid != 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _make_private(descriptor: int, folder: Path) -> None:
    """Removes permissions of others, from an earlier version or a wide umask."""
    found = os.fstat(descriptor)
    if found.st_uid == os.geteuid():
        if found.st_mode & 0o777 != _PRIVATE:
            os.fchmod(descriptor, _PRIVATE)
        give_to_owner(descriptor, folder)


def _user_of(pid: int) -> str:
    try:
        return user_named(Path(f"/proc/{pid}").stat().st_uid)
    except OSError:
        return "?"
