"""`digest subscribers`, and the texts about times, keywords and filters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_list
from digest.cli.options import AsList
from digest.subscribers import Form

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.model.digest import Length
    from digest.subscribers.directory import SubscriberDirectory
    from digest.subscribers.preferences import Preferences
    from digest.subscribers.subscriber import Keyword, Subscriber


def subscribers(
    ctx: typer.Context,
    as_json: AsList = False,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write all entries to a .toml or .csv file, or to standard output for [b]-[/b].",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Add the entries of a .toml or .csv file, and replace those with the same addresses.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="toml or csv. Default: as the name of the file.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", metavar="", help="Only report what [b]--import[/b] would do."),
    ] = False,
) -> None:
    """List the subscribers with their keywords, times and filters, and what they chose online.

    An import takes over all entries of the file or, if one is not valid, none. It removes nobody.
    """
    from digest.cli.exchange import export_subscribers, import_subscribers
    from digest.service.directory import directory_of, load_readable, place_of

    if export is not None and source is not None:
        raise typer.BadParameter("give only one of --export and --import")
    if export == Path("-") and as_json:
        raise typer.BadParameter("--json with --export needs a file: standard output has the entries")
    if dry_run and source is None:
        raise typer.BadParameter("--dry-run needs --import")
    settings = context_of(ctx).settings()
    if export is not None:
        export_subscribers(settings, export, form, as_json=as_json)
        return
    if source is not None:
        import_subscribers(settings, source, form, is_dry=dry_run, as_json=as_json)
        return
    directory = directory_of(settings)
    loaded, unread = load_readable(directory)
    found = _known(settings, loaded)
    if as_json:
        objects = [_as_object(one, owner_of(settings, one.written)) for one in found]
        print_list(objects)
    elif found:
        _print_table(found, settings.defaults.length)
        if unread is None:
            _note_doubles(directory)
    else:
        typer.echo(
            f"No subscribers yet in {place_of(settings)}: `digest subscribe EMAIL -k KEYWORD` adds one."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A subscriber as in the file and with online choices, and the facts about them from the state."""

    written: "Subscriber"
    mailed: "Subscriber"
    left_at: datetime | None
    is_suppressed: bool
    joined_at: datetime | None = None

    @property
    def has_own_choices(self) -> bool:
        return bool(
            self.has_own_time
            or self.has_own_length
            or self.own_keywords
            or self.removed_keywords
            or self.mailed.muted
            or _pause(self.mailed)
        )

    @property
    def own_keywords(self) -> "tuple[Keyword, ...]":
        """Those that are not in the entry, or have another text or name there."""
        return tuple(one for one in self.mailed.keywords if one not in self.written.keywords)

    @property
    def removed_keywords(self) -> "tuple[Keyword, ...]":
        followed = {one.query.key for one in self.mailed.keywords}
        return tuple(one for one in self.written.keywords if one.query.key not in followed)

    @property
    def has_own_time(self) -> bool:
        return replace(self.mailed.send_schedule, paused_until=None) != self.written.send_schedule

    @property
    def has_own_length(self) -> bool:
        return self.mailed.length != self.written.length


def _note_doubles(directory: "SubscriberDirectory") -> None:
    from digest.subscribers.combined import CombinedDirectory

    for email in directory.doubles() if isinstance(directory, CombinedDirectory) else ():
        typer.echo(
            f"Note: {email} has an entry in the file and one in the state; the one in the file is used."
            f" `digest move {email} --to file` removes the one in the state."
        )


def owner_of(settings: "Settings", subscriber: "Subscriber") -> str:
    """Where their entry is: `file`, `sign-up`, or `database` for an installation without a file."""
    if subscriber.is_signed_up:
        return "sign-up"
    return "file" if isinstance(settings.subscribers, Path) else "database"


def where_of(settings: "Settings", subscriber: "Subscriber") -> dict[str, Any]:
    """The fields of `--json` that say whose entry was changed."""
    from digest.service.directory import place_of

    return {
        "email": subscriber.email,
        "owner": owner_of(settings, subscriber),
        "place": place_of(settings, subscriber),
    }


def listed(keywords: tuple[str, ...]) -> str:
    return ", ".join(f'"{keyword}"' for keyword in keywords)


def times(subscriber: "Subscriber") -> str:
    from digest.config.parsing import WEEKDAYS

    send_schedule = subscriber.send_schedule
    day = "every day" if send_schedule.weekly is None else f"every {WEEKDAYS[send_schedule.weekly].title()}"
    return f"{day} at {send_schedule.send_at:%H:%M} {send_schedule.timezone.key}"


def filters(subscriber: "Subscriber") -> str:
    parts: list[str] = []
    wanted = subscriber.filters
    if wanted.categories:
        parts.append(
            f"only {', '.join(wanted.categories)}" + ("" if wanted.crosslists else " as primary category")
        )
    if wanted.exclude:
        parts.append(f"without {listed(tuple(keyword.text for keyword in wanted.exclude))}")
    if wanted.replacements == "section":
        parts.append("with new versions")
    return "; ".join(parts)


def own_choices(subscriber: "Subscriber", preferences: "Preferences", now: datetime) -> str:
    """Their online choices, which override the file, and how to undo them; empty if there are none.

    `subscriber` is as in the file.
    """
    from digest.subscribers.preferences import Preferences, differences

    until = preferences.paused_until
    if until and until <= now.astimezone(subscriber.send_schedule.timezone).date():
        preferences = replace(preferences, paused_until=None)
    if not (chosen := differences(subscriber, Preferences(), preferences, was="in the entry")):
        return ""
    return (
        f"{subscriber.email} chose online, which overrides their entry: {'; '.join(chosen)}."
        f" {_take_back(subscriber.email)}"
    )


def _take_back(email: str = "EMAIL") -> str:
    return f"`digest edit {email} --forget-choices` removes them."


def _known(settings: "Settings", found: "tuple[Subscriber, ...]") -> list[_Known]:
    """All subscribers; without their online choices, and with a note, if the state cannot be read."""
    from digest.config.parsing import address_key
    from digest.errors import StateError
    from digest.storage.factory import is_there, open_beside
    from digest.subscribers.preferences import Preferences, adapted, preferences_among

    chosen: Mapping[str, Preferences] = {}
    suppressed: frozenset[str] = frozenset()
    joined: Mapping[str, datetime] = {}
    try:
        if is_there(settings.state):
            with open_beside(settings.state) as store:
                chosen = store.preferences()
                suppressed = frozenset(address_key(one.email) for one in store.suppressions())
                joined = {address_key(email): at for email, at in store.joined_since(None)}
    except StateError as error:
        typer.echo(f"note: online choices of subscribers are not shown, nor who signed up: {error}", err=True)
    nothing = Preferences()
    own = [(one, preferences_among(chosen, one.email) or nothing) for one in found]
    return [
        _Known(
            written=one,
            mailed=adapted(one, replace(preferences, left_at=None)) or one,
            left_at=preferences.left_at,
            is_suppressed=address_key(one.email) in suppressed,
            joined_at=joined.get(address_key(one.email)),
        )
        for one, preferences in own
    ]


def _choices(known: _Known) -> str:
    """The subscriber's online choices, and the reason if they get no mail."""
    mailed = known.mailed
    muted = _labels(keyword for keyword in mailed.keywords if keyword.query.key in mailed.muted)
    parts = (
        f"left {known.left_at:%Y-%m-%d}" if known.left_at else "",
        "suppressed" if known.is_suppressed else "",
        f"paused until {until}" if (until := _pause(mailed)) else "",
        f"added {listed(_labels(known.own_keywords))}" if known.own_keywords else "",
        f"removed {listed(_labels(known.removed_keywords))}" if known.removed_keywords else "",
        f"mutes {listed(muted)}" if muted else "",
        f"own time (in the entry: {times(known.written)})" if known.has_own_time else "",
        f"own length: {mailed.length} (in the entry: {known.written.length})" if known.has_own_length else "",
    )
    return "; ".join(filter(None, parts))


def _labels(keywords: "Iterable[Keyword]") -> tuple[str, ...]:
    return tuple(keyword.label for keyword in keywords)


def _pause(subscriber: "Subscriber") -> date | None:
    """The day on which the pause ends, if it is in the future."""
    until = subscriber.send_schedule.paused_until
    return until if until and until > datetime.now(subscriber.send_schedule.timezone).date() else None


def _as_object(known: _Known, owner: str) -> dict[str, Any]:
    from digest.config.parsing import WEEKDAYS

    subscriber, send_schedule = known.mailed, known.mailed.send_schedule
    until = _pause(subscriber)
    return {
        "email": subscriber.email,
        "owner": owner,
        "joined_at": known.joined_at and known.joined_at.isoformat(),
        "name": subscriber.name,
        "keywords": [keyword.text for keyword in subscriber.keywords],
        "names": {keyword.text: keyword.name for keyword in subscriber.keywords if keyword.name},
        "at": f"{send_schedule.send_at:%H:%M}",
        "timezone": send_schedule.timezone.key,
        "weekly": None if send_schedule.weekly is None else WEEKDAYS[send_schedule.weekly],
        "length": subscriber.length,
        "discover": subscriber.discover,
        "exclude": [keyword.text for keyword in subscriber.filters.exclude],
        "categories": list(subscriber.filters.categories),
        "crosslists": subscriber.filters.crosslists,
        "replacements": subscriber.filters.replacements,
        "muted": [keyword.text for keyword in subscriber.keywords if keyword.query.key in subscriber.muted],
        "own_keywords": [keyword.text for keyword in known.own_keywords],
        "removed_keywords": [keyword.text for keyword in known.removed_keywords],
        "has_own_time": known.has_own_time,
        "has_own_length": known.has_own_length,
        "paused_until": until and until.isoformat(),
        "left_at": known.left_at and known.left_at.isoformat(),
        "is_suppressed": known.is_suppressed,
    }


def _print_table(found: Sequence[_Known], usual: "Length") -> None:
    from digest.cli.output import print_table

    choices = [_choices(known) for known in found]
    has_signed_up = any(known.written.is_signed_up for known in found)
    has_joined = any(known.joined_at for known in found)
    columns = (
        "Address",
        *(["Owner"] if has_signed_up else []),
        *(["Signed up"] if has_joined else []),
        "Name",
        "Keywords",
        "Mailed",
        "Filters",
        *(["Choices"] if any(choices) else []),
    )
    rows = []
    for known, choice in zip(found, choices, strict=True):
        subscriber = known.mailed
        keywords = ", ".join(keyword.label for keyword in subscriber.keywords)
        cells = (
            subscriber.email,
            *(["sign-up" if subscriber.is_signed_up else "file"] if has_signed_up else []),
            *([f"{known.joined_at:%Y-%m-%d}" if known.joined_at else ""] if has_joined else []),
            subscriber.name or "",
            keywords,
            times(subscriber) + ("" if subscriber.length == usual else f", {subscriber.length}"),
            filters(subscriber),
            choice,
        )
        rows.append(cells[: len(columns)])
    print_table(columns, rows)
    if any(known.has_own_choices for known in found):
        typer.echo(f"Choices are made online and override the entries. {_take_back()}")
