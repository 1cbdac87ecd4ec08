"""What a file of another program asks for, as keywords."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One keyword. `notes` say what differs from what the other program did."""

    keyword: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in the file: its line, counted from 1, and its text."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What is left out on purpose, for example a feed of another site."""

    place: Place
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What should become a keyword, and cannot."""

    place: Place
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """All of a file. `hints` are next steps for what keywords cannot say."""

    program: str
    asked: tuple[tuple[Place, Asked], ...]
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[Problem, ...] = ()
    hints: tuple[str, ...] = ()


class NotAKeyword(ValueError):
    """An address or a query that no keyword can say, and why."""
