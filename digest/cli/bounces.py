"""`digest bounce`, `digest suppressions` and `digest resume`: addresses that take no mail."""

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Context, context_of, problems_of
from digest.cli.options import AsList
from digest.config import os_errors
from digest.errors import ConfigurationError, DigestError, StateError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from digest.config.settings import Settings
    from digest.mail.bounces import Bounce, Complaint, Unread, UnsubscribeRequest
    from digest.storage.base import Store
    from digest.storage.subscriber_stores import BounceStore
    from digest.storage.values import Bounced, Suppression

EX_TEMPFAIL = 75
"""Of sysexits.h: a mail server that pipes a mail into a command keeps it and tries again later."""

_CHUNK = 65_536


def bounce(
    ctx: typer.Context,
    lists: Annotated[
        bool, typer.Option("--kept", help="List the mails that were kept for you, and read nothing.")
    ] = False,
    show: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Print a kept mail as it came, and read nothing.")
    ] = None,
    clears: Annotated[
        bool, typer.Option("--clear", help="Forget the mails that were kept, and read nothing.")
    ] = False,
) -> None:
    """Take a mail that came back, a complaint, or a wish to unsubscribe, from standard input.

    Meant for your mail server: [cyan]digest docs mail-servers[/cyan] tells how. An address gets no more
    mail when the server there says that it does not exist, and when 5 mailings came back within 30 days
    because of it. Who
    unsubscribes by mail, or marks a digest as spam, gets none either. What is about a digest and not
    understood is kept for you: see --kept. Any other mail is left alone.

    Ends with 75, which makes the mail server try again, when settings or state cannot be used now.
    """
    if lists or show is not None or clears:
        _kept(context_of(ctx), show=show, clears=clears)
        return
    try:
        told = _handled(context_of(ctx), _read_all(), datetime.now(UTC))
    except (DigestError, OSError) as error:
        with suppress(OSError):  # the code tells the mail server all that it needs
            sys.stderr.writelines(f"error: {problem}\n" for problem in _told(error))
        raise typer.Exit(EX_TEMPFAIL) from error
    _echo(told)


def suppressions(
    ctx: typer.Context,
    as_json: AsList = False,
) -> None:
    """List the addresses that get no mail, since when, and why."""
    from digest.cli.screen import print_table
    from digest.storage.factory import is_there, open_beside

    settings = context_of(ctx).settings()
    found: tuple[Suppression, ...] = ()
    if is_there(settings.state):
        with open_beside(settings.state) as store:
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
        str | None, typer.Argument(metavar="EMAIL", help="The suppressed address.", show_default=False)
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE", formats=["%Y-%m-%d"], help="All addresses suppressed on that day (UTC) or later."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", metavar="", help="All suppressed addresses.")] = False,
) -> None:
    """Mail a suppressed address again, or many of them, from their next digest on."""
    from digest.config.parsing import parse_address

    if (email is not None) + (since is not None) + every != 1:
        raise typer.BadParameter("name one address, or give --since DATE or --all")
    if email is None:
        with _state(context_of(ctx).settings()) as store:
            before = store.waiting()
            lifted = store.resume_since(since and since.replace(tzinfo=UTC), now=datetime.now(UTC))
            waiting = store.waiting() - before
        for address in lifted:
            typer.echo(f"{address} is mailed again.")
        if lifted:
            typer.echo(_coming(waiting))
        if not lifted:
            typer.echo("No address is suppressed since then." if since else "No address is suppressed.")
        return
    try:
        email = parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    with _state(context_of(ctx).settings()) as store:
        before = store.waiting()
        if not store.resume(email, now=datetime.now(UTC)):
            raise ConfigurationError(f"{email} is not suppressed; see digest suppressions")
        waiting = store.waiting() - before
    typer.echo(f"{email} is mailed again. {_coming(waiting)}")


def _coming(waiting: int) -> str:
    """When what waited goes; `waiting` digests had been written down when the addresses were given up."""
    if waiting <= 0:
        return "Nothing waited: the next digest comes at its usual time."
    old = "The digest that waited goes" if waiting == 1 else f"The {waiting} digests that waited go"
    return f"{old} with the next `digest run`; a daemon that is running takes it up within half a minute."


def _told(error: DigestError | OSError) -> tuple[str, ...]:
    return problems_of(error) if isinstance(error, DigestError) else (os_errors.told(error),)


def _echo(text: str) -> None:
    """Says what was done. It is done also where nobody can be told, and is not to be tried again."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _read_all() -> bytes:
    """The beginning of standard input. The rest is read too, as some mail servers want all to be taken."""
    from digest.mail.bounces import LONGEST_BOUNCE

    message = sys.stdin.buffer.read(LONGEST_BOUNCE)
    while sys.stdin.buffer.read(_CHUNK):
        pass
    return message


def _handled(context: Context, message: bytes, now: datetime) -> str:
    """Writes down what the mail says, and tells in one line what was done."""
    from digest.mail.bounces import Bounce, Complaint, UnsubscribeRequest, read_returned

    settings = context.settings()
    found = read_returned(message, bounce_address=settings.smtp.bounce_address)
    if found is None:
        return "Nothing done: neither a notification about a digest nor a wish to unsubscribe."
    if isinstance(found, Bounce) and found.action != "failed":
        return f"Nothing done: the notification says {found.action!r}, and only 'failed' counts."
    with _state(settings) as store:
        match found:
            case Bounce():
                return _counted(store, found, now)
            case UnsubscribeRequest():
                return _left(store, found, now)
            case Complaint():
                return _complained(store, found, now)
            case _:
                return _put_by(store, found, message, now)


def _counted(store: "BounceStore", found: "Bounce", now: datetime) -> str:
    from digest.pipeline.policy import MOST_BOUNCES, cause_to_suppress, is_one_of_many

    bounced, is_their_own = _noted(store, found, now)
    if bounced is None:
        return "Nothing done: the notification is about a mail that is none of ours."
    cause = cause_to_suppress(found, bounced, is_their_own=is_their_own)
    if is_one_of_many(bounced):
        return (
            f"{bounced.email} is still mailed: many others came back on the same day, so a mail server seems"
            f" to be at fault ({found.reply}); digest resume --since DATE lifts what the first of them began"
        )
    if cause is None:
        return (
            f"{bounced.email} is still mailed: {bounced.bounces} of {MOST_BOUNCES} mailings came back"
            f" in 30 days because of the mailbox ({found.reply})"
        )
    store.suppress(bounced.email, cause=cause, now=now)
    return f"{bounced.email} gets no more mail ({cause}); to lift this: digest resume {bounced.email}"


def _noted(store: "BounceStore", found: "Bounce", now: datetime) -> "tuple[Bounced | None, bool]":
    """The bounce as the store counts it, and whether the address that failed is the subscriber's own.

    Where it is another one, the subscriber's mailbox hands on to it, perhaps to others besides: that is
    counted if the notification was sent to the mailing's own address, or names the subscriber's as the
    original one.
    """
    from digest.mail.delivery_reports import Concern
    from digest.pipeline.policy import RETRY_BOUNCED_AFTER

    retry_at = now + RETRY_BOUNCED_AFTER
    for address in filter(None, (found.recipient, found.original)):
        is_their_own = address == found.recipient
        concern = found.concern if is_their_own or found.concern is Concern.OTHER else Concern.FULL
        bounced = store.note_bounce(
            found.token,
            recipient=address,
            concern=concern.value,
            reply=found.reply,
            now=now,
            retry_at=retry_at,
        )
        if bounced is not None:
            return bounced, is_their_own
    if found.is_addressed or not (found.recipient or found.original):
        concern = Concern.FULL if found.recipient and found.concern is not Concern.OTHER else found.concern
        bounced = store.note_bounce(
            found.token, recipient=None, concern=concern.value, reply=found.reply, now=now, retry_at=retry_at
        )
        return bounced, False
    return None, False


def _left(store: "BounceStore", found: "UnsubscribeRequest", now: datetime) -> str:
    email = _subscriber(store, found)
    if email is None:
        return "Nothing done: a wish to unsubscribe, from nobody who was ever mailed from here."
    store.leave(email, now=now)
    return f"{email} is unsubscribed, as they asked by mail."


def _complained(store: "BounceStore", found: "Complaint", now: datetime) -> str:
    email = _subscriber(store, found)
    if email is None:
        return "Nothing done: the complaint is about a mail that is none of ours."
    store.suppress(email, cause=f"marked as spam by the reader ({found.kind})", now=now)
    return f"{email} gets no more mail: it was marked as spam; to lift this: digest resume {email}"


def _subscriber(store: "BounceStore", found: "UnsubscribeRequest | Complaint") -> str | None:
    known = store.unsubscribed_for(found.subscriber) if found.subscriber else None
    return known.email if known else store.subscriber_of_mailing(found.tokens)


def _put_by(store: "BounceStore", found: "Unread", message: bytes, now: datetime) -> str:
    from digest.storage.values import UnreadMail

    if store.subscriber_of_mailing(found.tokens) is None:
        return "Nothing done: the mail is about none of ours."
    mail = UnreadMail(number=0, received_at=now, sender=found.sender, subject=found.subject)
    store.keep_unread(mail, message)
    return "Kept for the operator: about a digest, but not understood; see digest bounce --kept"


def _kept(context: Context, *, show: int | None, clears: bool) -> None:
    """What `digest status` tells to look at."""
    from digest.cli.screen import print_table
    from digest.storage.factory import open_beside

    if clears:
        with _state(context.settings()) as store:
            store.clear_unread()
        typer.echo("No mail is kept any more.")
        return
    with open_beside(_existing(context.settings())) as store:
        if show is not None:
            content = store.unread_content(show)
            if content is None:
                raise ConfigurationError(f"no mail {show} is kept; see digest bounce --kept")
            typer.echo(content.decode("utf-8", "replace"), nl=False)
            return
        rows = [
            (str(one.number), f"{one.received_at:%Y-%m-%d %H:%M %Z}", one.sender, one.subject)
            for one in store.unread_mails()
        ]
    if rows:
        print_table(("Number", "Received", "From", "Subject"), rows)
    else:
        typer.echo("No mail is kept.")


def _state(settings: "Settings") -> "AbstractContextManager[Store]":
    """The state, beside a daemon that may be at work on it. Raises `StateError` where there is none yet."""
    from digest.storage.factory import open_store

    return open_store(_existing(settings))


def _existing(settings: "Settings") -> Path:
    from digest.storage.factory import is_there

    if not is_there(settings.state):
        raise StateError(
            str(settings.state), "does not exist; name the state of the service with DIGEST_STATE"
        )
    return settings.state
