"""The change that a command asks for, before it is made in subscribers.toml."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from digest.config.parsing import (
    nearest,
    parse_address,
    parse_discover,
    parse_length,
    parse_time,
    parse_weekday,
    parse_zone,
    shown,
)
from digest.errors import ConfigurationError, QueryError
from digest.subscribers.categories import parse_category
from digest.subscribers.entry_parser import parse_keyword, parse_keyword_name, parse_replacements
from digest.subscribers.subscriber import Keyword, Subscriber

_PARSERS: Mapping[str, Callable[[object], object]] = {
    "at": parse_time,
    "timezone": parse_zone,
    "weekly": parse_weekday,
    "length": parse_length,
    "discover": parse_discover,
    "replacements": parse_replacements,
}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The requested change: things to add, each once, and settings, as they are written in the file.

    `sets_name`: a keyword that the subscriber has gets the name of the one in `keywords`, or loses its name.
    """

    keywords: tuple[Keyword, ...] = ()
    exclude: tuple[Keyword, ...] = ()
    categories: tuple[str, ...] = ()
    options: Mapping[str, str | bool | int]
    sets_name: bool = False

    def missing_from(self, subscriber: Subscriber) -> dict[str, list[Any]]:
        """By key, the things that the subscriber does not have yet."""
        followed = {keyword.query.key for keyword in subscriber.keywords}
        excluded = {keyword.query.key for keyword in subscriber.filters.exclude}
        missing: dict[str, list[Any]] = {
            "keywords": [one for one in self.keywords if one.query.key not in followed],
            "exclude": [one.text for one in self.exclude if one.query.key not in excluded],
            "categories": [code for code in self.categories if code not in subscriber.filters.categories],
        }
        return {key: texts for key, texts in missing.items() if texts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwanted:
    """What a change takes away: `keys` as a whole, and single keywords, exclusions and categories."""

    keys: tuple[str, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    exclude: tuple[Keyword, ...] = ()
    categories: tuple[str, ...] = ()

    def places_in(self, subscriber: Subscriber) -> dict[str, set[int]]:
        """By key, the places of these things in the lists of the entry.

        Raises `ConfigurationError` for what is not there.
        """
        followed = {one.query.key: place for place, one in enumerate(subscriber.keywords)}
        excluded = {one.query.key: place for place, one in enumerate(subscriber.filters.exclude)}
        chosen = {code: place for place, code in enumerate(subscriber.filters.categories)}
        problems = [not_followed(subscriber, one) for one in self.keywords if one.query.key not in followed]
        problems += [
            f"{subscriber.email} does not exclude {shown(one.text)}; it excludes {_listed(subscriber)}"
            for one in self.exclude
            if one.query.key not in excluded
        ]
        problems += [
            f"{code} is no category of {subscriber.email}; it has {', '.join(chosen) or 'none'}"
            for code in self.categories
            if code not in chosen
        ]
        if problems:
            raise ConfigurationError(*problems)
        found = {
            "keywords": {followed[one.query.key] for one in self.keywords},
            "exclude": {excluded[one.query.key] for one in self.exclude},
            "categories": {chosen[code] for code in self.categories},
        }
        return {key: places for key, places in found.items() if places and key not in self.keys}


NOTHING = Unwanted()


def _listed(subscriber: Subscriber) -> str:
    return ", ".join(shown(one.text) for one in subscriber.filters.exclude) or "nothing"


def not_followed(subscriber: Subscriber, keyword: Keyword) -> str:
    """The problem that a subscriber does not follow a keyword, with the nearest one that they do."""
    near = nearest(
        keyword.text, [text for one in subscriber.keywords for text in (one.text, one.name) if text]
    )
    known = ", ".join(shown(one.label) for one in subscriber.keywords)
    hint = f"did you mean {shown(near)}?" if near else f"it follows {known}"
    return f"{subscriber.email} does not follow {shown(keyword.text)}; {hint}"


def checked(
    email: str,
    keywords: Sequence[str],
    options: Mapping[str, str | bool | int],
    *,
    exclude: Sequence[str] = (),
    categories: Sequence[str] = (),
    keyword_name: str | None = None,
) -> Wanted:
    """The requested change as values. Raises `ConfigurationError` with all problems.

    `keyword_name` is the name of each of `keywords`; the empty text stands for no name.
    """
    problems: list[str] = []
    for key, value, parse in [
        ("email", email, parse_address),
        *((k, v, _PARSERS.get(k)) for k, v in options.items()),
    ]:
        try:
            if parse:
                parse(value)
        except ValueError as error:
            problems.append(f"{key} = {shown(value)}: {error}")
    named = _each("name", [keyword_name] if keyword_name else [], parse_keyword_name, str, problems)
    found = _each("keyword", keywords, parse_keyword, _query_key, problems)
    wanted = Wanted(
        keywords=tuple(replace(one, name=named[0]) for one in found) if named else found,
        exclude=_each("exclude", exclude, parse_keyword, _query_key, problems),
        categories=_each("category", categories, parse_category, str, problems),
        options=options,
        sets_name=keyword_name is not None,
    )
    if problems:
        raise ConfigurationError(*problems)
    return wanted


def _each(
    word: str,
    texts: Sequence[str],
    parse: Callable[[object], _T],
    identity: Callable[[_T], str],
    problems: list[str],
) -> tuple[_T, ...]:
    """The values of `texts`, each once; adds to `problems`."""
    found: dict[str, _T] = {}
    for text in texts:
        try:
            value = parse(text)
        except ValueError as error:
            problems.append(f"{word} {error}" if word != "name" else f"name = {shown(text)}: {error}")
        except QueryError as error:
            problems.append(f"{word}: {error}")
        else:
            found.setdefault(identity(value), value)
    return tuple(found.values())


def _query_key(keyword: Keyword) -> str:
    return keyword.query.key
