"""What is recorded, logged and reported of each mail that was tried."""

import logging
import re
from dataclasses import replace
from datetime import datetime, timedelta

from digest.mail.transport import Outcome, Receipt
from digest.pipeline.policy import Decision, retry_at
from digest.pipeline.rendering import RenderedMessage
from digest.storage.values import DeliveryResult, MailingState

_log = logging.getLogger(__name__)

_CODE = re.compile(r"[2-5]\d\d\b")

_STATES = {
    Outcome.SENT: MailingState.SENT,
    Outcome.UNKNOWN: MailingState.UNKNOWN,
    Outcome.DEFERRED: MailingState.DEFERRED,
    Outcome.REJECTED: MailingState.DEFERRED,
    Outcome.DEAD: MailingState.DEFERRED,
    Outcome.DOUBTFUL: MailingState.DEFERRED,
}


def error_of(one: RenderedMessage, receipt: Receipt, result: DeliveryResult) -> str | None:
    """Logs the result of a mail. Returns the error for the operator unless it was sent.

    The log decides whether it may contain the address, which replies often quote.
    """
    who, attempt = {"address": one.email}, one.attempts + 1
    if receipt.outcome is Outcome.SENT:
        _log.debug("mailing sent number=%d attempt=%d", one.number, attempt, extra=who)
        return None
    code = int(found[0]) if (found := _CODE.match(receipt.reply)) else None
    _log.warning(
        "mailing not sent number=%d attempt=%d state=%s outcome=%s code=%s next_try=%s cause=%s",
        one.number, attempt, result.state.value, receipt.outcome.value, code, result.due_at, receipt.reply,
        extra=who,
    )  # fmt: skip
    return f"the digest for {one.email} waits: {receipt.reply}"


def delivery_result(
    one: RenderedMessage, receipt: Receipt, now: datetime, decision: Decision | None = None
) -> DeliveryResult:
    """Returns the result as it is recorded. A mail that was not sent is tried again, if not suppressed."""
    result = DeliveryResult(
        number=one.number,
        state=MailingState.SUPPRESSED if decision is Decision.SUPPRESS else _STATES[receipt.outcome],
        reply=receipt.reply,
        is_doubted=decision is Decision.DOUBT,
    )
    if result.state in {MailingState.SENT, MailingState.SUPPRESSED}:
        return result
    waited = now - one.planned_at if result.state is MailingState.UNKNOWN else timedelta(0)
    return replace(result, due_at=retry_at(now, attempts=one.attempts + 1, token=one.token, waited=waited))
