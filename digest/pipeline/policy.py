"""When a mailing is tried again, when an address is suppressed, and when a batch stops.

Nothing here reads the clock or the state. How long the state remembers bounces and doubts stands with the
statements that forget them (`storage/sqlite/suppressions`), and what a reply of a mail server means in
`mail/smtp/reply_codes`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from zlib import crc32

from digest.mail.bounces import Bounce
from digest.mail.delivery_reports import Concern
from digest.storage.values import Bounced, Returned

FIRST_RETRY = timedelta(minutes=30)
LONGEST_RETRY = timedelta(hours=12)
"""The waits between attempts at a mailing, which double from the one to the other."""

LATEST_RETRY = 2 * LONGEST_RETRY
"""A mailing that is due later than this was put off by a clock that was wrong."""

RETRY_RELEASED_AFTER = timedelta(hours=1)
"""When an address is tried again that was called dead together with too many others."""

RETRY_BOUNCED_AFTER = timedelta(days=1)
"""When a mailing that came back is tried again, unless the subscriber's next digest takes over its papers."""

SERVER_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60))
"""The waits after the mail server, or a step of the daemon, failed as a whole; the last one repeats."""

MOST_BOUNCES = 5
"""At so many mailings that came back in 30 days because of the mailbox no more are sent to an address.

A mailbox may be full over a holiday. Who gets a daily digest is given a working week for that; providers, on
the other side, count mails to addresses that do not take them.
"""

DOUBTED_FOR = timedelta(hours=40)
"""So far apart are the notifications of two mailings that make a doubtful address a dead one: two days, less
the hours by which the time of delivery differs."""

_FEW_BOUNCED = 3
"""So many addresses may bounce in a day, however small the group is."""

LATELY = timedelta(days=1)
"""What a server said of a domain within this time counts with what it says now."""

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


def retry_at(now: datetime, *, attempts: int, token: str) -> datetime:
    """When a mailing is tried again after `attempts` (1 or more) of them. It is never given up.

    To each wait after the first comes up to a tenth of it, which follows from the mailing's `token`: mails
    that were refused together do not come back together again and again.
    """
    wait = min(FIRST_RETRY * (1 << min(attempts - 1, 10)), LONGEST_RETRY)
    jitter = crc32(f"{token}/{attempts}".encode()) / 2**32 / 10 if attempts > 1 else 0
    return now + wait * (1 + jitter)


def pause_after(failures: int) -> timedelta:
    """How long to wait after the mail server could not be used `failures` (1 or more) times in a row."""
    return SERVER_PAUSES[min(failures, len(SERVER_PAUSES)) - 1]


def cause_to_suppress(found: Bounce, bounced: Bounced, *, is_their_own: bool) -> str | None:
    """Why the subscriber gets no more mail after this bounce, if so.

    `is_their_own`: it is the subscriber's address that failed, and not one that their mailbox hands on to.
    What speaks of anything but the mailbox suppresses nobody, however often it comes, and nor does a server
    that calls very many dead at once.
    """
    if found.concern is Concern.OTHER or is_one_of_many(bounced):
        return None
    if found.is_dead and is_their_own:
        return found.reply
    if bounced.doubted_for >= DOUBTED_FOR:
        return f"mailings came back for days, the last: {found.reply}"
    if bounced.bounces >= MOST_BOUNCES:
        return f"{bounced.bounces} mailings came back in 30 days, the last: {found.reply}"
    return None


def is_one_of_many(bounced: Bounced) -> bool:
    """Whether so many others bounced within a day that a server has to be at fault.

    More than a few others, and more than a tenth of those mailed: of all subscribers, or of those of the same
    domain; there also where that would be most of them.
    """
    of_domain = bounced.of_domain
    most_of_domain = of_domain.others >= _FEW_BOUNCED - 1 and (of_domain.others + 1) * 2 > of_domain.mailed
    return _are_many(bounced.of_all) or _are_many(of_domain) or most_of_domain


def _are_many(returned: Returned) -> bool:
    return returned.others >= _FEW_BOUNCED and returned.others * 10 > returned.mailed


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
