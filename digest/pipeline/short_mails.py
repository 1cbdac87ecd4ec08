"""Sends short mails one after the other, past a recipient at whom the server refuses to work."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from digest.errors import RecipientRefused
from digest.mail.transport import Outcome, Outgoing, Receipt, Session, deferred
from digest.pipeline.policy import MOST_POSTPONED

_Reason = TypeVar("_Reason")


async def send_each(
    session: Session, reasons: Iterable[_Reason], write: Callable[[_Reason], Awaitable[Outgoing]]
) -> AsyncIterator[tuple[_Reason, Outgoing, Receipt]]:
    """Writes and sends a mail for each of `reasons`, and yields its receipt.

    A mail at whose recipient the server says that it accepts no mail is decided at the end: it is deferred if
    the server accepted another one. Raises `ServerUnavailable` if it accepted none.
    """
    postponed: list[tuple[_Reason, Outgoing, RecipientRefused]] = []
    has_accepted = False
    for reason in reasons:
        mail = await write(reason)
        try:
            receipt = await session.send(mail)
        except RecipientRefused as error:
            if len(postponed) == MOST_POSTPONED and not has_accepted:
                raise
            postponed.append((reason, mail, error))
            continue
        has_accepted = has_accepted or receipt.outcome is Outcome.SENT
        yield reason, mail, receipt
    for reason, mail, refusal in postponed:
        if not has_accepted:
            raise refusal
        yield reason, mail, deferred(refusal)
