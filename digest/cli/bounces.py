"""`digest bounce`, `digest suppressions` and `digest resume`: addresses that take no mail."""

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Context, context_of, problems_of
from digest.cli.options import AsList
from digest.errors import ConfigurationError, DigestError, StateError

if TYPE_CHECKING:
    from digest.mail.bounces import Bounce
    from digest.settings import Settings
    from digest.store import Bounced, Suppression
    from digest.store.sqlite import SqliteStore

MOST_BOUNCES = 5
"""At so many bounced mailings in 30 days (those that the store counts) no more are sent to an address.

A mailbox may be full over a holiday and a filter may err for a day. Who gets a daily digest is given a
working week for that; providers, on the other side, count mails to addresses that do not take them.
"""

EX_TEMPFAIL = 75
"""Of sysexits.h: a mail server that pipes a mail into a command keeps it and tries again later."""

_CHUNK = 65_536


def bounce(ctx: typer.Context) -> None:
    """Take note of a mail that came back, which is read from standard input.

    Meant for your mail server: docs/mail-servers.md tells how. An address that does not exist gets no more
    mail; so does one from which 5 mailings came back within 30 days. Any mail that is no bounce of ours is
    left alone.

    Ends with 75, which makes the mail server try again, when settings or state cannot be used now.
    """
    message = _read_all()
    try:
        told = _handled(context_of(ctx), message, datetime.now(UTC))
    except DigestError as error:
        sys.stderr.writelines(f"error: {problem}\n" for problem in problems_of(error))
        raise typer.Exit(EX_TEMPFAIL) from error
    typer.echo(told)


def suppressions(
    ctx: typer.Context,
    as_json: AsList = False,
) -> None:
    """List the addresses that get no mail, since when, and why."""
    from digest.cli.screen import print_table
    from digest.store.failures import is_there

    settings = context_of(ctx).settings()
    found: tuple[Suppression, ...] = ()
    if is_there(settings.state):
        with _state(settings) as store:
            found = store.suppressions()
    if as_json:
        objects = [
            {"email": one.email, "since": one.since_at.isoformat(), "cause": one.cause} for one in found
        ]
        typer.echo(json.dumps(objects, ensure_ascii=False, indent=2))
    elif found:
        rows = [(one.email, f"{one.since_at:%Y-%m-%d %H:%M %Z}", one.cause) for one in found]
        print_table(("Address", "Since", "Cause"), rows)
    else:
        typer.echo("No address is suppressed.")


def resume(
    ctx: typer.Context,
    email: Annotated[
        str, typer.Argument(metavar="EMAIL", help="The suppressed address.", show_default=False)
    ],
) -> None:
    """Mail a suppressed address again, from its next digest on."""
    from digest.notation import parse_address

    try:
        email = parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    with _state(context_of(ctx).settings()) as store:
        if not store.resume(email, now=datetime.now(UTC)):
            raise ConfigurationError(f"{email} is not suppressed; see digest suppressions")
    typer.echo(f"{email} is mailed again, from the next digest on.")


def _read_all() -> bytes:
    """The beginning of standard input. The rest is read too, as some mail servers want all to be taken."""
    from digest.mail.bounces import LONGEST_BOUNCE

    message = sys.stdin.buffer.read(LONGEST_BOUNCE)
    while sys.stdin.buffer.read(_CHUNK):
        pass
    return message


def _handled(context: Context, message: bytes, now: datetime) -> str:
    """Writes down what the mail says, and tells in one line what was done."""
    from digest.mail.bounces import read_bounce

    settings = context.settings()
    found = read_bounce(message, bounce_address=settings.smtp.bounce_address)
    if found is None:
        return "Nothing done: no delivery status notification about a digest."
    if found.action != "failed":
        return f"Nothing done: the notification says {found.action!r}, and only 'failed' counts."
    with _state(settings) as store:
        return _counted(store, found, now)


def _counted(store: "SqliteStore", found: "Bounce", now: datetime) -> str:
    bounced, is_their_own = _noted(store, found, now)
    if bounced is None:
        return "Nothing done: the notification is about a mail that is none of ours."
    if found.is_dead and is_their_own:
        cause = found.reply
    elif bounced.bounces >= MOST_BOUNCES:
        cause = f"{bounced.bounces} mailings came back in 30 days; the last: {found.reply}"
    else:
        return (
            f"{bounced.email} is still mailed: {bounced.bounces} of {MOST_BOUNCES} mailings came back"
            f" in 30 days ({found.reply})"
        )
    store.suppress(bounced.email, cause=cause, now=now)
    return f"{bounced.email} gets no more mail ({cause}); to lift this: digest resume {bounced.email}"


def _noted(store: "SqliteStore", found: "Bounce", now: datetime) -> "tuple[Bounced | None, bool]":
    """The bounce as the store counts it, and whether the address that failed is the reader's own.

    Where it is another one, the reader's mailbox hands on to it, perhaps to others besides: that is counted
    if the notification was sent to the mailing's own address, or names the reader's as the original one.
    """
    for address in filter(None, (found.recipient, found.original)):
        bounced = store.note_bounce(found.token, recipient=address, reply=found.reply, now=now)
        if bounced is not None:
            return bounced, address == found.recipient
    if found.is_addressed or not (found.recipient or found.original):
        return store.note_bounce(found.token, recipient=None, reply=found.reply, now=now), False
    return None, False


def _state(settings: "Settings") -> "SqliteStore":
    """The state, beside a daemon that may be at work on it. Raises `StateError` where there is none yet."""
    from digest.store.failures import is_there
    from digest.store.sqlite import SqliteStore

    if not is_there(settings.state):
        raise StateError(
            str(settings.state), "does not exist; name the state of the service with DIGEST_STATE"
        )
    return SqliteStore(settings.state)
