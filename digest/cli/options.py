"""Options that several commands take."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer


def parse_moment(text: str) -> datetime:
    """An ISO 8601 time, in UTC if it has no time zone. Raises `typer.BadParameter`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a time, for example 2026-06-16T12:30:00Z") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def parse_day(text: str) -> date:
    """A day. Raises `typer.BadParameter`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a day, for example 2026-12-31") from None


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

Email = Annotated[
    str, typer.Argument(metavar="EMAIL", help="The subscriber's mail address.", show_default=False)
]

# What an entry has.

Name = Annotated[
    str | None, typer.Option(metavar="NAME", help="The subscriber's name, for the To line of mails.")
]

At = Annotated[str | None, typer.Option(metavar="HH:MM", help="Time of the daily mail.")]

Zone = Annotated[str | None, typer.Option(metavar="ZONE", help="Time zone, for example Europe/Berlin.")]

Weekly = Annotated[
    str | None,
    typer.Option(metavar="DAY", help="One mail a week, on mon, tue, …; [b]never[/b] means every day."),
]

OwnName = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        help="The subscriber's own name for the keyword, which mails show. Empty: no name.",
    ),
]

MailLength = Annotated[
    str | None,
    typer.Option(
        metavar="LENGTH",
        help="How much a mail shows: [b]short[/b] (about 600 words), [b]normal[/b] (1,500), [b]full[/b].",
    ),
]

Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="KEYWORD", help="Exclude papers that match this. May be repeated."),
]

Category = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODE", help="Only papers in this category, for example cs.LG or stat.*. May be repeated."
    ),
]

Crosslists = Annotated[
    bool | None,
    typer.Option(
        "--crosslists/--no-crosslists",
        help="Compare all categories of a paper, or only the primary one.",
        show_default=False,
    ),
]

Replaced = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="New versions of papers they received: [b]section[/b] lists them, [b]never[/b] does not.",
    ),
]

ForgetChoices = Annotated[
    bool,
    typer.Option(
        "--forget-choices",
        metavar="",
        help="Remove their online choices: keywords, a pause, another time, day or length.",
    ),
]
