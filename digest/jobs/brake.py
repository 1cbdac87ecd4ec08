"""Whether a server that calls addresses dead is believed: a decision, of what it said to all of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

IN_A_ROW = 8
"""After so many dead addresses with nothing accepted between, a batch ends: it is not they."""

FEW = 3
SHARE = 10
"""So many of a batch may be dead at once, or one in so many where that is more."""

_ALONE = 2
"""Of so few addresses in doubt each may be dead, though the server accepted nothing else meanwhile."""

_NEXT_DAY = timedelta(hours=20)
_DAYS = timedelta(days=3)
"""For so long a server has to say so that tells it nowhere else, or in words that may mean another thing."""


class Decision(Enum):
    """`SUPPRESS`: no more mail. `DOUBT`: refused for now, and remembered. `RELEASE`: nobody is to blame."""

    SUPPRESS = "suppress"
    DOUBT = "doubt"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An address that the server called dead (`is_certain`) or perhaps dead; `doubted_at`: first so."""

    is_certain: bool
    doubted_at: datetime | None = None


class Brake:
    """What the server said in one batch, in the order in which it said it."""

    def __init__(self) -> None:
        self.accepted = 0
        self._dead = 0
        self._in_a_row = 0

    def accept(self) -> None:
        self.accepted += 1
        self._in_a_row = 0

    def refuse(self, *, is_certain: bool) -> None:
        self._dead += is_certain
        self._in_a_row += 1

    @property
    def is_pulled(self) -> bool:
        """Whether the batch is to end."""
        return self._in_a_row >= IN_A_ROW

    @property
    def is_credible(self) -> bool:
        """Whether so many may be dead at once. Two are always: they are not believed on one day alone."""
        if self.is_pulled:
            return False
        few = self._dead <= FEW or self._dead * SHARE <= self._dead + self.accepted
        return self._dead <= _ALONE or (few and self.accepted >= self._dead)

    def decide(
        self, refused: Sequence[Refused], *, now: datetime, doubted: int, accepted_since: int
    ) -> tuple[Decision, ...]:
        """What becomes of each, in the order in which they were refused.

        `doubted` addresses are in doubt, these included, and the server accepted `accepted_since` mails since
        the first of them came to be. At once an address is given up where the same batch has as many
        accepted mails; three in a row at its end do not count, as the server may have broken by then.
        """
        if not self.is_credible:
            return (Decision.RELEASE,) * len(refused)
        last = len(refused) - (self._in_a_row if self._in_a_row >= FEW else 0)
        is_proven = self.accepted >= self._dead
        is_confirmed = doubted <= _ALONE or accepted_since >= doubted
        return tuple(
            Decision.SUPPRESS
            if (one.is_certain and is_proven and place < last) or (is_confirmed and _is_old(one, now))
            else Decision.DOUBT
            for place, one in enumerate(refused)
        )


def _is_old(one: Refused, now: datetime) -> bool:
    return one.doubted_at is not None and now - one.doubted_at >= (_NEXT_DAY if one.is_certain else _DAYS)
