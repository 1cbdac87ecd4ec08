"""The share of one process in a delivery: it composes digests, claims mailings, renders, sends and records.

The process that coordinates all shares may be another one: nothing here knows where it is.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from digest.config.parsing import address_key
from digest.errors import ServerUnavailable, StateError
from digest.mail.transport import Outcome, Receipt, Session, Transport
from digest.pipeline.compose_job import Composer
from digest.pipeline.leases import ClaimLease
from digest.pipeline.plan import ComposeReport, DueSubscriber
from digest.pipeline.policy import LEASE, Decision, domain_of, retry_at
from digest.pipeline.receipt_writer import ReceiptWriter
from digest.pipeline.rendering import RenderedMessage, Write, draft
from digest.pipeline.sending_limits import SendingLimits
from digest.storage.delivery_stores import DeliverStore
from digest.storage.rate_limit import UNLIMITED, Limits
from digest.storage.values import DeliveryResult, MailingState

_log = logging.getLogger(__name__)

_AT_ONCE = 30
"""How many mailings are claimed, and their messages written, in one step."""

_LEASE_POLL = 0.02
"""How many seconds pass between two looks whether the lease was renewed."""

_LOST = "this host was cut off from the database for so long that others took over its mails"

_CODE = re.compile(r"[2-5]\d\d\b")

_STATES = {
    Outcome.SENT: MailingState.SENT,
    Outcome.UNKNOWN: MailingState.UNKNOWN,
    Outcome.DEFERRED: MailingState.DEFERRED,
    Outcome.REJECTED: MailingState.DEFERRED,
    Outcome.DEAD: MailingState.DEFERRED,
    Outcome.DOUBTFUL: MailingState.DEFERRED,
    Outcome.UNSERVED: MailingState.DEFERRED,
}

_DECIDED_AT_THE_END = frozenset({Outcome.DEAD, Outcome.DOUBTFUL, Outcome.UNSERVED})


class Coordinator(Protocol):
    """The process that coordinates all shares of a delivery, as a share sees it."""

    @property
    def is_ended(self) -> bool:
        """Whether no other mail may be sent, because the server or its quota does not allow it."""
        ...

    def is_stopped(self, domain: str) -> bool:
        """Whether no other mail may be sent to this domain."""
        ...

    async def next_batch(self) -> Sequence[DueSubscriber]:
        """Returns the next subscribers whose digests this share composes; none if there are no others."""
        ...

    def composed(self, report: ComposeReport) -> None:
        """The digests of the last batch are in the outbox."""
        ...

    def accepted(self, address: str) -> None:
        """The server accepted a mail for this `address_key`."""
        ...

    async def refused(self, one: RenderedMessage, receipt: Receipt) -> None:
        """The server refused this recipient. The coordinator holds the mailing from now on."""
        ...

    def held_back(self, one: RenderedMessage) -> None:
        """The domain of this mailing is stopped. The coordinator holds it from now on."""
        ...

    def recorded(self, error: str | None) -> None:
        """A mail was sent, or waits because of this error; the state has the result."""
        ...

    def used_up(self, number: int) -> None:
        """The server said at this mailing that a quota is used up: the provider's, or its recipient's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFailure:
    """Why a session ended early, and how long to wait if a quota is used up."""

    cause: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """How a share ended when it had nothing left to send, or could not send.

    `tried` sessions had mails. `limited_until`: the limit of a day is used up until then. `state_error`: the
    state could not be read or written.
    """

    failures: tuple[SessionFailure, ...] = ()
    tried: int = 0
    limited_until: datetime | None = None
    state_error: StateError | None = None


_Queue = asyncio.Queue[RenderedMessage | None]


class Share:
    """One share, and the data that its sessions have in common."""

    def __init__(
        self,
        store: DeliverStore,
        transport: Transport,
        write: Write,
        coordinator: Coordinator,
        clock: Callable[[], datetime],
        stop: asyncio.Event,
        *,
        sessions: int,
        composer: Composer | None = None,
        limits: Limits = UNLIMITED,
        holder: str,
    ) -> None:
        self._store = store
        self._transport = transport
        self._write = write
        self._coordinator = coordinator
        self._clock = clock
        self._stop = stop
        self._sessions = sessions
        self._composer = composer
        self._limits = SendingLimits(store, limits, clock, stop)
        self._holder = holder
        self._lease = ClaimLease(store, holder)
        self._receipt_writer = ReceiptWriter(store, clock, stop, sessions=sessions, holder=holder)
        self._held: dict[int, datetime] = {}
        self._claiming: asyncio.Future[Sequence[RenderedMessage]] | None = None
        self._returned: list[RenderedMessage] = []
        self._at_limit: dict[int, timedelta] = {}
        self._state_error: StateError | None = None
        self._is_composing = False
        self._has_new = asyncio.Event()
        self._working = 0
        self._has_ended_well = False

    async def round(self, *, sends: bool) -> RoundResult:
        """Composes and `sends` until nothing is due, or until no session can send."""
        queue: _Queue = asyncio.Queue(maxsize=self._sessions)
        self._working, self._has_ended_well = 0, False
        self._is_composing = self._composer is not None
        await self._limits.begin()
        try:
            async with asyncio.TaskGroup() as group:
                composing = group.create_task(self._compose())
                others = [group.create_task(self._keep_leases()), group.create_task(self._lease.keep())]
                if sends:
                    others.append(group.create_task(self._feed(queue)))
                number = self._sessions if sends else 0
                sessions = [group.create_task(self._work(queue)) for _ in range(number)]
                await asyncio.wait((*sessions, composing))
                for other in others:
                    other.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        ended = [session.result() for session in sessions]
        failures = tuple(end for end in ended if isinstance(end, SessionFailure))
        await self._release(failures)
        return RoundResult(
            failures=failures,
            tried=sum(end is not None for end in ended),
            limited_until=self._limits.used_up_until,
            state_error=self._state_error,
        )

    # Composing.

    async def _compose(self) -> None:
        try:
            while self._composer and not self._stop.is_set():
                if not (some := await self._coordinator.next_batch()):
                    break
                self._coordinator.composed(await asyncio.to_thread(self._composer.compose_batch, some))
                self._has_new.set()
        except StateError as error:  # raised after the current mails are finished
            self._state_error = error
        self._is_composing = False
        self._has_new.set()

    async def _is_more_composed(self) -> bool:
        """Whether digests may have been composed since the last claim began. Waits for the next ones."""
        if self._is_composing:
            await self._has_new.wait()
        return self._has_new.is_set()

    # Claiming and rendering.

    async def _feed(self, queue: _Queue) -> None:
        """Claims and writes ahead of the sessions. At the end puts a `None` in the queue for each session."""
        try:
            claiming = self._claim()
            while (rendered := await asyncio.shield(claiming)) or await self._is_more_composed():
                if self._stop.is_set() or self._state_error:
                    break
                claiming = self._claim()
                ahead = deque(rendered)
                del rendered
                while ahead:  # frees each message after it was sent
                    await queue.put(ahead.popleft())
        except StateError as error:  # raised after the current mails are finished
            self._state_error = error
        for _ in range(self._sessions):
            await queue.put(None)

    def _claim(self) -> asyncio.Future[Sequence[RenderedMessage]]:
        """Starts to claim mailings. This is never cancelled: what it claims must be sent or released."""
        self._has_new.clear()
        self._claiming = asyncio.ensure_future(asyncio.to_thread(self._draft, self._clock()))
        self._claiming.add_done_callback(self._hold)
        return self._claiming

    def _draft(self, now: datetime) -> Sequence[RenderedMessage]:
        until, holder = now + LEASE, self._holder
        return draft(self._store, self._write, now=now, until=until, limit=_AT_ONCE, holder=holder)

    def _hold(self, claimed: asyncio.Future[Sequence[RenderedMessage]]) -> None:
        if not claimed.cancelled() and claimed.exception() is None:
            self._held.update((one.number, one.was_due_at or one.planned_at) for one in claimed.result())

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            with suppress(StateError):  # the sessions get it too, and wait until they can store results
                until = self._clock() + LEASE
                await asyncio.to_thread(
                    self._store.renew, tuple(self._held), until=until, holder=self._holder
                )

    async def _release(self, failures: Sequence[SessionFailure]) -> None:
        """Releases the mailings that were claimed and not sent, with the first failure as reply.

        One at which a quota was used up waits until that may be free: the quota may be its recipient's. The
        others keep their turn then, before those that waited for a quota already.
        """
        self._returned.clear()
        if self._claiming:
            await asyncio.wait((self._claiming,))
        if self._held:
            reply = failures[0].cause if failures else None
            now, numbers = self._clock(), tuple(self._held)
            due_at = {number: min(was_due_at, now) for number, was_due_at in self._held.items()}
            due_at |= {number: now + wait for number, wait in self._at_limit.items()}
            is_of_server = not self._is_ended and all(failure.wait is None for failure in failures)
            await asyncio.to_thread(
                self._store.release,
                numbers,
                now=now,
                reply=reply,
                holder=self._holder,
                due_at={} if is_of_server else due_at,
            )
            self._held.clear()
        self._at_limit.clear()

    # Sending.

    async def _work(self, queue: _Queue) -> SessionFailure | bool | None:
        """Sends through one session. Returns its failure, else `True`, or `None` if it had no mail."""
        one = await self._next(queue)
        if one is None:
            return None
        self._working += 1
        try:
            async with self._transport.session() as session:
                while one is not None and await self._may_go():
                    try:
                        await self._handle(session, one)
                    finally:
                        await self._limits.conclude()
                    one = await self._next(queue)
        except ServerUnavailable as error:
            self._working -= 1
            if error.wait is not None and one is not None:
                self._coordinator.used_up(one.number)
                self._at_limit[one.number] = error.wait
            elif one is not None and one.number in self._held:
                self._returned.append(one)
            _log.warning("session failed cause=%s next=%s", error, self._next_of(error))
            return SessionFailure(cause=str(error), wait=error.wait)
        self._working -= 1
        self._has_ended_well = True
        return True

    def _next_of(self, error: ServerUnavailable) -> str:
        """Returns what happens to the mails of a failed session, for the log."""
        if error.wait is not None:
            is_ended = self._coordinator.is_ended
            return "no mail goes until the limit may be over" if is_ended else "it waits, others are tried"
        if self._working:
            return f"other sessions go on: {self._working}"
        return "a new session at once" if self._has_ended_well else "what is left waits"

    async def _next(self, queue: _Queue) -> RenderedMessage | None:
        """Returns the next mail. Mails that failed sessions returned come last; then `None`."""
        while not self._stop.is_set():
            one = await queue.get()
            if one is None:
                return self._returned.pop() if self._returned and not self._stop.is_set() else None
            if not self._coordinator.is_stopped(domain_of(address_key(one.email))):
                return one
            self._coordinator.held_back(one)
            self._held.pop(one.number, None)
        return None

    async def _may_go(self) -> bool:
        """Waits as the limits require.

        Returns false if a daily limit is used up, ours or the provider's, or if asked to stop.
        """
        if not self._lease.is_certain and not await self._has_lease():
            return False
        return await self._limits.wait(lambda: self._is_ended)

    async def _has_lease(self) -> bool:
        """Waits until it is certain that no other host sends what was claimed here. False: it may do so."""
        while not self._lease.is_certain and not self._is_ended:
            if self._lease.is_lost:
                self._state_error = self._state_error or StateError("mailing", _LOST, is_passing=True)
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _LEASE_POLL)
        return True

    @property
    def _is_ended(self) -> bool:
        is_limited = self._limits.used_up_until is not None
        return is_limited or self._coordinator.is_ended or self._stop.is_set()

    async def _handle(self, session: Session, one: RenderedMessage) -> None:
        if one.outgoing is None:
            receipt = Receipt(outcome=Outcome.DEFERRED, reply=one.failure)
        else:
            receipt = await session.send(one.outgoing)
        if receipt.outcome in _DECIDED_AT_THE_END:
            await self._coordinator.refused(replace(one, outgoing=None), receipt)
            self._held.pop(one.number, None)
            return
        if receipt.outcome is Outcome.SENT:
            self._coordinator.accepted(address_key(one.email))
        result = delivery_result(one, receipt, self._clock())
        await self._receipt_writer.write(result)
        self._held.pop(one.number, None)
        self._coordinator.recorded(error_of(one, receipt, result))


def error_of(one: RenderedMessage, receipt: Receipt, result: DeliveryResult) -> str | None:
    """Logs the result of a mail. Returns the error for the operator unless it was sent.

    The log decides whether it may contain the address, which replies often quote.
    """
    who, attempt = {"address": one.email}, one.attempts + 1
    if receipt.outcome is Outcome.SENT:
        _log.debug("mailing sent number=%d attempt=%d", one.number, attempt, extra=who)
        return None
    code = int(found[0]) if (found := _CODE.match(receipt.reply)) else None
    _log.warning(
        "mailing not sent number=%d attempt=%d state=%s outcome=%s code=%s next_try=%s cause=%s",
        one.number, attempt, result.state.value, receipt.outcome.value, code, result.due_at, receipt.reply,
        extra=who,
    )  # fmt: skip
    return f"the digest for {one.email} waits: {receipt.reply}"


def delivery_result(
    one: RenderedMessage, receipt: Receipt, now: datetime, decision: Decision | None = None
) -> DeliveryResult:
    """Returns the result as it is recorded. A mail that was not sent is tried again, if not suppressed."""
    result = DeliveryResult(
        number=one.number,
        state=MailingState.SUPPRESSED if decision is Decision.SUPPRESS else _STATES[receipt.outcome],
        reply=receipt.reply,
        is_doubted=decision is Decision.DOUBT,
    )
    if result.state in {MailingState.SENT, MailingState.SUPPRESSED}:
        return result
    waited = now - one.planned_at if result.state is MailingState.UNKNOWN else timedelta(0)
    return replace(result, due_at=retry_at(now, attempts=one.attempts + 1, token=one.token, waited=waited))
