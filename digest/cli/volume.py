"""`-v` and `-q`, before or after the name of a command: how much it logs, and if it says what it did."""

import inspect
import logging
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from digest.cli.context import Context

_BY_NAME = inspect.Parameter.KEYWORD_ONLY
_PANEL = "Log"
_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}

_TELL_WHAT_WAS_DONE = {
    *("backup", "check", "copy", "dislike", "edit", "import", "like", "move", "mute", "page", "pause"),
    *("preview", "rename", "resend", "resume", "run", "subscribe", "unmute", "unpause", "unsubscribe"),
}
"""The commands whose output says what was done. The output of the others is their result."""

Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        metavar="",
        help="Write more to the log; twice: everything.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]

Quiet = Annotated[
    int,
    typer.Option(
        "--quiet",
        "-q",
        count=True,
        metavar="",
        help="Print only what is asked for and what failed; log only errors.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]


def level_of(volume: int) -> int:
    """The level of the log. `volume` counts each `-v` up, and each `-q` down."""
    return _LEVELS[max(-1, min(volume, 2))]


def with_volume(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options `-v` and `-q`, which count together with those before its name."""
    signature = inspect.signature(command)
    own = signature.parameters
    name = next((one.name for one in own.values() if one.annotation is typer.Context), "")

    @wraps(command)
    def louder(verbose: int, quiet: int, **values: Any) -> None:
        ctx = values[name] if name else values.pop("context")
        context = ctx.ensure_object(Context)
        ctx.obj = replace(context, volume=context.volume + verbose - quiet)
        if verbose or quiet:
            logging.getLogger().setLevel(level_of(ctx.obj.volume))
        if ctx.obj.volume < 0 and _says_what_was_done(ctx.info_name, values):
            with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
                command(**values)
        else:
            command(**values)

    more: dict[str, Any] = {"verbose": Verbose, "quiet": Quiet}
    added = [inspect.Parameter(one, _BY_NAME, annotation=kind, default=0) for one, kind in more.items()]
    if not name:
        added.append(inspect.Parameter("context", _BY_NAME, annotation=typer.Context))
        more["context"] = typer.Context
    given = [one.replace(kind=_BY_NAME) for one in own.values()]
    louder.__signature__ = signature.replace(parameters=[*given, *added])  # type: ignore[attr-defined]
    louder.__annotations__ = {**command.__annotations__, **more}
    return louder


def _says_what_was_done(command: str | None, values: dict[str, Any]) -> bool:
    if values.get("as_json"):
        return False
    if command == "subscribers":
        return values["source"] is not None
    return command in _TELL_WHAT_WAS_DONE
