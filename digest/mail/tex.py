"""TeX as text: a stand-in that shows the source as it is."""

from dataclasses import dataclass
from enum import StrEnum


class Script(StrEnum):
    """Where a piece of text stands."""

    NONE = "none"
    SUPER = "super"
    SUB = "sub"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of converted text."""

    text: str
    script: Script = Script.NONE


def spans(source: str) -> tuple[Span, ...]:
    """The converted pieces of a title, abstract, comment or name."""
    return (Span(source),) if source else ()


def plain(source: str) -> str:
    """The same in one piece of plain text."""
    return source
