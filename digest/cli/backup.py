"""`digest backup`: a copy of the state, also while the daemon runs."""

from pathlib import Path
from typing import Annotated

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done
from digest.cli.options import AsObject


def backup(
    ctx: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The file to write. It is replaced if it exists.", show_default=False
        ),
    ],
    as_json: AsObject = False,
) -> None:
    """Copy the state to a file and check the copy. The daemon may run meanwhile.

    To restore it: stop the daemon, replace the state file by the copy, and remove the files in its folder
    whose names end in -wal and -shm.
    """
    from datetime import UTC, datetime

    from digest.errors import StateError
    from digest.storage.factory import back_up, is_there

    state = context_of(ctx).settings().state
    if not is_there(state):
        raise StateError(str(state), "does not exist yet; for the state of the service set DIGEST_STATE")
    size = back_up(state, path, now=datetime.now(UTC))
    line = f"{path.absolute()}: {size / 1e6:,.1f} MB, checked"
    print_done([line], {"path": str(path.absolute()), "bytes": size}, as_json=as_json)
