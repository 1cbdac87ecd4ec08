"""`digest audit`: what administrators did on their page."""

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_list
from digest.cli.options import AsList, parse_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.storage.admin_stores import AuditEntry, AuditStore

_PAGE = 1_000


def audit(
    ctx: typer.Context,
    email: Annotated[
        str | None,
        typer.Argument(
            metavar="EMAIL", help="Only actions about this subscriber. Default: all.", show_default=False
        ),
    ] = None,
    since: Annotated[
        date | None,
        typer.Option(
            metavar="DATE", parser=parse_day, help="On that day (UTC) or later.", show_default=False
        ),
    ] = None,
    as_json: AsList = False,
) -> None:
    """List what administrators did on [cyan]/admin[/cyan], the latest first.

    Entries are kept for a year ([cyan]digest docs admin[/cyan]).
    """
    from digest.cli.output import print_table
    from digest.config.parsing import parse_address
    from digest.storage.factory import is_there, open_beside

    settings = context_of(ctx).settings()
    try:
        address = parse_address(email) if email else None
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    begin = datetime.combine(since, time(), UTC) if since else None
    found: list[AuditEntry] = []
    if is_there(settings.state):
        with open_beside(settings.state) as store:
            found = list(_all(store, address, begin))
    if as_json:
        print_list(map(_as_object, found))
    elif found:
        rows = [
            (f"{one.at:%Y-%m-%d %H:%M %Z}", one.who, one.action, one.address, one.details) for one in found
        ]
        print_table(("Time", "Who", "Action", "Address", "Details"), rows)
    else:
        about = f" about {address}" if address else ""
        period = f"since {since}" if since else "in the last year"
        typer.echo(f"No administrator did anything{about} {period}.")


def _all(store: "AuditStore", email: str | None, since: datetime | None) -> "Iterator[AuditEntry]":
    skip = 0
    while page := store.actions(email=email, since=since, limit=_PAGE, skip=skip):
        yield from page
        skip += len(page)


def _as_object(entry: "AuditEntry") -> dict[str, str | None]:
    return {
        "at": entry.at.isoformat(),
        "who": entry.who,
        "action": entry.action,
        "email": entry.address or None,
        "details": entry.details,
    }
