"""The subscribers in subscribers.toml. `file_edit` changes them."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from digest.config.parsing import address_key, read_text
from digest.errors import ConfigurationError
from digest.subscribers.entries import Entries, plain
from digest.subscribers.entry_parser import load_subscribers
from digest.subscribers.subscriber import Subscriber
from digest.subscribers.toml import all_entries

if TYPE_CHECKING:
    from digest.config.settings import Defaults

FileVersion: TypeAlias = tuple[int, int, int]
"""Inode, modification time and size. It changes if the file is written."""

_T = TypeVar("_T")


def file_version(path: Path | None) -> FileVersion | None:
    """The version of a file; `None` if there is none."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size) if status else None


class SubscribersFile:
    """The subscribers in a file."""

    def __init__(self, path: Path, defaults: "Defaults") -> None:
        self.path, self._defaults = path, defaults
        self.label = str(path)

    def load(self) -> tuple[Subscriber, ...]:
        return load_subscribers(self.path, self._defaults)

    def find(self, email: str) -> Subscriber | None:
        key = address_key(email)
        return next((one for one in self.load() if address_key(one.email) == key), None)

    def version(self) -> FileVersion | None:
        return file_version(self.path)

    def content(self) -> str | None:
        try:
            return blake2b(self.path.read_bytes(), digest_size=16).hexdigest()
        except OSError:
            return None

    def entry(self, email: str) -> dict[str, Any] | None:
        key = address_key(email)
        return next((entry for entry in self.entries() if address_key(entry["email"]) == key), None)

    def is_in_file(self, email: str) -> bool:
        return self.find(email) is not None

    def owner_of(self, email: str) -> Self:
        return self

    def may_edit(self, email: str) -> bool:
        """A file is replaced as a whole: its folder must be writable."""
        return os.access(self.path.resolve().parent, os.W_OK | os.X_OK)

    def touch(self) -> None:
        with suppress(OSError):
            self.path.touch()

    def entries(self) -> Iterator[dict[str, Any]]:
        self.load()
        return map(plain, all_entries(read_text(self.path), self.path))

    def edit(self, change: Callable[[Entries], _T], *, may_create: bool = False) -> _T:
        if not may_create and not self.path.exists():
            raise ConfigurationError(f"{self.path}: no such file, so there are no subscribers")
        from digest.subscribers.file_edit import editing  # with tomlkit, which a run does not need

        with editing(self.path, self._defaults) as entries:
            return change(entries)
