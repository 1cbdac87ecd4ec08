"""What every command shares: the options given before its name, and the settings they lead to."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from digest.errors import (
    AlreadyRunning,
    ConfigurationError,
    DigestError,
    ServerUnavailable,
    SourceError,
    StateError,
)

if TYPE_CHECKING:
    from digest.config.settings import Settings

EXIT_CODES: Mapping[int, str] = {
    0: "done, also when there was nothing to do",
    1: "a part failed and will be tried again, or the state is in use by another program, or a disk full;"
    " from `digest status` and `digest doctor`: something needs you",
    2: "something to correct: usage or configuration (nothing was fetched or sent), or a state file that"
    " cannot be used",
    3: "arXiv could not be reached at all; nothing is lost, the next run covers the same time",
    75: "from `digest bounce` alone: settings or state cannot be used now, try again later",
    130: "interrupted; the mail in hand was finished, unless interrupted twice",
}
"""What commands end with, in the words of `digest --help`, the manual page and the docs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`config` is the digest.toml named with --config, if one was."""

    config: Path | None
    is_verbose: bool = False

    def settings(self) -> "Settings":
        """Reads the settings, now. Raises `ConfigurationError`."""
        import os

        from digest.config.loader import load_settings

        return load_settings(self.config, os.environ)


INTERRUPTED = 130
"""What a command ends with after Ctrl-C, as shells have it: 128 and the number of the signal."""


def context_of(ctx: typer.Context) -> Context:
    """The shared context in a command that takes `ctx: typer.Context`."""
    return ctx.ensure_object(Context)


def tell_failures_once(ctx: typer.Context) -> None:
    """For a command that says itself what failed: the log lines of the same come with -v alone."""
    if not context_of(ctx).is_verbose:
        for name in ("digest.sources", "digest.pipeline"):
            logging.getLogger(name).setLevel(logging.ERROR)


def problems_of(error: DigestError) -> tuple[str, ...]:
    """What is wrong, one text for each thing."""
    return error.problems if isinstance(error, ConfigurationError) else (str(error),)


def exit_code(error: DigestError) -> int:
    """What the command ends with: 1 tried again later, 2 something to correct, 3 no arXiv."""
    if isinstance(error, SourceError):
        return 3
    if isinstance(error, StateError | ConfigurationError):
        return 1 if error.is_passing else 2
    return 1 if isinstance(error, AlreadyRunning | ServerUnavailable) else 2
