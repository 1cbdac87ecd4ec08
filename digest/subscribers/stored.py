"""The subscribers whose entries are in the state. Each entry has the same keys as in a file, as JSON."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from digest.config.parsing import address_key
from digest.errors import ConfigurationError
from digest.subscribers.entries import Entries, Imported, plain
from digest.subscribers.entry_parser import parse_subscriber
from digest.subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from digest.config.settings import Defaults

LABEL = "the database"

SIGNED_UP = "the state"
"""What messages call the entries of those who signed up, beside a file of subscribers."""

_PAGE = 1_000
"""How many entries are read at once: enough to be fast, few enough to need little memory."""

ATTEMPTS = 20
"""How often an edit is made anew after others have changed the same entries."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """The entry of a subscriber: the `address_key` of its address, and its keys as JSON.

    Entries are in the order of their numbers, which the store gives. `joined_at` is when this subscriber
    signed up; a change without it leaves it as it is.
    """

    number: int = 0
    address: str
    content: str
    joined_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """A change of the entry `before` to `after`; without the one it is new, without the other it goes."""

    before: StoredEntry | None
    after: StoredEntry | None


class EntryReader(Protocol):
    """The entries of the subscribers, to be read."""

    def entries_version(self) -> int:
        """Returns a number that every change of the entries increases."""
        ...

    def entries(self, *, after: int, limit: int) -> tuple[StoredEntry, ...]:
        """Returns the first entries whose numbers are higher than `after`, in their order."""
        ...

    def entry_of(self, email: str) -> StoredEntry | None:
        """Returns the entry with this address."""
        ...


class EntryStore(EntryReader, Protocol):
    """The entries of the subscribers, to be changed."""

    def change_entries(self, changes: Sequence[EntryChange]) -> bool:
        """Makes all changes. Returns false and does nothing if one of them no longer fits the entries.

        It fits if the entry is still as in `before`, and if a new address is not taken by another entry.
        """
        ...


class StoredSubscribers:
    """The subscribers in the state: all of them or, with `signed_up`, those who are not in a file.

    `reading` opens the entries, or gives `None` if there is no state yet; `changing` opens them for a change.
    """

    def __init__(
        self,
        defaults: "Defaults",
        *,
        reading: Callable[[], AbstractContextManager[EntryReader | None]],
        changing: Callable[[], AbstractContextManager[EntryStore]],
        signed_up: bool = False,
    ) -> None:
        self.label = SIGNED_UP if signed_up else LABEL
        self._defaults, self._reading, self._changing = defaults, reading, changing
        self._signed_up = signed_up

    def load(self) -> tuple[Subscriber, ...]:
        subscribers: list[Subscriber] = []
        problems: list[str] = []
        with self._reading() as reader:
            for entry in all_stored(reader):
                try:
                    subscribers.append(self._parsed(entry))
                except ConfigurationError as error:
                    problems += error.problems
        if problems:
            raise ConfigurationError(*problems)
        return tuple(subscribers)

    def find(self, email: str) -> Subscriber | None:
        with self._reading() as reader:
            entry = reader.entry_of(email) if reader else None
        return self._parsed(entry) if entry else None

    def has(self, email: str) -> bool:
        """Whether there is an entry with this address, valid or not."""
        with self._reading() as reader:
            return reader is not None and reader.entry_of(email) is not None

    def version(self) -> int:
        with self._reading() as reader:
            return reader.entries_version() if reader else 0

    def content(self) -> None:
        return None

    def entry(self, email: str) -> dict[str, Any] | None:
        with self._reading() as reader:
            found = reader.entry_of(email) if reader else None
        return json.loads(found.content) if found else None

    def is_in_file(self, email: str) -> bool:
        return False

    def owner_of(self, email: str) -> Self:
        return self

    def may_edit(self, email: str) -> bool:
        return True

    def touch(self) -> None:
        with self._changing() as store:
            store.change_entries(())

    def entries(self) -> Iterator[dict[str, Any]]:
        with self._reading() as reader:
            yield from (json.loads(entry.content) for entry in all_stored(reader))

    def edit(self, change: Callable[[Entries], _T], *, may_create: bool = False) -> _T:
        for _ in range(ATTEMPTS):
            with self.editing() as entries:
                result = change(entries)
                if entries.save():
                    return result
        raise edited_by_others(self.label)

    @contextmanager
    def editing(self) -> "Iterator[StoredEntries]":
        """Opens the entries for one edit, which takes effect when they are saved."""
        with self._changing() as store:
            yield StoredEntries(store, self.label, self._parsed)

    def _parsed(self, entry: StoredEntry) -> Subscriber:
        content = json.loads(entry.content)
        subscriber = parse_subscriber(content, f"{self.label}, {content['email']}", self._defaults)
        return replace(subscriber, is_signed_up=True) if self._signed_up else subscriber


def edited_by_others(label: str) -> ConfigurationError:
    """The error after too many attempts."""
    return ConfigurationError(f"{label}: others are editing it; try again in a minute", is_passing=True)


def all_stored(reader: EntryReader | None) -> Iterator[StoredEntry]:
    """All entries in their order."""
    after = 0
    while page := reader.entries(after=after, limit=_PAGE) if reader else ():
        yield from page
        after = page[-1].number


class StoredEntries(Entries):
    """The entries during an edit, and its changes, which `save` makes."""

    def __init__(self, store: EntryStore, label: str, parse: Callable[[StoredEntry], Subscriber]) -> None:
        super().__init__(label)
        self._store, self._parse = store, parse
        self._found: dict[int, StoredEntry] = {}
        self._changes: list[EntryChange] = []

    def save(self) -> bool:
        """Makes the changes. Returns false and does nothing if others have changed the same entries."""
        return not self._changes or self._store.change_entries(self._changes)

    def undo(self) -> None:
        """Takes back what was saved, if nobody has changed it since."""
        self._store.change_entries([_reversed(one) for one in self._changes])

    def find(self, email: str) -> int | None:
        entry = self._store.entry_of(email)
        if entry is None:
            return None
        self._found[entry.number] = entry
        return entry.number

    def subscriber(self, number: int) -> Subscriber:
        return self._parse(self._found[number])

    def entry(self, number: int) -> dict[str, Any]:
        return dict(json.loads(self._found[number].content))

    def addresses(self) -> Iterator[str]:
        return (json.loads(entry.content)["email"] for entry in all_stored(self._store))

    def put(self, entries: Sequence[dict[str, Any]]) -> Imported:
        known = {one.address: one for one in all_stored(self._store)}
        added: list[str] = []
        changed: list[str] = []
        for entry in entries:
            before = known.get(address_key(entry["email"]))
            if before and json.loads(before.content) == entry:
                continue
            self._changes.append(EntryChange(before=before, after=_stored(entry)))
            (changed if before else added).append(entry["email"])
        same = len(entries) - len(added) - len(changed)
        return Imported(added=tuple(added), changed=tuple(changed), same=same)

    def cut(self, number: int) -> None:
        self._changes.append(EntryChange(before=self._found[number], after=None))

    def _add(self, entry: dict[str, Any]) -> Subscriber:
        return self._change(None, entry)

    def _edit(self, number: int, change: Callable[[dict[str, Any]], None]) -> Subscriber:
        entry = self.entry(number)
        change(entry)
        return self._change(self._found[number], entry)

    def _change(self, before: StoredEntry | None, entry: dict[str, Any]) -> Subscriber:
        after = _stored(entry)
        subscriber = self._parse(after)
        self._changes.append(EntryChange(before=before, after=after))
        return subscriber


def _reversed(change: EntryChange) -> EntryChange:
    number = change.before.number if change.before else 0
    after = replace(change.after, number=number) if change.after else None
    return EntryChange(before=after, after=change.before)


def _stored(entry: dict[str, Any]) -> StoredEntry:
    content = json.dumps(plain(entry), ensure_ascii=False, separators=(",", ":"))
    return StoredEntry(address=address_key(entry["email"]), content=content)
