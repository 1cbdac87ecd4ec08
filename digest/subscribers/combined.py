"""A file of subscribers, and beside it those who signed up, whose entries are in the state.

An address has one owner. If it has an entry in both places, that of the file counts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from digest.config.parsing import address_key
from digest.errors import ConfigurationError, StateError
from digest.subscribers.entries import Entries, Imported
from digest.subscribers.file import SubscribersFile
from digest.subscribers.stored import ATTEMPTS, StoredEntries, StoredSubscribers, edited_by_others
from digest.subscribers.subscriber import Subscriber

_T = TypeVar("_T")


class CombinedDirectory:
    """The subscribers of `file`, then those of `signed_up` who are not in it. New entries go to the file."""

    def __init__(self, file: SubscribersFile, signed_up: StoredSubscribers) -> None:
        self.file, self.signed_up = file, signed_up
        self.label = file.label

    def load(self) -> tuple[Subscriber, ...]:
        """Reads both anew if the state changed meanwhile: nobody is missed who is just being moved."""
        for _ in range(ATTEMPTS):
            before = self.signed_up.version()
            found = self._load()
            if self.signed_up.version() == before:
                return found
        raise edited_by_others(self.signed_up.label)

    def _load(self) -> tuple[Subscriber, ...]:
        try:
            written = self.file.load()
        except ConfigurationError as error:
            raise ConfigurationError(*error.problems, *self._problems_of_others()) from error
        stored = self.signed_up.load()
        if not stored:
            return written
        known = {address_key(one.email) for one in written}
        return (*written, *(one for one in stored if address_key(one.email) not in known))

    def _problems_of_others(self) -> Sequence[str]:
        try:
            self.signed_up.load()
        except ConfigurationError as error:
            return error.problems
        return ()

    def doubles(self) -> tuple[str, ...]:
        """Returns the addresses of those who signed up and have an entry in the file, which counts."""
        stored = {address_key(entry["email"]) for entry in self.signed_up.entries()}
        written = self.file.load() if stored else ()
        return tuple(one.email for one in written if address_key(one.email) in stored)

    def find(self, email: str) -> Subscriber | None:
        return self.file.find(email) or self.signed_up.find(email)

    def version(self) -> object:
        return (self.file.version(), self.signed_up.version())

    def content(self) -> str | None:
        return self.file.content()

    def entry(self, email: str) -> dict[str, Any] | None:
        return self.file.entry(email) or self.signed_up.entry(email)

    def is_in_file(self, email: str) -> bool:
        return self.file.is_in_file(email)

    def owner_of(self, email: str) -> SubscribersFile | StoredSubscribers:
        return self.file if self.file.is_in_file(email) else self.signed_up

    def may_edit(self, email: str) -> bool:
        return self.owner_of(email).may_edit(email)

    def touch(self) -> None:
        self.file.touch()

    def entries(self) -> Iterator[dict[str, Any]]:
        written = list(self.file.entries())
        yield from written
        known = {address_key(entry["email"]) for entry in written}
        yield from (one for one in self.signed_up.entries() if address_key(one["email"]) not in known)

    def move(self, email: str, *, to_state: bool) -> Subscriber | None:
        """Gives an entry to the other owner. Returns its new value; `None` if the owner has it already.

        It is written there before it is removed here: a process that dies in between leaves it in both.
        Raises `ConfigurationError` if nobody has this address.
        """
        self.edit(lambda entries: entries.number_of(email))
        if to_state:
            return self._move_to_state(email) if self.file.find(email) else None
        return self._move_to_file(email) if self.signed_up.has(email) else None

    def _move_to_state(self, email: str) -> Subscriber | None:
        def change(in_file: Entries) -> None:
            entry = _entry_of(email, self.file.entries())
            self.signed_up.edit(lambda stored: stored.put([entry]))
            in_file.cut(in_file.number_of(email))

        self.file.edit(change)
        return self.signed_up.find(email)

    def _move_to_file(self, email: str) -> Subscriber | None:
        entry = _entry_of(email, self.signed_up.entries())
        if not self.file.find(email):
            self.file.edit(lambda in_file: in_file.put([entry]))
        self.signed_up.edit(lambda stored: stored.cut(stored.number_of(email)))
        return self.file.find(email)

    def edit(self, change: Callable[[Entries], _T], *, may_create: bool = False) -> _T:
        """The entries of the state are opened only if one of them is changed, and saved before the file."""
        for _ in range(ATTEMPTS):
            with ExitStack() as opened:
                try:
                    return self._try_edit(change, opened, may_create=may_create)
                except _Again:
                    continue
        raise edited_by_others(self.signed_up.label)

    def _try_edit(self, change: Callable[[Entries], _T], opened: ExitStack, *, may_create: bool) -> _T:
        saved: list[StoredEntries] = []

        def both(in_file: Entries) -> _T:
            combined = _CombinedEntries(in_file, self.signed_up, opened)
            result = change(combined)
            if (stored := combined.opened) is not None:
                if not stored.save():
                    raise _Again
                saved.append(stored)
            return result

        try:
            return self.file.edit(both, may_create=may_create)
        except BaseException:
            for stored in saved:
                stored.undo()
            raise


def _entry_of(email: str, entries: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return next(entry for entry in entries if address_key(entry["email"]) == address_key(email))


class _Again(Exception):
    """Ends an edit without making it: others have changed the same entries."""


class _CombinedEntries(Entries):
    """The entries of both during an edit. Those of the state have negative numbers."""

    def __init__(self, in_file: Entries, signed_up: StoredSubscribers, stack: ExitStack) -> None:
        super().__init__(in_file.label)
        self._in_file, self._signed_up, self._stack = in_file, signed_up, stack
        self.opened: StoredEntries | None = None

    @property
    def _stored(self) -> StoredEntries:
        if self.opened is None:
            self.opened = self._stack.enter_context(self._signed_up.editing())
        return self.opened

    def _find_stored(self, email: str) -> int | None:
        """A state that only a person can mend has no entries, so that those of the file can be edited."""
        try:
            return self._stored.find(email) if self._signed_up.has(email) else None
        except StateError as error:
            if error.is_passing:
                raise
            return None

    def _owner(self, number: int) -> tuple[Entries, int]:
        return (self._in_file, number) if number >= 0 else (self._stored, -number)

    def find(self, email: str) -> int | None:
        number = self._in_file.find(email)
        if number is None and (stored := self._find_stored(email)) is not None:
            return -stored
        return number

    def subscriber(self, number: int) -> Subscriber:
        owner, number = self._owner(number)
        return owner.subscriber(number)

    def addresses(self) -> Iterator[str]:
        yield from self._in_file.addresses()
        yield from (entry["email"] for entry in self._signed_up.entries())

    def put(self, entries: Sequence[dict[str, Any]]) -> Imported:
        stored = (entry["email"] for entry in self._signed_up.entries())
        signed_up = {address_key(email) for email in stored if self._in_file.find(email) is None}
        theirs = [entry for entry in entries if address_key(entry["email"]) in signed_up]
        others = [entry for entry in entries if address_key(entry["email"]) not in signed_up]
        here, there = self._in_file.put(others), self._stored.put(theirs) if theirs else Imported()
        return Imported(
            added=here.added, changed=(*here.changed, *there.changed), same=here.same + there.same
        )

    def cut(self, number: int) -> None:
        """Also removes an entry of the state that did not count."""
        email = self.subscriber(number).email
        owner, place = self._owner(number)
        owner.cut(place)
        self._cut_stored(number, email)

    def _cut_stored(self, number: int, email: str) -> None:
        if number >= 0 and (stored := self._find_stored(email)) is not None:
            self._stored.cut(stored)

    def _add(self, entry: dict[str, Any]) -> Subscriber:
        return self._in_file._add(entry)

    def _edit(self, number: int, change: Callable[[dict[str, Any]], None]) -> Subscriber:
        before = self.subscriber(number).email
        owner, place = self._owner(number)
        subscriber = owner._edit(place, change)
        if address_key(before) != address_key(subscriber.email):
            self._cut_stored(number, before)
        return subscriber
