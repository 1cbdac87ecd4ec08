"""`digest bounce`: reads returned mail, and shows what was kept of it."""

import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Context, context_of, problems_of
from digest.cli.json_output import print_done, print_list, print_object
from digest.cli.options import MOST_NUMBERED, whole_number
from digest.config import os_errors
from digest.errors import ConfigurationError, DigestError

if TYPE_CHECKING:
    from collections.abc import Collection

    from digest.mail.bounces import Bounce, Complaint, Unread, UnsubscribeRequest
    from digest.storage.subscriber_stores import BounceStore
    from digest.storage.values import Bounced, UnreadMail

EX_TEMPFAIL = 75
"""From sysexits.h: a mail server that pipes a mail into a command keeps it and tries again later."""

_CHUNK = 65_536


def bounce(
    ctx: typer.Context,
    lists: Annotated[
        bool, typer.Option("--kept", metavar="", help="List the mails that were kept for you; read no input.")
    ] = False,
    show: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number(0, MOST_NUMBERED, "the number of a mail, as `digest bounce --kept` shows it"),
            help="Print a kept mail as it arrived; read no input.",
        ),
    ] = None,
    clears: Annotated[
        bool, typer.Option("--clear", metavar="", help="Delete the mails that were kept; read no input.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print what was done, or the kept mails, as JSON.")
    ] = False,
) -> None:
    """Read a returned mail, a complaint, or a request to unsubscribe from standard input.

    Your mail server runs this command: see [cyan]digest docs mail-servers[/cyan]. An address gets no more
    mail if its server says that it does not exist, or if 5 mailings came back within 30 days because of
    its mailbox. A subscriber who unsubscribes by mail or marks a digest as spam gets no more mail either. The
    command keeps a mail about a digest that it does not understand: see --kept. It ignores all other mails.

    Exits with 75 if settings or state cannot be used now. The mail server then tries again.
    """
    if lists or show is not None or clears:
        _kept(context_of(ctx), show=show, clears=clears, as_json=as_json)
        return
    try:
        done = _handled(context_of(ctx), _read_all(), datetime.now(UTC))
    except (DigestError, OSError) as error:
        with suppress(OSError):  # the exit code is enough for the mail server
            sys.stderr.writelines(f"error: {problem}\n" for problem in _problems(error))
        raise typer.Exit(EX_TEMPFAIL) from error
    _print(done, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a mail is, and what was done with whom: the fields of `--json`, but for `said`."""

    said: str
    outcome: str = "ignored"
    email: str | None = None
    kind: str | None = None
    action: str | None = None
    reply: str | None = None
    bounces: int | None = None
    cause: str | None = None


def _problems(error: DigestError | OSError) -> tuple[str, ...]:
    return problems_of(error) if isinstance(error, DigestError) else (os_errors.explain_with_path(error),)


def _print(done: _Done, *, as_json: bool) -> None:
    """Prints what was done. A closed output is no error: the work is done and must not be repeated."""
    fields = asdict(done)
    try:
        print_done([fields.pop("said")], fields, as_json=as_json)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _read_all() -> bytes:
    """The beginning of standard input. The rest is read too: some mail servers require it."""
    from digest.mail.bounces import LONGEST_BOUNCE

    if sys.stdin is None:  # it was closed
        return b""
    message = sys.stdin.buffer.read(LONGEST_BOUNCE)
    while sys.stdin.buffer.read(_CHUNK):
        pass
    return message


def _handled(context: Context, message: bytes, now: datetime) -> _Done:
    """Records what the mail says."""
    from digest.cli.state_access import open_existing
    from digest.mail.bounces import Bounce, Complaint, UnsubscribeRequest, read_returned

    settings = context.settings()
    found = read_returned(message, bounce_address=settings.smtp.bounce_address)
    if found is None:
        return _Done(
            said="Nothing done: the mail is not a notification about a digest and not a request to"
            " unsubscribe."
        )
    if isinstance(found, Bounce) and found.action != "failed":
        said = f"Nothing done: the notification says {found.action!r}; only 'failed' counts."
        return _Done(said=said, **_facts(found))
    with open_existing(settings) as store:
        match found:
            case Bounce():
                return _counted(store, found, now)
            case UnsubscribeRequest():
                return _left(store, found, now)
            case Complaint():
                return _complained(store, found, now)
            case _:
                return _put_by(store, found, message, now)


def _facts(found: "Bounce") -> dict[str, Any]:
    return {"kind": "bounce", "action": found.action or None, "reply": found.reply or None}


def _counted(store: "BounceStore", found: "Bounce", now: datetime) -> _Done:
    from digest.pipeline.policy import MOST_BOUNCES, cause_to_suppress, is_one_of_many

    bounced, is_their_own = _noted(store, found, now)
    if bounced is None:
        said = "Nothing done: the notification is about a mail that digest did not send."
        return _Done(said=said, **_facts(found))
    facts = {**_facts(found), "email": bounced.email, "bounces": bounced.bounces}
    cause = cause_to_suppress(found, bounced, is_their_own=is_their_own)
    if is_one_of_many(bounced):
        said = (
            f"{bounced.email} is still mailed: many mails came back that day, so probably a mail server"
            f" is the cause ({found.reply}); digest resume --since DATE ends earlier suppressions"
        )
        return _Done(said=said, outcome="counted", **facts)
    if cause is None:
        said = (
            f"{bounced.email} is still mailed: {bounced.bounces} of {MOST_BOUNCES} mailings came back"
            f" in 30 days because of the mailbox ({found.reply})"
        )
        return _Done(said=said, outcome="counted", **facts)
    store.suppress(bounced.email, cause=cause, now=now)
    said = f"{bounced.email} gets no more mail ({cause}); to mail it again: digest resume {bounced.email}"
    return _Done(said=said, outcome="suppressed", cause=cause, **facts)


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


def _left(store: "BounceStore", found: "UnsubscribeRequest", now: datetime) -> _Done:
    email = _subscriber(store, found)
    if email is None:
        said = "Nothing done: a request to unsubscribe, but this installation never mailed that address."
        return _Done(said=said, kind="unsubscribe")
    store.leave(email, now=now)
    said = f"{email} is unsubscribed, as requested by mail."
    return _Done(said=said, kind="unsubscribe", outcome="unsubscribed", email=email)


def _complained(store: "BounceStore", found: "Complaint", now: datetime) -> _Done:
    email = _subscriber(store, found)
    if email is None:
        said = "Nothing done: the complaint is about a mail that digest did not send."
        return _Done(said=said, kind="complaint")
    cause = f"marked as spam by the reader ({found.kind})"
    store.suppress(email, cause=cause, now=now)
    said = f"{email} gets no more mail: it was marked as spam; to mail it again: digest resume {email}"
    return _Done(said=said, kind="complaint", outcome="suppressed", email=email, cause=cause)


def _subscriber(store: "BounceStore", found: "UnsubscribeRequest | Complaint") -> str | None:
    known = store.unsubscribed_for(found.subscriber) if found.subscriber else None
    return known.email if known else store.subscriber_of_mailing(found.tokens)


def _put_by(store: "BounceStore", found: "Unread", message: bytes, now: datetime) -> _Done:
    from digest.storage.values import UnreadMail

    email = store.subscriber_of_mailing(found.tokens)
    if email is None:
        return _Done(said="Nothing done: the mail is about a mail that digest did not send.", kind="unclear")
    mail = UnreadMail(number=0, received_at=now, sender=found.sender, subject=found.subject)
    store.keep_unread(mail, message)
    said = "Kept for the operator: about a digest, but not understood; see digest bounce --kept"
    return _Done(said=said, kind="unclear", outcome="kept", email=email)


def _kept(context: Context, *, show: int | None, clears: bool, as_json: bool) -> None:
    """The mails that `digest status` points to."""
    from digest.cli.state_access import existing_state, open_existing
    from digest.storage.factory import open_beside

    settings = context.settings()
    if clears:
        with open_existing(settings) as store:
            count = len(store.unread_mails())
            store.clear_unread()
        print_done(["All kept mails are deleted."], {"deleted": count}, as_json=as_json)
        return
    with open_beside(existing_state(settings)) as store:
        mails = {one.number: one for one in store.unread_mails()}
        content = store.unread_content(show) if show is not None else None
    if show is None:
        _list(mails.values(), as_json=as_json)
        return
    if content is None or show not in mails:
        raise ConfigurationError(f"no mail {show} is kept; see digest bounce --kept")
    text = content.decode("utf-8", "replace")
    if as_json:
        print_object({**_as_object(mails[show]), "content": text})
    else:
        typer.echo(text, nl=False)


def _list(mails: "Collection[UnreadMail]", *, as_json: bool) -> None:
    from digest.cli.output import print_table

    rows = [
        (str(one.number), f"{one.received_at:%Y-%m-%d %H:%M %Z}", one.sender, one.subject) for one in mails
    ]
    if as_json:
        print_list(map(_as_object, mails))
    elif rows:
        print_table(("Number", "Received", "From", "Subject"), rows)
    else:
        typer.echo("No mail is kept.")


def _as_object(mail: "UnreadMail") -> dict[str, Any]:
    return {
        "number": mail.number,
        "received_at": mail.received_at.isoformat(),
        "sender": mail.sender,
        "subject": mail.subject,
    }
