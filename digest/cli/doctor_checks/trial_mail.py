"""A test digest with invented papers, sent like a real one."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from digest.config.settings import Settings
from digest.demo.papers import ANNOUNCEMENTS
from digest.errors import DigestError, ServerUnavailable
from digest.mail.transport import Outcome, Receipt
from digest.model.digest import Digest, Entry
from digest.service.finding import Finding, failed, ok
from digest.service.mail_setup import build_writer, writer_setup_for
from digest.service.transports.base import transport_kind
from digest.storage.values import Mailing

_NAME = "test digest"
_PAPERS = 3
_PATIENCE = timedelta(minutes=3)


async def send_test(settings: Settings, email: str, now: datetime) -> AsyncIterator[Finding]:
    """Sends one mail. It is not in the outbox, and there is no second try."""
    smtp = settings.smtp.model_copy(update={"sender_name": f"{settings.smtp.sender_name} (test)"})
    marked = settings.model_copy(update={"smtp": smtp})
    try:
        mail = build_writer(writer_setup_for(marked))(_mailing(email, settings, now))
        transport = transport_kind(settings).build(settings)
        async with asyncio.timeout(_PATIENCE.total_seconds()), transport.session() as session:
            receipt = await session.send(mail)
    except ServerUnavailable as error:
        yield failed(_NAME, error.reason, error.remedy)
    except DigestError as error:
        yield failed(_NAME, str(error), "check the templates")
    except TimeoutError:
        yield failed(_NAME, f"not accepted within {_PATIENCE.seconds} s", "check the log of the mail server")
    else:
        yield _judge(receipt, email, settings)


def _judge(receipt: Receipt, email: str, settings: Settings) -> Finding:
    if receipt.outcome is not Outcome.SENT:
        what, _, remedy = receipt.reply.rpartition("; ")
        return failed(_NAME, what or receipt.reply, remedy.rstrip(")"))
    kind = transport_kind(settings)
    if not kind.is_public:
        return ok(_NAME, f"written{kind.label(settings)}, because no mail server is set")
    return ok(_NAME, f"accepted for {email} ({receipt.reply}); if it does not arrive, check the spam folder")


def _mailing(email: str, settings: Settings, now: datetime) -> Mailing:
    papers = [announcement.paper for announcement in ANNOUNCEMENTS[:_PAPERS]]
    digest = Digest(
        email=email,
        name=None,
        planned_at=now,
        dated_on=now.astimezone(settings.defaults.timezone).date(),
        keywords=("a test with invented papers",),
        entries=tuple(Entry(paper=paper, keywords=("a test with invented papers",)) for paper in papers),
    )
    return Mailing(number=0, token=secrets.token_hex(12), attempts=0, digest=digest)
