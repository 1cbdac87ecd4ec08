"""`digest invite`: links with which people may sign up."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_list, print_object
from digest.cli.options import MOST_NUMBERED, parse_day, whole_number
from digest.errors import ConfigurationError
from digest.storage.limits import MOST_INVITE_USES

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.storage.signups import Invite

_VALID_FOR = timedelta(days=30)


def invite(
    ctx: typer.Context,
    uses: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number(1, MOST_INVITE_USES, f"a number of people from 1 to {MOST_INVITE_USES:,}"),
            help="How many people may join with the link. Default: any number.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        date | None,
        typer.Option(
            metavar="DATE",
            parser=parse_day,
            help="The last day of the link, for example 2026-12-31. Default: 30 days from now.",
            show_default=False,
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", metavar="", help="List the invite links, also former ones.")
    ] = False,
    revoke: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number(0, MOST_NUMBERED, "the number of a link, as `digest invite --list` shows it"),
            help="Make a link invalid, by its number in [b]--list[/b].",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print the link, or the list, as JSON.")
    ] = False,
) -> None:
    """Make a link with which people subscribe themselves, and print it.

    Needs [cyan]web.signup = "invite"[/cyan] in digest.toml ([cyan]digest docs signup[/cyan]). A link
    counts as used when a person confirms their address. When a link ends, the people who joined stay.
    """
    from digest.storage.factory import open_store

    if listed + (revoke is not None) + (uses is not None or until is not None) > 1:
        raise typer.BadParameter("give only one of --list, --revoke, and --uses or --until")
    settings = context_of(ctx).settings()
    base_url = _base_url(settings)
    now = datetime.now(UTC)
    with open_store(settings.state) as store:
        if revoke is not None and not store.revoke_invite(revoke, now=now):
            raise ConfigurationError(f"there is no invite {revoke}; `digest invite --list` lists them")
        if listed or revoke is not None:
            found = tuple(one for one in store.invites() if listed or one.number == revoke)
        else:
            found = (store.add_invite(uses=uses, until_at=_end_of(until, settings, now), now=now),)
    if as_json:
        objects = [_as_object(one, base_url, now) for one in found]
        print_list(objects) if listed else print_object(objects[0])
    elif listed:
        _print_list(found, settings, base_url, now)
    elif revoke is not None:
        typer.echo(f"Invite {revoke} is no longer valid.")
    else:
        _print_new(found[0], settings, base_url)


def _base_url(settings: "Settings") -> str:
    web = settings.web
    if web.base_url is None or web.signup != "invite":
        raise ConfigurationError(
            'invite links need base_url and signup = "invite" in [web] of digest.toml;'
            " see `digest docs signup`"
        )
    return web.base_url


def _end_of(until: date | None, settings: "Settings", now: datetime) -> datetime:
    """The end of that day in the default time zone."""
    zone = settings.defaults.timezone
    day = until or now.astimezone(zone).date() + _VALID_FOR
    end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    if end <= now:
        today = now.astimezone(zone).date()
        raise typer.BadParameter(f"{day} is over: must be {today} or later", param_hint="--until")
    return end


def _last_day(invite: "Invite", settings: "Settings") -> str:
    if invite.until_at is None:
        return ""
    return f"{(invite.until_at - timedelta(seconds=1)).astimezone(settings.defaults.timezone).date()}"


def _link(invite: "Invite", base_url: str) -> str:
    return f"{base_url}/join/{invite.token}"


def _status(invite: "Invite", now: datetime) -> str:
    if invite.revoked_at is not None:
        return "revoked"
    if invite.is_open(now):
        return "valid"
    return "used up" if invite.uses is not None and invite.used >= invite.uses else "over"


def _print_new(invite: "Invite", settings: "Settings", base_url: str) -> None:
    """Only the link goes to standard output, for other programs."""
    typer.echo(_link(invite, base_url))
    people = "one person" if invite.uses == 1 else f"{invite.uses or 'any number of'} people"
    end = f"`digest invite --revoke {invite.number}` ends it."
    typer.echo(f"For {people}, until {_last_day(invite, settings)}. {end}", err=True)


def _print_list(invites: "tuple[Invite, ...]", settings: "Settings", base_url: str, now: datetime) -> None:
    if not invites:
        typer.echo("No invite links yet: `digest invite` makes one.")
        return
    from digest.cli.output import print_table

    rows = [
        (
            str(one.number),
            _status(one, now),
            f"{one.used}" if one.uses is None else f"{one.used} of {one.uses}",
            _last_day(one, settings),
            _link(one, base_url) if one.is_open(now) else "",
        )
        for one in invites
    ]
    print_table(("Number", "State", "Joined", "Until", "Link"), rows)


def _as_object(invite: "Invite", base_url: str, now: datetime) -> dict[str, Any]:
    return {
        "number": invite.number,
        "link": _link(invite, base_url),
        "state": _status(invite, now),
        "made_at": invite.made_at.isoformat(),
        "until": invite.until_at and invite.until_at.isoformat(),
        "uses": invite.uses,
        "used": invite.used,
        "revoked_at": invite.revoked_at and invite.revoked_at.isoformat(),
    }
