"""Reads XML documents of arXiv: completely or not at all, except for entries that are not papers."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NoReturn, TypeVar
from xml.etree import ElementTree

from digest.errors import BadDocument
from digest.model.paper import one_line

# Each of these bytes may begin a tag, an attribute or another piece of text, and a piece of four bytes uses
# a hundred bytes of memory. Without a limit, a document that the client accepts could use all memory.
_MARKS = (b"<", b"=", b"&", b"\n", b"\r")
# Five times the number in a full page of OAI-PMH.
_MOST_MARKS = 1_000_000
# Ten times the length of the names of five thousand authors.
_LONGEST_TEXT = 1_000_000
# This many entries may be invalid, whatever the length of the page; of more, half of them.
_FEW = 2

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 does not allow (its production 2, `Char`)."""
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|(\d{1,8}));")

_log = logging.getLogger(__name__)

T = TypeVar("T")


class _NoDoctype(ElementTree.TreeBuilder):
    """Without a DOCTYPE there are no entities, so no expansion attack and no external entity."""

    def doctype(self, *_declaration: object) -> NoReturn:
        raise ValueError("it has a DOCTYPE")


def root_of(
    document: bytes, url: str, *, tag: str, kind: str, most_marks: int = _MOST_MARKS
) -> ElementTree.Element:
    """The root of a complete document, an element `tag`. Raises `BadDocument`, which calls it a `kind`.

    `most_marks` is how many tags, attributes, references and lines it may have together.
    """
    try:
        root = _parsed(document, most_marks)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise incomplete(url, kind, str(error)) from error
    if root.tag != tag:
        raise incomplete(url, kind, f"it is <{_local(root.tag)}>")
    return root


def incomplete(url: str, kind: str, reason: str) -> BadDocument:
    return BadDocument(url, f"arXiv's answer is not a complete {kind}: {reason}; try again later")


def _parsed(document: bytes, most_marks: int) -> ElementTree.Element:
    if sum(map(document.count, _MARKS)) > most_marks:
        raise ValueError(f"it has more than {most_marks:,} tags, attributes and lines")
    try:
        return _tree(document)
    except ElementTree.ParseError:
        allowed = _allowed(document)
        if allowed == document:
            raise
    root = _tree(allowed)
    _log.warning("characters that XML forbids were left out")
    return root


def _tree(document: bytes) -> ElementTree.Element:
    # S314 warns of entities, which need a DOCTYPE; it is refused.
    return ElementTree.XML(document, ElementTree.XMLParser(target=_NoDoctype()))  # noqa: S314


def _allowed(document: bytes) -> bytes:
    """`document` with a blank for each character that XML forbids: one abstract must not hide all others."""
    try:
        text = _FORBIDDEN.sub(" ", document.decode())
    except UnicodeDecodeError:
        return document
    return _REFERENCE.sub(_referred, text).encode()


def _referred(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else int(found[2])
    return " " if code > sys.maxunicode or _FORBIDDEN.match(chr(code)) else found[0]


def read_entries(
    elements: Sequence[ElementTree.Element], read: Callable[[ElementTree.Element], T], *, id_path: str
) -> tuple[tuple[T, ...], int]:
    """The results of `read` for `elements`, and the number that it refused with `ValueError`.

    Each refused one is logged with the text at `id_path`. Raises `ValueError` if they are more than two and
    more than half: then the format is probably different.
    """
    entries: list[T] = []
    strange: list[tuple[str, str]] = []
    for element in elements:
        try:
            entries.append(read(element))
        except ValueError as error:
            strange.append((_short(element.findtext(id_path, "")) or "unknown", _short(str(error))))
    if len(strange) > max(_FEW, len(elements) // 2):
        raise ValueError(f"{len(strange)} of {len(elements)} entries cannot be read: {strange[0][1]}")
    _log_strange(strange)
    return tuple(entries), len(strange)


def _log_strange(strange: Iterable[tuple[str, str]]) -> None:
    for identifier, cause in strange:
        _log.warning("entry left out id=%s cause=%s", identifier, cause)


def _short(text: str) -> str:
    return one_line(text[:200])


def text_of(element: ElementTree.Element, tag: str) -> str:
    """The text of the first child `tag`, unchanged. Raises `ValueError` if there is none."""
    text = _text(element, tag)
    if text is None:
        raise ValueError(f"a <{_local(tag)}> is missing")
    return text


def optional_text(element: ElementTree.Element, tag: str) -> str | None:
    """The text of the first child `tag` on one line, or `None` if it is missing or blank."""
    return one_line(text_or_empty(element, tag)) or None


def text_or_empty(element: ElementTree.Element, tag: str) -> str:
    """The text of the first child `tag`, unchanged; empty if there is none."""
    return _text(element, tag) or ""


def _text(element: ElementTree.Element, tag: str) -> str | None:
    text = element.findtext(tag)
    if text is not None and len(text) > _LONGEST_TEXT:
        raise ValueError(f"a <{_local(tag)}> has more than {_LONGEST_TEXT:,} characters")
    return text


def moment_of(text: str) -> datetime:
    """An ISO 8601 time in UTC. Raises `ValueError` for other texts, and for a time without its zone."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError(f"a time without its zone: {text!r}")
    return in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    """Raises `ValueError` for a time that has no date in UTC."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"a time out of range: {moment}") from error


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
