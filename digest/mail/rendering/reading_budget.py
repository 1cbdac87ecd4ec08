"""Decides how much of each paper the HTML part shows, so that it is read in the time that the reader has.

The papers stand in groups, the best first. What is shown of a paper never exceeds what is shown of an earlier
paper of its group.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

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


NOTHING = Cost(0, 0)


class Level(IntEnum):
    """What is shown of a paper."""

    COUNTED = 0
    LINE = 1
    SHORT = 2
    WHOLE = 3


class Costly(Protocol):
    @property
    def cost(self) -> Cost: ...


class GroupCosts(NamedTuple):
    """What a group takes: its `heading`, and each of its papers at each level above `COUNTED`."""

    heading: Cost
    papers: Sequence[Mapping[Level, Costly]]


def minutes(words: int) -> int:
    """How long `words` take to read."""
    return max(1, round(words / _WORDS_A_MINUTE))


class Plan(NamedTuple):
    """The level of each paper of each group, and the words of all of them, with the headings.

    It is the same for each room of as many words, and of `least` to `most` bytes.
    """

    levels: list[list[Level]]
    words: int
    least: int
    most: int


def plan(groups: Sequence[GroupCosts], room: Cost, length: Length) -> Plan:
    """Decides the level of each paper, so that all headings and papers fit into `room`.

    In this order, as far as there is room: the first paper of each group as a line, then as a card; a few
    cards more; each paper as a line; then more cards, and whole abstracts for the first of them. If
    everything fits, everything is whole.
    """
    raising = _Raising(groups, room)
    firsts = [(group, 0) for group in range(len(groups))]
    ranked = _by_rank(groups)
    raising.raise_to(Level.LINE, firsts)
    for first in firsts:
        raising.raise_to(Level.SHORT, [first])
    raising.raise_to(Level.SHORT, ranked[: _FIRST_CARDS[length]])
    raising.raise_to(Level.LINE, ranked)
    done = 0
    for end in range(_CARDS[length], len(ranked) + _CARDS[length], _CARDS[length]):
        cards = ranked[done:end]
        if not (raising.raise_to(Level.SHORT, cards) and raising.raise_to(Level.WHOLE, sorted(cards))):
            raising.raise_to(Level.SHORT, ranked[done:])
            break
        done = end
    return Plan(
        levels=raising.levels,
        words=room.words - raising.room.words,
        least=room.size - raising.spare,
        most=room.size + raising.missing - 1,
    )


def _by_rank(groups: Sequence[GroupCosts]) -> list[tuple[int, int]]:
    """The places of all papers: the first of each group, then the second of each group, and so on."""
    places = [(n, group) for group, one in enumerate(groups) for n in range(len(one.papers))]
    return [(group, n) for n, group in sorted(places)]


class _Raising:
    """Levels that are raised as long as there is `room`.

    With `spare` bytes less, everything that had room would still have it; with less than `missing` bytes
    more, everything that had none would still have none.
    """

    def __init__(self, groups: Sequence[GroupCosts], room: Cost) -> None:
        self._groups = groups
        self.room = room
        self.spare = self.missing = HTML_LIMIT
        self.levels = [[Level.COUNTED] * len(group.papers) for group in groups]

    def raise_to(self, level: Level, places: Sequence[tuple[int, int]]) -> bool:
        """Raises the papers at `places` that are lower, up to the first without room.

        Returns whether all had room.
        """
        words, size = self.room
        for group, place in places:
            row = self.levels[group]
            former = row[place]
            if former >= level:
                continue
            paper = self._groups[group].papers[place]
            more_words, more_size = paper[level].cost
            if former:
                less_words, less_size = paper[former].cost
                more_words, more_size = more_words - less_words, more_size - less_size
            elif not row[0]:
                heading = self._groups[group].heading
                more_words, more_size = more_words + heading.words, more_size + heading.size
            if more_words > words or more_size > size:
                self.room = Cost(words, size)
                if more_words <= words:
                    self.missing = min(self.missing, more_size - size)
                return False
            words, size = words - more_words, size - more_size
            if size < self.spare:
                self.spare = size
            row[place] = level
        self.room = Cost(words, size)
        return True
