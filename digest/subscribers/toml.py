"""Reads and writes subscribers.toml entry by entry: with little memory, and fast for its usual form.

An entry begins at its header and does not depend on others, so each can be parsed alone. A file in another
form (`NotSeparable`) must be parsed as a whole.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import chain, pairwise
from json import JSONDecoder
from pathlib import Path
from typing import Any

from digest.config.parsing import parse_toml

HEADER = re.compile(r"^[ \t]*\[\[[ \t]*subscriber[ \t]*\]\]", re.MULTILINE)
"""The line that begins an entry."""

_TEXT = r'"(?:[^"\\\x00-\x1f\x7f]++|\\["\\])*"'
_LINE = rf"([a-z]+) = ({_TEXT}|\[{_TEXT}(?:, ?{_TEXT})*\])\n"
# The usual form: strings and lists of strings, each on one line.
_PLAIN = re.compile(rf"\[\[subscriber\]\]\n(?:{_LINE}|\n)*")
_PAIR = re.compile(rf"^{_LINE}", re.MULTILINE)
# Such a value means the same in JSON, whose decoder is the fastest.
_DECODER = JSONDecoder()


class NotSeparable(ValueError):
    """The text cannot be separated into entries: it has an error, another key or another form."""


def read_entries(text: str) -> Iterator[dict[str, Any]]:
    """The entries of the file, each as TOML has it. Raises `NotSeparable`, possibly after some of them.

    If a header is inside a string or a list, the text before it is not valid TOML by itself.
    """
    headers = (found.start() for found in HEADER.finditer(text))
    first = next(headers, len(text))
    if _parsed(text[:first]):
        raise NotSeparable
    for start, end in pairwise(chain((first,), headers, (len(text),))):
        block = text[start:end]
        entry = _plain_entry(block)
        if entry is not None:
            yield entry
        else:
            yield from _parsed(block).get("subscriber", [])


def all_entries(text: str, path: Path) -> list[dict[str, Any]]:
    """The entries of a file of any form. Raises `ConfigurationError` if it is not TOML."""
    try:
        return list(read_entries(text))
    except NotSeparable:
        found = parse_toml(text, path).get("subscriber", [])
        return found if isinstance(found, list) else [found]


def entry_text(entry: Mapping[str, Any]) -> str:
    """The text of an entry in the usual form."""
    lines = [f"{key} = {_value_text(value)}\n" for key, value in entry.items()]
    return "".join(["[[subscriber]]\n", *lines])


def _value_text(value: Any) -> str:
    """Strings are written as in JSON, which TOML reads in the same way, except for one letter."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value_text, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value_text(one)}' for key, one in value.items())} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain_entry(block: str) -> dict[str, Any] | None:
    """`None` if the full parser is needed, which takes ten times as long."""
    if not _PLAIN.fullmatch(block):
        return None
    pairs = _PAIR.findall(block)
    entry = {key: _DECODER.raw_decode(written)[0] for key, written in pairs}
    return entry if len(entry) == len(pairs) else None


def _parsed(block: str) -> dict[str, Any]:
    try:
        tables = tomllib.loads(block)
    except (ValueError, RecursionError) as error:  # not TOML, a number too long, or nested too deep
        raise NotSeparable from error
    if not tables.keys() <= {"subscriber"}:
        raise NotSeparable
    return tables
