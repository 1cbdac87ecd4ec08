"""The rules for retries, for suppressed addresses, and for the end of a batch.

Nothing here reads the clock or the state. `storage/sqlite/suppressions` says how long the state keeps bounces
and doubts. `mail/smtp/reply_codes` says what a reply of a mail server means.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING
from zlib import crc32

from digest.storage.values import Bounced, Returned

if TYPE_CHECKING:
    from digest.mail.bounces import Bounce

LEASE = timedelta(minutes=10)
"""How long a claimed mailing is reserved. The lease is renewed long before it ends."""

FIRST_RETRY = timedelta(minutes=30)
LONGEST_RETRY = timedelta(hours=12)
"""The shortest and the longest wait between attempts at a mailing. Each wait is twice the one before.

Longer waits are only those of a mailing that may have arrived: each attempt may bring the subscriber a copy.
"""

LATEST_RETRY = 2 * LONGEST_RETRY
"""A mailing that is due later than this was put off while the clock was wrong, unless it may have arrived."""

RETRY_RELEASED_AFTER = timedelta(hours=1)
"""How soon an address is tried again after it was called dead together with too many others."""

RETRY_BOUNCED_AFTER = timedelta(days=1)
"""How soon a bounced mailing is tried again, unless the next digest takes over its papers."""

SERVER_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60))
"""The waits after the whole mail server, or a step of the daemon, failed. The last one repeats."""

FEW_OVER_QUOTA = 3
MOST_OVER_QUOTA = 10
"""A provider's quota is used up if a server says so at `FEW_OVER_QUOTA` mailings without an accepted mail
between, or `MOST_OVER_QUOTA` times in a delivery. Else the quota may be that of these recipients.
"""

MOST_UNSERVED = 30
"""A server is believed if it says at this many recipients in a row that it accepts no mail.

Some say so of a few only: one that forwards mail only after a login accepts mail for its own mailboxes.
"""

MOST_BOUNCES = 5
"""An address is suppressed after this many mailings bounced in 30 days because of the mailbox.

A mailbox may be full during a holiday: with a daily digest, this limit is a working week. It is not higher,
because providers count mails to addresses that do not accept them.
"""

DOUBTED_FOR = timedelta(hours=40)
"""A doubtful address is dead if the bounces of two of its mailings are at least this far apart.

This is two days, less the hours by which the time of delivery differs.
"""

_FEW_BOUNCED = 3
"""This many addresses may bounce in a day, however small the group is."""

LATELY = timedelta(days=1)
"""Replies about a domain within this time count together with those of the current batch."""

IN_A_ROW = 8
"""A batch, or its part for a domain, ends after this many dead addresses without an accepted mail."""

FEW = 3
SHARE = 10
"""`FEW` addresses of a batch, or of a domain, may be dead at once, or one in `SHARE` if that is more."""

_ALONE = 2
"""At most this many doubtful addresses may be dead if the server accepted no other mail."""

_OF_ONE_DOMAIN = 4
"""One domain counts for at most this many in a row when the server as a whole is judged."""

_NEXT_DAY = timedelta(hours=20)
_DAYS = timedelta(days=3)
"""How long a server must repeat a reply before it counts: one that is certain, one that is not."""


def retry_at(now: datetime, *, attempts: int, token: str, waited: timedelta = timedelta(0)) -> datetime:
    """Returns when a mailing is tried again after `attempts` (1 or more). It is never given up.

    `waited` is for a mailing that may have arrived at the last attempt: the time since it was planned. If
    that is more than `LONGEST_RETRY`, it waits for as long again, but not for more than three weeks.
    Each wait after the first has a jitter of up to a tenth, derived from the mailing's `token`: mails that
    were refused together are not retried together every time.
    """
    wait = min(FIRST_RETRY * (1 << min(attempts - 1, 10)), max(LONGEST_RETRY, waited))
    jitter = crc32(f"{token}/{attempts}".encode()) / 2**32 / 10 if attempts > 1 else 0
    return now + wait * (1 + jitter)


def pause_after(failures: int) -> timedelta:
    """Returns how long to wait after the mail server failed `failures` (1 or more) times in a row."""
    return SERVER_PAUSES[min(failures, len(SERVER_PAUSES)) - 1]


def cause_to_suppress(found: "Bounce", bounced: Bounced, *, is_their_own: bool) -> str | None:
    """Returns why the address is suppressed after this bounce, or `None` if it is not.

    `is_their_own`: the subscriber's own address failed, not one to which their mailbox forwards.
    A bounce for a reason other than the mailbox never suppresses an address, however often it comes. Neither
    does a server that calls very many addresses dead at once.
    """
    if not found.is_about_mailbox or is_one_of_many(bounced):
        return None
    if found.is_dead and is_their_own:
        return found.reply
    if bounced.doubted_for >= DOUBTED_FOR:
        return f"mailings came back for days, the last: {found.reply}"
    if bounced.bounces >= MOST_BOUNCES:
        return f"{bounced.bounces} mailings came back in 30 days, the last: {found.reply}"
    return None


def is_one_of_many(bounced: Bounced) -> bool:
    """Whether so many others bounced within a day that a mail server must be the cause.

    This needs more than a few others, and more than a tenth of the mailed subscribers, of all or of the same
    domain. Within a domain, more than two are also enough if they are more than half.
    """
    of_domain = bounced.of_domain
    most_of_domain = of_domain.others >= _FEW_BOUNCED - 1 and (of_domain.others + 1) * 2 > of_domain.mailed
    return _are_many(bounced.of_all) or _are_many(of_domain) or most_of_domain


def _are_many(returned: Returned) -> bool:
    return returned.others >= _FEW_BOUNCED and returned.others * 10 > returned.mailed


class Decision(Enum):
    """`SUPPRESS`: no more mail. `DOUBT`: refused for now, and stored. `RELEASE`: no address is blamed."""

    SUPPRESS = "suppress"
    DOUBT = "doubt"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The `address_key` of an address that the server called dead (`is_certain`) or perhaps dead."""

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
        """Whether this many may be dead at once. Two always may: one day alone does not suppress them."""
        if self.in_a_row >= IN_A_ROW:
            return False
        few = self.dead <= FEW or self.dead * SHARE <= self.dead + self.accepted
        return self.dead <= _ALONE or (few and self.accepted >= self.dead)


class QuotaReplies:
    """The mailings at which a quota was used up since the server accepted a mail, over all deliveries."""

    def __init__(self) -> None:
        self._mailings: set[int] = set()

    def add(self, number: int) -> None:
        self._mailings.add(number)

    def accept(self) -> None:
        self._mailings.clear()

    @property
    def is_of_provider(self) -> bool:
        return len(self._mailings) >= FEW_OVER_QUOTA


class CircuitBreaker:
    """Counts the replies of one batch, in their order, for each recipient's domain.

    One server may relay to many others. If the mail for one domain is routed wrongly, all addresses of that
    domain are called dead, and the others are accepted.
    """

    def __init__(self) -> None:
        self._domains: defaultdict[str, Tally] = defaultdict(Tally)
        self._row: Counter[str] = Counter()
        self._stopped: set[str] = set()

    @property
    def accepted(self) -> int:
        return sum(tally.accepted for tally in self._domains.values())

    def accept(self, address: str, count: int = 1) -> None:
        domain = domain_of(address)
        tally = self._domains[domain]
        tally.accepted += count
        tally.in_a_row = 0
        self._row.clear()
        self._stopped.discard(domain)

    def refuse(self, one: Refused) -> None:
        domain = domain_of(one.address)
        self._domains[domain].dead += one.is_certain
        self._domains[domain].in_a_row += 1
        self._row[domain] += 1
        if self._domains[domain].in_a_row >= IN_A_ROW:
            self._stopped.add(domain)

    @property
    def is_pulled(self) -> bool:
        """Whether the batch must end."""
        return sum(min(count, _OF_ONE_DOMAIN) for count in self._row.values()) >= IN_A_ROW

    def is_stopped(self, domain: str) -> bool:
        """Whether this batch must try no more mails for the domain."""
        return domain in self._stopped

    @property
    def stopped(self) -> frozenset[str]:
        """The domains for which this batch must try no more mails."""
        return frozenset(self._stopped)

    @property
    def is_of_server(self) -> bool:
        """Whether the server as a whole cannot be used."""
        return self.is_pulled or (bool(self._stopped) and self.accepted == 0)

    def believes(self, domain: str, lately: Mapping[str, Tally]) -> bool:
        """Whether this many addresses of the domain may be dead.

        `lately` counts the replies about the domain before this batch. It may already contain the accepted
        mails of this batch, but none of its refusals.
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
        """Returns the decision for each refused address, in the given order.

        `doubted` has since when each address is in doubt. `accepted_since` counts the mails that the server
        accepted since the first of these doubts. `lately` is as in `believes`. An address is suppressed at
        once if the same batch has at least as many accepted mails as dead addresses. Three or more refusals
        in a row at the end of the batch do not count: the server may have failed by then.
        """
        believed = {domain for domain in self._domains if self.believes(domain, lately)}
        strange = {domain_of(one.address) for one in refused} - believed
        judged = [one for one in refused if domain_of(one.address) in believed]
        # A server that is wrong about one domain may be wrong about others: each such domain counts as one.
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
