"""`digest backup`: a copy of the state, taken while a daemon may be at work."""

from pathlib import Path
from typing import Annotated

import typer

from digest.cli.context import context_of


def backup(
    ctx: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The file to write; an earlier copy is replaced.", show_default=False
        ),
    ],
) -> None:
    """Copy the state to a file, whole and checked, also while the daemon runs.

    To restore it: stop the daemon, put the copy in the place of the state file, and remove the files beside
    it whose names end in -wal and -shm.
    """
    from datetime import UTC, datetime

    from digest.errors import StateError
    from digest.storage.factory import back_up, is_there

    state = context_of(ctx).settings().state
    if not is_there(state):
        raise StateError(str(state), "does not exist yet; name the state of the service with DIGEST_STATE")
    size = back_up(state, path, now=datetime.now(UTC))
    typer.echo(f"{path.absolute()}: {size / 1e6:,.1f} MB, whole and checked")
