"""Whether a server that calls addresses dead is believed: a decision, of what it said to all of a batch."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

IN_A_ROW = 8
"""After so many dead addresses with nothing accepted between, a batch, or a domain's part of it, ends."""

FEW = 3
SHARE = 10
"""So many of a batch, or of a domain, may be dead at once, or one in so many where that is more."""

_ALONE = 2
"""Of so few addresses in doubt each may be dead, though the server accepted nothing else meanwhile."""

_OF_ONE_DOMAIN = 4
"""So many of those in a row may be of one domain, where the server as a whole is in question."""

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
    """An address, by its key, that the server called dead (`is_certain`) or perhaps dead."""

    address: str
    is_certain: bool


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many addresses were called dead, and how many mails accepted."""

    accepted: int = 0
    dead: int = 0
    in_a_row: int = 0

    @property
    def is_credible(self) -> bool:
        """Whether so many may be dead at once. Two are always: they are not believed on one day alone."""
        if self.in_a_row >= IN_A_ROW:
            return False
        few = self.dead <= FEW or self.dead * SHARE <= self.dead + self.accepted
        return self.dead <= _ALONE or (few and self.accepted >= self.dead)


class CircuitBreaker:
    """What was said in one batch, in the order in which it was said, of each recipient's domain.

    Behind one server there may be many: of a domain whose mail goes astray all are called dead, and the rest
    is accepted.
    """

    def __init__(self) -> None:
        self._domains: defaultdict[str, Tally] = defaultdict(Tally)
        self._row: Counter[str] = Counter()

    @property
    def accepted(self) -> int:
        return sum(tally.accepted for tally in self._domains.values())

    def accept(self, address: str) -> None:
        tally = self._domains[domain_of(address)]
        tally.accepted += 1
        tally.in_a_row = 0
        self._row.clear()

    def refuse(self, one: Refused) -> None:
        domain = domain_of(one.address)
        self._domains[domain].dead += one.is_certain
        self._domains[domain].in_a_row += 1
        self._row[domain] += 1

    @property
    def is_pulled(self) -> bool:
        """Whether the batch is to end."""
        return sum(min(count, _OF_ONE_DOMAIN) for count in self._row.values()) >= IN_A_ROW

    def is_stopped(self, domain: str) -> bool:
        """Whether no more mails for the domain are to be tried in this batch."""
        return self._domains[domain].in_a_row >= IN_A_ROW

    @property
    def is_of_server(self) -> bool:
        """Whether it is the server as a whole that cannot be used."""
        is_any_stopped = any(map(self.is_stopped, tuple(self._domains)))
        return self.is_pulled or (is_any_stopped and self.accepted == 0)

    def believes(self, domain: str, lately: Mapping[str, Tally]) -> bool:
        """Whether so many of the domain may be dead; `lately` has what was said of it before this batch.

        It may have this batch's accepted mails already, and has none of its refusals.
        """
        tally, before = self._domains[domain], lately.get(domain, Tally())
        accepted = max(tally.accepted, before.accepted)
        return Tally(accepted=accepted, dead=tally.dead + before.dead, in_a_row=tally.in_a_row).is_credible

    def decide(
        self,
        refused: Sequence[Refused],
        *,
        now: datetime,
        doubted: Mapping[str, datetime],
        accepted_since: int,
        lately: Mapping[str, Tally],
    ) -> tuple[Decision, ...]:
        """What becomes of each, in the order in which they were refused.

        `doubted` has since when each address is in doubt, and the server accepted `accepted_since` mails
        since the first of them came to be. `lately` is as in `believes`. At once an address is given up where
        the same batch has as many accepted mails; three in a row at its end do not count, as the server may
        have broken by then.
        """
        believed = {domain for domain in self._domains if self.believes(domain, lately)}
        strange = {domain_of(one.address) for one in refused} - believed
        judged = [one for one in refused if domain_of(one.address) in believed]
        # A server that is wrong about one domain may be wrong about others: each counts for one.
        dead = sum(one.is_certain for one in judged) + len(strange)
        is_credible = Tally(accepted=self.accepted, dead=dead).is_credible
        if self.is_pulled or not is_credible or (strange and not self.accepted):
            return (Decision.RELEASE,) * len(refused)
        row = sum(count for domain, count in self._row.items() if domain in believed)
        proven = judged[: len(judged) - (row if row >= FEW else 0)] if self.accepted >= dead else []
        in_doubt = {
            address
            for address in (*(one.address for one in refused), *doubted)
            if domain_of(address) not in strange
        }
        is_confirmed = len(in_doubt) <= _ALONE or accepted_since >= len(in_doubt)
        at_once = {one.address for one in proven if one.is_certain}
        return tuple(
            Decision.RELEASE
            if domain_of(one.address) in strange
            else Decision.SUPPRESS
            if one.address in at_once or (is_confirmed and _is_old(one, doubted.get(one.address), now))
            else Decision.DOUBT
            for one in refused
        )


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def _is_old(one: Refused, doubted_at: datetime | None, now: datetime) -> bool:
    return doubted_at is not None and now - doubted_at >= (_NEXT_DAY if one.is_certain else _DAYS)
