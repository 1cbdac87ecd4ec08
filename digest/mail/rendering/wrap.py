"""Text in lines of 72 columns, as a terminal counts them."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

TEXT_WIDTH = 72
_WRAPPED_KEPT = 4_000
"""Texts that many mails share, such as keywords; an abstract is wrapped only once."""

_LONGEST_KEPT = 2 * TEXT_WIDTH
_WIDE = {"W", "F"}


def wrapped(text: str, first: str = "", then: str | None = None) -> str:
    """`text` in lines of at most 72 columns; `first` begins the first line, `then` the others.

    A word that is too long is split, unless it may be a web address, which would stop working.
    """
    wrap = _wrapped_before if len(text) <= _LONGEST_KEPT else _wrapped
    return wrap(text, first, first if then is None else then)


def _wrapped(text: str, first: str, then: str) -> str:
    if not text.isascii() and any(map(_is_wide, set(text))):
        return _wrapped_wide(text, first, then)
    if len(first) + len(text) <= TEXT_WIDTH:
        return first + text
    rest = " ".join(_words(text, TEXT_WIDTH - max(len(first), len(then))))
    lines, before = [], first
    while len(before) + len(rest) > TEXT_WIDTH:
        end = rest.rfind(" ", 0, TEXT_WIDTH - len(before) + 1)
        if end < 0 and (end := rest.find(" ")) < 0:
            break
        lines.append(before + rest[:end])
        rest, before = rest[end + 1 :], then
    return "\n".join([*lines, before + rest])


_wrapped_before = lru_cache(maxsize=_WRAPPED_KEPT)(_wrapped)


def _words(text: str, longest: int) -> list[str]:
    """The words of `text`, split into pieces of `longest`. `textwrap` takes ten times as long."""
    words = text.split()
    if "://" in text or max(map(len, words)) <= longest:
        return words
    return [word[at : at + longest] for word in words for at in range(0, len(word), longest)]


def _wrapped_wide(text: str, first: str, then: str) -> str:
    """The same for text with ideographs or emoji, which take two columns and may end a line anywhere."""
    lines, line = [], first
    width = len(first)
    for piece in _unbreakable(text):
        columns = _columns(piece)
        if width + columns > TEXT_WIDTH and line.strip():
            lines.append(line.rstrip())
            line, width, piece = then, len(then), piece.lstrip()
            columns = _columns(piece)
        line += piece
        width += columns
    return "\n".join([*lines, line.rstrip()])


def _unbreakable(text: str) -> Iterator[str]:
    """Pieces of `text`: words with the blank before them, and wide characters with the marks after them."""
    piece = ""
    for character in text:
        begins = character == " " or _is_wide(character) or _is_wide(piece[:1])
        if piece and begins and not _is_mark(character) and not piece.endswith("\u200d"):
            yield piece
            piece = ""
        piece += character
    yield piece


def _columns(piece: str) -> int:
    return sum(2 if _is_wide(character) else not _is_mark(character) for character in piece)


def _is_wide(character: str) -> bool:
    return bool(character) and unicodedata.east_asian_width(character) in _WIDE


def _is_mark(character: str) -> bool:
    return character == "\u200d" or unicodedata.category(character) in {"Mn", "Me"}
