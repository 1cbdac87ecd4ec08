"""The subscribers in the database of the state. Each entry has the same keys as in a file, as JSON."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from digest.config.parsing import address_key
from digest.errors import ConfigurationError
from digest.subscribers.entries import Entries, Imported, plain
from digest.subscribers.subscriber import Subscriber, parse_subscriber

if TYPE_CHECKING:
    from digest.config.settings import Defaults

LABEL = "the database"

_PAGE = 1_000
"""How many entries are read at once: enough to be fast, few enough to need little memory."""

_ATTEMPTS = 20

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """The entry of a subscriber: the `address_key` of its address, and its keys as JSON.

    Entries are in the order of their numbers, which the store gives.
    """

    number: int = 0
    address: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """A change of the entry `before` to `after`; without the one it is new, without the other it goes."""

    before: StoredEntry | None
    after: StoredEntry | None


class EntryStore(Protocol):
    """The entries of the subscribers, if they are in the database."""

    def entries_version(self) -> int:
        """Returns a number that every change of the entries increases."""
        ...

    def entries(self, *, after: int, limit: int) -> tuple[StoredEntry, ...]:
        """Returns the first entries whose numbers are higher than `after`, in their order."""
        ...

    def entry_of(self, email: str) -> StoredEntry | None:
        """Returns the entry with this address."""
        ...

    def change_entries(self, changes: Sequence[EntryChange]) -> bool:
        """Makes all changes. Returns false and does nothing if one of them no longer fits the entries.

        It fits if the entry is still as in `before`, and if a new address is not taken by another entry.
        """
        ...


class StoredSubscribers:
    """The subscribers in the database. `opened` opens its store, to read it or to change it."""

    label = LABEL

    def __init__(
        self,
        defaults: "Defaults",
        *,
        reading: Callable[[], AbstractContextManager[EntryStore]],
        changing: Callable[[], AbstractContextManager[EntryStore]],
    ) -> None:
        self._defaults, self._reading, self._changing = defaults, reading, changing

    def load(self) -> tuple[Subscriber, ...]:
        with self._reading() as store:
            return load_stored(store, self._defaults)

    def find(self, email: str) -> Subscriber | None:
        with self._reading() as store:
            entry = store.entry_of(email)
        return _parsed(json.loads(entry.content), self._defaults) if entry else None

    def version(self) -> int:
        with self._reading() as store:
            return store.entries_version()

    def content(self) -> None:
        return None

    def touch(self) -> None:
        with self._changing() as store:
            store.change_entries(())

    def entries(self) -> Iterator[dict[str, Any]]:
        with self._reading() as store:
            yield from (json.loads(entry.content) for entry in _all(store))

    def edit(self, change: Callable[[Entries], _T], *, may_create: bool = False) -> _T:
        with self._changing() as store:
            for _ in range(_ATTEMPTS):
                entries = _StoredEntries(store, self._defaults)
                result = change(entries)
                if not entries.changes or store.change_entries(entries.changes):
                    return result
        raise ConfigurationError(f"{LABEL}: others are editing it; try again in a minute", is_passing=True)


def load_stored(store: EntryStore, defaults: "Defaults") -> tuple[Subscriber, ...]:
    """The subscribers in their order. Raises `ConfigurationError` with every problem at once."""
    subscribers: list[Subscriber] = []
    problems: list[str] = []
    for entry in _all(store):
        try:
            subscribers.append(_parsed(json.loads(entry.content), defaults))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(*problems)
    return tuple(subscribers)


def _all(store: EntryStore) -> Iterator[StoredEntry]:
    after = 0
    while page := store.entries(after=after, limit=_PAGE):
        yield from page
        after = page[-1].number


class _StoredEntries(Entries):
    """The entries during an edit, and its changes, which are made at the end."""

    def __init__(self, store: EntryStore, defaults: "Defaults") -> None:
        super().__init__(LABEL)
        self._store, self._defaults = store, defaults
        self._found: dict[int, StoredEntry] = {}
        self.changes: list[EntryChange] = []

    def find(self, email: str) -> int | None:
        entry = self._store.entry_of(email)
        if entry is None:
            return None
        self._found[entry.number] = entry
        return entry.number

    def subscriber(self, number: int) -> Subscriber:
        return self._parsed(json.loads(self._found[number].content))

    def addresses(self) -> Iterator[str]:
        return (json.loads(entry.content)["email"] for entry in _all(self._store))

    def put(self, entries: Sequence[dict[str, Any]]) -> Imported:
        known = {one.address: one for one in _all(self._store)}
        added: list[str] = []
        changed: list[str] = []
        for entry in entries:
            before = known.get(address_key(entry["email"]))
            if before and json.loads(before.content) == entry:
                continue
            self.changes.append(EntryChange(before=before, after=_stored(entry)))
            (changed if before else added).append(entry["email"])
        same = len(entries) - len(added) - len(changed)
        return Imported(added=tuple(added), changed=tuple(changed), same=same)

    def cut(self, number: int) -> None:
        self.changes.append(EntryChange(before=self._found[number], after=None))

    def _add(self, entry: dict[str, Any]) -> Subscriber:
        subscriber = self._parsed(entry)
        self.changes.append(EntryChange(before=None, after=_stored(entry)))
        return subscriber

    def _edit(self, number: int, change: Callable[[dict[str, Any]], None]) -> Subscriber:
        before = self._found[number]
        entry = json.loads(before.content)
        change(entry)
        subscriber = self._parsed(entry)
        self.changes.append(EntryChange(before=before, after=_stored(entry)))
        return subscriber

    def _parsed(self, entry: dict[str, Any]) -> Subscriber:
        return _parsed(entry, self._defaults)


def _parsed(entry: dict[str, Any], defaults: "Defaults") -> Subscriber:
    return parse_subscriber(entry, f"{LABEL}, {entry['email']}", defaults)


def _stored(entry: dict[str, Any]) -> StoredEntry:
    content = json.dumps(plain(entry), ensure_ascii=False, separators=(",", ":"))
    return StoredEntry(address=address_key(entry["email"]), content=content)
