"""Tells subscribers by mail what was done, or asked for, on their pages."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from digest.config.parsing import address_key
from digest.errors import ServerUnavailable
from digest.mail.confirmation import write_confirmation
from digest.mail.message import SenderIdentity
from digest.mail.transport import Outcome, Transport
from digest.storage.subscriber_stores import ConfirmStore
from digest.storage.values import Confirmation, PageChange
from digest.subscribers.preferences import differences
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)


async def confirm_changes(
    store: ConfirmStore,
    transport: Transport,
    sender_identity: SenderIdentity,
    base_url: str | None,
    subscribers: Sequence[Subscriber],
    *,
    now: datetime,
) -> int:
    """Sends what waits, and returns how many mails that were; what fails is sent by a later call, for days.

    `subscribers` are as the file has them. Raises `StateError` when the state cannot be read or written.
    """
    waiting = await asyncio.to_thread(_waiting, store, subscribers, now) if base_url else ()
    if not waiting or base_url is None:
        return 0
    sent = 0
    try:
        async with transport.session() as session:
            for one, changes in waiting:
                receipt = await session.send(write_confirmation(one, sender_identity, base_url, changes))
                if receipt.outcome in {Outcome.SENT, Outcome.UNKNOWN}:
                    sent += 1
                    await asyncio.to_thread(store.note_confirmed, one.number, now=now)
                else:
                    reply = receipt.reply.replace(one.email, "the recipient")
                    _log.warning("change not confirmed number=%d cause=%s", one.number, reply)
    except ServerUnavailable as error:
        _log.warning("changes not confirmed waiting=%d cause=%s", len(waiting) - sent, error)
    return sent


def _waiting(
    store: ConfirmStore, subscribers: Sequence[Subscriber], now: datetime
) -> tuple[tuple[Confirmation, tuple[str, ...]], ...]:
    """The mails, each with what was changed; of what is as it was before there is none."""
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
