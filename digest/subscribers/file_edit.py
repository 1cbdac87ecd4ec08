"""Edits subscribers.toml. Comments and order stay.

An edit changes the text of one entry only. The result is parsed again; it must have the same subscribers
except for that edit. Then it replaces the file atomically.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from digest.config.atomic_write import exclusive, replace_text
from digest.config.parsing import address_key, parse_toml, read_text
from digest.errors import ConfigurationError
from digest.subscribers.entries import Entries, Imported, plain, written
from digest.subscribers.entry_parser import parse_subscriber, parse_subscribers
from digest.subscribers.subscriber import Keyword, Subscriber
from digest.subscribers.toml import HEADER, all_entries, entry_text

if TYPE_CHECKING:
    from digest.config.settings import Defaults

_FIRST_LINES = """\
# Who gets a digest of which new arXiv papers. Edit this file, or use `digest subscribe`
# and `digest unsubscribe`.
"""


class _FileEntries(Entries):
    """The text of the file during an edit, with its subscribers."""

    def __init__(self, path: Path, text: str, defaults: "Defaults") -> None:
        super().__init__(str(path))
        self._path, self._defaults = path, defaults
        self.text = text
        self._subscribers = parse_subscribers(text, path, defaults)
        self._entries = all_entries(text, path)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {address_key(one.email): place for place, one in enumerate(self._subscribers)}

    def find(self, email: str) -> int | None:
        return self._places.get(address_key(email))

    def subscriber(self, number: int) -> Subscriber:
        return self._subscribers[number]

    def addresses(self) -> Iterator[str]:
        return (subscriber.email for subscriber in self._subscribers)

    def put(self, entries: Sequence[dict[str, Any]]) -> Imported:
        """The text of a changed entry is written anew."""
        places = {self.find(entry["email"]): entry for entry in entries}
        changed = {
            place: entry
            for place, entry in places.items()
            if place is not None and plain(self._entries[place]) != entry
        }
        new = [entry for entry in entries if self.find(entry["email"]) is None]
        expected = [changed.get(place, entry) for place, entry in enumerate(self._entries)]
        if changed or new:
            blocks = [self._with_blocks(changed).rstrip("\n"), *map(entry_text, new)]
            text = "\n\n".join(block.rstrip("\n") for block in blocks if block)
            self._replace(f"{text}\n", [*expected, *new])
        return Imported(
            added=tuple(entry["email"] for entry in new),
            changed=tuple(entry["email"] for entry in changed.values()),
            same=len(entries) - len(new) - len(changed),
        )

    def _with_blocks(self, changed: Mapping[int, dict[str, Any]]) -> str:
        pieces: list[str] = []
        done = 0
        for place, (start, end) in enumerate(self._spans() if changed else ()):
            if place in changed:
                pieces += [self.text[done:start], entry_text(changed[place])]
                done = end
        return "".join([*pieces, self.text[done:]])

    def cut(self, number: int) -> None:
        start, end = self._span(number)
        before = self.text[:start].rstrip()
        before = f"{before}\n" if before else ""
        after = self.text[end:].lstrip("\r\n")
        gap = "\n" if before and after else ""
        self._replace(before + gap + after, [*self._entries[:number], *self._entries[number + 1 :]])

    def _add(self, entry: dict[str, Any]) -> Subscriber:
        block = entry_text(entry)
        before = self.text if not self.text or self.text.endswith("\n") else f"{self.text}\n"
        gap = "\n" if before and not before.endswith("\n\n") else ""
        subscriber, raw = self._only(block)
        self._replace(before + gap + block, [*self._entries, raw])
        return subscriber

    def _edit(self, number: int, change: Callable[[dict[str, Any]], None]) -> Subscriber:
        start, end = self._span(number)
        block = self.text[start:end]
        try:
            document = tomlkit.parse(block if block.endswith("\n") else f"{block}\n")
            change(cast("dict[str, Any]", document["subscriber"][0]))
            block = tomlkit.dumps(document)
        except (TOMLKitError, LookupError) as error:
            raise self._unclear() from error
        new, raw = self._only(block)
        entries = [*self._entries[:number], raw, *self._entries[number + 1 :]]
        self._replace(self.text[:start] + block + self.text[end:], entries)
        return new

    def _span(self, number: int) -> tuple[int, int]:
        return list(self._spans())[number]

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Where entries begin and end; comments above the next entry belong to that one."""
        starts = [found.start() for found in HEADER.finditer(self.text)]
        if len(starts) != len(self._subscribers):
            raise self._unclear()
        for start, after in zip(starts, [*starts[1:], len(self.text)], strict=True):
            lines = self.text[start:after].splitlines(keepends=True)
            while lines[-1].strip() == "" or lines[-1].lstrip().startswith("#"):
                lines.pop()
            yield start, start + sum(map(len, lines))

    def _only(self, block: str) -> tuple[Subscriber, Any]:
        raw = parse_toml(block, self._path)["subscriber"][0]
        return parse_subscriber(raw, f"{self._path}, {raw['email']}", self._defaults), raw

    def _replace(self, text: str, expected: list[Any]) -> None:
        """Accepts `text` if its entries are the expected ones, which have been checked."""
        try:
            entries = all_entries(text, self._path)
        except ConfigurationError as error:
            raise self._unclear() from error
        if entries != expected:
            raise self._unclear()
        self.text = text

    def _unclear(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self._path}: cannot be edited safely in this form; edit it by hand, or"
            " write each entry as a table that begins with the line [[subscriber]]"
        )

    def _list(self, entry: dict[str, Any], key: str) -> list[Any]:
        """Raises `TOMLKitError` for tables of the form `[[subscriber.keywords]]`."""
        there = super()._list(entry, key)
        if isinstance(there, AoT):
            raise TOMLKitError(f"{key} is written as tables")
        return there

    def _written(self, thing: Keyword | str) -> Any:
        """A keyword with a name is a table in one line."""
        if not isinstance(thing, Keyword) or not thing.name:
            return written(thing)
        query, name = (tomlkit.string(text).as_string() for text in (thing.text, thing.name))
        return tomlkit.value(f"{{ query = {query}, name = {name} }}")


@contextmanager
def editing(path: Path, defaults: "Defaults") -> Iterator[_FileEntries]:
    """The locked file; it is replaced at the end, if nothing was raised."""
    with exclusive(path) as target:
        try:
            text = read_text(target)
        except FileNotFoundError:
            text = ""
        entries = _FileEntries(path, text or _FIRST_LINES, defaults)
        before = entries.text
        yield entries
        if entries.text != before:
            replace_text(target, entries.text)
