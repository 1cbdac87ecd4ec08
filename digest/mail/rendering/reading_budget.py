"""Decides how much of each paper the HTML part shows, so that it is read in the time that the reader has.

The papers stand in groups, the best first. What is shown of a paper never exceeds what is shown of an earlier
paper of its group.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import zip_longest
from typing import NamedTuple

from digest.model.digest import Length

HTML_LIMIT = 90_000
"""The most bytes of the encoded HTML part: Gmail truncates a message of more than about 102 KB."""

WORDS: dict[Length, int] = {"short": 600, "normal": 1_500, "full": 1_000_000}
"""The most words of the HTML part, its frame included."""

_FIRST_CARDS: dict[Length, int] = {"short": 3, "normal": 6, "full": 6}
"""Cards that a mail has even where other papers then are only counted."""

_CARDS: dict[Length, int] = {"short": 6, "normal": 12, "full": 12}
"""Cards that a mail has before one of them shows its whole abstract."""

_WORDS_A_MINUTE = 240


class Cost(NamedTuple):
    """What a piece of HTML takes: words to read, and encoded bytes."""

    words: int
    size: int

    def plus(self, other: "Cost") -> "Cost":
        return Cost(self.words + other.words, self.size + other.size)

    def minus(self, other: "Cost") -> "Cost":
        return Cost(self.words - other.words, self.size - other.size)

    def is_within(self, room: "Cost") -> bool:
        return self.words <= room.words and self.size <= room.size


NOTHING = Cost(0, 0)


class Level(IntEnum):
    """What is shown of a paper."""

    COUNTED = 0
    LINE = 1
    SHORT = 2
    WHOLE = 3


class PaperCosts(NamedTuple):
    """What one paper takes as a line, as a card with a short abstract, and as a card with the whole one."""

    line: Cost
    short: Cost
    whole: Cost

    def at(self, level: Level) -> Cost:
        return (NOTHING, *self)[level]


class GroupCosts(NamedTuple):
    """What a group takes: its `heading`, and each of its papers."""

    heading: Cost
    papers: Sequence[PaperCosts]


def minutes(words: int) -> int:
    """How long `words` take to read."""
    return max(1, round(words / _WORDS_A_MINUTE))


def levels(groups: Sequence[GroupCosts], room: Cost, length: Length) -> list[list[Level]]:
    """The level of each paper of each group, so that all headings and papers fit into `room`.

    In this order, as far as there is room: the first paper of each group as a line, then as a card; a few
    cards more; each paper as a line; then more cards, and whole abstracts for the first of them. If
    everything fits, everything is whole.
    """
    plan = _Plan(groups, room)
    plan.raise_to(Level.LINE, plan.firsts())
    plan.raise_to(Level.SHORT, plan.firsts())
    plan.raise_to(Level.SHORT, plan.by_rank()[: _FIRST_CARDS[length]])
    plan.raise_to(Level.LINE, plan.by_rank())
    papers = plan.by_rank()
    for end in range(_CARDS[length], len(papers) + _CARDS[length], _CARDS[length]):
        cards = papers[:end]
        if not (plan.raise_to(Level.SHORT, cards) and plan.raise_to(Level.WHOLE, sorted(cards))):
            plan.raise_to(Level.SHORT, papers)
            break
    return plan.levels


class _Plan:
    """Levels that are raised as long as there is room."""

    def __init__(self, groups: Sequence[GroupCosts], room: Cost) -> None:
        self._groups = groups
        self._room = room
        self.levels = [[Level.COUNTED] * len(group.papers) for group in groups]

    def firsts(self) -> list[tuple[int, int]]:
        return [(group, 0) for group in range(len(self._groups))]

    def by_rank(self) -> list[tuple[int, int]]:
        """The places of all papers: the first of each group, then the second of each group, and so on."""
        places = ([(group, n) for n in range(len(one.papers))] for group, one in enumerate(self._groups))
        return list(_interleaved(places))

    def raise_to(self, level: Level, places: Sequence[tuple[int, int]]) -> bool:
        """Raises the papers at `places` that are lower, up to the first without room.

        Returns whether all had room.
        """
        for group, place in places:
            former = self.levels[group][place]
            if former >= level:
                continue
            costs = self._groups[group].papers[place]
            more = costs.at(level).minus(costs.at(former))
            if not any(self.levels[group]):
                more = more.plus(self._groups[group].heading)
            if not more.is_within(self._room):
                return False
            self._room = self._room.minus(more)
            self.levels[group][place] = level
        return True


def _interleaved(rows: Iterator[list[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    for column in zip_longest(*rows):
        yield from (place for place in column if place is not None)
