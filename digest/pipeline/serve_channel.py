"""Serves one channel: composes its digest if one is due, and hands over what waits for it."""

import asyncio
import logging
from collections.abc import Callable, Set
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Protocol

from digest.channels.base import Answer, Outcome, Post, Service
from digest.channels.channel import Channel
from digest.errors import StateError, kind_and_place
from digest.mail.links import Links
from digest.pipeline.compose_job import compose_due
from digest.pipeline.leases import LASTING, ClaimLease, running_time
from digest.pipeline.plan import ComposeReport, Due
from digest.pipeline.policy import LATEST_RETRY, LEASE, LONGEST_RETRY, retry_at
from digest.pipeline.schedule import slot_after
from digest.storage.channel_stores import ChannelStore, Rest
from digest.storage.pipeline_stores import ComposeStore, LeaseStore
from digest.storage.values import DeliveryResult, Mailing, MailingState

_log = logging.getLogger(__name__)

ATTEMPT = timedelta(seconds=60)
"""The most that one attempt may take, whatever the service does."""

_SHORTEST_WAIT = timedelta(seconds=30)
_ELSEWHERE = timedelta(seconds=20)
"""How soon it is looked again after another host served the channel."""

_RECORD_TRIES = 60
_RECORD_PAUSE = 2.0

_STATES = {
    Outcome.SENT: MailingState.SENT,
    Outcome.REFUSED: MailingState.DEFERRED,
    Outcome.GONE: MailingState.DEFERRED,
    Outcome.UNKNOWN: MailingState.UNKNOWN,
}


class ServeStore(ChannelStore, ComposeStore, LeaseStore, Protocol):
    """All that is needed to serve a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport:
    """The result for one channel. `error` says why something waits. `next_at`: when to serve it again."""

    name: str
    composed: ComposeReport = field(default_factory=ComposeReport)
    sent: int = 0
    waiting: int = 0
    error: str | None = None
    is_resting: bool = False
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelJob:
    """Serves `channel` by `service`, which is `None` if nothing shall be sent.

    One process at a time serves a channel, over all hosts: it holds the lease of the channel. `composing` is
    entered while a digest is composed. `links` are the web pages of a mailing.
    """

    store: ServeStore
    channel: Channel
    service: Service | None
    lookback: timedelta
    clock: Callable[[], datetime]
    links: Callable[[Mailing], Links]
    stop: asyncio.Event
    composing: Callable[[], AbstractAsyncContextManager[object]] = nullcontext

    async def run(self, due: Due, *, stale: Set[str] = frozenset()) -> ChannelReport:
        """Serves the channel once. Raises `StateError` if the state cannot be read or written."""
        began_at = self.clock()
        lease = ClaimLease(_ChannelLease(self.store), f"channel/{self.channel.name}")
        await lease.renew()
        if lease.is_lost:
            return ChannelReport(name=self.channel.name, next_at=self.clock() + _ELSEWHERE)
        keeping = asyncio.create_task(lease.keep())
        try:
            return await self._serve(lease, due, stale, began_at)
        finally:
            keeping.cancel()
            await asyncio.wait((keeping,))
            with suppress(StateError):  # it ends by itself
                await asyncio.to_thread(self.store.end_lease, lease.holder)

    async def _serve(self, lease: ClaimLease, due: Due, stale: Set[str], began_at: datetime) -> ChannelReport:
        address = self.channel.follower.email
        await asyncio.to_thread(
            self.store.reclaim_for_channel, address, now=self.clock(), latest=self.clock() + LATEST_RETRY
        )
        if rest := await self._rest():
            cause = f"rests since {rest.since_at:%F %H:%M} UTC: {rest.cause}"
            return await self._report(began_at, ComposeReport(), 0, cause)
        composed = await self._compose(due, stale)
        sent, error = await self._hand_over(lease, self.service) if self.service else (0, None)
        return await self._report(began_at, composed, sent, error)

    async def _rest(self) -> Rest | None:
        """Why nothing is composed and sent. A channel with another address than before rests no more."""
        address = self.channel.follower.email
        status = (await asyncio.to_thread(self.store.channel_statuses, [address]))[address]
        if status.rest and status.rest.target != self.channel.target:
            await asyncio.to_thread(self.store.wake_channel, address, now=self.clock())
            return None
        return status.rest

    async def _compose(self, due: Due, stale: Set[str]) -> ComposeReport:
        async with self.composing():
            return await asyncio.to_thread(
                compose_due,
                self.store,
                [self.channel.follower],
                due,
                backlog_since=self.clock() - self.lookback,
                stale=stale,
            )

    async def _hand_over(self, lease: ClaimLease, service: Service) -> tuple[int, str | None]:
        """Sends what is due, one after the other. Returns the number, and why something waits."""
        sent, error, holder = 0, None, token_hex(8)
        while lease.is_certain and not self.stop.is_set():
            now = self.clock()
            mailing = await asyncio.to_thread(
                self.store.claim_for_channel,
                self.channel.follower.email,
                now=now,
                until=now + LEASE,
                holder=holder,
            )
            if mailing is None or not lease.is_certain:  # claimed, but not sent: it counts as unknown
                break
            answer = await self._attempt(service, mailing)
            await self._record(mailing, answer, holder)
            if answer.outcome is Outcome.SENT:
                sent += 1
                continue
            error = answer.reply
            if answer.outcome is Outcome.GONE:
                break
        return sent, error

    async def _attempt(self, service: Service, mailing: Mailing) -> Answer:
        post = Post(
            token=mailing.token,
            title=self.channel.title,
            digest=mailing.digest,
            sent_at=self.clock(),
            page=self.links(mailing).online,
        )
        try:
            async with asyncio.timeout(ATTEMPT.total_seconds()):
                return await service.send(post)
        except TimeoutError:
            reply = f"no answer within {ATTEMPT.total_seconds():.0f} seconds"
        except Exception as error:
            reply = f"unexpected error: {kind_and_place(error)}; please report it"
        return Answer(outcome=Outcome.UNKNOWN, reply=reply)

    async def _record(self, mailing: Mailing, answer: Answer, holder: str) -> None:
        """Stores the result. Insists for some minutes if the disk is full: else it would be sent twice."""
        now, name = self.clock(), self.channel.name
        due_at = None if answer.outcome is Outcome.SENT else _next_try(mailing, answer, now)
        result = DeliveryResult(
            number=mailing.number, state=_STATES[answer.outcome], reply=answer.reply, due_at=due_at
        )
        if due_at is None:
            _log.info("channel served name=%s number=%d", name, mailing.number)
        else:
            _log.warning(
                "channel not served name=%s number=%d attempt=%d outcome=%s next_try=%s cause=%s",
                name, mailing.number, mailing.attempts + 1, answer.outcome.value, f"{due_at:%FT%TZ}",
                answer.reply,
            )  # fmt: skip
        for left in reversed(range(_RECORD_TRIES)):
            try:
                await asyncio.to_thread(self.store.record_for_channel, result, now=now, holder=holder)
                break
            except StateError:
                if not left or self.stop.is_set():
                    raise
                await asyncio.sleep(_RECORD_PAUSE)
        if answer.outcome is Outcome.GONE:
            rest = Rest(since_at=now, cause=answer.reply, target=self.channel.target)
            await asyncio.to_thread(self.store.rest_channel, self.channel.follower.email, rest)

    async def _report(
        self, began_at: datetime, composed: ComposeReport, sent: int, error: str | None
    ) -> ChannelReport:
        address = self.channel.follower.email
        status = (await asyncio.to_thread(self.store.channel_statuses, [address]))[address]
        slot = slot_after(min(began_at, self.clock()), self.channel.follower)
        waits = status.due_at if status.due_at and not status.rest else slot
        return ChannelReport(
            name=self.channel.name,
            composed=composed,
            sent=sent,
            waiting=status.waiting,
            error=error,
            is_resting=status.rest is not None,
            next_at=min(slot, waits),
        )


def _next_try(mailing: Mailing, answer: Answer, now: datetime) -> datetime:
    """When the service asked to be tried again, within limits; else as mails are tried again."""
    if answer.wait is not None:
        return now + min(max(answer.wait, _SHORTEST_WAIT), LONGEST_RETRY)
    return retry_at(now, attempts=mailing.attempts + 1, token=mailing.token)


class _ChannelLease:
    """The lease of a channel, for `ClaimLease`: it is lost for good once it may have ended."""

    def __init__(self, store: LeaseStore) -> None:
        self._store = store
        self._kept_at: float | None = None

    def keep_claims(self, holder: str, *, lasting: timedelta) -> bool:
        asked_at = running_time()
        if self._kept_at is not None and asked_at - self._kept_at >= LASTING.total_seconds():
            return False
        if self._store.take_lease(holder, lasting=lasting) is None:
            return False
        self._kept_at = asked_at
        return True
