"""The output of `--json`. Each object begins with the version of its fields, which docs/json.md describes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

VERSION = 1
"""Fields are only added to a version. If you remove one or change its meaning, increase this number."""


def print_object(fields: Mapping[str, Any], *, is_line: bool = False) -> None:
    """Prints one object; in one line for a log, with `is_line`."""
    typer.echo(json.dumps(_versioned(fields), ensure_ascii=False, indent=None if is_line else 2))


def print_list(objects: Iterable[Mapping[str, Any]]) -> None:
    """Prints a list of objects."""
    typer.echo(json.dumps([_versioned(one) for one in objects], ensure_ascii=False, indent=2))


def print_done(lines: Sequence[str], fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Prints what was done: the lines, or an object with `fields` and the lines as `said`."""
    if as_json:
        print_object({**fields, "said": [line for text in lines for line in text.splitlines()]})
    else:
        typer.echo("\n".join(lines))


def _versioned(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": VERSION, **fields}
