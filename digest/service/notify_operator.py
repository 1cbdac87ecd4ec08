"""Mails the operator about an outage and its end, many dead addresses, and once a week the health."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from digest.channels.channel import Channel
from digest.config.operator_settings import Operator
from digest.errors import ServerUnavailable
from digest.mail.message import SenderIdentity
from digest.mail.transport import Outcome, Transport
from digest.service.health import examine
from digest.service.operator_mail import OperatorNotice, due_notice, write_notice
from digest.storage.report_stores import OperatorStore
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)


async def notify_operator(
    store: OperatorStore,
    transport: Transport,
    subscribers: Sequence[Subscriber],
    sender_identity: SenderIdentity,
    operator: Operator,
    *,
    brakes: Sequence[str] = (),
    channels: Sequence[Channel] = (),
    now: datetime,
) -> OperatorNotice | None:
    """Sends the operator notice that is due, if any. A notice that fails is sent by the next call.

    `brakes` are those of the deliveries since the last call.
    Returns the notice that was sent. Raises `StateError` if the state cannot be read or written.
    """
    if operator.email is None:
        return None
    health = await asyncio.to_thread(examine, store, subscribers, now=now, channels=channels)
    sent_at = {OperatorNotice(name): at for name, at in (await asyncio.to_thread(store.notices)).items()}
    notice = due_notice(health, sent_at, heartbeat=operator.heartbeat, brakes=brakes)
    if notice is None:
        if operator.heartbeat is not None and OperatorNotice.HEARTBEAT not in sent_at:  # count weeks from now
            await asyncio.to_thread(store.record_notice, OperatorNotice.HEARTBEAT, ends=None, now=now)
        return None
    try:
        async with transport.session() as session:
            mail = write_notice(notice, health, sender_identity, operator.email, brakes)
            receipt = await session.send(mail)
    except ServerUnavailable as error:
        _log.warning("operator mail not sent notice=%s cause=%s", notice, error)
        return None
    if receipt.outcome not in {Outcome.SENT, Outcome.UNKNOWN}:
        _log.warning(
            "operator mail not sent notice=%s cause=%s",
            notice, receipt.reply, extra={"address": operator.email},
        )  # fmt: skip
        return None
    ends = OperatorNotice.OUTAGE if notice is OperatorNotice.RECOVERY else None
    await asyncio.to_thread(store.record_notice, notice, ends=ends, now=now)
    return notice
