"""Parses a returned mail: tolerant of errors, and in time that is linear in its length, for any content.

The `email` package takes minutes for some headers of a megabyte, and fails at errors of real servers.
Here the number and the size of headers and parts are limited, and the rest is ignored.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import unquote

from digest.model.paper import one_line

_LONGEST_HEAD = 200_000
_LONGEST_LINE = 5_000
_LONGEST_ENCODED = 1_000
_MOST_FIELDS = 1_000
_MOST_PARTS = 50
_DEEPEST = 5

_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_FIELD = re.compile(r"([!-9;-~]{1,80})[ \t]*:(.*)", re.DOTALL)
_BOUNDARY = re.compile(
    r';\s*boundary(?:\*(\d{0,2})(\*?))?\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE
)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A mail or a part of one: `kind` is its type in lower case, `content` the decoded bytes of the body."""

    fields: tuple[tuple[str, str], ...]
    kind: str
    content: bytes
    parts: tuple["Part", ...] = ()

    def all(self, *names: str) -> tuple[str, ...]:
        """The values of the fields with these names, in the order of the names; one line each."""
        return tuple(value for name in names for field, value in self.fields if field == name.lower())

    def first(self, name: str) -> str:
        """The first of these values, or empty."""
        return next(iter(self.all(name)), "")

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace").replace("\r\n", "\n")

    def walk(self) -> Iterator["Part"]:
        """This part and all parts within it, except those of a mail that it contains."""
        yield self
        for part in self.parts:
            yield from part.walk()


def read_mail(message: bytes) -> Part:
    """Parses any bytes. Never raises."""
    return _Reader().part(message, "text/plain", 0)


class _Reader:
    """Counts the parts of one mail."""

    def __init__(self) -> None:
        self._parts = 0

    def part(self, data: bytes, kind: str, depth: int) -> Part:
        self._parts += 1
        head, body = cut(data)
        fields = read_fields(head)
        named = dict(reversed(fields))
        content_type = named.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower() or kind
        if kind.startswith("multipart/") and depth < _DEEPEST and (boundary := _boundary(content_type)):
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            return Part(fields, kind, b"", tuple(self._inner(body, boundary, inner, depth)))
        return Part(fields, kind, _decoded(body, named.get("content-transfer-encoding", "")))

    def _inner(self, body: bytes, boundary: bytes, kind: str, depth: int) -> Iterator[Part]:
        pattern = re.compile(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
        start = None
        for found in pattern.finditer(body):
            if start is not None and self._parts < _MOST_PARTS:
                yield self.part(body[start : found.start()], kind, depth + 1)
            start = None if found[1] else found.end()
            if found[1]:
                return
        if start is not None and self._parts < _MOST_PARTS:
            yield self.part(body[start:], kind, depth + 1)  # the end of the mail is missing


def cut(data: bytes) -> tuple[bytes, bytes]:
    """Headers and body."""
    if data[:1] in (b"\n", b"\r"):
        return b"", data.lstrip(b"\r").removeprefix(b"\n")
    blank = _BLANK_LINE.search(data)
    return (data[: blank.start()], data[blank.end() :]) if blank else (data, b"")


def read_fields(head: bytes) -> tuple[tuple[str, str], ...]:
    """Names in lower case, and values on one line. A blank before the colon is ignored."""
    fields: list[tuple[str, list[str]]] = []
    for line in head[:_LONGEST_HEAD].decode("utf-8", "replace").splitlines():
        found = None if line[:1] in (" ", "\t") else _FIELD.match(line[:_LONGEST_LINE])
        if found and len(fields) == _MOST_FIELDS:
            break
        if found:
            fields.append((found[1].lower(), [found[2]]))
        elif fields:
            fields[-1][1].append(line[:_LONGEST_LINE])
    return tuple((name, one_line(_joined(lines))) for name, lines in fields)


def decoded_words(value: str) -> str:
    """A header with its encoded words (RFC 2047) as text."""
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value[:_LONGEST_ENCODED])
        return "".join(
            piece if isinstance(piece, str) else piece.decode(charset or "latin-1", "replace")
            for piece, charset in pieces
        )
    except (HeaderParseError, LookupError, ValueError):
        return value


def _joined(lines: Iterable[str]) -> str:
    length, kept = 0, []
    for line in lines:
        kept.append(line)
        length += len(line)
        if length > _LONGEST_LINE:
            break
    return " ".join(kept)[:_LONGEST_LINE]


def _boundary(content_type: str) -> bytes | None:
    """The boundary, also if it is given in pieces, as in `boundary*0=…; boundary*1=…` (RFC 2231)."""
    pieces: dict[int, str] = {}
    for number, star, quoted, bare in _BOUNDARY.findall(content_type):
        value = quoted or bare
        is_encoded = star or (number == "" and f"boundary*={value}" in content_type)
        if is_encoded and "'" in value and not pieces:
            value = value.rpartition("'")[2]
        pieces.setdefault(int(number or 0), unquote(value) if is_encoded else value)
    joined = "".join(pieces[number] for number in sorted(pieces))
    return joined.rstrip().encode() or None


def _decoded(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "base64":
            clean = _NOT_BASE64.sub(b"", body)
            return binascii.a2b_base64(clean[: len(clean) // 4 * 4] + _rest(clean))
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case _:
            return body


def _rest(clean: bytes) -> bytes:
    rest = clean[len(clean) // 4 * 4 :]
    return rest.ljust(4, b"=") if len(rest) > 1 else b""
