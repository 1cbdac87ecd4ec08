"""Sends the due mailings of the outbox. docs/delivery.md explains their states."""

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
from digest.mail.transport import Outcome, Receipt, Session, Transport
from digest.pipeline.policy import LATEST_RETRY, Decision, retry_at
from digest.pipeline.receipt_writer import ReceiptWriter
from digest.pipeline.refusals import Refusals
from digest.pipeline.render_queue import RenderedMessage, RenderQueue, StartWorker, Write, draft
from digest.storage.pipeline_stores import DeliverStore
from digest.storage.rate_limit import UNLIMITED, Limits, note_of
from digest.storage.values import DeliveryResult, MailingState

_log = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
"""How long a claimed mailing is reserved. The lease is renewed long before it ends."""

_AT_ONCE = 30
"""How many mailings are claimed, and their messages written, in one step."""

MANY = 1_000
"""From this number of mails on, a render worker is started, which takes half a second."""

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
    """The result of a batch.

    `deferred` mailings are tried again. The addresses of `suppressed` ones are dead. `brakes` say where so
    many addresses were called dead that none of them is believed to be dead; `is_braked`: this ended the
    batch. `limited_until`: the daily limit, or the provider's quota, is used up until then.
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
    """Sends the due mailings of the outbox, over all sessions of the transport and within `limits`.

    Only one delivery may run at a time: it first reclaims the mailings that an earlier one left unfinished.
    If the server as a whole cannot be used, the batch ends and no address is blamed. After `stop` is set, the
    current mails are finished and no other is started. `notice` is called after each mail. If very many mails
    wait, `start_worker` starts a render worker, which writes them as long as it runs.
    Raises `StateError` if the outbox cannot be read or written.
    """
    await asyncio.to_thread(store.reclaim, now=clock(), latest=clock() + LATEST_RETRY)
    if limits.are_set:
        await asyncio.to_thread(store.resume_sending, now=clock())
    notes: list[str] = []
    async with _render_queue(store, write, start_worker, notes) as render:
        delivery = _Delivery(store, transport, render, clock, limits, stop or asyncio.Event(), notice)
        try:
            await delivery.run()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
    delivery.report.notes += notes
    return delivery.report


@asynccontextmanager
async def _render_queue(
    store: DeliverStore, write: Write, start_worker: StartWorker | None, notes: list[str]
) -> AsyncIterator[RenderQueue]:
    async def own(now: datetime, until: datetime, limit: int) -> Sequence[RenderedMessage]:
        return await asyncio.to_thread(draft, store, write, now=now, until=until, limit=limit)

    async with AsyncExitStack() as stack:
        worker: RenderQueue | None = None
        if start_worker is not None and await asyncio.to_thread(store.waiting) >= MANY:
            await asyncio.to_thread(_make_room, store)
            try:
                worker = await stack.enter_async_context(start_worker())
            except WorkerGone as error:
                notes.append(_without_worker(error))
        yield _with_fallback(worker, own, notes) if worker else own


def _over_quota(failures: Sequence[ServerUnavailable]) -> ServerUnavailable | None:
    """Returns the first failure that says when the provider's quota may be free again."""
    return next((one for one in failures if one.wait is not None), None)


def _without_worker(error: WorkerGone) -> str:
    return f"the mails were written by one process instead of two, which takes longer: {error}"


def _make_room(store: DeliverStore) -> None:
    """Frees the caches that only writing needs: the render worker writes instead."""
    store.forget()
    forget()
    trim_heap()


def _with_fallback(worker: RenderQueue, own: RenderQueue, notes: list[str]) -> RenderQueue:
    """Uses `worker` until it ends, then `own`. The worker's mailings are free again when their lease ends."""
    current = worker

    async def render(now: datetime, until: datetime, limit: int) -> Sequence[RenderedMessage]:
        nonlocal current
        try:
            return await current(now, until, limit)
        except WorkerGone as error:
            notes.append(_without_worker(error))
            current = own
            return await own(now, until, limit)

    return render


class _Delivery:
    """One batch, and the data that its sessions share."""

    def __init__(
        self,
        store: DeliverStore,
        transport: Transport,
        render: RenderQueue,
        clock: Callable[[], datetime],
        limits: Limits,
        stop: asyncio.Event,
        notice: Callable[[DeliveryReport], None],
    ) -> None:
        self.report = DeliveryReport()
        self._store = store
        self._transport = transport
        self._render = render
        self._clock = clock
        self._limits = limits
        self._turn = asyncio.Lock()
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
        self._is_over_quota = False

    async def run(self) -> None:
        """Sends the batch. A server may refuse some sessions; it is down if it ends all of them."""
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
            self.report.notes.append(note_of(self._limits, self.report.limited_until, waiting=waiting))
        if self._state_error:
            raise self._state_error

    def _is_over(self, failures: Sequence[ServerUnavailable]) -> bool:
        is_limited = self.report.limited_until is not None or _over_quota(failures) is not None
        return is_limited or self._refusals.circuit_breaker.is_pulled

    async def _round(self) -> tuple[list[ServerUnavailable], int]:
        """Sends until nothing is due. Returns the failures and the number of sessions that had mails."""
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
        """Claims and writes ahead of the sessions. At the end puts a `None` in the queue for each session."""
        try:
            claiming = self._claim()
            while (rendered := await asyncio.shield(claiming)) and not self._stop.is_set():
                claiming = self._claim()
                ahead = deque(rendered)
                del rendered
                while ahead:  # frees each message after it was sent
                    await queue.put(ahead.popleft())
        except StateError as error:  # raised after the current mails are finished
            self._state_error = error
        for _ in range(self._transport.sessions):
            await queue.put(None)

    def _claim(self) -> asyncio.Future[Sequence[RenderedMessage]]:
        """Starts to claim mailings. This is never cancelled: what it claims must be sent or released."""
        now = self._clock()
        self._claiming = asyncio.ensure_future(self._render(now, now + LEASE, _AT_ONCE))
        self._claiming.add_done_callback(self._hold)
        return self._claiming

    def _hold(self, claimed: asyncio.Future[Sequence[RenderedMessage]]) -> None:
        if not claimed.cancelled() and claimed.exception() is None:
            self._held.update(one.number for one in claimed.result())

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            held = (*self._held, *self._refusals.numbers)
            with suppress(StateError):  # the sessions get it too, and wait until they can store results
                await asyncio.to_thread(self._store.renew, held, until=self._clock() + LEASE)

    async def _release(self, failures: Sequence[ServerUnavailable]) -> None:
        """Releases the mailings that were claimed and not sent, with the first failure as reply."""
        self._returned.clear()
        if self._claiming:
            await asyncio.wait((self._claiming,))
        if self._held:
            reply = str(failures[0]) if failures else None
            await asyncio.to_thread(self._store.release, tuple(self._held), now=self._clock(), reply=reply)
            self._held.clear()

    async def _work(self, queue: _Queue) -> ServerUnavailable | bool | None:
        """Sends through one session. Returns its failure, else `True`, or `None` if it had no mail."""
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
            if error.wait is not None:
                self._is_over_quota = True
            elif one is not None and one.number in self._held:
                self._returned.append(one)
            return error
        self._working -= 1
        self._has_ended_well = True
        return True

    def _next_of(self, error: ServerUnavailable) -> str:
        """Returns what happens to the mails of a failed session, for the log."""
        if error.wait is not None:
            return "no mail goes until the limit may be over"
        if self._working:
            return f"other sessions go on: {self._working}"
        return "a new session at once" if self._has_ended_well else "what is left waits"

    async def _next(self, queue: _Queue) -> RenderedMessage | None:
        """Returns the next mail. Mails that failed sessions returned come last; then `None`."""
        while not self._stop.is_set():
            one = await queue.get()
            if one is None:
                return self._returned.pop() if self._returned and not self._stop.is_set() else None
            if not self._refusals.holds_back(one):
                return one
            self._held.discard(one.number)
        return None

    async def _may_go(self) -> bool:
        """Waits as the limits require.

        Returns false if a daily limit is used up, ours or the provider's, or if asked to stop.
        """
        if not self._limits.are_set:
            return not self._is_ended
        async with self._turn:  # one session waits for all
            while not self._is_ended:
                now = self._now()
                turn = await asyncio.to_thread(self._store.reserve_sending, self._limits, now=now)
                if turn.is_spent:
                    self.report.limited_until = now + turn.wait
                    return False
                if not turn.wait:
                    return True
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), turn.wait.total_seconds())
        return False

    @property
    def _is_ended(self) -> bool:
        is_braked = self._refusals.circuit_breaker.is_pulled
        return (
            is_braked or self._is_over_quota or self.report.limited_until is not None or self._stop.is_set()
        )

    def _now(self) -> datetime:
        """Returns the current moment by a running clock: `clock` may be fixed (`--now`)."""
        began_at, began = self._began
        return began_at + timedelta(seconds=time.monotonic() - began)

    async def _handle(self, session: Session, one: RenderedMessage) -> None:
        if one.outgoing is None:
            receipt = Receipt(outcome=Outcome.DEFERRED, reply=one.failure)
        else:
            receipt = await session.send(one.outgoing)
        if receipt.outcome in {Outcome.DEAD, Outcome.DOUBTFUL}:  # decided at the end of the batch
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
        """Decides about the addresses that the server called dead."""
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
        # Replies often quote the address. The log must not contain it.
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
