"""`digest pause`, `unpause`, `mute` and `unmute`: what a subscriber can choose online, chosen for them."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done
from digest.cli.options import AsObject, Email, parse_day
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.config.settings import Settings
    from digest.subscribers.preferences import Preferences
    from digest.subscribers.subscriber import Keyword, Subscriber


def pause(
    ctx: typer.Context,
    email: Email,
    until: Annotated[
        date,
        typer.Option(
            metavar="DATE",
            parser=parse_day,
            help="The day of their next mail, for example 2026-12-31; within a year.",
            show_default=False,
        ),
    ],
    as_json: AsObject = False,
) -> None:
    """Send a subscriber no mail before a day. The first mail then has all papers found meanwhile.

    Subscribers can choose the same on their page.
    """
    from digest.web.preferences_form import LONGEST_PAUSE

    def change(one: "_Chosen") -> "Preferences":
        today = datetime.now(one.subscriber.send_schedule.timezone).date()
        if not today < until <= today + LONGEST_PAUSE:
            raise typer.BadParameter(
                f"{until}: must be a day after today, within a year", param_hint="--until"
            )
        return replace(one.preferences, paused_until=until)

    found = _choose(context_of(ctx).settings(), email, change)
    _print(
        found,
        f"{found.subscriber.email} gets no mail before {until}."
        " The first mail then has all papers found meanwhile.",
        as_json=as_json,
    )


def unpause(ctx: typer.Context, email: Email, as_json: AsObject = False) -> None:
    """End the pause of a subscriber: the next digest has the papers that were found meanwhile."""
    found = _choose(
        context_of(ctx).settings(), email, lambda one: replace(one.preferences, paused_until=None)
    )
    _print(found, f"The pause of {found.subscriber.email} has ended.", as_json=as_json)


Muted = Annotated[
    str,
    typer.Argument(metavar="KEYWORD", help="A keyword of theirs, or its name.", show_default=False),
]


def mute(ctx: typer.Context, email: Email, keyword: Muted, as_json: AsObject = False) -> None:
    """Mute a keyword of a subscriber: it finds no papers for their mails until it is unmuted.

    Papers that it finds meanwhile count as seen. Subscribers can choose the same on their page.
    """

    def change(one: "_Chosen") -> "Preferences":
        key = one.keyword(keyword).query.key
        return replace(one.preferences, muted=tuple(dict.fromkeys((*one.preferences.muted, key))))

    found = _choose(context_of(ctx).settings(), email, change)
    _print(found, f'"{found.keyword(keyword).label}" of {found.subscriber.email} is muted.', as_json=as_json)


def unmute(ctx: typer.Context, email: Email, keyword: Muted, as_json: AsObject = False) -> None:
    """Use a muted keyword of a subscriber again, for papers that are found from now on."""

    def change(one: "_Chosen") -> "Preferences":
        key = one.keyword(keyword).query.key
        return replace(one.preferences, muted=tuple(each for each in one.preferences.muted if each != key))

    found = _choose(context_of(ctx).settings(), email, change)
    _print(
        found, f'"{found.keyword(keyword).label}" of {found.subscriber.email} is not muted.', as_json=as_json
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """A subscriber as mailed, and their choices; `is_changed` says whether a command changed these."""

    subscriber: "Subscriber"
    preferences: "Preferences"
    is_changed: bool = False

    def keyword(self, text: str) -> "Keyword":
        """The keyword with this text or name. Raises `ConfigurationError`."""
        from digest.subscribers.changes import checked, not_followed

        named = {one.name.casefold(): one for one in self.subscriber.keywords if one.name}
        if found := named.get(text.strip().casefold()):
            return found
        (wanted,) = checked(self.subscriber.email, [text], {}).keywords
        for one in self.subscriber.keywords:
            if one.query.key == wanted.query.key:
                return one
        raise ConfigurationError(not_followed(self.subscriber, wanted))


def _choose(settings: "Settings", email: str, change: "Callable[[_Chosen], Preferences]") -> _Chosen:
    """Changes the choices of a subscriber, as their page does. Raises `ConfigurationError`."""
    from digest.cli.state_access import subscriber_named
    from digest.storage.factory import is_there, open_store
    from digest.subscribers.preferences import adapted

    subscriber = subscriber_named(settings, email)
    if not is_there(settings.state):
        raise _not_known(subscriber.email)
    with open_store(settings.state) as store:
        before = store.preferences_of(subscriber.email)
        if before.left_at:
            raise ConfigurationError(
                f"{subscriber.email} has unsubscribed; `digest subscribe {subscriber.email}` changes that"
            )
        if not store.subscriber_statuses([subscriber.email]):
            raise _not_known(subscriber.email)
        mailed = adapted(subscriber, before) or subscriber
        after = change(_Chosen(subscriber=mailed, preferences=before))
        if after != before:
            store.save_preferences(subscriber.email, after)
    return _Chosen(subscriber=mailed, preferences=after, is_changed=after != before)


def _not_known(email: str) -> ConfigurationError:
    return ConfigurationError(
        f"{email} is new and not in the state yet: type `digest run`, or wait for the daemon, then try again",
        is_passing=True,
    )


def _print(found: _Chosen, text: str, *, as_json: bool) -> None:
    email, chosen = found.subscriber.email, found.preferences
    lines = [text if found.is_changed else f"No change. {text}"]
    if found.is_changed:
        lines.append(
            f"This counts as their own choice: they can change it on their page,"
            f" and `digest edit {email} --forget-choices` removes all choices."
        )
    fields = {
        "email": email,
        "is_changed": found.is_changed,
        "paused_until": chosen.paused_until and chosen.paused_until.isoformat(),
        "muted": [one.text for one in found.subscriber.keywords if one.query.key in chosen.muted],
    }
    print_done(lines, fields, as_json=as_json)
