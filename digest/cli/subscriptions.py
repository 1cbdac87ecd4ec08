"""`digest subscribe`, `digest unsubscribe` and `digest rename`."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.cli.listing import filters, listed, own_choices, times
from digest.cli.options import Followed
from digest.config.parsing import address_key
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.subscribers.editor import Subscribed
    from digest.subscribers.preferences import Preferences
    from digest.subscribers.subscriber import Subscriber

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The reader's mail address.", show_default=False)]


def subscribe(
    ctx: typer.Context,
    email: Email,
    keyword: Followed = None,
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
    forget_choices: Annotated[
        bool,
        typer.Option(
            "--forget-choices",
            metavar="",
            help="Take back what they chose online: muted keywords, a pause, another time or day.",
        ),
    ] = False,
) -> None:
    """Add a subscriber, or give one that exists more keywords or other settings.

    [cyan]digest subscribe you@example.org -k 'graph neural network' -k 'neural operator' --at 07:30[/cyan]

    Comments and order of subscribers.toml stay as they are.
    """
    from digest.subscribers import editor
    from digest.subscribers.preferences import adapted

    settings = context_of(ctx).settings()
    done = editor.subscribe(
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
    has_returned, chosen = _in_state(settings, done.subscriber, forget_choices=forget_choices)
    mailed = adapted(done.subscriber, chosen) or done.subscriber
    typer.echo(told(done, str(settings.subscribers.absolute()), mailed))
    if has_returned:
        typer.echo(f"{done.subscriber.email} had unsubscribed, and is mailed again.")
    if forget_choices:
        typer.echo(f"What {done.subscriber.email} chose online is forgotten.")
    if choices := own_choices(done.subscriber, chosen, datetime.now(UTC)):
        typer.echo(f"Note: {choices}")


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
    """Remove a subscriber, or with [b]-k[/b] one of their keywords."""
    from digest.subscribers import editor

    settings = context_of(ctx).settings()
    path = settings.subscribers
    done = editor.unsubscribe(path, settings.defaults, email=email, keywords=keyword or ())
    address, removed = done.subscriber.email, listed(done.removed)
    if not done.is_gone:
        typer.echo(f"{address} no longer follows {removed}, in {path.absolute()}.")
    elif keyword:
        typer.echo(
            f"{address} no longer follows {removed}. No keyword is left: removed from {path.absolute()}."
        )
    else:
        typer.echo(f"Removed {address} from {path.absolute()}, with {removed}.")


def rename(
    ctx: typer.Context,
    email: Email,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Their new address.", show_default=False)],
    keep_file: Annotated[
        bool,
        typer.Option(
            "--keep-file",
            metavar="",
            help="Leave subscribers.toml as it is: who has EMAIL there is somebody else, and begins anew.",
        ),
    ] = False,
) -> None:
    """Give a subscriber another address: no paper comes again, and what they chose stays.

    The links in their earlier mails end: the old mailbox may be somebody else's by now.

    It may also be run after the address was changed in subscribers.toml. A change of nothing else is known
    as such by itself; [b]digest rename NEW EMAIL --keep-file[/b] takes that back.
    """
    from digest.subscribers import editor
    from digest.subscribers.subscriber import load_subscribers

    settings = context_of(ctx).settings()
    path = settings.subscribers
    known = {address_key(one.email) for one in load_subscribers(path, settings.defaults)}
    is_in_file = not keep_file and (address_key(email) in known or address_key(new) not in known)
    is_known = _rename_in_state(settings, email, new)
    if is_in_file:
        try:
            editor.rename(path, settings.defaults, email=email, new=new)
        except BaseException:
            if is_known:
                _rename_in_state(settings, new, email)
            raise
    elif not is_known:
        raise ConfigurationError(
            f"{email} is not known here, or {new} was mailed as a reader of its own; nothing was changed"
        )
    else:
        with suppress(OSError):
            path.touch()  # a daemon looks at who is who when the file changes
    if keep_file:
        typer.echo(f"What {email} had and chose is that of {new} again; {path.absolute()} stays as it is.")
    else:
        typer.echo(f"{email} is {new} now, in {path.absolute()}; what they had and chose stays.")


def _rename_in_state(settings: "Settings", email: str, new: str) -> bool:
    """Whether the state knew the subscriber. Raises `ConfigurationError` where the new address is taken."""
    from digest.config.parsing import parse_address
    from digest.storage.factory import is_there, open_store

    try:
        parse_address(new)
    except ValueError as error:
        raise typer.BadParameter(f"{new}: {error}") from error
    if not is_there(settings.state):
        return False
    with open_store(settings.state) as store:
        if store.rename(email, new, now=datetime.now(UTC)):
            return True
        if store.subscriber_statuses([email]):
            raise ConfigurationError(f"{new} was mailed as a reader of its own; nothing was changed")
        return False


def _in_state(
    settings: "Settings", subscriber: "Subscriber", *, forget_choices: bool
) -> "tuple[bool, Preferences]":
    """Takes back that they left, and on demand their choices; whether they had left, and what they chose.

    Where the state cannot be read, that is said.
    """
    from digest.errors import StateError
    from digest.storage.factory import is_there, open_store
    from digest.subscribers.preferences import Preferences

    nothing = Preferences()
    if not is_there(settings.state):
        return False, nothing
    try:
        with open_store(settings.state) as store:
            if forget_choices:
                store.save_preferences(subscriber.email, nothing)
            return store.rejoin(subscriber.email), store.preferences_of(subscriber.email)
    except StateError as error:
        if forget_choices:
            raise
        typer.echo(f"note: had they unsubscribed themselves, they still have: {error}", err=True)
        return False, nothing


def told(done: "Subscribed", path: str, mailed: "Subscriber | None" = None) -> str:
    """What the operator is told of it, and what they can do next; `mailed`: as they chose."""
    from digest.keywords.broad_terms import cautions

    subscriber = done.subscriber
    lines: list[str] = []
    if done.is_new:
        lines.append(f"Added {subscriber.email} with {listed(done.added)} to {path}.")
    elif done.added:
        lines.append(f"{subscriber.email} now follows {listed(done.added)} too, in {path}.")
    if done.changed:
        lines.append(f"Changed {', '.join(done.changed)} of {subscriber.email} in {path}.")
    if done.already:
        lines.append(f"{subscriber.email} follows {listed(done.already)} already.")
    if not lines:
        lines.append(f"{subscriber.email} is as you want it already, in {path}.")
    for keyword in subscriber.keywords:
        if keyword.text in done.added:
            lines += [f"Note: {caution}." for caution in cautions(keyword.query)]
    if refused := filters(subscriber):
        lines.append(f"Filters: {refused}.")
    lines.append(f"Mail goes out {times(mailed or subscriber)}, when there is something new.")
    lines.append(
        f"Next: `digest preview {subscriber.email}` shows what it brings;"
        " `digest run` or the daemon mails it."
    )
    return "\n".join(lines)
