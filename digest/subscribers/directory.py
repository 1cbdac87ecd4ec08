"""Where the entries of the subscribers are: a file, or the database of the state."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from digest.subscribers.entries import Entries
from digest.subscribers.subscriber import Subscriber

_T = TypeVar("_T")


class SubscriberDirectory(Protocol):
    """The subscribers of an installation. Its methods raise `ConfigurationError`, and those of the database
    also `StateError`.
    """

    @property
    def label(self) -> str:
        """What messages call it."""
        ...

    def load(self) -> tuple[Subscriber, ...]:
        """Returns the subscribers in their order. Raises `ConfigurationError` with every problem at once."""
        ...

    def find(self, email: str) -> Subscriber | None:
        """Returns the subscriber with this address, however it is written. `email` is a mail address."""
        ...

    def version(self) -> object:
        """Returns a value that changes with every edit."""
        ...

    def content(self) -> str | None:
        """Returns a hash of a file, which another host may have otherwise; `None` for the database."""
        ...

    def entry(self, email: str) -> dict[str, Any] | None:
        """Returns the entry with this address as it is written."""
        ...

    def is_in_file(self, email: str) -> bool:
        """Whether the entry with this address is in a file."""
        ...

    def owner_of(self, email: str) -> "SubscriberDirectory":
        """Returns the directory in which the entry with this address is: it can be changed without others."""
        ...

    def may_edit(self, email: str) -> bool:
        """Whether this process may write where the entry with this address is."""
        ...

    def touch(self) -> None:
        """Changes the version, so that a daemon reads the entries again."""
        ...

    def entries(self) -> Iterator[dict[str, Any]]:
        """Returns the entries as they are written, by the keys of a file; times are text."""
        ...

    def edit(self, change: Callable[[Entries], _T], *, may_create: bool = False) -> _T:
        """Calls `change`, and makes its edits: all of them, or none if it raises.

        Concurrent edits all take effect. `change` may be called again after another edit. A file that does
        not exist is an error, unless `may_create` is true.
        """
        ...
