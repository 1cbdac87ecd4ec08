"""Tells subscribers by mail what was done, or asked for, on their pages."""

import asyncio
import logging
from datetime import datetime

from digest.errors import ServerUnavailable
from digest.mail import Outcome, Transport
from digest.mail.confirming import write_confirmation
from digest.mail.message import Letterhead
from digest.store import Store

_log = logging.getLogger(__name__)


async def confirm_changes(
    store: Store, transport: Transport, letterhead: Letterhead, base_url: str | None, *, now: datetime
) -> int:
    """Sends what waits, and returns how many mails that were; what fails is sent by a later call, for days.

    Raises `StateError` when the state cannot be read or written.
    """
    waiting = await asyncio.to_thread(store.confirmations, now=now) if base_url else ()
    if not waiting or base_url is None:
        return 0
    sent = 0
    try:
        async with transport.session() as session:
            for one in waiting:
                receipt = await session.send(write_confirmation(one, letterhead, base_url))
                if receipt.outcome in {Outcome.SENT, Outcome.UNKNOWN}:
                    sent += 1
                    await asyncio.to_thread(store.note_confirmed, one.number, now=now)
                else:
                    reply = receipt.reply.replace(one.email, "the recipient")
                    _log.warning("change not confirmed number=%d cause=%s", one.number, reply)
    except ServerUnavailable as error:
        _log.warning("changes not confirmed waiting=%d cause=%s", len(waiting) - sent, error)
    return sent
