"""Reads returned mails and finds their mailing: bounces, requests to unsubscribe, complaints.

A mailing is recognised by the address to which its bounce is sent (VERP: `bounce+TOKEN@domain`), or by its
Message-ID in the returned mail. A token cannot be guessed: only a person who received the mail knows it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from digest.mail.delivery_reports import Concern, Report, parse_reports
from digest.mail.mime import Part, cut, decoded_words, read_fields, read_mail
from digest.mail.return_addresses import NAME, subscriber_in, unverp
from digest.model.paper import one_line

LONGEST_BOUNCE = 1_000_000
"""How many bytes are read: the report precedes the returned mail, and the end of that mail is not needed."""

_LONGEST_REPLY = 300
_MOST_TOKENS = 20
_MESSAGE_ID = re.compile(rf"<({NAME})@[^\s<>@]{{1,255}}>")
_MESSAGE_ID_LINE = re.compile(rf"^[> \t]*Message-ID[ \t]*:\s*<({NAME})@[^\s<>@]{{1,255}}>", re.I | re.M)
# The header that our own mail server adds comes first; the other side wrote To.
_ADDRESSED = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_RETURNED = (
    *("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"),
    *("message/global", "message/global-headers", "text/rfc822"),
)
_DAEMON = re.compile(r"mailer-?daemon|postmaster|mail[ -]delivery|mdaemon", re.IGNORECASE)
_AUTOMATIC_SUBJECT = re.compile(
    r"\s*(?:auto(?:matic|mated|-)? ?(?:reply|response|answer)|auto:|out of (?:the )?office|vacation|away\b"
    r"|abwesen|automatische (?:antwort|abwesenheit)|r(?:é|e)ponse automatique|absence|respuesta autom"
    r"|risposta autom|resposta autom|automatiskt? svar|autosvar"
    r"|automatisch antwoord|自动回复|自動回覆|自動返信)",
    re.IGNORECASE,
)
_AUTOMATIC_FIELDS = (
    *(
        "X-Autoreply",
        "X-Autorespond",
        "X-Autoresponder",
        "X-Auto-Response-From",
        "X-Vacation",
        "X-AutoReply-From",
    ),
)
_WARNING_SUBJECT = re.compile(r"warning|delay|deferred|still (?:being )?(?:re)?tried", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(r"\W{0,3}unsubscribe\b", re.IGNORECASE)
_COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list", "complaint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a notification says about the mailing `token`. Only the token can be trusted.

    `action` is "failed", "delayed", …; `status` an enhanced status code (RFC 3463), such as "5.1.1", or
    empty; `diagnostic` one short line. `recipient` is the address that failed, and `original` the first
    address of the mail, if the notification names them. `is_addressed`: the token comes from the
    address to which the notification was sent. `concern` is what it says about the recipient's mailbox.
    """

    token: str
    action: str
    status: str
    diagnostic: str
    recipient: str | None
    original: str | None
    is_addressed: bool
    concern: Concern

    @property
    def is_dead(self) -> bool:
        """Whether the mailbox certainly does not exist."""
        return self.concern is Concern.DEAD

    @property
    def is_about_mailbox(self) -> bool:
        """Whether the mailbox is the reason, not a rule, a limit or the sender."""
        return self.concern is not Concern.OTHER

    @property
    def reply(self) -> str:
        """Status and diagnostic in one line, each only once."""
        return (
            self.diagnostic if self.status in self.diagnostic else f"{self.status} {self.diagnostic}".strip()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeRequest:
    """A request to get no more mail: `subscriber` is a subscriber's token; if it is empty, `tokens` are
    tokens of a mailing.
    """

    subscriber: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A report that a subscriber marked a mail as spam (RFC 5965); fields as in `UnsubscribeRequest`."""

    kind: str
    subscriber: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Any other mail about mailings that is not an automatic answer: a person must look at it."""

    tokens: tuple[str, ...]
    sender: str
    subject: str


Returned = Bounce | UnsubscribeRequest | Complaint | Unread


def read_returned(message: bytes, *, bounce_address: str | None) -> Returned | None:
    """The content of a mail to the address for returned mail; `None` if it is not about our mails.

    Accepts any bytes. An automatic answer, for example an out-of-office reply, gives `None`.
    """
    mail = read_mail(message[:LONGEST_BOUNCE])
    addressed = _addressed(mail, bounce_address) if bounce_address else None
    subscriber = subscriber_in(addressed or "")
    if subscriber:
        addressed = None
    tokens = _tokens(mail, addressed, bounce_address)
    reports = parse_reports(mail)
    if reports and tokens:
        return _bounce(reports, tokens[0], is_addressed=addressed is not None)
    if complaint := _complaint(mail, subscriber, tokens, bounce_address):
        return complaint
    if reports or _is_receipt(mail):
        return None
    subject = decoded_words(mail.first("Subject"))
    if subscriber:
        return UnsubscribeRequest(subscriber=subscriber, tokens=())
    if not tokens or _is_automatic(mail, subject):
        return None
    if _UNSUBSCRIBE.match(subject):
        return UnsubscribeRequest(subscriber="", tokens=tokens)
    sender = decoded_words(mail.first("From"))
    return Unread(tokens=tokens, sender=sender[:_LONGEST_REPLY], subject=subject[:_LONGEST_REPLY])


def _bounce(reports: tuple[Report, ...], token: str, *, is_addressed: bool) -> Bounce:
    # A mailbox that forwards to several others is alive while one of them is: the mildest report counts.
    order = (Concern.OTHER, Concern.FULL, Concern.DOUBTFUL, Concern.DEAD)
    mildest = min(reports, key=lambda report: (report.action == "failed", order.index(report.concern)))
    return Bounce(
        token=token,
        action=mildest.action,
        status=mildest.own_status or mildest.status,
        diagnostic=one_line(mildest.words)[:_LONGEST_REPLY],
        recipient=mildest.recipient,
        original=mildest.original,
        is_addressed=is_addressed,
        concern=mildest.concern,
    )


def _complaint(
    mail: Part, subscriber: str, tokens: tuple[str, ...], bounce_address: str | None
) -> Complaint | None:
    for part in mail.walk():
        if part.kind == "message/feedback-report":
            fields = dict(reversed(read_fields(part.content)))
            kind = fields.get("feedback-type", "").strip().lower()
            named = _subscriber_of_returned(mail, bounce_address) if bounce_address else ""
            if kind in _COMPLAINTS and (subscriber or named or tokens):
                return Complaint(kind=kind, subscriber=subscriber or named, tokens=tokens)
    return None


def _subscriber_of_returned(mail: Part, bounce_address: str) -> str:
    for part in mail.walk():
        if part.kind in _RETURNED:
            for value in _headers(part).all("List-Unsubscribe"):
                if subscriber := subscriber_in(unverp(value.replace("mailto:", " "), bounce_address) or ""):
                    return subscriber
    return ""


def _addressed(mail: Part, bounce_address: str) -> str | None:
    lines = mail.all(*_ADDRESSED)
    return next((token for line in lines if (token := unverp(line, bounce_address))), None)


def _tokens(mail: Part, addressed: str | None, bounce_address: str | None) -> tuple[str, ...]:
    """The possible tokens of the mailing, the most certain first."""
    found = islice(_named(mail, bounce_address), 10 * _MOST_TOKENS)
    return tuple(dict.fromkeys([*filter(None, (addressed,)), *found]))[:_MOST_TOKENS]


def _named(mail: Part, bounce_address: str | None) -> Iterator[str]:
    """Tokens from the returned mail, from the report, and from the mail that the notification answers."""
    parts = tuple(mail.walk())
    for part in parts:
        if part.kind in _RETURNED:
            headers = _headers(part)
            yield from _message_ids(headers.all("Message-ID", "X-Original-Message-ID"))
            if bounce_address:
                yield from _verps(headers.all("Return-Path"), bounce_address)
    for part in parts:
        if part.kind.startswith("message/") and part.kind not in _RETURNED:
            fields = Part(read_fields(part.content), "", b"")
            yield from _message_ids(fields.all("X-Original-Message-ID", "Original-Message-ID"))
            if bounce_address:
                yield from _verps(fields.all("X-Postfix-Sender", "Original-Mail-From"), bounce_address)
    yield from _message_ids(mail.all("In-Reply-To", "References", "X-Original-Message-ID"))
    for part in parts:
        if part.kind.startswith("text/"):
            yield from (found[1] for found in _MESSAGE_ID_LINE.finditer(part.text))


def _message_ids(lines: tuple[str, ...]) -> Iterator[str]:
    return (found[1] for line in lines for found in _MESSAGE_ID.finditer(line))


def _verps(lines: tuple[str, ...], bounce_address: str) -> Iterator[str]:
    return (token for line in lines if (token := unverp(line, bounce_address)))


def _headers(part: Part) -> Part:
    """The headers of the mail that a part contains."""
    head, _ = cut(part.content.lstrip(b"\r\n"))
    return Part(read_fields(head), "", b"")


def _is_receipt(mail: Part) -> bool:
    """Whether it is a notification that a person read a mail (RFC 8098)."""
    return any(part.kind == "message/disposition-notification" for part in mail.walk())


def _is_automatic(mail: Part, subject: str) -> bool:
    """Whether a machine wrote the answer (RFC 3834), or a notification only warns."""
    if _DAEMON.search(mail.first("From")):
        return _WARNING_SUBJECT.search(subject) is not None
    submitted = mail.first("Auto-Submitted").strip().lower()
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or any(mail.all(*_AUTOMATIC_FIELDS))
        or mail.first("Precedence").strip().lower() in {"auto_reply", "auto-reply", "junk"}
        or _AUTOMATIC_SUBJECT.match(subject) is not None
    )
