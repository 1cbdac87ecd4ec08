"""Atoms, the pieces of maths from which a line is made, and their kinds."""

from dataclasses import dataclass
from enum import Enum, auto

from digest.mail.rendering.tex.spans import Span, Spans


class Kind(Enum):
    """The role of an atom for its neighbours, from chapter 18 of The TeXbook."""

    PLAIN = auto()
    OPENING = auto()
    CLOSING = auto()
    PUNCTUATION = auto()
    RELATION = auto()
    BINARY = auto()
    FUNCTION = auto()
    LARGE = auto()
    FRACTION = auto()
    BLANK = auto()


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of maths.

    `is_apart`: a blank precedes it in the source, and does not only end a command.
    `is_named`: a command, not a character, marks it as a relation or a binary operation.
    """

    spans: Spans
    kind: Kind = Kind.PLAIN
    is_apart: bool = False
    is_named: bool = False

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)


ROW_END = Atom((Span(";"),), Kind.PUNCTUATION, is_named=True)
"""The end of a row of several; shown where neither a sign nor a comma is beside it."""
