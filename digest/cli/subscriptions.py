"""`digest subscribe`, `digest unsubscribe` and `digest subscribers`."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of

if TYPE_CHECKING:
    from digest.subscribers import Subscriber
    from digest.subscribers_file import Subscribed

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The reader's mail address.", show_default=False)]


def subscribe(
    ctx: typer.Context,
    email: Email,
    keyword: Annotated[
        list[str] | None,
        typer.Option(
            "--keyword",
            "-k",
            metavar="KEYWORD",
            help="What to look for in titles and abstracts. May be repeated.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The reader's name, for the mail's To line.")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="HH:MM", help="When to mail.")] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Where that time holds, as in Europe/Berlin.")
    ] = None,
    weekly: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="One mail a week, on mon, tue, …; [b]never[/b]: every day."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="KEYWORD", help="Leave out papers that match this. May be repeated."),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Only papers in cs.LG, stat.*, …. May be repeated."),
    ] = None,
    crosslists: Annotated[
        bool | None,
        typer.Option(
            "--crosslists/--no-crosslists",
            help="Whether a paper counts in all of its categories, or in the primary one only.",
            show_default=False,
        ),
    ] = None,
    replacements: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="New versions of papers they had: [b]section[/b], a line for each; [b]never[/b].",
        ),
    ] = None,
) -> None:
    """Add a reader, or give one that exists more keywords or other settings.

    [cyan]digest subscribe you@example.org -k 'graph neural network' -k 'neural operator' --at 07:30[/cyan]

    Comments and order of subscribers.toml stay as they are.
    """
    from digest import subscribers_file

    settings = context_of(ctx).settings()
    done = subscribers_file.subscribe(
        settings.subscribers,
        settings.defaults,
        email=email,
        keywords=keyword or (),
        name=name,
        at=at,
        timezone=timezone,
        weekly=weekly,
        exclude=exclude or (),
        categories=category or (),
        crosslists=crosslists,
        replacements=replacements,
    )
    typer.echo(told(done, str(settings.subscribers.absolute())))


def unsubscribe(
    ctx: typer.Context,
    email: Email,
    keyword: Annotated[
        list[str] | None,
        typer.Option(
            "--keyword", "-k", metavar="KEYWORD", help="Take away this keyword only. May be repeated."
        ),
    ] = None,
) -> None:
    """Remove a reader, or with [b]-k[/b] one of their keywords."""
    from digest import subscribers_file

    settings = context_of(ctx).settings()
    path = settings.subscribers
    done = subscribers_file.unsubscribe(path, settings.defaults, email=email, keywords=keyword or ())
    address, removed = done.subscriber.email, _listed(done.removed)
    if not done.is_gone:
        typer.echo(f"{address} no longer follows {removed}, in {path.absolute()}.")
    elif keyword:
        typer.echo(
            f"{address} no longer follows {removed}. No keyword is left: removed from {path.absolute()}."
        )
    else:
        typer.echo(f"Removed {address} from {path.absolute()}, with {removed}.")


def subscribers(
    ctx: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print a list of JSON objects.")
    ] = False,
) -> None:
    """List the readers with their keywords, times and filters."""
    from digest.subscribers import load_subscribers

    settings = context_of(ctx).settings()
    found = load_subscribers(settings.subscribers, settings.defaults)
    if as_json:
        typer.echo(json.dumps([_as_object(one) for one in found], ensure_ascii=False, indent=2))
    elif found:
        _print_table(found)
    else:
        typer.echo(
            f"Nobody yet in {settings.subscribers}: `digest subscribe EMAIL -k KEYWORD` adds a reader."
        )


def told(done: "Subscribed", path: str) -> str:
    """What the reader is told of it, and what they can do next."""
    reader = done.subscriber
    lines: list[str] = []
    if done.is_new:
        lines.append(f"Added {reader.email} with {_listed(done.added)} to {path}.")
    elif done.added:
        lines.append(f"{reader.email} now follows {_listed(done.added)} too, in {path}.")
    if done.changed:
        lines.append(f"Changed {', '.join(done.changed)} of {reader.email} in {path}.")
    if done.already:
        lines.append(f"{reader.email} follows {_listed(done.already)} already.")
    if not lines:
        lines.append(f"{reader.email} is as you want it already, in {path}.")
    if filters := _filters(reader):
        lines.append(f"Filters: {filters}.")
    lines.append(f"Mail goes out {_times(reader)}, when there is something new.")
    lines.append(
        f"Next: `digest preview {reader.email}` shows what it brings; `digest run` or the daemon mails it."
    )
    return "\n".join(lines)


def _listed(keywords: tuple[str, ...]) -> str:
    return ", ".join(f'"{keyword}"' for keyword in keywords)


def _times(reader: "Subscriber") -> str:
    from digest.notation import WEEKDAYS

    day = "every day" if reader.weekly is None else f"every {WEEKDAYS[reader.weekly].title()}"
    return f"{day} at {reader.send_at:%H:%M} {reader.timezone.key}"


def _filters(reader: "Subscriber") -> str:
    parts: list[str] = []
    if reader.categories:
        parts.append(
            f"only {', '.join(reader.categories)}" + ("" if reader.crosslists else " as primary category")
        )
    if reader.exclude:
        parts.append(f"nothing on {_listed(tuple(keyword.text for keyword in reader.exclude))}")
    if reader.replacements == "section":
        parts.append("new versions too")
    return "; ".join(parts)


def _as_object(reader: "Subscriber") -> dict[str, Any]:
    from digest.notation import WEEKDAYS

    return {
        "email": reader.email,
        "name": reader.name,
        "keywords": [keyword.text for keyword in reader.keywords],
        "at": f"{reader.send_at:%H:%M}",
        "timezone": reader.timezone.key,
        "weekly": None if reader.weekly is None else WEEKDAYS[reader.weekly],
        "exclude": [keyword.text for keyword in reader.exclude],
        "categories": list(reader.categories),
        "crosslists": reader.crosslists,
        "replacements": reader.replacements,
    }


def _print_table(found: "tuple[Subscriber, ...]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = 10_000  # one line a reader, for grep and cut
    columns = ("Address", "Name", "Keywords", "Mailed", "Filters")
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    table.columns[0].no_wrap = True
    for reader in found:
        keywords = ", ".join(keyword.text for keyword in reader.keywords)
        cells = (reader.email, reader.name or "", keywords, _times(reader), _filters(reader))
        table.add_row(*map(Text, cells))
    console.print(table)
