"""What every command shares: the options given before its name, and the settings they lead to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from digest.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`config` is the digest.toml named with --config, if one was."""

    config: Path | None

    def settings(self) -> "Settings":
        """Reads the settings, now. Raises `ConfigurationError`."""
        import os

        from digest.config import load_settings

        return load_settings(self.config, os.environ)


def context_of(ctx: typer.Context) -> Context:
    """The shared context in a command that takes `ctx: typer.Context`."""
    return ctx.ensure_object(Context)
