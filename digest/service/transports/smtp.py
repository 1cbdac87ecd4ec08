"""The SMTP transport.

`digest.mail.smtp` sends the mails.
"""

from collections.abc import AsyncIterator

from digest.config.settings import Settings
from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.service.finding import Finding
from digest.service.transports.base import TransportKind
from digest.storage.rate_limit import Limits


def _build(settings: Settings) -> SmtpTransport:
    return SmtpTransport(_server(settings))


def _server(settings: Settings) -> SmtpServer:
    smtp = settings.smtp
    return SmtpServer(
        host=smtp.host or "",  # always set: `digest.config.transports` checks it
        port=smtp.port,
        security=smtp.security,
        username=smtp.username,
        password=smtp.password.get_secret_value() if smtp.password else None,
        connections=smtp.connections,
        timeout=smtp.timeout,
        messages_per_connection=smtp.messages_per_connection,
        bounce_address=smtp.bounce_address,
        helo=smtp.helo,
        sender=smtp.sender,
    )


def _limits(settings: Settings) -> Limits:
    smtp = settings.smtp
    return Limits(per_minute=smtp.messages_per_minute, per_day=smtp.messages_per_day, provider=smtp.provider)


def _check_server(settings: Settings) -> AsyncIterator[Finding]:
    from digest.service.transports.smtp_checks import check_mail_server

    return check_mail_server(_server(settings), settings.smtp.sender)


KIND = TransportKind(
    build=_build,
    label=lambda settings: "",
    summary=lambda settings: f"mails go to {settings.smtp.host}",
    limits=_limits,
    check_server=_check_server,
)
