"""Converts a rendered digest to the bytes of a mail: the same digest gives the same bytes, every time.

This module builds the message without `email.message`, because its folding changes between versions and
breaks long `List-Unsubscribe` values (RFC 2369 does not allow encoded words there).
"""

import re
from binascii import b2a_qp
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

import idna

from digest.mail.links import NO_LINKS, Links
from digest.model.digest import Digest
from digest.model.paper import one_line

_LONGEST_LINE = 76
_LONGEST_NAME = 100
_LONGEST_QUOTED_NAME = 50
# Values that all mails of a run share are cached, because each mail needs them: sender, contact, date.
_KEPT = 64
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_TOKEN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_NOT_IN_AN_ADDRESS = re.compile(r'[\s<>()\[\],;:\\"]+')


_PLAIN, _HTML = (
    f"\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
    for subtype in ("plain", "html")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderIdentity:
    """The sender: `sender` is the From address, `contact` is the address for help.

    `bounce_address` receives returned mail and requests to unsubscribe.
    """

    sender: str
    contact: str
    sender_name: str = "arXiv digest"
    bounce_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A digest as the subscriber sees it: subject line, plain text, HTML. Line breaks are `\\n`."""

    subject: str
    text: str
    html: str


def join_message(
    digest: Digest,
    subject: str,
    sender_identity: SenderIdentity,
    token: str,
    *,
    text: Iterable[bytes],
    html: Iterable[bytes],
    links: Links = NO_LINKS,
) -> bytes:
    """The message of a body in quoted-printable pieces: text first, then HTML (RFC 2046, section 5.1.4).

    `token` names the mailing: Message-ID and MIME boundary follow from it. All bytes are ASCII, unless the
    local part of an address is not (RFC 6531): only a server with SMTPUTF8 accepts such a message.
    No line begins with a dot, if the pieces come from `quoted_printable`.
    Raises `ValueError` for a token that is not a dot-atom of ASCII letters, digits, `-` and `_`.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"not usable in a Message-ID: {token!r}")
    boundary = "=_" + sha256(token.encode()).hexdigest()[:32]  # "=_" never occurs in quoted-printable text
    headers = _headers(digest, subject, sender_identity, token, boundary, links)
    return alternative(headers, boundary, text=text, html=html)


def alternative(
    headers: Iterable[tuple[str, str]], boundary: str, *, text: Iterable[bytes], html: Iterable[bytes]
) -> bytes:
    """A message with these headers, and its body as text and as HTML, in quoted-printable pieces."""
    head = "".join([f"{name}: {value}\r\n" for name, value in headers])
    delimiter = f"\r\n--{boundary}".encode()
    pieces = (head.encode(), delimiter, _PLAIN, *text, delimiter, _HTML, *html, delimiter, b"--\r\n")
    return b"".join(pieces)


def quoted_printable(text: str) -> bytes:
    """RFC 2045, section 6.7, with CRLF line ends. Texts that end in a line break can be encoded separately.

    No line begins with a dot: SMTP must double such a dot, and some servers remove it.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    encoded = b2a_qp(lines.encode(), istext=True).replace(b"\n", b"\r\n")
    while encoded.startswith(b".") or b"\n." in encoded:
        encoded = _LEADING_DOT.sub(b"=2E=\r\n", encoded)
    return encoded


def contact_url(digest: Digest, sender_identity: SenderIdentity) -> str:
    """A `mailto:` address that asks a person to take this subscriber off the list."""
    return _mailto(sender_identity.contact, f"unsubscribe {one_line(digest.email)}")


def leave_url(links: Links) -> str | None:
    """A `mailto:` address (RFC 6068) that unsubscribes this subscriber, if returned mail is read."""
    return _mailto(wire_address(links.leave_by_mail), "unsubscribe") if links.leave_by_mail else None


def message_id_of(token: str, sender: str) -> str:
    """The Message-ID of the mailing with this token."""
    return f"<{token}@{wire_address(sender).rpartition('@')[2]}>"


@lru_cache(maxsize=_KEPT)
def wire_address(address: str) -> str:
    """`address` with its domain in ASCII (RFC 5891), as servers require.

    A local part beyond ASCII stays unchanged, and so does a domain that cannot be converted.
    """
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return local + at + idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return address


def _headers(
    digest: Digest, subject: str, sender_identity: SenderIdentity, token: str, boundary: str, links: Links
) -> tuple[tuple[str, str], ...]:
    """Addresses are not folded, up to the 998 characters of RFC 5322: some programs unfold them wrongly."""
    domain = wire_address(sender_identity.sender).rpartition("@")[2]
    return (
        ("From", mailbox("From", sender_identity.sender_name, sender_identity.sender)),
        ("To", mailbox("To", digest.name, digest.email)),
        ("Reply-To", mailbox("Reply-To", None, sender_identity.contact)),
        ("Subject", _unstructured("Subject", one_line(subject))),
        ("Date", _date(digest.planned_at)),
        ("Message-ID", message_id_of(token, sender_identity.sender)),
        ("List-Id", f"<arxiv-digest.{domain}>"),
        *_unsubscribe(leave_url(links), links.unsubscribe),
        ("List-Post", "NO"),  # nobody writes to all (RFC 2369, section 3.4)
        ("List-Help", f"<{_mailto(sender_identity.contact, 'help')}>"),
        ("Auto-Submitted", "auto-generated"),
        ("Precedence", "bulk"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
    )


def _unsubscribe(by_mail: str | None, on_the_web: str | None) -> tuple[tuple[str, str], ...]:
    """RFC 2369, section 3.2; with a web page, also one-click unsubscribe (RFC 8058, section 3.1).

    Empty if there is no way to unsubscribe: a mail must not promise what does not work.
    """
    if on_the_web is None:
        return (("List-Unsubscribe", f"<{by_mail}>"),) if by_mail else ()
    page = quote(on_the_web, safe="%/:?#[]@!$&'()*+,;=~")
    return (
        ("List-Unsubscribe", f"<{page}>, <{by_mail}>" if by_mail else f"<{page}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


@lru_cache(maxsize=_KEPT)
def _date(moment: datetime) -> str:
    return format_datetime(moment)


@lru_cache(maxsize=_KEPT)
def mailbox(header: str, name: str | None, address: str) -> str:
    """`name <address>` (RFC 5322, section 3.4), without anything that could begin a header or a mailbox."""
    mailbox = f"<{_NOT_IN_AN_ADDRESS.sub('', one_line(wire_address(address)))}>"
    shown = one_line(name or "")[:_LONGEST_NAME].strip()
    if not shown:
        return mailbox
    is_short = len(shown) <= _LONGEST_QUOTED_NAME
    phrase = _quoted(shown) if is_short and _is_plain(shown) else _encoded_words(header, shown)
    last_line = phrase.rpartition("\r\n")[2]
    separator = " " if len(header) + len(last_line) + len(mailbox) < _LONGEST_LINE - 4 else "\r\n "
    return phrase + separator + mailbox


def _unstructured(header: str, text: str) -> str:
    """Free text (RFC 5322, section 2.2.1) on lines of at most 76 characters, folded at blanks."""
    if not _is_plain(text):
        return _encoded_words(header, text)
    lines = _folded(f"{header}: {text}")
    if max(map(len, lines)) >= _LONGEST_LINE or lines[0] == f"{header}:":
        return _encoded_words(header, text)
    return "\r\n ".join(lines).removeprefix(f"{header}: ")


def _folded(text: str) -> list[str]:
    """Lines of less than 76 characters, except for longer words. `textwrap` takes four times as long."""
    line, *words = text.split(" ")
    lines = []
    for word in words:
        if len(line) + 1 + len(word) < _LONGEST_LINE:
            line += f" {word}"
        else:
            lines.append(line)
            line = word
    return [*lines, line]


def _is_plain(text: str) -> bool:
    return text.isascii() and "=?" not in text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _encoded_words(header: str, text: str) -> str:
    """RFC 2047, folded: each encoded word has at most 75 characters, and none splits a character."""
    return Header(text, charset="utf-8", header_name=header, maxlinelen=_LONGEST_LINE).encode(linesep="\r\n")


@lru_cache(maxsize=_KEPT)
def _mailto(address: str, subject: str) -> str:
    return f"mailto:{quote(one_line(address), safe='@+')}?subject={quote(subject, safe='')}"
