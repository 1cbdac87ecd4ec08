"""Entries of subscribers from and to a text, as TOML or as CSV: to move them, or to edit them elsewhere."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.errors import ConfigurationError
from digest.subscribers import Form
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.entries import Entries, Imported, plain
from digest.subscribers.entry_parser import parse_entries, parse_subscribers
from digest.subscribers.spreadsheet import read_csv, write_csv
from digest.subscribers.toml import all_entries, entry_text

if TYPE_CHECKING:
    from digest.config.settings import Defaults


def form_of(path: Path) -> Form:
    """The form that the file's name ends in. Raises `ConfigurationError` for another ending."""
    try:
        return Form(path.suffix.lower().removeprefix("."))
    except ValueError:
        raise ConfigurationError(
            f"{path}: the name must end in .toml or .csv; for other names, add --format toml or --format csv"
        ) from None


def read_entries(text: str, form: Form, label: str, defaults: "Defaults") -> list[dict[str, Any]]:
    """The entries of a text. Raises `ConfigurationError` with every problem of all entries."""
    if form is Form.TOML:
        parse_subscribers(text, Path(label), defaults)
        return [plain(entry) for entry in all_entries(text, Path(label))]
    placed, problems = read_csv(text, label)
    try:
        parse_entries(placed, defaults)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        line = re.compile(rf"{re.escape(label)}, line (\d+)")
        raise ConfigurationError(
            *sorted(problems, key=lambda one: int(found[1]) if (found := line.match(one)) else 0)
        )
    return [entry for _, entry in placed]


def write_entries(entries: Iterable[dict[str, Any]], form: Form) -> str:
    """The text for these entries."""
    return write_csv(entries) if form is Form.CSV else "\n".join(map(entry_text, entries))


def import_entries(
    directory: SubscriberDirectory, entries: list[dict[str, Any]], *, is_dry: bool
) -> Imported:
    """Adds these entries, which were read, and replaces those with the same addresses. Nobody is removed.

    `is_dry` only returns what would be done.
    """

    def change(there: Entries) -> Imported:
        done = there.put(entries)
        if is_dry:
            raise _Tried(done)
        return done

    try:
        return directory.edit(change, may_create=not is_dry)
    except _Tried as tried:
        return tried.done


class _Tried(Exception):
    """Ends an edit without making it."""

    def __init__(self, done: Imported) -> None:
        self.done = done
