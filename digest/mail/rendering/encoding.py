"""Encodes pieces of mails in quoted-printable, line by line, and counts what they take.

Texts of whole lines can be encoded separately and joined (RFC 2045, section 6.7).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

from digest.mail.message import quoted_printable
from digest.mail.rendering.reading_budget import Cost
from digest.mail.rendering.templates import Cut

_LINES_KEPT = 2_000
_MARKUP = re.compile(r"<!--.*?-->|<[^>]*>|&nbsp;", re.DOTALL)


Encoded: TypeAlias = tuple[tuple[bytes, ...] | str, ...]
"""Pieces in quoted-printable; they alternate with the names of the places between them."""


def whole_lines(cut: Cut) -> list[bytes]:
    return whole(encoded_frame(cut))


def whole(encoded: Encoded) -> list[bytes]:
    return list(chain.from_iterable(piece for piece in encoded if not isinstance(piece, str)))


def filled(pieces: Encoded, **inner: Sequence[bytes]) -> list[bytes]:
    """`pieces` with their places filled from `inner`."""
    parts: list[bytes] = []
    for piece in pieces:
        parts += inner[piece] if isinstance(piece, str) else piece
    return parts


def encoded_pieces(cut: Cut) -> Encoded:
    return tuple(
        piece if number % 2 else (quoted_printable(piece),) for number, piece in enumerate(cut.pieces)
    )


def encoded_html(cut: Cut) -> tuple[Encoded, Cost]:
    """Encoded line by line as by `encoded_frame`, and its cost."""
    encoded: list[tuple[bytes, ...] | str] = []
    words = size = 0
    for number, piece in enumerate(cut.pieces):
        if number % 2:
            encoded.append(piece)
            continue
        lines = [_html_line(line) for line in piece.split("\n")[:-1]]
        encoded.append(tuple([line for line, _ in lines]))
        words += sum([count for _, count in lines])
        size += sum([len(line) for line, _ in lines])
    return tuple(encoded), Cost(words, size)


def encoded_frame(cut: Cut) -> Encoded:
    """Encoded line by line, each with its line end. Every piece ends in a line end or is empty."""
    return tuple(
        [
            piece if number % 2 else tuple(map(encoded_line, piece.split("\n")[:-1]))
            for number, piece in enumerate(cut.pieces)
        ]
    )


@lru_cache(maxsize=_LINES_KEPT)
def _html_line(line: str) -> tuple[bytes, int]:
    return quoted_printable(f"{line}\n"), count_words(line)


def count_words(html: str) -> int:
    """As a mail program shows them."""
    return len(_MARKUP.sub(" ", html).split())


@lru_cache(maxsize=_LINES_KEPT)
def encoded_line(line: str) -> bytes:
    return quoted_printable(f"{line}\n")
