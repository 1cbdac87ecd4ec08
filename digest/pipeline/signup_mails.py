"""Sends the mails of sign-ups: to each address the link that confirms, or the one to its preferences."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from digest.config.parsing import address_key
from digest.mail.message import SenderIdentity
from digest.mail.signup_mail import write_known_mail, write_signup_mail
from digest.mail.transport import Outcome, Outgoing, Session, Transport
from digest.storage.limits import SIGNUPS_KEPT
from digest.storage.signups import Signup, SignupStore
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)

_FIRST_PAUSE = timedelta(minutes=5)
"""Before the second attempt: a server that delays unknown senders takes it then. Later pauses are longer."""


async def send_signup_mails(
    store: SignupStore,
    transport: Transport,
    sender_identity: SenderIdentity,
    base_url: str,
    subscribers: Sequence[Subscriber],
    *,
    now: datetime,
) -> int:
    """Sends the mails that are due, and returns their number.

    `subscribers` are as in their entries. Raises `StateError` if the state cannot be read or written, and
    `ServerUnavailable` if the mail server takes none.
    """
    waiting = await asyncio.to_thread(store.signup_mails, now=now)
    if not waiting:
        return 0
    listed = {address_key(one.email): one.email for one in subscribers}
    sent = 0
    async with transport.session() as session:
        for signup in waiting:
            mail = await asyncio.to_thread(_written, store, signup, sender_identity, base_url, listed)
            sent += await _send(store, session, signup, mail, now)
    return sent


def _written(
    store: SignupStore,
    signup: Signup,
    sender_identity: SenderIdentity,
    base_url: str,
    listed: Mapping[str, str],
) -> Outgoing:
    """The link to preferences goes where the digests go, not to the address that somebody typed.

    That one may be another mailbox, as `ſue@` is for `sue@`: a server may distinguish what `address_key` does
    not.
    """
    entry = store.entry_of(signup.email)
    own = listed.get(address_key(signup.email)) or (entry and json.loads(entry.content)["email"])
    if not own or store.preferences_of(signup.email).left_at is not None:
        return write_signup_mail(signup, sender_identity, base_url)
    token = store.subscriber_token(own)
    return write_known_mail(
        replace(signup, email=own), sender_identity, f"{base_url}/p/{token}" if token else None
    )


async def _send(store: SignupStore, session: Session, signup: Signup, mail: Outgoing, now: datetime) -> bool:
    receipt = await session.send(mail)
    due_at = None
    if receipt.outcome in {Outcome.DEFERRED, Outcome.UNSERVED}:
        # If the server serves nobody, the mails go soon after it is mended.
        pauses = 2 if receipt.outcome is Outcome.UNSERVED else 5
        pause = _FIRST_PAUSE * 3 ** min(signup.attempts, pauses)
        due_at = now + pause if now + pause < signup.written_at + SIGNUPS_KEPT else None
    is_sent = receipt.outcome in {Outcome.SENT, Outcome.UNKNOWN}
    sent_at = now if is_sent else None
    await asyncio.to_thread(store.note_signup_mail, signup.number, due_at=due_at, sent_at=sent_at)
    if is_sent:
        return True
    reply = receipt.reply.replace(mail.recipient, "the recipient")
    _log.warning("mail to a new subscriber not sent number=%d cause=%s", signup.number, reply)
    return False
