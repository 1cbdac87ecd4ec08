"""Claims mailings and writes their messages, ahead of the sessions that send them."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from digest.errors import Unwritable
from digest.mail.transport import Outgoing
from digest.storage.pipeline_stores import RenderStore
from digest.storage.values import Mailing

Write = Callable[[Mailing], Outgoing]
"""Builds a mailing's message: the same bytes each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMessage:
    """A claimed mailing and its message, or why it could not be written.

    `attempts` were made before, and `token` is in all of them.
    """

    number: int
    token: str
    attempts: int
    email: str
    outgoing: Outgoing | None = None
    failure: str = ""


RenderQueue = Callable[[datetime, datetime, int], Awaitable[Sequence[RenderedMessage]]]
"""Claims up to so many mailings that are due at the first moment, until the second one, and writes them."""

StartWorker = Callable[[], AbstractAsyncContextManager[RenderQueue]]
"""Opens a second process that drafts; that, and what it does, may raise `WorkerGone`."""


def draft(
    store: RenderStore, write: Write, *, now: datetime, until: datetime, limit: int
) -> tuple[RenderedMessage, ...]:
    """Raises `StateError` when the state cannot be read or written."""
    return tuple(_draft(mailing, write) for mailing in store.claim(now=now, until=until, limit=limit))


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
        outgoing=outgoing,
        failure=failure,
    )
