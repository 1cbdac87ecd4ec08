"""Claims mailings and writes their messages, ahead of the sessions that send them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from digest.errors import Unwritable
from digest.mail.transport import Outgoing
from digest.storage.delivery_stores import RenderStore
from digest.storage.values import Mailing

Write = Callable[[Mailing], Outgoing]
"""Builds the message of a mailing: the same bytes each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMessage:
    """A claimed mailing and its message, or the `failure` to write it.

    `attempts` counts earlier attempts; `token` is the same in all of them. `planned_at` is that of its
    digest, `was_due_at` that of the mailing.
    """

    number: int
    token: str
    attempts: int
    email: str
    planned_at: datetime
    was_due_at: datetime | None = None
    outgoing: Outgoing | None = None
    failure: str = ""


def draft(
    store: RenderStore,
    write: Write,
    *,
    now: datetime,
    until: datetime,
    limit: int,
    holder: str | None = None,
) -> tuple[RenderedMessage, ...]:
    """Claims mailings and writes them. Raises `StateError` if the state cannot be read or written."""
    claimed = store.claim(now=now, until=until, limit=limit, holder=holder)
    return tuple(_draft(mailing, write) for mailing in claimed)


def _draft(mailing: Mailing, write: Write) -> RenderedMessage:
    outgoing, failure = None, ""
    try:
        outgoing = write(mailing)
    except Unwritable as error:
        failure = str(error)
    return RenderedMessage(
        number=mailing.number,
        token=mailing.token,
        attempts=mailing.attempts,
        email=mailing.digest.email,
        planned_at=mailing.digest.planned_at,
        was_due_at=mailing.was_due_at,
        outgoing=outgoing,
        failure=failure,
    )
