"""Decides how much of each paper the HTML part shows, so that no mail program truncates it.

Gmail truncates a message if its HTML is longer than about 102 KB.
"""

from collections.abc import Sequence
from enum import IntEnum

HTML_LIMIT = 90_000
"""The most bytes of the encoded HTML part."""

_CARDS_KEPT = 10
"""Papers that stay cards as long as other papers can be made smaller."""


class Level(IntEnum):
    """What is shown of a paper, from everything to a number in "and N more"."""

    WHOLE = 0
    SHORT = 1
    LINE = 2
    COUNTED = 3


_STEPS = (
    (Level.SHORT, 0),
    (Level.LINE, _CARDS_KEPT),
    (Level.COUNTED, _CARDS_KEPT),
    (Level.LINE, 0),
    (Level.COUNTED, 0),
)


def levels(sizes: Sequence[tuple[int, int, int]], room: int) -> tuple[Level, ...]:
    """The level of each paper, so that all fit into `room` bytes; `sizes`: as a whole, short, and as a line.

    First abstracts are shortened, then cards become lines, then papers are only counted: each time starting
    with the last paper, and no more than needed.
    """
    found = [Level.WHOLE] * len(sizes)
    total = sum(size[Level.WHOLE] for size in sizes)
    for level, first in _STEPS:
        for place in reversed(range(first, len(sizes))):
            if total <= room:
                return tuple(found)
            if found[place] < level:
                total += (*sizes[place], 0)[level] - (*sizes[place], 0)[found[place]]
                found[place] = level
    return tuple(found)
