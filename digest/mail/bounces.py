"""Bounces: what a delivery status notification says (RFC 3464), and about which of our mailings.

A mailing is known again by the address to which its bounce comes (VERP: `bounce+TOKEN@domain`), or by its
Message-ID in what is returned. A token cannot be guessed, so whoever names one has had that mail.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message

from digest.mail.replies import Reply, ReplyClass, Stage, judge
from digest.notation import parse_address
from digest.papers import one_line

LONGEST_BOUNCE = 1_000_000
"""How many bytes are looked at: the report stands before the returned mail, whose end is not needed."""

_LONGEST_REPLY = 300
_MOST_PARTS = 30
_NAME = r"[A-Za-z0-9_.-]{1,64}"  # of a mailing; the store tells which are ours
_MESSAGE_ID = re.compile(rf"<({_NAME})@[^\s<>@]+>")
_PART = re.compile(rb"boundary[*\d]*\s*=|message/|multipart/", re.IGNORECASE)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"([45]\d\d)(?![\d.])")
# The nearest to our own mail server comes first; To is what the other side wrote.
_ADDRESSED = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
_RETURNED = ("message/rfc822", "text/rfc822-headers")
# What the parser of the standard library raises on some malformed parameters and on deep nesting.
_PARSER_FAILURES = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a notification says of the mailing `token`. Nothing in it is to be believed but for the token.

    `action` is "failed", "delayed", …; `status` an enhanced status code (RFC 3463), such as "5.1.1", or
    nothing; `diagnostic` one short line. `recipient` is the address that failed, and `original` the one that
    the mail was first sent to, each where it is named. `is_addressed`: the token comes from the address to
    which the notification was sent. `is_dead`: there is no such mailbox, by the rules for replies.
    """

    token: str
    action: str
    status: str
    diagnostic: str
    recipient: str | None
    original: str | None
    is_addressed: bool
    is_dead: bool

    @property
    def reply(self) -> str:
        """Status and diagnostic in one line, each once."""
        return (
            self.diagnostic if self.status in self.diagnostic else f"{self.status} {self.diagnostic}".strip()
        )


def verp(address: str, token: str) -> str:
    """The envelope sender for one mailing: `bounce@example.org` becomes `bounce+TOKEN@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def unverp(text: str, address: str) -> str | None:
    """The token in the first `verp` of `address` that `text`, such as a To line, holds."""
    local, _, domain = address.rpartition("@")
    pattern = rf"(?<![^\s<,;:\"])(?i:{re.escape(local)})\+({_NAME})@(?i:{re.escape(domain)})(?![\w.-])"
    found = re.search(pattern, text)
    return found[1] if found else None


def read_bounce(message: bytes, *, bounce_address: str | None) -> Bounce | None:
    """What a mail says, if it is a delivery status notification that names a mailing; of others `None`.

    Any bytes may be given. Only a `multipart/report` with a `message/delivery-status` part of its own counts:
    no auto-reply, no bounce in prose, and no notification that somebody forwards.
    """
    begin = message[:LONGEST_BOUNCE]
    if len(_PART.findall(begin)) > _MOST_PARTS:
        return None
    try:
        return _read(message_from_bytes(begin, policy=policy.compat32), bounce_address)
    except _PARSER_FAILURES:
        return None


def _read(mail: Message, bounce_address: str | None) -> Bounce | None:
    if mail.get_content_type() != "multipart/report":
        return None
    parts = _parts(mail)
    reports = [report for part in parts for report in _reports(part)]
    addressed = _addressed(mail, bounce_address) if bounce_address else None
    token = addressed or next(_message_ids(mail, parts), None)
    if not reports or token is None:
        return None
    # A mailbox that hands on to several others is alive while one of them is: the mildest report holds.
    mildest = min(reports, key=lambda report: (report.action == "failed", report.is_dead))
    return Bounce(
        token=token,
        action=mildest.action,
        status=mildest.status,
        diagnostic=mildest.diagnostic,
        recipient=mildest.recipient,
        original=mildest.original,
        is_addressed=addressed is not None,
        is_dead=mildest.is_dead,
    )


def _addressed(mail: Message, bounce_address: str) -> str | None:
    lines = (line for name in _ADDRESSED for line in _lines(mail, name))
    return next((token for line in lines if (token := unverp(line, bounce_address))), None)


def _message_ids(mail: Message, parts: tuple[Message, ...]) -> Iterator[str]:
    """Of the returned mail, and where that is not there, of what the notification answers."""
    for part in parts:
        if part.get_content_type() in _RETURNED:
            yield from _tokens(_returned(part), "Message-ID")
    yield from _tokens(mail, "In-Reply-To")
    yield from _tokens(mail, "References")


def _tokens(mail: Message, name: str) -> Iterator[str]:
    return (found[1] for line in _lines(mail, name) for found in _MESSAGE_ID.finditer(line))


def _returned(part: Message) -> Message:
    if inner := _parts(part):
        return inner[0]
    headers = part.get_payload(decode=True)
    return message_from_bytes(headers if isinstance(headers, bytes) else b"", policy=policy.compat32)


def _parts(mail: Message) -> tuple[Message, ...]:
    inner = mail.get_payload()
    return tuple(part for part in inner if isinstance(part, Message)) if isinstance(inner, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """The fields on one recipient (RFC 3464, section 2.3)."""

    action: str
    status: str
    diagnostic: str
    recipient: str | None
    original: str | None
    is_dead: bool


def _reports(part: Message) -> Iterator[_Report]:
    if part.get_content_type() != "message/delivery-status":
        return
    for block in _parts(part):
        if action := _field(block, "Action").partition(" ")[0].lower():
            yield _report(block, action)


def _report(block: Message, action: str) -> _Report:
    code_type, separator, text = _field(block, "Diagnostic-Code").partition(";")
    words = text.strip() if separator else code_type
    found = _STATUS.match(_field(block, "Status"))
    status = found[1] if found else ""
    if not status or status.endswith(".0.0"):  # this says no more than "failed"; the server may have said why
        said = _STATUS.search(words[:20])
        status = said[1] if said and said[1].startswith(status[:1]) else status
    return _Report(
        action=action,
        status=status,
        diagnostic=words[:_LONGEST_REPLY],
        recipient=_address(block, "Final-Recipient"),
        original=_address(block, "Original-Recipient"),
        is_dead=action == "failed" and _is_dead(status, words),
    )


def _is_dead(status: str, words: str) -> bool:
    """Whether the server would have said so in SMTP, by the same rules."""
    code = _REPLY_CODE.match(words)
    status_class = status[:1] or (code[1][0] if code else "")
    if status_class != "5":
        return False
    known = int(code[1]) if code and code[1].startswith("5") else 550
    reply = Reply(code=known, text=words if status.endswith(".0.0") else f"{status} {words}")
    return judge(Stage.RECIPIENT, reply).reply_class is ReplyClass.DEAD_ADDRESS


def _address(block: Message, name: str) -> str | None:
    """An address behind its type, as in `rfc822; reader@example.org`."""
    try:
        return parse_address(_field(block, name).rpartition(";")[2].strip().strip("<>"))
    except ValueError:
        return None


def _field(block: Message, name: str) -> str:
    return next(iter(_lines(block, name)), "")


def _lines(mail: Message, name: str) -> tuple[str, ...]:
    return tuple(one_line(str(value)[:5_000]) for value in mail.get_all(name, ()))
