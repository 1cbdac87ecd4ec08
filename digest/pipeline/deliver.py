"""Sends what is due in the outbox. The states are those of docs/delivery.md."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from digest.config.memory import trim_heap
from digest.errors import ServerUnavailable, StateError, WorkerGone
from digest.keywords.index import forget
from digest.mail.rate_limit import UNLIMITED, Limits, RateLimit
from digest.mail.transport import Outcome, Receipt, Session, Transport
from digest.pipeline.policy import LATEST_RETRY, Decision, retry_at
from digest.pipeline.receipt_writer import ReceiptWriter
from digest.pipeline.refusals import Refusals
from digest.pipeline.render_queue import RenderedMessage, RenderQueue, StartWorker, Write, draft
from digest.storage.pipeline_stores import DeliverStore
from digest.storage.values import DeliveryResult, MailingState

_log = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
"""How long a mailing is ours without a word from us; renewed long before it ends."""

_AT_ONCE = 30
"""How many mailings are claimed, and their messages built, at once."""

MANY = 1_000
"""So many mails are worth a second process, which takes half a second to begin."""

_STATES = {
    Outcome.SENT: MailingState.SENT,
    Outcome.UNKNOWN: MailingState.UNKNOWN,
    Outcome.DEFERRED: MailingState.DEFERRED,
    Outcome.REJECTED: MailingState.DEFERRED,
    Outcome.DEAD: MailingState.DEFERRED,
    Outcome.DOUBTFUL: MailingState.DEFERRED,
}


@dataclass(slots=True, kw_only=True)
class DeliveryReport:
    """What became of the mailings tried: `deferred` ones are tried again, the address of others is dead.

    `brakes` say where so many addresses were called dead that none of them is believed to be; `is_braked`:
    the batch ended by it.
    `limited_until`: a day's mails, or the provider's quota, are used up, and the next may go then.
    """

    sent: int = 0
    deferred: int = 0
    suppressed: int = 0
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_server_down: bool = False
    is_braked: bool = False
    brakes: list[str] = field(default_factory=list)
    limited_until: datetime | None = None


_Queue = asyncio.Queue[RenderedMessage | None]


async def deliver(
    store: DeliverStore,
    transport: Transport,
    write: Write,
    clock: Callable[[], datetime],
    *,
    limits: Limits = UNLIMITED,
    start_worker: StartWorker | None = None,
    stop: asyncio.Event | None = None,
    notice: Callable[[DeliveryReport], None] = lambda report: None,
) -> DeliveryReport:
    """Sends what is due in the outbox, over as many sessions as the transport has and within `limits`.

    What an earlier delivery left in the middle is taken up again: one delivery runs at a time.
    When the server as a whole cannot be used, the batch ends and no subscriber is blamed. `stop` lets
    the mails in hand be finished and no other be begun. `notice` is told after each mail. Where very many
    wait, the process that `hire` opens writes them, as long as it lives.
    Raises `StateError` when the outbox cannot be read or written.
    """
    await asyncio.to_thread(store.reclaim, now=clock(), latest=clock() + LATEST_RETRY)
    rate_limit = await asyncio.to_thread(RateLimit.resumed, limits, now=clock(), sent_since=store.sent_since)
    notes: list[str] = []
    async with _drafting(store, write, start_worker, notes) as drafting:
        delivery = _Delivery(store, transport, drafting, clock, rate_limit, stop or asyncio.Event(), notice)
        try:
            await delivery.run()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
    delivery.report.notes += notes
    return delivery.report


@asynccontextmanager
async def _drafting(
    store: DeliverStore, write: Write, start_worker: StartWorker | None, notes: list[str]
) -> AsyncIterator[RenderQueue]:
    async def own(now: datetime, until: datetime, limit: int) -> Sequence[RenderedMessage]:
        return await asyncio.to_thread(draft, store, write, now=now, until=until, limit=limit)

    async with AsyncExitStack() as stack:
        theirs: RenderQueue = own
        if start_worker is not None and await asyncio.to_thread(store.waiting) >= MANY:
            await asyncio.to_thread(_make_room, store)
            try:
                theirs = await stack.enter_async_context(start_worker())
            except WorkerGone as error:
                notes.append(_alone(error))
        yield _followed(theirs, own, notes)


def _over_quota(failures: Sequence[ServerUnavailable]) -> ServerUnavailable | None:
    """The first that says when the provider's quota may be free again."""
    return next((one for one in failures if one.wait is not None), None)


def _alone(error: WorkerGone) -> str:
    return f"the mails were written by one process instead of two, which takes longer: {error}"


def _make_room(store: DeliverStore) -> None:
    """Gives up what only writing would need: another process is about to do that."""
    store.forget()
    forget()
    trim_heap()


def _followed(theirs: RenderQueue, own: RenderQueue, notes: list[str]) -> RenderQueue:
    """`theirs` until that is gone, and then `own`. What it held comes back when the lease ends."""

    async def drafting(now: datetime, until: datetime, limit: int) -> Sequence[RenderedMessage]:
        nonlocal theirs
        try:
            return await theirs(now, until, limit)
        except WorkerGone as error:
            notes.append(_alone(error))
            theirs = own
            return await own(now, until, limit)

    return drafting


class _Delivery:
    """One batch: what its sessions share."""

    def __init__(
        self,
        store: DeliverStore,
        transport: Transport,
        drafting: RenderQueue,
        clock: Callable[[], datetime],
        rate_limit: RateLimit,
        stop: asyncio.Event,
        notice: Callable[[DeliveryReport], None],
    ) -> None:
        self.report = DeliveryReport()
        self._store = store
        self._transport = transport
        self._drafting = drafting
        self._clock = clock
        self._pace = rate_limit
        self._began = clock(), time.monotonic()
        self._stop = stop
        self._notice = notice
        self._receipt_writer = ReceiptWriter(store, clock, stop, sessions=transport.sessions)
        self._held: set[int] = set()
        self._claiming: asyncio.Future[Sequence[RenderedMessage]] | None = None
        self._returned: list[RenderedMessage] = []
        self._refusals = Refusals(store, began_at=self._began[0])
        self._state_error: StateError | None = None
        self._working = 0
        self._has_ended_well = False

    async def run(self) -> None:
        """A server may refuse one session and serve the others; it is down when it ends them all."""
        failures, tried = await self._round()
        while failures and len(failures) < tried and not self._is_over(failures):
            failures, tried = await self._round()
        await self._decide()
        if refusal := _over_quota(failures):
            self.report.limited_until = self._now() + (refusal.wait or LEASE)
            self.report.notes.append(f"{refusal}; the next try is at {self.report.limited_until:%F %H:%M %Z}")
        elif failures and len(failures) == tried:
            self.report.is_server_down = True
            self.report.errors.append(str(failures[0]))
        elif self.report.limited_until:
            waiting = await asyncio.to_thread(self._store.waiting)
            self.report.notes.append(self._pace.note(self._now(), waiting=waiting))
        if self._state_error:
            raise self._state_error

    def _is_over(self, failures: Sequence[ServerUnavailable]) -> bool:
        is_limited = self.report.limited_until is not None or _over_quota(failures) is not None
        return is_limited or self._refusals.circuit_breaker.is_pulled

    async def _round(self) -> tuple[list[ServerUnavailable], int]:
        """Sends until nothing is due: what ended sessions, and how many sessions had something to send."""
        queue: _Queue = asyncio.Queue(maxsize=self._transport.sessions)
        self._working, self._has_ended_well = 0, False
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(self._feed(queue)), group.create_task(self._keep_leases())]
            workers = [group.create_task(self._work(queue)) for _ in range(self._transport.sessions)]
            await asyncio.wait(workers)
            for other in others:
                other.cancel()
        ended = [worker.result() for worker in workers]
        failures = [end for end in ended if isinstance(end, ServerUnavailable)]
        await self._release(failures)
        return failures, sum(end is not None for end in ended)

    async def _feed(self, queue: _Queue) -> None:
        """Claims and writes ahead of the sessions, and tells each of them when there is nothing more."""
        try:
            claiming = self._claim()
            while (drafts := await asyncio.shield(claiming)) and not self._stop.is_set():
                claiming = self._claim()
                ahead = deque(drafts)
                del drafts
                while ahead:  # a message that was sent is not held any longer
                    await queue.put(ahead.popleft())
        except StateError as error:  # the mails in hand are finished first
            self._state_error = error
        for _ in range(self._transport.sessions):
            await queue.put(None)

    def _claim(self) -> asyncio.Future[Sequence[RenderedMessage]]:
        """Goes on to its end, whatever becomes of who waits for it: what it claims has to be given back."""
        now = self._clock()
        self._claiming = asyncio.ensure_future(self._drafting(now, now + LEASE, _AT_ONCE))
        self._claiming.add_done_callback(self._hold)
        return self._claiming

    def _hold(self, claimed: asyncio.Future[Sequence[RenderedMessage]]) -> None:
        if not claimed.cancelled() and claimed.exception() is None:
            self._held.update(one.number for one in claimed.result())

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            held = (*self._held, *self._refusals.numbers)
            with suppress(StateError):  # the sessions meet it too, and wait rather than forget what they sent
                await asyncio.to_thread(self._store.renew, held, until=self._clock() + LEASE)

    async def _release(self, failures: Sequence[ServerUnavailable]) -> None:
        """Gives back what was claimed and not sent, with the first of what ended sessions."""
        self._returned.clear()
        if self._claiming:
            await asyncio.wait((self._claiming,))
        if self._held:
            reply = str(failures[0]) if failures else None
            await asyncio.to_thread(self._store.release, tuple(self._held), now=self._clock(), reply=reply)
            self._held.clear()

    async def _work(self, queue: _Queue) -> ServerUnavailable | bool | None:
        """Sends through one session what comes: what ended it, or whether there was anything to send."""
        one = await self._next(queue)
        if one is None:
            return None
        self._working += 1
        try:
            async with self._transport.session() as session:
                while one is not None and await self._may_go():
                    await self._handle(session, one)
                    one = await self._next(queue)
        except ServerUnavailable as error:
            self._working -= 1
            _log.warning("session failed cause=%s next=%s", error, self._next_of(error))
            if one is not None and one.number in self._held:
                self._returned.append(one)
            return error
        self._working -= 1
        self._has_ended_well = True
        return True

    def _next_of(self, error: ServerUnavailable) -> str:
        """What happens to the mails of a session that failed, for the log."""
        if error.wait is not None:
            return "no mail goes until the limit may be over"
        if self._working:
            return f"other sessions go on: {self._working}"
        return "a new session at once" if self._has_ended_well else "what is left waits"

    async def _next(self, queue: _Queue) -> RenderedMessage | None:
        """What another session had to give back comes before the end."""
        while not self._stop.is_set():
            one = await queue.get()
            if one is None:
                return self._returned.pop() if self._returned and not self._stop.is_set() else None
            if not self._refusals.holds_back(one):
                return one
            self._held.discard(one.number)
        return None

    async def _may_go(self) -> bool:
        """Waits as the limits want; false when a day's mails are used up, or when told to stop."""
        if self._refusals.circuit_breaker.is_pulled:
            return False
        while not self._pace.is_spent(now := self._now()):
            wait = self._pace.wait_for(now).total_seconds()
            if not wait:
                self._pace.sent(now)
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)
                return False
        self.report.limited_until = self._pace.free_at(now)
        return False

    def _now(self) -> datetime:
        """The moment by a clock that goes on also where a cycle is run as of some moment."""
        began_at, began = self._began
        return began_at + timedelta(seconds=time.monotonic() - began)

    async def _handle(self, session: Session, one: RenderedMessage) -> None:
        if one.outgoing is None:
            receipt = Receipt(outcome=Outcome.DEFERRED, reply=one.failure)
        else:
            receipt = await session.send(one.outgoing)
        if receipt.outcome in {Outcome.DEAD, Outcome.DOUBTFUL}:  # decided when all of the batch is known
            self._held.discard(one.number)
            self._refusals.refuse(one, receipt)
            return
        if receipt.outcome is Outcome.SENT:
            self._refusals.accept(one)
        await self._receipt_writer.write(_delivery_result(one, receipt, self._clock()))
        self._held.discard(one.number)
        self._count(one, receipt)
        self._notice(self.report)

    async def _decide(self) -> None:
        """What becomes of those whose addresses the server called dead."""
        now = self._clock()
        settlement = await self._refusals.settle(now)
        for one, receipt, decision in settlement.counted:
            await self._receipt_writer.write(_delivery_result(one, receipt, now, decision))
            self._count(one, receipt, is_given_up=decision is Decision.SUPPRESS)
            self._notice(self.report)
        self.report.brakes += settlement.causes
        self.report.errors += settlement.causes
        self.report.deferred += settlement.released
        self.report.is_braked = bool(settlement.causes) and self._refusals.circuit_breaker.is_of_server
        self.report.is_server_down |= self.report.is_braked

    def _count(self, one: RenderedMessage, receipt: Receipt, *, is_given_up: bool = False) -> None:
        if receipt.outcome is Outcome.SENT:
            self.report.sent += 1
            _log.debug("mailing sent number=%d to=%s", one.number, one.email)
            return
        # A server likes to quote the address, and a log is not the place for it.
        reply = receipt.reply.replace(one.email, "the recipient")
        _log.warning(
            "mailing not sent number=%d outcome=%s cause=%s", one.number, receipt.outcome.value, reply
        )
        if is_given_up:
            self.report.suppressed += 1
            self.report.errors.append(
                f"{one.email} gets no more mail, until `digest resume {one.email}`: {receipt.reply}"
            )
        else:
            self.report.deferred += 1
            self.report.errors.append(f"the digest for {one.email} waits: {receipt.reply}")


def _delivery_result(
    one: RenderedMessage, receipt: Receipt, now: datetime, decision: Decision | None = None
) -> DeliveryResult:
    conclusion = DeliveryResult(
        number=one.number,
        state=MailingState.SUPPRESSED if decision is Decision.SUPPRESS else _STATES[receipt.outcome],
        reply=receipt.reply,
        is_doubted=decision is Decision.DOUBT,
    )
    if conclusion.state in {MailingState.SENT, MailingState.SUPPRESSED}:
        return conclusion
    return replace(conclusion, due_at=retry_at(now, attempts=one.attempts + 1, token=one.token))
