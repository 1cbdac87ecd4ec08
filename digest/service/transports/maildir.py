"""The Maildir transport, used if no mail server is set.

`digest.mail.maildir` writes the mails.
"""

from collections.abc import Iterator

from digest.config.settings import Settings
from digest.mail.maildir import MaildirTransport
from digest.service.finding import Finding, writable
from digest.service.transports.base import TransportKind


def _build(settings: Settings) -> MaildirTransport:
    return MaildirTransport(settings.delivery.maildir)


def _label(settings: Settings) -> str:
    return f" into {settings.delivery.maildir}"


def _check_files(settings: Settings) -> Iterator[Finding]:
    yield writable("Maildir", settings.delivery.maildir)


KIND = TransportKind(
    build=_build,
    label=_label,
    summary=lambda settings: "mails go into a Maildir",
    check_files=_check_files,
    is_public=False,
)
