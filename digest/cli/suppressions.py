"""`digest suppressions` and `digest resume`: suppressed addresses."""

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done, print_list
from digest.cli.options import AsList, AsObject, parse_day
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from digest.storage.values import Suppression


def suppressions(
    ctx: typer.Context,
    as_json: AsList = False,
) -> None:
    """List the suppressed addresses, since when and why they get no mail."""
    from digest.cli.output import print_table
    from digest.storage.factory import is_there, open_beside

    settings = context_of(ctx).settings()
    found: tuple[Suppression, ...] = ()
    if is_there(settings.state):
        with open_beside(settings.state) as store:
            found = store.suppressions()
    if as_json:
        objects = [
            {"email": one.email, "since": one.since_at.isoformat(), "cause": one.cause} for one in found
        ]
        print_list(objects)
    elif found:
        rows = [(one.email, f"{one.since_at:%Y-%m-%d %H:%M %Z}", one.cause) for one in found]
        print_table(("Address", "Since", "Cause"), rows)
    else:
        typer.echo("No address is suppressed.")


def resume(
    ctx: typer.Context,
    email: Annotated[
        str | None, typer.Argument(metavar="EMAIL", help="The suppressed address.", show_default=False)
    ] = None,
    since: Annotated[
        date | None,
        typer.Option(
            metavar="DATE", parser=parse_day, help="All addresses suppressed on that day (UTC) or later."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", metavar="", help="All suppressed addresses.")] = False,
    as_json: AsObject = False,
) -> None:
    """Mail one or more suppressed addresses again, from their next digest on."""
    from digest.cli.state_access import open_existing
    from digest.config.parsing import parse_address

    if (email is not None) + (since is not None) + every != 1:
        raise typer.BadParameter("give one address, --since DATE or --all")
    if email is None:
        with open_existing(context_of(ctx).settings()) as store:
            before = store.waiting()
            begin = datetime.combine(since, time(), UTC) if since else None
            lifted = store.resume_since(begin, now=datetime.now(UTC))
            waiting = store.waiting() - before
        lines = [f"{address} is mailed again." for address in lifted]
        lines += [_coming(waiting)] if lifted else []
        none = "No address was suppressed since then." if since else "No address is suppressed."
        print_done(lines or [none], {"resumed": list(lifted), "waiting": waiting}, as_json=as_json)
        return
    try:
        email = parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    with open_existing(context_of(ctx).settings()) as store:
        before = store.waiting()
        if not store.resume(email, now=datetime.now(UTC)):
            raise ConfigurationError(f"{email} is not suppressed; see digest suppressions")
        waiting = store.waiting() - before
    line = f"{email} is mailed again. {_coming(waiting)}"
    print_done([line], {"resumed": [email], "waiting": waiting}, as_json=as_json)


def _coming(waiting: int) -> str:
    """When the waiting digests are sent; `waiting` is their number."""
    if waiting <= 0:
        return "No digest waited: the next one comes at its usual time."
    old = "The waiting digest goes" if waiting == 1 else f"The {waiting} waiting digests go"
    return f"{old} with the next `digest run`; a running daemon sends within half a minute."
