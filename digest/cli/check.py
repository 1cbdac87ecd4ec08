"""`digest check`: everything that can be wrong in the files, without network and without a state."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_object
from digest.cli.options import AsObject
from digest.errors import ConfigurationError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.config.settings import Settings


@dataclass(slots=True, kw_only=True)
class _Checked:
    """What was read, what is wrong in it, and what the operator should know."""

    file: Path | None = None
    subscribers: int | None = None
    keywords: int | None = None
    channels: int | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def try_out(self, step: "Callable[[], None]") -> None:
        try:
            step()
        except ConfigurationError as error:
            self.problems += [one for one in error.problems if one not in self.problems]


def check(ctx: typer.Context, as_json: AsObject = False) -> None:
    """Check digest.toml, the subscribers, the channels and your templates. Uses no network; needs no state.

    Exits with 2 if something is wrong, and names every problem. Templates are examined once the settings
    are right. To check the mail server and all else, use
    [b]digest doctor[/b].
    """
    checked = _examine(context_of(ctx).config)
    if as_json:
        print_object(_as_object(checked))
        raise typer.Exit(2 if checked.problems else 0)
    for note in checked.notes:
        typer.echo(f"note: {note}", err=True)
    if checked.problems:
        raise ConfigurationError(*checked.problems)
    typer.echo(_summary(checked))


def _examine(config: Path | None) -> _Checked:
    from digest.config.loader import channel_tables, find_config, load_settings, of_the_service
    from digest.service.bootstrap import problems_of_subscribers

    checked, environ = _Checked(), of_the_service(config, os.environ)
    try:
        checked.file = find_config(config, environ)
        settings = load_settings(config, environ)
    except ConfigurationError as error:
        checked.problems += dict.fromkeys((*error.problems, *problems_of_subscribers(config, environ)))
        checked.try_out(lambda: _channels(channel_tables(checked.file), checked))
        return checked
    for step in (_subscribers, _channels, _templates):
        checked.try_out(lambda step=step: step(settings, checked))  # type: ignore[misc]
    return checked


def _subscribers(settings: "Settings", checked: _Checked) -> None:
    from digest.service.directory import directory_of, load_readable
    from digest.subscribers.combined import CombinedDirectory

    directory = directory_of(settings)
    try:
        found, unread = load_readable(directory)
    except StateError as error:
        checked.notes.append(f"subscribers are not checked: {error}")
        return
    checked.subscribers = len(found)
    checked.keywords = len({keyword.query.key for one in found for keyword in one.keywords})
    if unread:
        checked.notes.append(f"subscribers who signed up are not checked: {unread}")
    elif isinstance(directory, CombinedDirectory):
        checked.notes += [
            f"{email} has an entry in the file and one in the state; the one in the file is used"
            for email in directory.doubles()
        ]


def _channels(settings: "Settings", checked: _Checked) -> None:
    from digest.channels.channel import load_channels

    checked.channels = len(load_channels(settings, os.environ, checked.file))


def _templates(settings: "Settings", checked: _Checked) -> None:
    from digest.service.mail_setup import build_writer, writer_setup_for

    build_writer(writer_setup_for(settings))


def _summary(checked: _Checked) -> str:
    from digest.config.parsing import counted

    file = str(checked.file.absolute()) if checked.file else "no digest.toml, defaults are used"
    parts = [
        counted(number, noun)
        for number, noun in (
            (checked.subscribers, "subscriber"),
            (checked.keywords, "keyword"),
            (checked.channels or None, "channel"),
        )
        if number is not None
    ]
    return f"No problem found: {', '.join([file, *parts])}."


def _as_object(checked: _Checked) -> dict[str, object]:
    return {
        "is_valid": not checked.problems,
        "problems": checked.problems,
        "notes": checked.notes,
        "config": checked.file and str(checked.file.absolute()),
        "subscribers": checked.subscribers,
        "keywords": checked.keywords,
        "channels": checked.channels,
    }
