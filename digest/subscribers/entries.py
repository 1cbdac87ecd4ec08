"""The edits of entries, wherever the entries are: what a command wants becomes changes of their keys."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import time
from typing import Any, cast

from digest.config.parsing import nearest
from digest.errors import ConfigurationError
from digest.subscribers.changes import NOTHING, Unwanted, Wanted, not_followed
from digest.subscribers.subscriber import Keyword, Subscriber

_PLACES: Mapping[str, tuple[str, str]] = {
    "at": ("send_schedule", "send_at"),
    "timezone": ("send_schedule", "timezone"),
    "weekly": ("send_schedule", "weekly"),
    "exclude": ("filters", "exclude"),
    "categories": ("filters", "categories"),
    "crosslists": ("filters", "crosslists"),
    "replacements": ("filters", "replacements"),
}
"""The fields of a subscriber for these keys of an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """What `subscribe` did. `subscriber` is the new value; `already` are keywords that existed.

    `named` is a keyword that existed and has another name now, or none. `removed` are keywords that are gone.
    """

    subscriber: Subscriber
    is_new: bool
    added: tuple[str, ...]
    already: tuple[str, ...]
    changed: tuple[str, ...]
    named: Keyword | None = None
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    """What `unsubscribe` did. `subscriber` is the old value; `is_gone`: the entry was removed."""

    subscriber: Subscriber
    removed: tuple[str, ...]
    is_gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did: the addresses of entries that are new, or have other values now."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: int = 0


class Entries(ABC):
    """The entries during an edit. An entry is known by a number, which `find` returns."""

    def __init__(self, label: str) -> None:
        self.label = label

    @abstractmethod
    def find(self, email: str) -> int | None:
        """Returns the entry with this address, however it is written."""

    @abstractmethod
    def subscriber(self, number: int) -> Subscriber:
        """Returns the value of an entry."""

    @abstractmethod
    def addresses(self) -> Iterator[str]:
        """Returns all addresses, as written."""

    @abstractmethod
    def put(self, entries: Sequence[dict[str, Any]]) -> Imported:
        """Adds these entries, which were checked, or replaces those with the same address."""

    @abstractmethod
    def cut(self, number: int) -> None:
        """Removes an entry."""

    @abstractmethod
    def _add(self, entry: dict[str, Any]) -> Subscriber:
        """Adds an entry with a new address. Raises `ConfigurationError` if it is not valid."""

    @abstractmethod
    def _edit(self, number: int, change: Callable[[dict[str, Any]], None]) -> Subscriber:
        """Changes an entry. Raises `ConfigurationError` if the result is not valid."""

    def number_of(self, email: str) -> int:
        """Returns the entry with this address. Raises `ConfigurationError` if there is none."""
        number = self.find(email)
        if number is None:
            raise unknown_subscriber(email, self.label, self.addresses())
        return number

    def append(self, email: str, wanted: Wanted) -> Subscribed:
        """Adds a subscriber."""
        if not wanted.keywords:
            raise ConfigurationError(
                f"{email} is a new subscriber and needs a keyword: `digest subscribe {email} -k KEYWORD`"
            )
        entry: dict[str, Any] = {"email": email}
        if "name" in wanted.options:
            entry["name"] = wanted.options["name"]
        entry["keywords"] = [written(keyword) for keyword in wanted.keywords]
        if wanted.exclude:
            entry["exclude"] = [keyword.text for keyword in wanted.exclude]
        if wanted.categories:
            entry["categories"] = list(wanted.categories)
        added = tuple(keyword.text for keyword in wanted.keywords)
        subscriber = self._add({**entry, **wanted.options})
        return Subscribed(subscriber=subscriber, is_new=True, added=added, already=(), changed=())

    def extend(self, number: int, wanted: Wanted, unwanted: Unwanted = NOTHING) -> Subscribed:
        """Adds what a subscriber does not have yet, changes settings, and takes away what is unwanted."""
        old = self.subscriber(number)
        missing, taken = wanted.missing_from(old), unwanted.places_in(old)
        if len(taken.get("keywords", ())) == len(old.keywords) and "keywords" not in missing:
            raise ConfigurationError(
                f"{old.email} would have no keyword left; `digest unsubscribe {old.email}` removes them"
            )
        places = {keyword.query.key: place for place, keyword in enumerate(old.keywords)}
        known = {places[one.query.key]: one for one in wanted.keywords if one.query.key in places}
        named = {
            place: replace(old.keywords[place], name=one.name)
            for place, one in known.items()
            if wanted.sets_name and one.name != old.keywords[place].name
        }

        def change(entry: dict[str, Any]) -> None:
            for place, keyword in named.items():
                self._list(entry, "keywords")[place] = self._written(keyword)
            _take_away(entry, taken, unwanted.keys)
            for key, things in missing.items():
                there = self._list(entry, key)
                for thing in things:
                    there.append(self._written(thing))
            entry.update(wanted.options)
            _tidy(entry, taken)

        is_edited = missing or named or taken or unwanted.keys or wanted.options
        new = self._edit(number, change) if is_edited else old
        settings = dict.fromkeys((*missing, *taken, *unwanted.keys, *wanted.options))
        changed = (key for key in settings if key != "keywords" and _setting(old, key) != _setting(new, key))
        return Subscribed(
            subscriber=new,
            is_new=False,
            added=tuple(keyword.text for keyword in missing.get("keywords", ())),
            already=tuple(old.keywords[place].text for place in known),
            changed=tuple(changed),
            named=next(iter(named.values()), None),
            removed=tuple(old.keywords[place].text for place in sorted(taken.get("keywords", ()))),
        )

    def readdress(self, number: int, email: str) -> Subscriber:
        """Changes the address of an entry."""

        def change(entry: dict[str, Any]) -> None:
            entry["email"] = email

        return self._edit(number, change)

    def remove(self, number: int, unwanted: Sequence[Keyword]) -> Unsubscribed:
        """Removes keywords of a subscriber; without `unwanted`, or with the last one, the entry."""
        old = self.subscriber(number)
        places = {keyword.query.key: place for place, keyword in enumerate(old.keywords)}
        known = [keyword.text for keyword in old.keywords]
        problems = [not_followed(old, keyword) for keyword in unwanted if keyword.query.key not in places]
        if problems:
            raise ConfigurationError(*problems)
        taken = {places[keyword.query.key] for keyword in unwanted} or set(places.values())
        removed = tuple(known[place] for place in sorted(taken))
        is_gone = len(taken) == len(known)

        def change(entry: dict[str, Any]) -> None:
            for place in sorted(taken, reverse=True):
                del entry["keywords"][place]

        if is_gone:
            self.cut(number)
        else:
            self._edit(number, change)
        return Unsubscribed(subscriber=old, removed=removed, is_gone=is_gone)

    def _list(self, entry: dict[str, Any], key: str) -> list[Any]:
        """The list under a key of an entry, which may be new."""
        return cast("list[Any]", entry.setdefault(key, []))

    def _written(self, thing: Keyword | str) -> Any:
        """A keyword or another text, as an entry has it."""
        return written(thing)


def unknown_subscriber(email: str, place: str, known: Iterable[str]) -> ConfigurationError:
    """The error that nobody at `place` has this address, with the nearest one of those that are `known`."""
    near = nearest(email, known)
    hint = f"; did you mean {near}?" if near else "; `digest subscribers` lists them"
    return ConfigurationError(f"{place}: {email} is not a subscriber{hint}")


def written(thing: Keyword | str) -> Any:
    """As an entry has it: a keyword with a name is a table."""
    if not isinstance(thing, Keyword):
        return thing
    return {"query": thing.text, "name": thing.name} if thing.name else thing.text


def plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with values that TOML and JSON both have: a time is text."""
    return {key: f"{value:%H:%M}" if isinstance(value, time) else value for key, value in entry.items()}


def _take_away(entry: dict[str, Any], taken: Mapping[str, Set[int]], keys: Sequence[str]) -> None:
    for key, places in taken.items():
        for place in sorted(places, reverse=True):
            del entry[key][place]
    for key in keys:
        entry.pop(key, None)


def _tidy(entry: dict[str, Any], keys: Collection[str]) -> None:
    """Removes a filter that became empty, and `crosslists` with the last category."""
    for key in keys:
        if key != "keywords" and not entry.get(key, True):
            del entry[key]
    if "categories" in keys and "categories" not in entry and entry.get("crosslists") is False:
        del entry["crosslists"]


def _setting(subscriber: Subscriber, key: str) -> object:
    part, name = _PLACES.get(key, ("", key))
    return getattr(getattr(subscriber, part) if part else subscriber, name)
