"""`digest edit`: changes the entry of a subscriber, and takes away what it has."""

from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.cli.options import (
    AsObject,
    At,
    Category,
    Crosslists,
    Email,
    Exclude,
    Followed,
    ForgetChoices,
    MailLength,
    Name,
    OwnName,
    Replaced,
    Weekly,
    Zone,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.subscribers.changes import Wanted

_FILTERS = ("exclude", "categories", "crosslists", "replacements")


def _parse_discover(text: str) -> int:
    from digest.config.parsing import parse_discover

    try:
        return parse_discover(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def edit(
    ctx: typer.Context,
    email: Email,
    at: At = None,
    no_at: Annotated[bool, typer.Option("--no-at", metavar="", help="Use the default time again.")] = False,
    timezone: Zone = None,
    no_timezone: Annotated[
        bool, typer.Option("--no-timezone", metavar="", help="Use the default time zone again.")
    ] = False,
    weekly: Weekly = None,
    no_weekly: Annotated[
        bool, typer.Option("--no-weekly", metavar="", help="Send a mail every day again.")
    ] = False,
    length: MailLength = None,
    no_length: Annotated[
        bool, typer.Option("--no-length", metavar="", help="Use the default length again.")
    ] = False,
    discover: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=_parse_discover,
            help="How many papers that match no keyword a mail may have; 0: none.",
        ),
    ] = None,
    no_discover: Annotated[
        bool, typer.Option("--no-discover", metavar="", help="Use the default number again.")
    ] = False,
    name: Name = None,
    no_name: Annotated[bool, typer.Option("--no-name", metavar="", help="Remove the name.")] = False,
    keyword: Followed = None,
    no_keyword: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEYWORD", help="Remove this keyword, or the one with this name. May be repeated."
        ),
    ] = None,
    own_name: OwnName = None,
    exclude: Exclude = None,
    no_exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="KEYWORD", help="No longer exclude papers that match this. May be repeated."),
    ] = None,
    category: Category = None,
    no_category: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Remove this category. May be repeated."),
    ] = None,
    crosslists: Crosslists = None,
    replacements: Replaced = None,
    no_filters: Annotated[
        bool,
        typer.Option(
            "--no-filters",
            metavar="",
            help="Remove all filters: send all papers that the keywords match, and no new versions.",
        ),
    ] = False,
    forget_choices: ForgetChoices = False,
    as_json: AsObject = False,
) -> None:
    """Change the entry of a subscriber: set a key, or remove it.

    [cyan]digest edit reader@example.org --at 07:30 --no-weekly --no-exclude survey[/cyan]

    What a subscriber chose online overrides the entry; [b]--forget-choices[/b] removes that.
    """
    from digest.cli.subscriptions import print_subscribed
    from digest.service.directory import directory_of
    from digest.subscribers import editor
    from digest.subscribers.changes import Unwanted, checked

    if own_name is not None and len(keyword or ()) != 1:
        raise typer.BadParameter("gives a name to one keyword: use exactly one -k KEYWORD", param_hint="--as")
    settings = context_of(ctx).settings()
    given: dict[str, str | int | None] = {
        "name": name,
        "at": at,
        "timezone": timezone,
        "weekly": weekly,
        "length": length,
        "discover": discover,
    }
    taken = {
        "name": no_name,
        "at": no_at,
        "timezone": no_timezone,
        "weekly": no_weekly,
        "length": no_length,
        "discover": no_discover,
    }
    filters = {
        "exclude": exclude or no_exclude,
        "category": category or no_category,
        "crosslists": crosslists,
        "replacements": replacements,
    }
    _refuse_contradictions(given, taken, filters, no_filters=no_filters)
    if no_weekly and settings.defaults.weekly is not None:
        given["weekly"], taken["weekly"] = "never", False
    values = {**given, "crosslists": crosslists, "replacements": replacements}
    options = {key: value for key, value in values.items() if value is not None}
    wanted = checked(
        email,
        keyword or (),
        options,
        exclude=exclude or (),
        categories=category or (),
        keyword_name=own_name,
    )
    gone = checked(email, no_keyword or (), {}, exclude=no_exclude or (), categories=no_category or ())
    keys = (*(key for key, is_gone in taken.items() if is_gone), *(_FILTERS if no_filters else ()))
    unwanted = Unwanted(keys=keys, keywords=gone.keywords, exclude=gone.exclude, categories=gone.categories)
    if not (options or keyword or exclude or category or keys or forget_choices or _any(gone)):
        raise typer.BadParameter("name what to change: `digest edit --help` lists the options")
    done = editor.edit(directory_of(settings), email=email, wanted=wanted, unwanted=unwanted)
    print_subscribed(settings, done, forget_choices=forget_choices, as_json=as_json, rejoins=False)


def _refuse_contradictions(
    given: "Mapping[str, object]",
    taken: "Mapping[str, bool]",
    filters: "Mapping[str, object]",
    *,
    no_filters: bool,
) -> None:
    for key, is_taken in taken.items():
        if is_taken and given[key] is not None:
            raise typer.BadParameter(f"--{key} and --no-{key} contradict each other")
    for key, value in filters.items():
        if no_filters and value is not None:
            raise typer.BadParameter(f"--no-filters and a filter ({key}) contradict each other")


def _any(gone: "Wanted") -> bool:
    return bool(gone.keywords or gone.exclude or gone.categories)
