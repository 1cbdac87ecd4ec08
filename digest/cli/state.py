"""`digest state copy`: from one kind of state to another."""

from pathlib import Path
from typing import Annotated

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done
from digest.cli.options import AsObject
from digest.cli.usage import Command, Group
from digest.cli.volume import with_volume
from digest.config.database_url import DatabaseUrl
from digest.config.parsing import counted

app = typer.Typer(
    cls=Group, no_args_is_help=True, help="Copy the state to another place or kind of database."
)

_SHOWN = {
    "paper": "paper",
    "subscriber": "subscriber",
    "mailing": "mailing",
}


@app.command("copy", cls=Command)
@with_volume
def copy(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM", help="The state to copy: a file, or postgresql://…", show_default=False
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TO", help="A new file, or an empty database: postgresql://…", show_default=False
        ),
    ],
    as_json: AsObject = False,
) -> None:
    """Copy a whole state into an empty one, and compare the two. Each is a file or a PostgreSQL database.

    Cursors, tokens, the secret of links, Message-IDs and waiting mailings go with it. Stop the daemons of
    both states first. If anything fails, TO stays empty. FROM is not changed: do not use it any more.

    The password is that of digest.toml (state_password_file), unless the address has another one. For more
    places see [b]digest docs postgresql[/b].
    """
    from digest.storage.copying import copy_state

    place = _place(target, ctx)
    if isinstance(place, Path):
        place = place.absolute()  # a relative path in digest.toml begins at its folder
    copied = copy_state(_place(source, ctx), place)
    parts = [counted(copied.rows[table], noun) for table, noun in _SHOWN.items()]
    lines = [
        f"Copied {', '.join(parts)}; all {len(copied.rows)} tables were compared and are the same.",
        f"Next: set state in digest.toml to {place}, and start the daemon.",
    ]
    print_done(lines, {"to": str(place), "rows": dict(copied.rows)}, as_json=as_json)


def _place(text: str, ctx: typer.Context) -> Path | DatabaseUrl:
    from digest.config.database_url import parse_state

    try:
        state = parse_state(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if isinstance(state, Path) or state.has_password:
        return state
    password = context_of(ctx).settings().state_password
    return state.with_password(password.get_secret_value()) if password else state
