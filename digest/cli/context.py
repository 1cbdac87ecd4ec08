"""What every command shares: the options before its name, and the settings."""

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
    0: "success, also when there was nothing to do",
    1: "a step failed and will be tried again, or another process uses the state, or a disk is full;"
    " from `digest status` and `digest doctor`: a problem needs your attention",
    2: "wrong usage or configuration (nothing was fetched or sent), or a state file that cannot be used",
    3: "arXiv could not be reached; nothing is lost, the next run covers the same time",
    75: "only from `digest bounce`: settings or state cannot be used now, try again later",
    130: "interrupted; the current mail was finished, unless you interrupted twice",
}
"""The exit codes, as `digest --help`, the manual page and the docs describe them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`config` is the value of --config, if given. `volume` counts each -v up, and each -q down."""

    config: Path | None = None
    volume: int = 0

    def settings(self) -> "Settings":
        """Reads the settings now, as the service has them if they are its. Raises `ConfigurationError`."""
        import os

        from digest.config.loader import load_settings, of_the_service

        return load_settings(self.config, of_the_service(self.config, os.environ))


INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells: 128 plus the number of the signal."""


def context_of(ctx: typer.Context) -> Context:
    """The shared context in a command that takes `ctx: typer.Context`."""
    return ctx.ensure_object(Context)


def log_errors_only(ctx: typer.Context) -> None:
    """For a command that prints failures itself: logs warnings only with -v."""
    if context_of(ctx).volume <= 0:
        for name in ("digest.sources", "digest.pipeline"):
            logging.getLogger(name).setLevel(logging.ERROR)


def log_as_set(ctx: typer.Context, *, is_service: bool = True) -> None:
    """For what runs unattended: writes the log as `[log]` says. `-v` and `-q` go before `log.level`."""
    import os

    from digest.config.loader import log_settings
    from digest.service.log import apply_log

    context = context_of(ctx)
    settings = log_settings(context.config, os.environ)
    is_told = context.volume != 0 or (settings.level is None and not is_service)
    apply_log(settings, sets_level=not is_told)
    if is_told:
        log_errors_only(ctx)


def problems_of(error: DigestError) -> tuple[str, ...]:
    """One text for each problem."""
    return error.problems if isinstance(error, ConfigurationError) else (str(error),)


def exit_code(error: DigestError) -> int:
    """The exit code: 1 is tried again later, 2 must be corrected, 3 means that arXiv was not reached."""
    if isinstance(error, SourceError):
        return 3
    if isinstance(error, StateError | ConfigurationError):
        return 1 if error.is_passing else 2
    return 1 if isinstance(error, AlreadyRunning | ServerUnavailable) else 2
