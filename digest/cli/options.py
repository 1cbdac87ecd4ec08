"""Options that several commands take."""

from datetime import UTC, datetime
from typing import Annotated

import typer


def parse_moment(text: str) -> datetime:
    """An ISO 8601 time, in UTC if it has no time zone. Raises `typer.BadParameter`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a time, for example 2026-06-16T12:30:00Z") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


Moment = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_moment,
        metavar="TIME",
        help="Act as if it were this time, for example 2026-06-16T12:30:00Z.",
        show_default=False,
    ),
]

Followed = Annotated[
    list[str] | None,
    typer.Option(
        "--keyword",
        "-k",
        metavar="KEYWORD",
        help="A keyword to look for in titles and abstracts. May be repeated.",
        show_default=False,
    ),
]

Tried = Annotated[
    list[str] | None,
    typer.Option(
        "-k",
        "--keyword",
        metavar="KEYWORD",
        help="A keyword to try. May be repeated.",
        show_default=False,
    ),
]

AsObject = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object.")]

AsList = Annotated[bool, typer.Option("--json", metavar="", help="Print a list of JSON objects.")]
