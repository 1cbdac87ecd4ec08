"""Collects the mails of a batch whose recipients a server refused, and decides about them at its end."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digest.config.parsing import address_key
from digest.mail.transport import Outcome, Receipt
from digest.pipeline.policy import (
    FIRST_RETRY,
    LATELY,
    MOST_UNSERVED,
    RETRY_RELEASED_AFTER,
    CircuitBreaker,
    Decision,
    Refused,
    Tally,
    domain_of,
)
from digest.pipeline.rendering import RenderedMessage
from digest.storage.delivery_stores import DeliverStore

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Settlement:
    """The refusals that count; `causes` say why others do not, and `released` counts those mailings.

    A recipient who was not served is counted without a decision about the address. `no_service` is what the
    server said if it served nobody.
    """

    counted: list[tuple[RenderedMessage, Receipt, Decision | None]] = field(default_factory=list)
    released: int = 0
    causes: list[str] = field(default_factory=list)
    no_service: str | None = None


class Refusals:
    """The refusals of a batch: addresses that were called dead, and recipients who were not served."""

    def __init__(self, store: DeliverStore, *, began_at: datetime, holder: str) -> None:
        self.circuit_breaker = CircuitBreaker()
        self._store = store
        self._began_at = began_at
        self._holder = holder
        self._refused: list[tuple[RenderedMessage, Receipt]] = []
        self._unserved: list[tuple[RenderedMessage, Receipt]] = []
        self._unserved_in_a_row = 0
        self._known: set[int] = set()
        self._held_back: defaultdict[str, list[int]] = defaultdict(list)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the mailings that are kept here."""
        held_back = (number for numbers in self._held_back.values() for number in numbers)
        return (*(one.number for one, _ in (*self._refused, *self._unserved)), *held_back)

    @property
    def is_nobody_served(self) -> bool:
        """Whether so many recipients in a row were not served that the server must accept no mail."""
        return self._unserved_in_a_row >= MOST_UNSERVED

    def accept(self, address: str, count: int) -> None:
        """The server accepted `count` mails for an address, or for others of its domain."""
        self.circuit_breaker.accept(address, count)
        if not self.is_nobody_served:
            self._unserved_in_a_row = 0

    def refuse(self, one: RenderedMessage, receipt: Receipt) -> None:
        """Keeps the mail here. One that comes again, from a share that took over another, counts once."""
        if one.number in self._known:
            return
        self._known.add(one.number)
        if receipt.outcome is Outcome.UNSERVED:
            self._unserved.append((one, receipt))
            self._unserved_in_a_row += one.attempts == 0
        else:
            self._refused.append((one, receipt))
            self.circuit_breaker.refuse(_refused(one, receipt))

    def hold_back(self, one: RenderedMessage) -> None:
        """Keeps a mail here, since too many addresses of its domain were called dead to try it."""
        self._held_back[_domain(one)].append(one.number)

    async def settle(self, now: datetime) -> Settlement:
        """Decides, and releases the mailings whose addresses are not to blame. Raises `StateError`."""
        settlement = Settlement()
        await self._settle_unserved(settlement, now)
        if not self._refused:
            return settlement
        lately = await asyncio.to_thread(self._lately, now)
        decisions = await asyncio.to_thread(self._decide, now, lately)
        released: defaultdict[str, list[tuple[RenderedMessage, Receipt]]] = defaultdict(list)
        for (one, receipt), decision in zip(self._refused, decisions, strict=True):
            if decision is Decision.RELEASE:
                released[_domain(one)].append((one, receipt))
            else:
                settlement.counted.append((one, receipt, decision))
        is_of_all = self.circuit_breaker.accepted == 0 or any(
            self.circuit_breaker.believes(one, lately) for one in released
        )
        if released and is_of_all:
            released = defaultdict(list, {"": [one for refused in released.values() for one in refused]})
        for domain, refused in released.items():
            await self._release(settlement, domain, refused, now)
        await self._give_back(now)
        return settlement

    async def _settle_unserved(self, settlement: Settlement, now: datetime) -> None:
        """Counts those who were not served while the server accepted mails for others.

        If it accepted none, and was not asked for all, the next batch begins with the others.
        """
        rest: list[tuple[RenderedMessage, Receipt]] = []
        planned_at = {one.planned_at for one, _ in self._unserved}
        served_since = await asyncio.to_thread(self._served_since, planned_at) if planned_at else frozenset()
        for one, receipt in self._unserved:
            is_new = one.attempts == 0 and self.is_nobody_served
            if one.planned_at in served_since and not is_new:
                settlement.counted.append((one, receipt, None))
            else:
                rest.append((one, receipt))
        if rest:
            settlement.no_service = rest[-1][1].reply
            settlement.released += len(rest)
            _log.warning("no recipient served refused=%d cause=%s", len(rest), settlement.no_service)
            await asyncio.to_thread(
                self._store.release,
                tuple(one.number for one, _ in rest),
                now=now + FIRST_RETRY if self.is_nobody_served else now,
                reply=settlement.no_service,
                holder=self._holder,
            )

    def _served_since(self, moments: Collection[datetime]) -> frozenset[datetime]:
        """Returns those of `moments` since when the server accepted a mail."""
        if self.circuit_breaker.accepted:
            return frozenset(moments)
        return frozenset(moment for moment in moments if self._store.accepted_since(moment))

    def _decide(self, now: datetime, lately: Mapping[str, Tally]) -> Sequence[Decision]:
        doubted = self._store.doubted()
        return self.circuit_breaker.decide(
            [_refused(one, receipt) for one, receipt in self._refused],
            now=now,
            doubted=doubted,
            accepted_since=self._store.accepted_since(min((*doubted.values(), self._began_at))),
            lately=lately,
        )

    def _lately(self, now: datetime) -> Mapping[str, Tally]:
        records = {
            domain: self._store.record_of(domain, since=now - LATELY)
            for domain in {_domain(one) for one, _ in self._refused}
        }
        return {domain: Tally(accepted=accepted, dead=dead) for domain, (accepted, dead) in records.items()}

    async def _give_back(self, now: datetime) -> None:
        """Releases the mails held back for domains that accepted a mail after all."""
        rest = tuple(number for numbers in self._held_back.values() for number in numbers)
        if rest:
            await asyncio.to_thread(self._store.release, rest, now=now, holder=self._holder)

    async def _release(
        self,
        settlement: Settlement,
        domain: str,
        refused: Sequence[tuple[RenderedMessage, Receipt]],
        now: datetime,
    ) -> None:
        """Releases the refused mails, and those held back for the domain; without a `domain`, for all."""
        domains = [domain] if domain else [*self._held_back]
        held_back = [number for one in domains for number in self._held_back.pop(one, ())]
        numbers = (*(one.number for one, _ in refused), *held_back)
        cause = _cause(domain, len(refused), refused[-1][1].reply)
        again_at = now + RETRY_RELEASED_AFTER
        await asyncio.to_thread(self._store.release, numbers, now=again_at, reply=cause, holder=self._holder)
        _log.error(
            "nobody suppressed domain=%s refused=%d accepted=%d",
            domain or "any", len(refused), self.circuit_breaker.accepted,
        )  # fmt: skip
        settlement.causes.append(cause)
        settlement.released += len(numbers)


def _domain(one: RenderedMessage) -> str:
    return domain_of(address_key(one.email))


def _refused(one: RenderedMessage, receipt: Receipt) -> Refused:
    return Refused(address=address_key(one.email), is_certain=receipt.outcome is Outcome.DEAD)


def _cause(domain: str, count: int, reply: str) -> str:
    number = "1 address" if count == 1 else f"{count} addresses"
    if not domain:
        return (
            f"the server calls {number} dead at once, so none of them is given up: {reply}."
            " Check smtp.host; if an address really does not exist, remove it with digest unsubscribe"
        )
    return (
        f"the server calls {number} of {domain} dead, too many at once, so none of them is given up: {reply}."
        " Check to which server the mail for this domain goes; if an address really does not exist, remove it"
        " with digest unsubscribe"
    )
