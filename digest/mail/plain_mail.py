"""Mails of digest itself, beside the digests: short, to one address, and the same bytes each time."""

from datetime import datetime
from email.utils import format_datetime

from digest.mail.message import SenderIdentity, mailbox, message_id_of, quoted_printable
from digest.mail.transport import Outgoing


def own_headers(
    sender_identity: SenderIdentity, *, to: str, subject: str, written_at: datetime, token: str
) -> tuple[tuple[str, str], ...]:
    """The headers up to that of the content. `subject` must be short and ASCII."""
    return (
        ("From", mailbox("From", sender_identity.sender_name, sender_identity.sender)),
        ("To", mailbox("To", None, to)),
        ("Subject", subject),
        ("Date", format_datetime(written_at)),
        ("Message-ID", message_id_of(token, sender_identity.sender)),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    )


def plain_mail(
    sender_identity: SenderIdentity,
    text: str,
    *,
    to: str,
    subject: str,
    written_at: datetime,
    token: str,
) -> Outgoing:
    """A mail of text alone."""
    headers = (
        *own_headers(sender_identity, to=to, subject=subject, written_at=written_at, token=token),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "quoted-printable"),
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    message = f"{head}\r\n".encode() + quoted_printable(text)
    return Outgoing(sender=sender_identity.sender, recipient=to, message=message, token=token)
