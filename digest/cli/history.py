"""`digest history` and `digest resend`: what went to whom, and one of these mails again."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_list, print_object
from digest.cli.options import AsList, AsObject, Email, SubscriberOrChannel, parse_day
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.config.settings import Settings
    from digest.storage.base import Store
    from digest.storage.mailing_history import MailingHistoryStore, PastMailing

_PAGE = 1_000
_USUAL = timedelta(days=7)


def history(
    ctx: typer.Context,
    email: SubscriberOrChannel = None,
    since: Annotated[
        date | None,
        typer.Option(
            metavar="DATE",
            parser=parse_day,
            help="Digests composed on that day (UTC) or later. Default: all of a subscriber; a week of all.",
            show_default=False,
        ),
    ] = None,
    as_json: AsList = False,
) -> None:
    """List what was mailed to whom, when, and what the mail server replied. Digests are kept for 90 days."""
    from digest.cli.channels import channel_called, channels_of
    from digest.cli.state_access import parsed_address
    from digest.config.parsing import CHANNEL, is_channel
    from digest.storage.factory import is_there, open_beside

    settings = context_of(ctx).settings()
    email = email if email is None or is_channel(email) else parsed_address(email)
    begin = datetime.combine(since, time(), UTC) if since else None
    if begin is None and email is None:
        begin = datetime.now(UTC) - _USUAL
    if not is_there(settings.state):
        found: list[PastMailing] = []
    else:
        with open_beside(settings.state) as store:
            found = list(_all(store, begin, email))
    if email and not found:
        if is_channel(email):
            channel_called(email.removeprefix(CHANNEL), channels_of(ctx))
        else:
            _refuse_stranger(settings, email)
    if as_json:
        objects = [_as_object(one, _message_id(settings, one), has_ids=bool(email)) for one in found]
        print_list(objects)
    elif found:
        _print_table(found)
    else:
        is_week = email is None and since is None
        earlier = "in the last week; `--since DATE` looks further back" if is_week else "in this time"
        typer.echo(f"Nothing was mailed {earlier}.")


def resend(
    ctx: typer.Context,
    email: Email,
    day: Annotated[
        date | None,
        typer.Option(
            "--date",
            metavar="DATE",
            parser=parse_day,
            help="The digest of this day. Default: the last one that was sent.",
            show_default=False,
        ),
    ] = None,
    as_json: AsObject = False,
) -> None:
    """Send a digest once more: the same mail under the same Message-ID. No other digest changes.

    It waits in the outbox, and the daemon or the next [b]digest run[/b] sends it, within the limits of the
    mail server.
    """
    from digest.cli.state_access import parsed_address
    from digest.storage.factory import is_there, open_store

    settings = context_of(ctx).settings()
    email = parsed_address(email)
    now = datetime.now(UTC)
    if not is_there(settings.state):
        _refuse_stranger(settings, email)
        raise _none_sent(email)
    with open_store(settings.state) as store:
        kept = list(_all(store, None, email))
        if not kept:
            _refuse_stranger(settings, email)
        chosen = _chosen(email, kept, day)
        _refuse_unmailed(store, email, chosen, now)
        if not store.send_again(chosen.number, now=now):
            raise ConfigurationError(f"{email} gets no mail any more; nothing was changed")
    message_id = _message_id(settings, chosen)
    if as_json:
        print_object(_as_object(chosen, message_id, has_ids=True))
        return
    typer.echo(
        f"The digest of {chosen.dated_on} goes to {email} once more, as {message_id}:"
        " by the daemon within a minute, or by the next `digest run`."
    )
    typer.echo("A mail program that still has it may show it only once.")


def _all(store: "MailingHistoryStore", since: datetime | None, email: str | None) -> "Iterator[PastMailing]":
    after = 0
    while page := store.past_mailings(since=since, email=email, after=after, limit=_PAGE):
        yield from page
        after = page[-1].number


def _refuse_stranger(settings: "Settings", email: str) -> None:
    """Raises `ConfigurationError` if nobody has this address who never got a mail."""
    from digest.cli.state_access import subscriber_named

    subscriber_named(settings, email)


def _chosen(email: str, kept: "list[PastMailing]", day: date | None) -> "PastMailing":
    """The mailing to send again. Raises `ConfigurationError`."""
    from digest.storage.values import MailingState

    of_day = [one for one in kept if day in (None, one.dated_on)]
    sent = [one for one in of_day if one.state is MailingState.SENT]
    if sent:
        return sent[-1]
    if of_day:
        last = of_day[-1]
        raise ConfigurationError(f"{email}: the digest of {last.dated_on} was not sent: {_result(last)}")
    if day is None:
        raise _none_sent(email)
    days = sorted({one.dated_on for one in kept}, key=lambda one: abs(one - day))[:3]
    near = f"; there are those of {', '.join(map(str, sorted(days)))}" if days else ""
    raise ConfigurationError(f"{email}: no digest of {day} is kept; digests are kept for 90 days{near}")


def _none_sent(email: str) -> ConfigurationError:
    return ConfigurationError(f"{email}: no digest was sent in the last 90 days")


def _refuse_unmailed(store: "Store", email: str, chosen: "PastMailing", now: datetime) -> None:
    """Raises `ConfigurationError` if a mail would not go out now."""
    from digest.config.parsing import address_key

    preferences = store.preferences_of(email)
    for one in store.suppressions():
        if address_key(one.email) == address_key(email):
            raise ConfigurationError(f"{email} is suppressed ({one.cause}): first `digest resume {email}`")
    if preferences.left_at:
        raise ConfigurationError(f"{email} has unsubscribed: first `digest subscribe {email}`")
    until = preferences.paused_until
    # The outbox keeps a mail from before a pause until that day has begun everywhere on earth.
    if until and chosen.dated_on < until and now < datetime.combine(until, time(12), UTC):
        raise ConfigurationError(f"{email} pauses until {until}: first `digest unpause {email}`")


def _message_id(settings: "Settings", mailing: "PastMailing") -> str:
    from digest.config.parsing import is_channel
    from digest.mail.message import message_id_of

    if is_channel(mailing.email):
        return ""
    return message_id_of(mailing.token, settings.smtp.sender)


def _result(mailing: "PastMailing") -> str:
    from digest.storage.values import MailingState

    if mailing.state is MailingState.SENT:
        return "sent, and returned" if mailing.bounced_at else "sent"
    words = {
        MailingState.PENDING: "waits",
        MailingState.SENDING: "is being sent",
        MailingState.SUPPRESSED: "kept back: the address is suppressed",
        MailingState.MERGED: "its papers are in the next digest",
        MailingState.FAILED: "given up: they have left",
    }
    if mailing.due_at is None or mailing.due_at <= datetime.now(UTC):
        return words.get(mailing.state) or "is due now"
    return words.get(mailing.state) or f"is tried again at {mailing.due_at:%Y-%m-%d %H:%M} UTC"


def _print_table(found: "list[PastMailing]") -> None:
    from digest.cli.output import print_table

    rows = [
        (
            one.email,
            f"{one.dated_on}",
            f"{one.papers}" + (f" and {one.new_versions} new versions" if one.new_versions else ""),
            _result(one) + (f", {one.attempts} attempts" if one.attempts > 1 else ""),
            f"{one.concluded_at:%Y-%m-%d %H:%M} UTC" if one.concluded_at else "",
            one.reply,
        )
        for one in found
    ]
    print_table(("Address", "Digest of", "Papers", "Result", "Last attempt", "Reply"), rows)


def _as_object(mailing: "PastMailing", message_id: str, *, has_ids: bool) -> dict[str, Any]:
    return {
        "email": mailing.email,
        "date": mailing.dated_on.isoformat(),
        "planned_at": mailing.planned_at.isoformat(),
        "message_id": message_id or None,
        "papers": mailing.papers,
        "ids": list(mailing.ids) if has_ids else None,
        "new_versions": mailing.new_versions,
        "state": mailing.state.value,
        "attempts": mailing.attempts,
        "reply": mailing.reply,
        "last_attempt_at": mailing.concluded_at and mailing.concluded_at.isoformat(),
        "next_attempt_at": mailing.due_at and mailing.due_at.isoformat(),
        "returned_at": mailing.bounced_at and mailing.bounced_at.isoformat(),
    }
