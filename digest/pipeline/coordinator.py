"""The coordinator of a delivery: what its shares must decide together, and who does what."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import random
from secrets import token_hex
from typing import Protocol

from digest.config.memory import trim_heap
from digest.errors import StateError, WorkerGone
from digest.keywords.index import forget
from digest.mail.transport import Receipt
from digest.pipeline.leases import LASTING, ClaimLease
from digest.pipeline.plan import ComposeReport, DueSubscriber, Plan
from digest.pipeline.policy import LEASE, MOST_OVER_QUOTA, Decision, QuotaReplies
from digest.pipeline.receipt_writer import ReceiptWriter
from digest.pipeline.refusals import Refusals
from digest.pipeline.rendering import RenderedMessage
from digest.pipeline.share import RoundResult, SessionFailure, Share, delivery_result, error_of
from digest.storage.delivery_stores import DeliverStore

MANY = 1_000
"""From this number of mails on, workers are started, which takes half a second."""

_BATCH = 100
"""How many subscribers a share composes at a time."""


@dataclass(slots=True, kw_only=True)
class DeliveryReport:
    """The result of a delivery.

    `deferred` mailings are tried again. The addresses of `suppressed` ones are dead. `brakes` say where so
    many addresses were called dead that none of them is believed to be dead; `is_braked`: this ended the
    sending. `is_doubtful`: the server failed only for few recipients, and may serve others. `limited_until`:
    the daily limit, or the provider's quota, is used up until then.
    """

    composed: ComposeReport = field(default_factory=ComposeReport)
    sent: int = 0
    deferred: int = 0
    suppressed: int = 0
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_server_down: bool = False
    is_doubtful: bool = False
    is_braked: bool = False
    brakes: list[str] = field(default_factory=list)
    limited_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Composing:
    """The digests to compose: those of `plan`. First digests have papers since `backlog_since`.

    `ended` is called once, when all are composed or no others will be.
    """

    plan: Plan
    backlog_since: datetime
    ended: Callable[[], None] = lambda: None


class RemoteShare(Protocol):
    """A share in a worker process. `holder` names it in the mailings that it claims."""

    @property
    def holder(self) -> str: ...

    async def round(self, *, sends: bool) -> RoundResult:
        """As that of `Share`. Raises `WorkerGone` if the process has ended; then it is certainly dead."""
        ...


class DeliveryCoordinator:
    """Coordinates the shares of one delivery. `digest.pipeline.share.Coordinator` describes its methods.

    `changed` is called when `is_ended` or the stopped domains may have changed.
    """

    def __init__(
        self,
        store: DeliverStore,
        clock: Callable[[], datetime],
        composing: Composing | None,
        stop: asyncio.Event,
        notice: Callable[[DeliveryReport], None],
        *,
        sessions: int,
        quota_replies: QuotaReplies,
    ) -> None:
        self.report = DeliveryReport()
        self.stop = stop
        self.is_over_quota = False
        self.changed: list[Callable[[], None]] = []
        self.holder = token_hex(8)
        self.sessions = sessions
        self._store = store
        self._clock = clock
        self._composing = composing
        self._notice = notice
        self._refusals = Refusals(store, began_at=clock(), holder=self.holder)
        self._lease = ClaimLease(store, self.holder)
        self._keeping: list[asyncio.Task[None]] = []
        self._due: deque[DueSubscriber] = deque()
        self._taking = asyncio.Lock()
        self._handed_out = 0
        self._has_ended_composing = composing is None
        self._quota: SessionFailure | None = None
        self._quota_replies = quota_replies
        self._quota_count = 0
        self._state_error: StateError | None = None

    async def begin(self) -> None:
        """Becomes a holder of mailings, and leaves a part of the sessions to the other hosts.

        Hosts begin at different subscribers, so that they do not compose the same digests.
        """
        hosts = await asyncio.to_thread(self._store.begin_claims, self.holder, lasting=LASTING)
        self._keeping = [asyncio.create_task(self._keep_leases()), asyncio.create_task(self._lease.keep())]
        self.sessions = max(1, self.sessions // hosts)
        if hosts > 1 and self._composing:
            self._composing.plan.begin_at(random())  # noqa: S311 (not for security)

    async def end(self) -> None:
        """Ends what `begin` began, also after an error."""
        for keeping in self._keeping:
            keeping.cancel()
        if self._keeping:
            await asyncio.wait(self._keeping)
        self.end_composing()

    async def has_many(self) -> bool:
        """Whether so many mails are to be composed and sent that workers are worth their start."""
        if self._composing:
            self._due.extend(await asyncio.to_thread(self._composing.plan.take, MANY))
        return len(self._due) + await asyncio.to_thread(self._store.waiting) >= MANY

    def make_room(self) -> None:
        """Frees the caches that only composing and writing need: the workers do that."""
        self._store.forget()
        forget()
        trim_heap()

    @property
    def backlog_since(self) -> datetime | None:
        """That of `Composing`; `None` if nothing is to be composed."""
        return self._composing.backlog_since if self._composing else None

    def now(self) -> datetime:
        return self._clock()

    # What the shares ask and say.

    @property
    def is_ended(self) -> bool:
        refusals = self._refusals
        return self.is_over_quota or refusals.circuit_breaker.is_pulled or refusals.is_nobody_served

    @property
    def stopped(self) -> frozenset[str]:
        """The domains to which no other mail may be sent."""
        return self._refusals.circuit_breaker.stopped

    def is_stopped(self, domain: str) -> bool:
        return self._refusals.circuit_breaker.is_stopped(domain)

    async def next_batch(self) -> Sequence[DueSubscriber]:
        async with self._taking:
            if self._composing and not self._due and not self.stop.is_set():
                self._due.extend(await asyncio.to_thread(self._composing.plan.take, _BATCH))
            batch = tuple(self._due.popleft() for _ in range(min(_BATCH, len(self._due))))
        self._handed_out += bool(batch)
        if not batch and not self._handed_out:
            self.end_composing()
        return batch

    def composed(self, report: ComposeReport) -> None:
        self.report.composed += report
        self._handed_out -= 1

    def give_back(self, batch: Sequence[DueSubscriber]) -> None:
        """Takes back a batch that was not composed, because its worker died."""
        self._due.extendleft(batch)
        self._handed_out -= 1

    def end_composing(self) -> None:
        if self._composing and not self._has_ended_composing:
            self._has_ended_composing = True
            self.report.composed += self._composing.plan.report
            self._composing.ended()

    def accepted(self, address: str, count: int = 1) -> None:
        before = self._brake
        self._quota_replies.accept()
        self._refusals.accept(address, count)
        self._report_change(before)

    async def refused(self, one: RenderedMessage, receipt: Receipt) -> None:
        before = self._brake
        self._refusals.refuse(one, receipt)
        self._report_change(before)

    def held_back(self, one: RenderedMessage) -> None:
        self._refusals.hold_back(one)

    def recorded(self, error: str | None, count: int = 1) -> None:
        if error is None:
            self.report.sent += count
        else:
            self.report.deferred += 1
            self.report.errors.append(error)
        self._notice(self.report)

    def used_up(self, number: int) -> None:
        before = self._brake
        self._quota_replies.add(number)
        self._quota_count += 1
        self.is_over_quota |= self._quota_replies.is_of_provider or self._quota_count >= MOST_OVER_QUOTA
        self._report_change(before)

    @property
    def _brake(self) -> tuple[bool, frozenset[str]]:
        return self.is_ended, self.stopped

    def _report_change(self, before: tuple[bool, frozenset[str]]) -> None:
        if before != self._brake:
            for changed in self.changed:
                changed()

    # The rounds.

    async def run(self, workers: Sequence[RemoteShare], own: Callable[[], Share]) -> None:
        """Sends everything. A server may refuse some sessions; it is down if it ends all of them.

        If it says that a quota is used up, the mail waits and others are tried: it may be the recipient's.
        """
        failures = await self._rounds(workers, own)
        await self._settle()
        self._conclude(*failures)
        if self._state_error:
            raise self._state_error
        await asyncio.to_thread(self._store.end_claims, self.holder, now=self._clock())

    async def _rounds(
        self, workers: Sequence[RemoteShare], own: Callable[[], Share]
    ) -> tuple[Sequence[SessionFailure], int]:
        """Returns the failures of the last round, and the number of sessions that had mails."""
        alive, share, sends = list(workers), None, not await self._are_others_due()
        while True:
            if alive:
                done = await asyncio.gather(*(self._round_of(worker, sends) for worker in alive))
            else:
                share = share or own()
                done = [await share.round(sends=sends)]
            results = [result for result in done if result is not None]
            is_any_gone = len(results) < len(done)
            alive = [worker for worker, result in zip(alive, done, strict=False) if result is not None]
            for result in results:
                self._state_error = self._state_error or result.state_error
                self.report.limited_until = result.limited_until or self.report.limited_until
            failures = [failure for result in results for failure in result.failures]
            tried = sum(result.tried for result in results)
            is_partly_down = bool(failures) and len(failures) < tried
            quota = next((failure for failure in failures if failure.wait is not None), None)
            self._quota = quota or self._quota
            if self._is_over or (sends and not is_any_gone and not is_partly_down and not quota):
                return failures, tried
            sends = True

    async def _are_others_due(self) -> bool:
        """Whether mailings wait that the digests to compose may merge: then they must not be sent before."""
        due_at = await asyncio.to_thread(self._store.next_due_at) if self._composing else None
        return due_at is not None and due_at <= self._clock()

    @property
    def _is_over(self) -> bool:
        is_limited = self.report.limited_until is not None
        return self.is_ended or is_limited or self._state_error is not None or self.stop.is_set()

    async def _round_of(self, worker: RemoteShare, sends: bool) -> RoundResult | None:
        """Returns `None` if the worker has ended: the mailings that it held are given to the others."""
        try:
            return await worker.round(sends=sends)
        except WorkerGone as error:
            if not self.stop.is_set():
                self.report.notes.append(
                    f"a worker process ended early, and the others did its work: {error.cause}"
                )
            await asyncio.to_thread(self._store.reclaim_from, worker.holder, now=self._clock())
            return None

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            with suppress(StateError):
                numbers, until = self._refusals.numbers, self._clock() + LEASE
                await asyncio.to_thread(self._store.renew, numbers, until=until, holder=self.holder)

    # The end.

    async def _settle(self) -> None:
        """Decides about the recipients whom the server refused."""
        now = self._clock()
        settlement = await self._refusals.settle(now)
        receipt_writer = ReceiptWriter(self._store, self._clock, self.stop, sessions=1, holder=self.holder)
        for one, receipt, decision in settlement.counted:
            result = delivery_result(one, receipt, now, decision)
            await receipt_writer.write(result)
            error = error_of(one, receipt, result)
            if decision is Decision.SUPPRESS:
                self.report.suppressed += 1
                error = f"{one.email} gets no more mail, until `digest resume {one.email}`: {receipt.reply}"
                self.report.errors.append(error)
                self._notice(self.report)
            else:
                self.recorded(error)
        if settlement.no_service:
            self.report.is_server_down = True
            self.report.errors.append(f"the mail server accepts no mail: {settlement.no_service}")
        self.report.brakes += settlement.causes
        self.report.errors += settlement.causes
        self.report.deferred += settlement.released
        self.report.is_braked = bool(settlement.causes) and self._refusals.circuit_breaker.is_of_server
        self.report.is_server_down |= self.report.is_braked
        is_certain = self._refusals.is_nobody_served or self.report.is_braked
        self.report.is_doubtful = settlement.no_service is not None and not is_certain

    def _conclude(self, failures: Sequence[SessionFailure], tried: int) -> None:
        if self._quota:
            until = self._clock() + (self._quota.wait or LEASE)
            self.report.notes.append(f"{self._quota.cause}; the next try is at {until:%F %H:%M %Z}")
            if self.is_over_quota:
                self.report.limited_until = until
        if failures and len(failures) == tried and all(failure.wait is None for failure in failures):
            self.report.is_server_down, self.report.is_doubtful = True, False
            self.report.errors.append(failures[0].cause)
