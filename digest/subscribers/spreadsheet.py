"""Entries of subscribers as CSV, which spreadsheets read and write: a row for each, a column for each key."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

from digest.config.parsing import counted, unknown_key
from digest.errors import ConfigurationError
from digest.subscribers.entry_parser import KEYS

_LISTS = ("keywords", "exclude", "categories")
_REQUIRED = ("email", "keywords")
_SEPARATORS = ",;\t"
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TIME = re.compile(r"(\d?\d):(\d\d)(?::00)?", re.ASCII)
_NAMED = re.compile(r'(?:("(?:[^"\\]|\\.)*")|([^="]+)) = (.+)')
"""A keyword after the subscriber's own name for it: `RL = reinforcement learning`."""

_PLAIN_NAME = re.compile(r'[^="\\;\s](?:[^="\\;\n]*[^="\\;\s])?')
# A spreadsheet takes such a cell for a formula, unless an apostrophe is before it.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def read_csv(text: str, label: str) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The rows as entries, each after its place, and the problems of rows that are none.

    After quotation marks without an end there are no more rows. Raises `ConfigurationError` if the first line
    does not name the columns.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    problems: list[str] = []
    columns: Sequence[str] | None = None
    for line, cells in _rows(text, label, problems):
        if columns is None:
            columns = _columns(cells, f"{label}, line {line}")
            continue
        if len(cells) > len(columns):
            problems.append(
                f"{label}, line {line}: {counted(len(cells), 'cell')}, and the first line has"
                f" {len(columns)}; put quotation marks around a cell that has a comma or a semicolon"
            )
            continue
        entry = _entry(dict(zip(columns, cells, strict=False)))
        found.append(
            (", ".join([label, f"line {line}", *([entry["email"]] if "email" in entry else [])]), entry)
        )
    if columns is None and problems:
        raise ConfigurationError(*problems)
    if columns is None:
        raise ConfigurationError(
            f"{label}: is empty; the first line must name the columns, as {','.join(KEYS)}"
        )
    return found, problems


def write_csv(entries: Iterable[Mapping[str, Any]]) -> str:
    """The text for entries. Raises `ConfigurationError` for one that CSV cannot have."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(KEYS)
    for entry in entries:
        cells = [_cell(entry.get(key)) for key in KEYS]
        if _entry(dict(zip(KEYS, cells, strict=True))) != {k: v for k, v in entry.items() if v != []}:
            raise ConfigurationError(f"{entry['email']}: this entry cannot be written as CSV; write TOML")
        writer.writerow(cells)
    return out.getvalue()


def fits_csv(keyword: str) -> bool:
    """Whether `write_csv` can write an entry with this keyword."""
    return [_keyword(one) for one in _items(_cell([keyword]))] == [keyword]


def _rows(text: str, label: str, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line where it begins. Adds to `problems` what ends them."""
    first = next((line for line in text.splitlines() if line.strip(_SEPARATORS)), "")
    said = re.fullmatch(r'"?sep=([,;\t])"?', first)  # as some spreadsheets write it
    separator = said[1] if said else max(_SEPARATORS, key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    begin = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells and not (said and begin == 1):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        problems.append(f"{label}, line {begin}: {error}; look at the quotation marks")


def _columns(cells: Sequence[str], place: str) -> Sequence[str]:
    """The keys of the columns. Raises `ConfigurationError`."""
    names = [cell.casefold() for cell in cells]
    problems = [f"column {name!r}: {unknown_key(name, KEYS)}" for name in names if name not in KEYS]
    problems += [f"there is no column {key}" for key in _REQUIRED if key not in names]
    problems += [f"column {name!r} is there twice" for name in set(names) if names.count(name) > 1]
    if problems:
        raise ConfigurationError(*(f"{place}: {problem}" for problem in problems))
    return names


def _entry(row: Mapping[str, str]) -> dict[str, Any]:
    """The entry of a row. An empty cell is a key that is left out; a value may still be wrong."""
    return {key: _value(key, cell) for key, cell in row.items() if cell}


def _unguarded(text: str) -> str:
    return text[1:] if _GUARDED.match(text) else text


def _value(key: str, cell: str) -> Any:
    if key == "keywords":
        return [_keyword(one) for one in _items(cell)]
    if key in _LISTS:
        return _items(cell)
    cell = _unguarded(cell)
    if key == "crosslists":
        return _FLAGS.get(cell.casefold(), cell)
    if key == "discover" and cell.isascii() and cell.isdigit():
        return int(cell)
    if key == "at" and (found := _TIME.fullmatch(cell)):
        return f"{found[1]:0>2}:{found[2]}"
    return cell


def _items(cell: str) -> list[str]:
    """The parts between semicolons or line breaks that are not in quotation marks."""
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^;\n"]|")+', cell)
    return [_unguarded(part.strip()) for part in parts if part.strip()]


def _keyword(item: str) -> Any:
    found = _NAMED.fullmatch(item)
    if not found:
        return item
    name = json.loads(found[1]) if found[1] else found[2].strip()
    return {"query": found[3].strip(), "name": name}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, list):
        return _guarded(str(value), _FORMULA)
    items = list(map(_item, value))
    return "; ".join([_guarded(item, _GUARDED if number else _FORMULA) for number, item in enumerate(items)])


def _guarded(text: str, pattern: "re.Pattern[str]") -> str:
    return f"'{text}" if pattern.match(text) else text


def _item(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    name = value.get("name")
    if name is None:
        return str(value["query"])
    is_plain = _PLAIN_NAME.fullmatch(name)
    return f"{name if is_plain else json.dumps(name, ensure_ascii=False)} = {value['query']}"
