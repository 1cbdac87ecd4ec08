"""Options that several commands take."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated

import typer

_YEARS = range(1991, 3000)
"""arXiv began in 1991. Calendars and time zones end with the year 9999."""

MOST_NUMBERED = 999_999_999
"""No list here is longer, and each store has room for it."""


def parse_moment(text: str) -> datetime:
    """An ISO 8601 time, in UTC if it has no time zone. Raises `typer.BadParameter`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a time, for example 2026-06-16T12:30:00Z") from None
    _refuse_year(moment)
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def parse_day(text: str) -> date:
    """A day. Raises `typer.BadParameter`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a day, for example 2026-12-31") from None
    _refuse_year(day)
    return day


def _refuse_year(day: date) -> None:
    if day.year not in _YEARS:
        raise typer.BadParameter(f"the year must be from {_YEARS[0]} to {_YEARS[-1]}")


def whole_number(least: int, most: int, what: str) -> Callable[[str], int]:
    """Returns a parser that raises `typer.BadParameter`; `what` says in words what is allowed."""

    def parse(text: str) -> int:
        text = text.strip()
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        if not is_number or not least <= int(text) <= most:
            raise typer.BadParameter(f"must be {what}")
        return int(text)

    return parse


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

SubscriberOrChannel = Annotated[
    str | None,
    typer.Argument(metavar="EMAIL", help="A subscriber, or channel:NAME. Default: all.", show_default=False),
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
