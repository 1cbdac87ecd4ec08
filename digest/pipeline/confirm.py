"""Sends confirmations: mails about changes and requests that were made on web pages."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from digest.config.parsing import address_key
from digest.errors import ServerUnavailable
from digest.mail.confirmation import write_confirmation
from digest.mail.message import SenderIdentity
from digest.mail.transport import Outcome, Transport
from digest.storage.confirmations import Confirmation, PageChange
from digest.storage.subscriber_stores import ConfirmStore
from digest.subscribers.preferences import differences
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)

_REFUSED = frozenset({Outcome.REJECTED, Outcome.DEAD, Outcome.DOUBTFUL})


async def confirm_changes(
    store: ConfirmStore,
    transport: Transport,
    sender_identity: SenderIdentity,
    base_url: str | None,
    subscribers: Sequence[Subscriber],
    *,
    now: datetime,
) -> int:
    """Sends the waiting confirmations, and returns their number. Later calls retry failed ones for some days.

    `subscribers` are as in the file. Raises `StateError` if the state cannot be read or written.
    """
    waiting = await asyncio.to_thread(_waiting, store, subscribers, now) if base_url else ()
    if not waiting or base_url is None:
        return 0
    sent = 0
    try:
        async with transport.session() as session:
            for one, changes in waiting:
                is_link = one.change is PageChange.LINK
                token = await asyncio.to_thread(store.subscriber_token, one.email) if is_link else None
                mail = write_confirmation(one, sender_identity, base_url, changes, preferences_token=token)
                receipt = await session.send(mail)
                is_sent = receipt.outcome in {Outcome.SENT, Outcome.UNKNOWN}
                if is_sent or (one.change.is_request and receipt.outcome in _REFUSED):
                    await asyncio.to_thread(store.note_confirmed, one.number, now=now)
                sent += is_sent
                if not is_sent:
                    _log.warning(
                        "change not confirmed number=%d cause=%s",
                        one.number, receipt.reply, extra={"address": one.mailed_to},
                    )  # fmt: skip
    except ServerUnavailable as error:
        _log.warning("changes not confirmed count=%d cause=%s", len(waiting) - sent, error)
    return sent


def _waiting(
    store: ConfirmStore, subscribers: Sequence[Subscriber], now: datetime
) -> tuple[tuple[Confirmation, tuple[str, ...]], ...]:
    """Returns the confirmations, each with its changes. Skips one whose changes were undone."""
    waiting = store.confirmations(now=now)
    if not waiting:
        return ()
    known = {address_key(one.email): one for one in subscribers}
    found = []
    for one in waiting:
        changes: tuple[str, ...] = ()
        if one.change is PageChange.CHANGED:
            subscriber = known.get(address_key(one.email))
            chosen = store.preferences_of(one.email)
            changes = differences(subscriber, one.former, chosen) if subscriber else ()
            if not changes:
                store.note_confirmed(one.number, now=now)
                continue
        found.append((one, changes))
    return tuple(found)
