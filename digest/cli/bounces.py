"""`digest bounce`, `digest suppressions` and `digest resume`: returned mail and suppressed addresses."""

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Context, context_of, problems_of
from digest.cli.json_output import print_list, tell
from digest.cli.options import AsList, AsObject
from digest.config import os_errors
from digest.errors import ConfigurationError, DigestError, StateError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from digest.config.settings import Settings
    from digest.mail.bounces import Bounce, Complaint, Unread, UnsubscribeRequest
    from digest.storage.base import Store
    from digest.storage.factory import State
    from digest.storage.subscriber_stores import BounceStore
    from digest.storage.values import Bounced, Suppression

EX_TEMPFAIL = 75
"""From sysexits.h: a mail server that pipes a mail into a command keeps it and tries again later."""

_CHUNK = 65_536


def bounce(
    ctx: typer.Context,
    lists: Annotated[
        bool, typer.Option("--kept", help="List the mails that were kept for you; read no input.")
    ] = False,
    show: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Print a kept mail as it arrived; read no input.")
    ] = None,
    clears: Annotated[
        bool, typer.Option("--clear", help="Delete the mails that were kept; read no input.")
    ] = False,
) -> None:
    """Read a returned mail, a complaint, or a request to unsubscribe from standard input.

    Your mail server runs this command: see [cyan]digest docs mail-servers[/cyan]. An address gets no more
    mail if its server says that it does not exist, or if 5 mailings came back within 30 days because of
    it. The same holds for a subscriber who unsubscribes by mail or marks a digest as spam. A mail about a
    digest that this command does not understand is kept for you: see --kept. It ignores all other mails.

    Exits with 75 if settings or state cannot be used now. The mail server then tries again.
    """
    if lists or show is not None or clears:
        _kept(context_of(ctx), show=show, clears=clears)
        return
    try:
        summary = _handled(context_of(ctx), _read_all(), datetime.now(UTC))
    except (DigestError, OSError) as error:
        with suppress(OSError):  # the exit code is enough for the mail server
            sys.stderr.writelines(f"error: {problem}\n" for problem in _problems(error))
        raise typer.Exit(EX_TEMPFAIL) from error
    _echo(summary)


def suppressions(
    ctx: typer.Context,
    as_json: AsList = False,
) -> None:
    """List the suppressed addresses, since when and why they get no mail."""
    from digest.cli.output import print_table
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
        print_list(objects)
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
    as_json: AsObject = False,
) -> None:
    """Mail one or more suppressed addresses again, from their next digest on."""
    from digest.config.parsing import parse_address

    if (email is not None) + (since is not None) + every != 1:
        raise typer.BadParameter("give one address, --since DATE or --all")
    if email is None:
        with _state(context_of(ctx).settings()) as store:
            before = store.waiting()
            lifted = store.resume_since(since and since.replace(tzinfo=UTC), now=datetime.now(UTC))
            waiting = store.waiting() - before
        lines = [f"{address} is mailed again." for address in lifted]
        lines += [_coming(waiting)] if lifted else []
        none = "No address was suppressed since then." if since else "No address is suppressed."
        tell(lines or [none], {"resumed": list(lifted), "waiting": waiting}, as_json=as_json)
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
    line = f"{email} is mailed again. {_coming(waiting)}"
    tell([line], {"resumed": [email], "waiting": waiting}, as_json=as_json)


def _coming(waiting: int) -> str:
    """When the waiting digests are sent; `waiting` is their number."""
    if waiting <= 0:
        return "No digest waited: the next one comes at its usual time."
    old = "The waiting digest goes" if waiting == 1 else f"The {waiting} waiting digests go"
    return f"{old} with the next `digest run`; a running daemon sends within half a minute."


def _problems(error: DigestError | OSError) -> tuple[str, ...]:
    return problems_of(error) if isinstance(error, DigestError) else (os_errors.explain_with_path(error),)


def _echo(text: str) -> None:
    """Prints what was done. A closed output is no error: the work is done and must not be repeated."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _read_all() -> bytes:
    """The beginning of standard input. The rest is read too: some mail servers require it."""
    from digest.mail.bounces import LONGEST_BOUNCE

    message = sys.stdin.buffer.read(LONGEST_BOUNCE)
    while sys.stdin.buffer.read(_CHUNK):
        pass
    return message


def _handled(context: Context, message: bytes, now: datetime) -> str:
    """Records what the mail says. Returns one line about what was done."""
    from digest.mail.bounces import Bounce, Complaint, UnsubscribeRequest, read_returned

    settings = context.settings()
    found = read_returned(message, bounce_address=settings.smtp.bounce_address)
    if found is None:
        return "Nothing done: the mail is not a notification about a digest and not a request to unsubscribe."
    if isinstance(found, Bounce) and found.action != "failed":
        return f"Nothing done: the notification says {found.action!r}; only 'failed' counts."
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
        return "Nothing done: the notification is about a mail that digest did not send."
    cause = cause_to_suppress(found, bounced, is_their_own=is_their_own)
    if is_one_of_many(bounced):
        return (
            f"{bounced.email} is still mailed: many mails came back that day, so probably a mail server"
            f" is the cause ({found.reply}); digest resume --since DATE ends earlier suppressions"
        )
    if cause is None:
        return (
            f"{bounced.email} is still mailed: {bounced.bounces} of {MOST_BOUNCES} mailings came back"
            f" in 30 days because of the mailbox ({found.reply})"
        )
    store.suppress(bounced.email, cause=cause, now=now)
    return f"{bounced.email} gets no more mail ({cause}); to mail it again: digest resume {bounced.email}"


def _noted(store: "BounceStore", found: "Bounce", now: datetime) -> "tuple[Bounced | None, bool]":
    """The bounce as the store counts it, and whether the address that failed is the subscriber's own.

    If another address failed, the subscriber's mailbox forwards to it, and perhaps to others. This counts
    if the notification was sent to the mailing's own address, or names the subscriber's address as the
    original recipient.
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
        return "Nothing done: a request to unsubscribe, but this installation never mailed that address."
    store.leave(email, now=now)
    return f"{email} is unsubscribed, as requested by mail."


def _complained(store: "BounceStore", found: "Complaint", now: datetime) -> str:
    email = _subscriber(store, found)
    if email is None:
        return "Nothing done: the complaint is about a mail that digest did not send."
    store.suppress(email, cause=f"marked as spam by the reader ({found.kind})", now=now)
    return f"{email} gets no more mail: it was marked as spam; to mail it again: digest resume {email}"


def _subscriber(store: "BounceStore", found: "UnsubscribeRequest | Complaint") -> str | None:
    known = store.unsubscribed_for(found.subscriber) if found.subscriber else None
    return known.email if known else store.subscriber_of_mailing(found.tokens)


def _put_by(store: "BounceStore", found: "Unread", message: bytes, now: datetime) -> str:
    from digest.storage.values import UnreadMail

    if store.subscriber_of_mailing(found.tokens) is None:
        return "Nothing done: the mail is about a mail that digest did not send."
    mail = UnreadMail(number=0, received_at=now, sender=found.sender, subject=found.subject)
    store.keep_unread(mail, message)
    return "Kept for the operator: about a digest, but not understood; see digest bounce --kept"


def _kept(context: Context, *, show: int | None, clears: bool) -> None:
    """The mails that `digest status` points to."""
    from digest.cli.output import print_table
    from digest.storage.factory import open_beside

    if clears:
        with _state(context.settings()) as store:
            store.clear_unread()
        typer.echo("All kept mails are deleted.")
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
    """The state, also while a daemon runs. Raises `StateError` if there is none yet."""
    from digest.storage.factory import open_store

    return open_store(_existing(settings))


def _existing(settings: "Settings") -> "State":
    from digest.storage.factory import is_there

    if not is_there(settings.state):
        raise StateError(str(settings.state), "does not exist; for the state of the service set DIGEST_STATE")
    return settings.state
