"""Edits subscribers.toml: comments and order stay, and concurrent edits all take effect.

An edit changes the text of one entry only. The result is parsed again; it must have the same subscribers
except for that edit. Then it replaces the file atomically.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from digest.config.atomic_write import exclusive, replace_text
from digest.config.parsing import (
    address_key,
    nearest,
    parse_toml,
    read_text,
    shown,
)
from digest.errors import ConfigurationError
from digest.subscribers.changes import Wanted, checked
from digest.subscribers.subscriber import Keyword, Subscriber, parse_subscriber, parse_subscribers
from digest.subscribers.toml import HEADER, all_entries

if TYPE_CHECKING:
    from digest.config.settings import Defaults

_FIRST_LINES = """\
# Who gets a digest of which new arXiv papers. Edit this file, or use `digest subscribe`
# and `digest unsubscribe`.
"""
_PLACES: Mapping[str, tuple[str, str]] = {
    "at": ("send_schedule", "send_at"),
    "timezone": ("send_schedule", "timezone"),
    "weekly": ("send_schedule", "weekly"),
    "exclude": ("filters", "exclude"),
    "categories": ("filters", "categories"),
    "crosslists": ("filters", "crosslists"),
    "replacements": ("filters", "replacements"),
}
"""The fields of a subscriber for these keys of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """What `subscribe` did. `subscriber` is the new value; `already` are keywords that existed.

    `named` is a keyword that existed and has another name now, or none.
    """

    subscriber: Subscriber
    is_new: bool
    added: tuple[str, ...]
    already: tuple[str, ...]
    changed: tuple[str, ...]
    named: Keyword | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    """What `unsubscribe` did. `subscriber` is the old value; `is_gone`: the entry was removed."""

    subscriber: Subscriber
    removed: tuple[str, ...]
    is_gone: bool


def subscribe(
    path: Path,
    defaults: "Defaults",
    *,
    email: str,
    keywords: Sequence[str] = (),
    name: str | None = None,
    at: str | None = None,
    timezone: str | None = None,
    weekly: str | None = None,
    length: str | None = None,
    exclude: Sequence[str] = (),
    categories: Sequence[str] = (),
    crosslists: bool | None = None,
    replacements: str | None = None,
    keyword_name: str | None = None,
) -> Subscribed:
    """Adds a subscriber, or changes an existing one. Creates the file if needed.

    `exclude` and `categories` are added to the existing ones, like `keywords`. `keyword_name` is the
    subscriber's own name for the only keyword, or empty to remove the name.

    Raises `ConfigurationError`; then the file is unchanged.
    """
    given = {
        "name": name,
        "at": at,
        "timezone": timezone,
        "weekly": weekly,
        "length": length,
        "crosslists": crosslists,
        "replacements": replacements,
    }
    options = {key: value for key, value in given.items() if value is not None}
    wanted = checked(
        email, keywords, options, exclude=exclude, categories=categories, keyword_name=keyword_name
    )
    with _editing(path, defaults) as file:
        index = file.find(email)
        if index is None:
            return file.append(email, wanted)
        return file.extend(index, wanted)


def unsubscribe(
    path: Path, defaults: "Defaults", *, email: str, keywords: Sequence[str] = ()
) -> Unsubscribed:
    """Removes keywords of a subscriber; without `keywords`, or with the last one, the whole entry.

    A keyword may be given by the subscriber's own name for it.
    Raises `ConfigurationError`; then the file is unchanged.
    """
    checked(email, (), {})
    if not path.exists():
        raise ConfigurationError(f"{path}: no such file, so there are no subscribers")
    with _editing(path, defaults) as file:
        index = _index_of(file, path, email)
        named = {one.name.casefold(): one.text for one in file.subscribers[index].keywords if one.name}
        texts = [named.get(keyword.strip().casefold(), keyword) for keyword in keywords]
        return file.remove(index, checked(email, texts, {}).keywords)


def rename(path: Path, defaults: "Defaults", *, email: str, new: str) -> Subscriber:
    """Changes the address of a subscriber; the rest of the entry stays. Returns the new value.

    Raises `ConfigurationError`; then the file is unchanged.
    """
    checked(new, (), {})
    with _editing(path, defaults) as file:
        there = file.find(new)
        if there is not None and address_key(new) != address_key(email):
            raise ConfigurationError(f"{path}: {new} already has an entry; remove one of the two")
        return file.readdress(_index_of(file, path, email), new)


def _index_of(file: "_File", path: Path, email: str) -> int:
    index = file.find(email)
    if index is None:
        near = nearest(email, [subscriber.email for subscriber in file.subscribers])
        hint = f"; did you mean {near}?" if near else "; `digest subscribers` lists them"
        raise ConfigurationError(f"{path}: {email} is not a subscriber{hint}")
    return index


class _File:
    """The text of the file during an edit, with its subscribers."""

    def __init__(self, path: Path, text: str, defaults: "Defaults") -> None:
        self._path, self._defaults = path, defaults
        self.text = text
        self.subscribers = parse_subscribers(text, path, defaults)
        self._entries = all_entries(text, path)

    def find(self, email: str) -> int | None:
        key = address_key(email)
        return next((i for i, one in enumerate(self.subscribers) if address_key(one.email) == key), None)

    def append(self, email: str, wanted: Wanted) -> Subscribed:
        if not wanted.keywords:
            raise ConfigurationError(
                f"{email} is a new subscriber and needs a keyword: `digest subscribe {email} -k KEYWORD`"
            )
        entry: dict[str, Any] = {"email": email}
        if "name" in wanted.options:
            entry["name"] = wanted.options["name"]
        entry["keywords"] = tomlkit.array()
        for keyword in wanted.keywords:
            entry["keywords"].append(_written(keyword))
        if wanted.exclude:
            entry["exclude"] = [keyword.text for keyword in wanted.exclude]
        if wanted.categories:
            entry["categories"] = list(wanted.categories)
        entry |= wanted.options
        block = tomlkit.dumps({"subscriber": [entry]})
        before = self.text if not self.text or self.text.endswith("\n") else f"{self.text}\n"
        gap = "\n" if before and not before.endswith("\n\n") else ""
        subscriber, raw = self._only(block)
        self._replace(before + gap + block, [*self._entries, raw])
        added = tuple(keyword.text for keyword in wanted.keywords)
        return Subscribed(subscriber=subscriber, is_new=True, added=added, already=(), changed=())

    def extend(self, index: int, wanted: Wanted) -> Subscribed:
        old = self.subscribers[index]
        missing = wanted.missing_from(old)
        added = tuple(keyword.text for keyword in missing.get("keywords", ()))
        places = {keyword.query.key: place for place, keyword in enumerate(old.keywords)}
        known = {places[one.query.key]: one for one in wanted.keywords if one.query.key in places}
        already = tuple(old.keywords[place].text for place in known)
        named = {
            place: replace(old.keywords[place], name=one.name)
            for place, one in known.items()
            if wanted.sets_name and one.name != old.keywords[place].name
        }

        def change(entry: dict[str, Any]) -> None:
            for key, things in missing.items():
                there = _array(entry, key)
                for thing in things:
                    there.append(_written(thing))
            for place, keyword in named.items():
                _array(entry, "keywords")[place] = _written(keyword)
            entry.update(wanted.options)

        new = self._edit(index, change) if missing or named or wanted.options else old
        settings = (*(key for key in missing if key != "keywords"), *wanted.options)
        changed = tuple(key for key in settings if _setting(old, key) != _setting(new, key))
        return Subscribed(
            subscriber=new,
            is_new=False,
            added=added,
            already=already,
            changed=changed,
            named=next(iter(named.values()), None),
        )

    def readdress(self, index: int, email: str) -> Subscriber:
        def change(entry: dict[str, Any]) -> None:
            entry["email"] = email

        return self._edit(index, change)

    def remove(self, index: int, unwanted: Sequence[Keyword]) -> Unsubscribed:
        old = self.subscribers[index]
        places = {keyword.query.key: place for place, keyword in enumerate(old.keywords)}
        known = [keyword.text for keyword in old.keywords]
        problems = [_not_followed(old, keyword) for keyword in unwanted if keyword.query.key not in places]
        if problems:
            raise ConfigurationError(*problems)
        taken = {places[keyword.query.key] for keyword in unwanted} or set(places.values())
        removed = tuple(known[place] for place in sorted(taken))
        is_gone = len(taken) == len(known)

        def change(entry: dict[str, Any]) -> None:
            for place in sorted(taken, reverse=True):
                del entry["keywords"][place]

        if is_gone:
            self._cut(index)
        else:
            self._edit(index, change)
        return Unsubscribed(subscriber=old, removed=removed, is_gone=is_gone)

    def _edit(self, index: int, change: Callable[[dict[str, Any]], None]) -> Subscriber:
        start, end = self._span(index)
        block = self.text[start:end]
        try:
            document = tomlkit.parse(block if block.endswith("\n") else f"{block}\n")
            change(cast("dict[str, Any]", document["subscriber"][0]))
            block = tomlkit.dumps(document)
        except (TOMLKitError, LookupError) as error:
            raise self._unclear() from error
        new, raw = self._only(block)
        entries = [*self._entries[:index], raw, *self._entries[index + 1 :]]
        self._replace(self.text[:start] + block + self.text[end:], entries)
        return new

    def _cut(self, index: int) -> None:
        start, end = self._span(index)
        before = self.text[:start].rstrip()
        before = f"{before}\n" if before else ""
        after = self.text[end:].lstrip("\r\n")
        gap = "\n" if before and after else ""
        self._replace(before + gap + after, [*self._entries[:index], *self._entries[index + 1 :]])

    def _span(self, index: int) -> tuple[int, int]:
        """Where an entry begins and ends; comments above the next entry belong to that one."""
        starts = [found.start() for found in HEADER.finditer(self.text)]
        if len(starts) != len(self.subscribers):
            raise self._unclear()
        start, *after = starts[index : index + 2]
        lines = self.text[start : after[0] if after else None].splitlines(keepends=True)
        while lines[-1].strip() == "" or lines[-1].lstrip().startswith("#"):
            lines.pop()
        return start, start + sum(map(len, lines))

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


def _array(entry: dict[str, Any], key: str) -> list[Any]:
    """The list, which may be new. Raises `TOMLKitError` for tables of the form `[[subscriber.keywords]]`."""
    there = entry.setdefault(key, [])
    if isinstance(there, AoT):
        raise TOMLKitError(f"{key} is written as tables")
    return cast("list[Any]", there)


def _written(thing: Keyword | str) -> Any:
    """As the file has it: a keyword with a name is a table in one line."""
    if not isinstance(thing, Keyword):
        return thing
    if not thing.name:
        return thing.text
    query, name = (tomlkit.string(text).as_string() for text in (thing.text, thing.name))
    return tomlkit.value(f"{{ query = {query}, name = {name} }}")


def _setting(subscriber: Subscriber, key: str) -> object:
    part, name = _PLACES.get(key, ("", key))
    return getattr(getattr(subscriber, part) if part else subscriber, name)


def _not_followed(subscriber: Subscriber, keyword: Keyword) -> str:
    near = nearest(
        keyword.text, [text for one in subscriber.keywords for text in (one.text, one.name) if text]
    )
    known = ", ".join(shown(one.label) for one in subscriber.keywords)
    hint = f"did you mean {shown(near)}?" if near else f"it follows {known}"
    return f"{subscriber.email} does not follow {shown(keyword.text)}; {hint}"


@contextmanager
def _editing(path: Path, defaults: "Defaults") -> Iterator[_File]:
    """The locked file; it is replaced at the end, if nothing was raised."""
    with exclusive(path) as target:
        try:
            text = read_text(target)
        except FileNotFoundError:
            text = ""
        file = _File(path, text or _FIRST_LINES, defaults)
        before = file.text
        yield file
        if file.text != before:
            replace_text(target, file.text)
