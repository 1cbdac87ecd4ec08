"""The entries of `subscribers.toml`, or of the database, as subscribers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

from digest.config.parsing import (
    address_key,
    parse_address,
    parse_discover,
    parse_length,
    parse_time,
    parse_toml,
    parse_weekday,
    parse_zone,
    read_text,
    shown,
    unknown_key,
)
from digest.errors import ConfigurationError, QueryError
from digest.model.paper import one_line
from digest.subscribers.categories import parse_categories
from digest.subscribers.subscriber import (
    Filters,
    Keyword,
    Replacements,
    SendSchedule,
    Subscriber,
    build_keyword,
)
from digest.subscribers.toml import HEADER, NotSeparable, read_entries

if TYPE_CHECKING:
    from digest.config.settings import Defaults


KEYS = (
    "email",
    "name",
    "keywords",
    "at",
    "timezone",
    "weekly",
    "length",
    "discover",
    "exclude",
    "categories",
    "crosslists",
    "replacements",
)
"""The keys of an entry of subscribers.toml; `email` and `keywords` are required."""

LONGEST_NAME = 60
"""The most characters of a subscriber's own name for a keyword."""

_SHARED = 1_000
"""How many send schedules and filters are cached, which subscribers share."""

_T = TypeVar("_T")


class _BadEntry(NamedTuple):
    """An entry with `problems`, where it is, and the value of its address."""

    place: str
    number: int
    email: object
    problems: list[str]


def load_subscribers(path: Path, defaults: "Defaults") -> tuple[Subscriber, ...]:
    """The subscribers in the file's order.

    Raises `ConfigurationError` with every problem of the file at once.
    """
    try:
        text = read_text(path)
    except FileNotFoundError as error:
        both = "" if path.with_name("digest.toml").exists() else "`digest init` writes it and digest.toml, "
        one = "`digest subscribe EMAIL -k KEYWORD` creates it, or set `subscribers` to the path of yours"
        raise ConfigurationError(f"{path}: no such file; {both}{one}") from error
    return parse_subscribers(text, path, defaults)


def parse_subscribers(text: str, path: Path, defaults: "Defaults") -> tuple[Subscriber, ...]:
    """The same from the file's text; `path` is for messages."""
    try:
        return _subscribers(read_entries(text), text, path, defaults)
    except NotSeparable:
        tables = parse_toml(text, path)
    problems = [f"{path}: {key}: {unknown_key(key, ['subscriber'])}" for key in tables if key != "subscriber"]
    entries = tables.get("subscriber", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(
            f"{path}: subscriber: must be one table [[subscriber]], in double brackets, for each subscriber"
        )
        entries = []
    return _subscribers(entries, text, path, defaults, problems)


def parse_subscriber(raw: dict[str, Any], place: str, defaults: "Defaults") -> Subscriber:
    """The same from one entry; `place` is for messages."""
    wrong: list[str] = []
    subscriber = _subscriber(raw, defaults, wrong)
    if wrong or subscriber is None:
        raise ConfigurationError(*(f"{place}: {one}" for one in wrong))
    return subscriber


def parse_entries(
    placed: Iterable[tuple[str, dict[str, Any]]], defaults: "Defaults"
) -> tuple[Subscriber, ...]:
    """The same from entries of anywhere, each after its place.

    Raises `ConfigurationError` with the problems of all entries, each with its place.
    """
    subscribers, bad_entries, _ = _collected(placed, defaults)
    if bad_entries:
        raise ConfigurationError(*(f"{one.place}: {text}" for one in bad_entries for text in one.problems))
    return tuple(subscribers)


def _subscribers(
    entries: Iterable[dict[str, Any]],
    text: str,
    path: Path,
    defaults: "Defaults",
    problems: Sequence[str] = (),
) -> tuple[Subscriber, ...]:
    """Raises `ConfigurationError` with `problems` and those of the entries of `text`."""
    numbered = ((f"entry {number}", raw) for number, raw in enumerate(entries, start=1))
    subscribers, bad_entries, count = _collected(numbered, defaults)
    if problems or bad_entries:
        raise ConfigurationError(*problems, *_placed(bad_entries, text, path, entries=count))
    return tuple(subscribers)


def _collected(
    placed: Iterable[tuple[str, dict[str, Any]]], defaults: "Defaults"
) -> tuple[list[Subscriber], list[_BadEntry], int]:
    """The subscribers, the entries with problems, and the number of all entries."""
    subscribers: list[Subscriber] = []
    first_places: dict[str, str] = {}
    bad_entries: list[_BadEntry] = []
    number = 0
    for number, (place, raw) in enumerate(placed, start=1):
        wrong: list[str] = []
        subscriber = _subscriber(raw, defaults, wrong)
        if subscriber:
            first = first_places.setdefault(address_key(subscriber.email), place)
            if first is not place:
                wrong.append(f"email: the same address as in {first}; each address may have only one entry")
            subscribers.append(subscriber)
        if wrong:
            bad_entries.append(_BadEntry(place, number, raw.get("email"), wrong))
    return subscribers, bad_entries, number


def _placed(bad_entries: Sequence[_BadEntry], text: str, path: Path, *, entries: int) -> Iterator[str]:
    """Each problem with its place; with the line only if each of the `entries` has a header."""
    starts = [found.start() for found in HEADER.finditer(text)]
    for one in bad_entries:
        is_placed = len(starts) == entries
        line = f" (line {text.count(chr(10), 0, starts[one.number - 1]) + 1})" if is_placed else ""
        email = f", {one_line(one.email)}" if one.email and isinstance(one.email, str) else ""
        yield from (f"{path}, {one.place}{line}{email}: {problem}" for problem in one.problems)


def _subscriber(raw: dict[str, Any], defaults: "Defaults", wrong: list[str]) -> Subscriber | None:
    """The entry as a value, or `None` without a valid address; adds problems to `wrong`."""
    wrong += [f"{key}: {unknown_key(key, KEYS)}" for key in raw if key not in KEYS]
    keywords = _keywords(raw.get("keywords"), wrong)
    exclude = _excluded(raw["exclude"], keywords, wrong) if "exclude" in raw else ()
    categories = parse_categories(raw["categories"], wrong) if "categories" in raw else ()
    crosslists = _read(raw, "crosslists", _parse_flag, True, wrong)
    if not crosslists and not raw.get("categories"):
        wrong.append('crosslists = false: needs categories, for example categories = ["cs.LG"]')
    replacements: Replacements = _read(raw, "replacements", parse_replacements, "never", wrong)
    send_at = _read(raw, "at", parse_time, defaults.at, wrong)
    timezone = _read(raw, "timezone", parse_zone, defaults.timezone, wrong)
    weekly = _read(raw, "weekly", parse_weekday, defaults.weekly, wrong)
    length = _read(raw, "length", parse_length, defaults.length, wrong)
    discover = _read(raw, "discover", parse_discover, defaults.discover, wrong)
    name = _read(raw, "name", _parse_name, None, wrong)
    email = _read(raw, "email", parse_address, None, wrong)
    if "email" not in raw:
        wrong.append('email: missing; every entry needs one, for example email = "reader@example.org"')
    if email is None:
        return None
    return Subscriber(
        email=email,
        name=name,
        keywords=keywords,
        send_schedule=_send_schedule(send_at, timezone, weekly),
        filters=_filters(exclude, categories, crosslists, replacements),
        length=length,
        discover=discover,
    )


@lru_cache(maxsize=_SHARED)
def _send_schedule(send_at: time, timezone: ZoneInfo, weekly: int | None) -> SendSchedule:
    return SendSchedule(send_at=send_at, timezone=timezone, weekly=weekly)


@lru_cache(maxsize=_SHARED)
def _filters(
    exclude: tuple[Keyword, ...], categories: tuple[str, ...], crosslists: bool, replacements: Replacements
) -> Filters:
    return Filters(exclude=exclude, categories=categories, crosslists=crosslists, replacements=replacements)


def _read(raw: dict[str, Any], key: str, parse: Callable[[object], _T], default: _T, wrong: list[str]) -> _T:
    if key not in raw:
        return default
    try:
        return parse(raw[key])
    except ValueError as error:
        wrong.append(f"{key} = {shown(raw[key])}: {error}")
        return default


def _parse_name(value: object) -> str | None:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - a bad value in a file is not a bug
    return one_line(value) or None


def _parse_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - a bad value in a file is not a bug
    return value


def parse_replacements(value: object) -> Replacements:
    """Raises `ValueError` for other values than the two words."""
    for word in get_args(Replacements):
        if value == word:
            return cast("Replacements", word)
    raise ValueError('must be "never", or "section" for a line about each new version')


def _keywords(value: object, wrong: list[str]) -> tuple[Keyword, ...]:
    if isinstance(value, list) and value:
        keywords = _queries("keywords", value, wrong)
        wrong += ambiguous_names(keywords)
        return keywords
    found = (
        "missing"
        if value is None
        else f"{shown(value)} is not a list of keywords"
        if value != []
        else "empty"
    )
    wrong.append(
        f'keywords: {found}; every entry needs one or more, for example keywords = ["neural operator"]'
    )
    return ()


def _excluded(value: object, keywords: Sequence[Keyword], wrong: list[str]) -> tuple[Keyword, ...]:
    if not isinstance(value, list):
        wrong.append(f'exclude: {shown(value)} is not a list of keywords; write exclude = ["survey"]')
        return ()
    excluded = _queries("exclude", value, wrong)
    wanted = {keyword.query.key for keyword in keywords}
    wrong += [
        f"exclude: {shown(one.text)} is also a keyword, which then finds nothing; remove one of the two"
        for one in excluded
        if one.query.key in wanted
    ]
    return excluded


def _queries(key: str, texts: list[object], wrong: list[str]) -> tuple[Keyword, ...]:
    found: dict[str, Keyword] = {}
    for number, text in enumerate(texts, start=1):
        try:
            is_table = key == "keywords" and isinstance(text, dict)
            keyword = _with_name(cast("dict[str, object]", text)) if is_table else parse_keyword(text)
        except (ValueError, QueryError) as error:
            explanation = str(error).replace("\n", "\n    ")
            wrong.append(f"{key}, number {number}: {explanation}")
            continue
        same = found.setdefault(keyword.query.key, keyword)
        if same is not keyword:
            wrong.append(
                f"{key}, number {number}: {shown(keyword.text)} is the same as {shown(same.text)};"
                " list each only once"
            )
    return tuple(found.values())


def _with_name(entry: dict[str, object]) -> Keyword:
    """A keyword of the form `{ query = "…", name = "…" }`. Raises `ValueError` or `QueryError`."""
    for key in entry:
        if key not in {"query", "name"}:
            raise ValueError(f"{key}: {unknown_key(key, ['query', 'name'])}")
    if "query" not in entry:
        raise ValueError('query is missing; write { query = "reinforcement learning", name = "RL" }')
    keyword = parse_keyword(entry["query"])
    if "name" not in entry:
        return keyword
    try:
        return replace(keyword, name=parse_keyword_name(entry["name"]))
    except ValueError as error:
        raise ValueError(f"name = {shown(entry['name'])}: {error}") from error


def parse_keyword_name(value: object) -> str:
    """A subscriber's own name for a keyword. Raises `ValueError`."""
    name = one_line(value) if isinstance(value, str) else ""
    if not 0 < len(name) <= LONGEST_NAME or name != str(value).strip():
        raise ValueError(f"must be text in one line, of 1 to {LONGEST_NAME} characters")
    return name


def ambiguous_names(keywords: Sequence[Keyword]) -> Iterator[str]:
    """A problem for each name that is also the name or the text of another keyword."""
    named = [keyword for keyword in keywords if keyword.name]
    used = {keyword.text.casefold(): keyword for keyword in keywords} if named else {}
    for keyword in named:
        other = used.setdefault(str(keyword.name).casefold(), keyword)
        if other is not keyword:
            both = f"{shown(other.text)} and {shown(keyword.text)}"
            yield f"keywords: the name {shown(keyword.name)} would mean both {both}; choose another name"


def parse_keyword(value: object) -> Keyword:
    """Raises `ValueError` if it is not a text, `QueryError` if it is not in the keyword language."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'{shown(value)}: must be text in quotes, for example "neural operator"')
    return build_keyword(value)
