"""`digest subscribe`, `digest unsubscribe` and `digest rename`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done
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
from digest.cli.subscribers import filters, listed, own_choices, times, where_of
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest.config.settings import Settings
    from digest.subscribers.entries import Subscribed
    from digest.subscribers.preferences import Preferences
    from digest.subscribers.subscriber import Subscriber


def subscribe(
    ctx: typer.Context,
    email: Email,
    keyword: Followed = None,
    name: Name = None,
    at: At = None,
    timezone: Zone = None,
    weekly: Weekly = None,
    own_name: OwnName = None,
    length: MailLength = None,
    exclude: Exclude = None,
    category: Category = None,
    crosslists: Crosslists = None,
    replacements: Replaced = None,
    forget_choices: ForgetChoices = False,
    as_json: AsObject = False,
) -> None:
    """Add a subscriber. For an existing subscriber: add keywords, or change settings.

    [cyan]digest subscribe you@example.org -k 'graph neural network' -k 'neural operator' --at 07:30[/cyan]

    Comments and the order of entries in subscribers.toml stay as they are.
    """
    from digest.service.directory import directory_of
    from digest.subscribers import editor

    if own_name is not None and len(keyword or ()) != 1:
        raise typer.BadParameter("gives a name to one keyword: use exactly one -k KEYWORD", param_hint="--as")
    settings = context_of(ctx).settings()
    done = editor.subscribe(
        directory_of(settings),
        email=email,
        keywords=keyword or (),
        name=name,
        at=at,
        timezone=timezone,
        weekly=weekly,
        length=length,
        exclude=exclude or (),
        categories=category or (),
        crosslists=crosslists,
        replacements=replacements,
        keyword_name=own_name,
    )
    print_subscribed(settings, done, forget_choices=forget_choices, as_json=as_json)


def print_subscribed(
    settings: "Settings", done: "Subscribed", *, forget_choices: bool, as_json: bool, rejoins: bool = True
) -> None:
    """Makes the change in the state that belongs to it, and prints all that was done.

    A subscriber who left is subscribed again if `rejoins`.
    """
    from digest.service.directory import place_of
    from digest.subscribers.preferences import adapted

    email = done.subscriber.email
    has_returned, chosen = _in_state(settings, email, forget_choices=forget_choices, rejoins=rejoins)
    mailed = adapted(done.subscriber, chosen) or done.subscriber
    lines = [describe(done, place_of(settings, done.subscriber), mailed)]
    if has_returned:
        lines.append(f"{email} had unsubscribed, and gets mails again.")
    if forget_choices:
        lines.append(f"The online choices of {email} are removed.")
    if chosen.left_at:
        lines.append(
            f"Note: {email} has unsubscribed, and gets no mail; `digest subscribe {email}` changes that."
        )
    if choices := own_choices(done.subscriber, chosen, datetime.now(UTC)):
        lines.append(f"Note: {choices}")
    fields = {
        **where_of(settings, done.subscriber),
        "is_new": done.is_new,
        "added": list(done.added),
        "removed": list(done.removed),
        "already": list(done.already),
        "renamed": done.named.text if done.named else None,
        "changed": list(done.changed),
        "has_returned": has_returned,
        "has_left": chosen.left_at is not None,
        "has_forgotten_choices": forget_choices,
    }
    print_done(lines, fields, as_json=as_json)


def unsubscribe(
    ctx: typer.Context,
    email: Email,
    keyword: Annotated[
        list[str] | None,
        typer.Option(
            "--keyword",
            "-k",
            metavar="KEYWORD",
            help="Remove only this keyword, or the one with this name. May be repeated.",
        ),
    ] = None,
    erase: Annotated[
        bool,
        typer.Option("--erase", metavar="", help="Delete all that is stored about them too."),
    ] = False,
    as_json: AsObject = False,
) -> None:
    """Remove a subscriber, or with [b]-k[/b] only some of their keywords.

    Without [b]--erase[/b], the state keeps their digests for 90 days, and their online choices.
    """
    from digest.service.directory import directory_of, place_of
    from digest.subscribers import editor

    settings = context_of(ctx).settings()
    if erase:
        if keyword:
            raise typer.BadParameter("give only one of --erase and --keyword")
        _erase(settings, email, as_json=as_json)
        return
    done = editor.unsubscribe(directory_of(settings), email=email, keywords=keyword or ())
    place = place_of(settings, done.subscriber)
    address, removed = done.subscriber.email, _labels(done.removed, done.subscriber)
    if not done.is_gone:
        line = f"{address} no longer follows {removed}, in {place}."
    elif keyword:
        line = f"{address} no longer follows {removed}. No keywords are left: removed from {place}."
    else:
        line = f"Removed {address} from {place}, with {removed}."
    facts = {"removed": list(done.removed), "is_gone": done.is_gone, "is_erased": False}
    print_done([line], {**where_of(settings, done.subscriber), **facts}, as_json=as_json)


def _erase(settings: "Settings", email: str, *, as_json: bool) -> None:
    """Removes the entry first, so that nobody is enrolled again meanwhile."""
    from digest.cli.state_access import parsed_address
    from digest.service.directory import directory_of, place_of
    from digest.storage.factory import is_there, open_store
    from digest.subscribers import editor

    directory, email = directory_of(settings), parsed_address(email)
    subscriber = directory.find(email)
    lines: list[str] = []
    facts: dict[str, Any] = {"email": email, "owner": None, "place": None, "removed": []}
    if subscriber is not None:
        removed = editor.unsubscribe(directory, email=email).removed
        facts = {**where_of(settings, subscriber), "removed": list(removed)}
        lines.append(f"Removed {subscriber.email} from {place_of(settings, subscriber)}.")
    was_known = False
    if is_there(settings.state):
        with open_store(settings.state) as store:
            was_known = store.erase(email, keeps_mark=False, now=datetime.now(UTC))
    if was_known:
        lines.append(
            f"All that the state had about {email} is deleted. Backups and copies of the state still have it;"
            " so has the log, if log.addresses is true."
        )
    elif subscriber is None:
        raise ConfigurationError(f"{email} is not known; nothing was deleted")
    print_done(lines, {**facts, "is_gone": True, "is_erased": was_known}, as_json=as_json)


def _in_state(
    settings: "Settings", email: str, *, forget_choices: bool, rejoins: bool
) -> "tuple[bool, Preferences]":
    """Subscribes them again, and removes their choices, if asked: whether they had left, and the choices.

    Prints a note if the state cannot be read.
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
                store.save_preferences(email, nothing)
            return rejoins and store.rejoin(email), store.preferences_of(email)
    except StateError as error:
        if forget_choices:
            raise
        typer.echo(f"note: if they had unsubscribed, this did not change it: {error}", err=True)
        return False, nothing


def describe(done: "Subscribed", path: str, mailed: "Subscriber | None" = None) -> str:
    """The text about what was done, and the next steps. `mailed` is the subscriber with online choices."""
    from digest.keywords.broad_terms import cautions

    subscriber = done.subscriber
    lines = list(_done(done, path)) or [f"No change of {subscriber.email} in {path}."]
    for keyword in subscriber.keywords:
        if keyword.text in done.added:
            lines += [f"Note: {caution}." for caution in cautions(keyword.query)]
    if refused := filters(subscriber):
        lines.append(f"Filters: {refused}.")
    lines.append(f"Mail goes out {times(mailed or subscriber)}, when there are new papers.")
    lines.append(
        f"Next: `digest preview {subscriber.email}` shows the next digest;"
        " `digest run` or the daemon sends it."
    )
    return "\n".join(lines)


def _done(done: "Subscribed", path: str) -> "Iterator[str]":
    subscriber = done.subscriber
    if done.is_new:
        yield f"Added {subscriber.email} with {_labels(done.added, subscriber)} to {path}."
    elif done.added:
        yield f"{subscriber.email} now also follows {_labels(done.added, subscriber)}, in {path}."
    if done.removed:
        yield f"{subscriber.email} no longer follows {listed(done.removed)}, in {path}."
    if done.named:
        called = f'is now called "{done.named.name}"' if done.named.name else "has no own name any more"
        yield f'"{done.named.text}" of {subscriber.email} {called}, in {path}.'
    if done.changed:
        yield f"Changed {', '.join(done.changed)} of {subscriber.email} in {path}."
    if done.already and not done.named:
        yield f"{subscriber.email} already follows {_labels(done.already, subscriber)}."


def _labels(texts: "Sequence[str]", subscriber: "Subscriber") -> str:
    """The keywords in quotation marks, with the subscriber's own names for them."""
    labels = {keyword.text: keyword.label for keyword in subscriber.keywords}
    return listed(tuple(labels.get(text, text) for text in texts))
