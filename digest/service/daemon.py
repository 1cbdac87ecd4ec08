"""The long-running process: asks arXiv after each announcement, mails each subscriber at their time."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from platform import node

from digest.config.parsing import counted
from digest.errors import ConfigurationError, StateError
from digest.mail.links import links_for
from digest.pipeline.cycle import Cycle
from digest.pipeline.deliver import DeliveryReport
from digest.pipeline.fetch import FetchReport
from digest.pipeline.leases import FETCHING, leased
from digest.pipeline.policy import pause_after
from digest.pipeline.progress import WaitingLog, covered_until, outbox_status, queries_hash, uncovered_since
from digest.pipeline.schedule import due_at_slot, fetch_due_at, slot_after
from digest.pipeline.serve_channel import ChannelJob
from digest.service import long_tasks
from digest.service.bootstrap import Fingerprint, Setup, build_cycle, open_client
from digest.service.channel_tasks import ChannelTasks
from digest.service.log import apply_log
from digest.service.long_tasks import LongTasks
from digest.service.operator_mail import last_heartbeat
from digest.service.ping import AT_LEAST_EVERY, Pinger
from digest.service.sd_notify import Notifier
from digest.service.web_pages import WebPages
from digest.sources.arxiv.calendar import last_announcement, not_announced, why_quiet
from digest.sources.http_client import PoliteClient
from digest.storage.base import Store
from digest.storage.values import LastFetch
from digest.subscribers.preferences import Preferences, apply_preferences, enrolled_by
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)

_NEVER = datetime.max.replace(tzinfo=UTC)

_GRACE = timedelta(seconds=10)
"""How long the current mails may take after the process was asked to stop."""


class Daemon(LongTasks):
    """Runs tasks over one store: one fetches, one composes and delivers, one watches files and signals.

    `load` rereads configuration and subscribers. While a file is invalid, the last valid setup stays in use.
    """

    def __init__(
        self,
        setup: Setup,
        load: Callable[[], Setup],
        store: Store,
        notifier: Notifier,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(clock)
        self.is_interrupted = False
        self._setup = setup
        self._preferences: Mapping[str, Preferences] = {}
        self._subscribers = setup.subscribers
        self._is_other_file = False
        self._load = load
        self._store = store
        self._notifier = notifier
        self._reload = asyncio.Event()
        self._fetch_now = asyncio.Event()
        self._mail_now = asyncio.Event()
        self._last_fetch: LastFetch | None = None
        self._limited_until: datetime | None = None
        self._composing = asyncio.Lock()
        self._channels = ChannelTasks(clock, self._stop, self._channel_jobs)
        self._checking = asyncio.Lock()
        self._server_failures = 0
        self._seen_confirmations: frozenset[int] = frozenset()
        self._first_due_at: datetime | None = None
        self._waiting_log = WaitingLog()
        self._pinger = Pinger(lambda: self._setup.settings.operator.ping_url, clock)
        self._pages = WebPages(store, lambda: self._setup, clock)
        self._metrics = self._pages.metrics
        self._links = links_for(setup.settings.web.base_url, store)

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT, then finishes the current mails. SIGHUP rereads the files."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        with closing(self._notifier):
            await self._cycle().reconcile()
            await self._enrol()
            await self._note_alive()
            await self._serve()
            with suppress(StateError):
                await asyncio.to_thread(self._store.note_stopped)
        _log.info("stopped")

    def _interrupt(self) -> None:
        self.is_interrupted = True
        self._stop.set()

    async def _serve(self) -> None:
        async with self._pages.serving() as address, asyncio.TaskGroup() as group:
            fetch = self._pinger.watched("fetch", self._fetch_step)
            mail = self._pinger.watched("mail", self._mail_step)
            tasks: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = (
                ("mailing", partial(self._forever, "mailing", mail, self._mail_now)),
                ("fetching", partial(self._forever, "fetching", fetch, self._fetch_now)),
                ("channels", self._channels.run),
                ("pinging", self._pinger.run),
                ("watching", self._watch),
                ("watchdog", self._stay_alive),
                *self._pages.tasks(),
            )
            mailing, fetching, serving, *watching = (
                group.create_task(self.kept(name, task)) for name, task in tasks
            )
            self._notifier.ready(self._status())
            delivery = self._setup.settings.delivery
            _log.info("ready subscribers=%d transport=%s", len(self._setup.subscribers), delivery.transport)
            if address:
                _log.info("web pages served url=%s", address)
            await self._stop.wait()
            self._notifier.stopping()
            for task in (fetching, *watching):
                task.cancel()
            await self._finish(mailing, serving)

    async def _finish(self, *sending: "asyncio.Task[None]") -> None:
        """A mail that is interrupted here is tried again after the next start, with the same Message-ID."""
        _, unfinished = await asyncio.wait(sending, timeout=_GRACE.total_seconds())
        for task in unfinished:
            task.cancel()

    # Fetching.

    async def _fetch_step(self) -> datetime:
        due_at = await asyncio.to_thread(self._fetch_due_at)
        if due_at is not None and due_at > self._clock():
            status = f"{self._status()}, asking arXiv next at {due_at:%Y-%m-%d %H:%M} UTC"
            self._notifier.status(status)
            _log.info("asking arXiv next at=%s subscribers=%d", due_at, len(self._setup.subscribers))
            return due_at
        async with leased(self._store, FETCHING) as lease:
            if lease is None:
                return self._clock() + long_tasks.LOOK_UP
            due_at = await asyncio.to_thread(self._fetch_due_at)
            if due_at is not None and due_at > self._clock():  # another host has just asked
                return due_at
            return await self._fetch_and_note()

    async def _fetch_and_note(self) -> datetime:
        began_at, asked_for = self._clock(), self._all_followers
        report = await self._fetch_once()
        if report is None:  # asked to stop
            return self._clock()
        last = LastFetch(
            began_at=began_at,
            queries=queries_hash(asked_for),
            failed_at=self._clock() if report.errors else None,
            is_missing=report.missing_at is not None,
            brought_papers=report.papers_new > 0,
        )
        self._last_fetch = last
        self._pinger.fetched()
        await asyncio.to_thread(self._store.note_last_fetch, last)
        if report.missing_at:
            _log.warning("arXiv announced nothing cause=%s", not_announced(report.missing_at))
        if not (report.papers_new or report.errors) and (reason := why_quiet(self._clock())):
            _log.info("nothing new cause=%s", reason)
        self._wake_mailing()
        return self._clock()

    def _wake_mailing(self) -> None:
        """There may be something new for subscribers and channels."""
        self._mail_now.set()
        self._channels.all_are_due()

    async def _check_fetches(self) -> None:
        """Mails what another host fetched for subscribers whose sending time has passed."""
        last = await asyncio.to_thread(self._store.last_fetch)
        if last != self._last_fetch:
            self._last_fetch = last
            self._fetch_now.set()
            self._wake_mailing()

    @cached_property
    def _at_start(self) -> LastFetch | None:
        """The last fetch when this daemon was about to fetch for the first time."""
        return self._store.last_fetch()

    async def _note_alive(self) -> None:
        await asyncio.to_thread(self._store.note_alive, node())

    def _fetch_due_at(self) -> datetime | None:
        now = self._clock()
        return fetch_due_at(
            covered_until(self._store, self._all_followers, now=now),
            self._store.last_fetch(),
            queries=queries_hash(self._all_followers),
            now=now,
            at_start=self._at_start,
        )

    async def _fetch_once(self) -> FetchReport | None:
        async with self._pages.previews.paused(), open_client(self._setup.settings) as client:
            report = await self._cycle(client).fetch(self._all_followers)
        if report:
            self._metrics.fetched(report, client.requests)
        return report

    # Mailing.

    async def _mail_step(self) -> datetime:
        began_at = self._clock()
        self._first_due_at = None
        report = await self._mail_once()
        waits = await asyncio.to_thread(outbox_status, self._store, now=self._clock())
        self._first_due_at = waits.due_at or _NEVER
        self._server_failures = self._server_failures + 1 if report.is_server_down else 0
        retry_at = waits.due_at and max(waits.due_at, report.limited_until or waits.due_at)
        if report.is_server_down:
            retry_at = self._clock() + pause_after(self._server_failures)
        self._waiting_log.note(waits, retry_at)
        self._pinger.mailed(report, waits, self._last_fetch)
        if report.is_server_down and retry_at:
            return retry_at
        # A sending time that passed during the delivery is due next. The clock may have been set back.
        return self._next_mail_at(min(began_at, self._clock()), retry_at)

    async def _mail_once(self) -> DeliveryReport:
        await self._check_preferences()
        cycle, now = self._cycle(), self._clock()
        # If the clock was set back, wait no longer than a provider's day.
        limited_until = self._limited_until
        is_limited = limited_until is not None and now < limited_until <= now + timedelta(days=1)
        await self._composing.acquire()
        with ExitStack() as composing:
            composing.callback(self._composing.release)
            stale = await asyncio.to_thread(
                uncovered_since, self._store, self._subscribers, last_announcement(now)
            )
            report = await cycle.mail(
                self._subscribers,
                partial(due_at_slot, now),
                now=now,
                stale=stale,
                sends=not is_limited,
                composed=composing.close,
            )
        if is_limited:
            report.limited_until = limited_until
        else:
            self._limited_until = report.limited_until
        self._metrics.mailed(report)
        if not self._is_other_file:
            await self._cycle().finish(self._subscribers, brakes=report.brakes, now=now)
        for note in report.notes:
            _log.warning("note of a mailing note=%s", note)
        composed = report.composed.composed
        if composed or report.sent or report.errors:
            _log.info("mailed composed=%d sent=%d deferred=%d", composed, report.sent, report.deferred)
        return report

    def _next_mail_at(self, since: datetime, retry_at: datetime | None) -> datetime:
        subscribers = {subscriber.send_schedule: subscriber for subscriber in self._subscribers}
        moments = [slot_after(since, subscriber) for subscriber in subscribers.values()]
        if retry_at:
            moments.append(retry_at)
        operator = self._setup.settings.operator
        if operator.email and operator.heartbeat is not None:
            moments.append(last_heartbeat(operator.heartbeat, since) + timedelta(weeks=1))
        if operator.ping_url:
            moments.append(since + AT_LEAST_EVERY)
        return min(moments, default=since + timedelta(days=1))

    # Files, preferences, signals and the watchdog.

    async def _watch(self) -> None:
        """Rereads settings and subscribers on SIGHUP and after an edit. Also applies new preferences."""
        seen = self._setup.fingerprint
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._reload.wait(), long_tasks.LOOK_UP.total_seconds())
            found = await self._guarded("reading versions", self._fingerprint) or seen
            if self._reload.is_set() or found != seen:
                self._reload.clear()
                seen = found
                await self._guarded("reload", self._reread)
            await self._guarded("reading what other hosts enrolled", self._check_file)
            await self._guarded("reading preferences", self._check_preferences)
            await self._guarded("reading confirmations", self._check_confirmations)
            await self._guarded("reading due mailings", self._check_due)
            await self._guarded("reading fetches", self._check_fetches)
            await self._guarded("reporting this host", self._note_alive)

    async def _fingerprint(self) -> Fingerprint:
        return await asyncio.to_thread(self._setup.fingerprint_now, self._store)

    async def _reread(self) -> None:
        try:
            setup = await asyncio.to_thread(self._load)
        except ConfigurationError as error:
            _log.error("reload refused, the last valid files remain in use cause=%s", error)
            return
        if setup.settings.state != self._setup.settings.state:
            _log.warning("state moved, takes effect at the next start path=%s", setup.settings.state)
        apply_log(setup.settings.log)
        if setup.settings.web != self._setup.settings.web:
            _log.warning("[web] was changed, takes effect at the next start")
        if setup.settings.admin != self._setup.settings.admin:
            _log.warning("[admin] was changed, takes effect at the next start")
        await self._enrol(setup)
        self._fetch_now.set()
        self._wake_mailing()
        self._notifier.status(self._status())
        _log.info("reloaded subscribers=%d", len(setup.subscribers))

    async def _check_file(self) -> None:
        """Enrols again if another host changed its subscribers.toml, or has the one of this host now."""
        if (content := self._setup.content) is None:
            return
        other = await asyncio.to_thread(self._store.other_file, node(), content)
        if (other is not None) != self._is_other_file:
            await self._enrol()
            self._fetch_now.set()
            self._wake_mailing()

    async def _check_preferences(self) -> None:
        """Applies new preferences of subscribers. Enrols again if who is subscribed, or to what, changed."""
        async with self._checking:
            preferences = await asyncio.to_thread(self._store.preferences)
            if preferences == self._preferences:
                return
            if enrolled_by(preferences) != enrolled_by(self._preferences):
                # After a change of address, the former entry must not be enrolled again.
                if await self._fingerprint() != self._setup.fingerprint:
                    await self._reread()
                if preferences != self._preferences:
                    await self._enrol()
                self._fetch_now.set()
            else:
                self._preferences = preferences
                written = () if self._is_other_file else self._setup.subscribers
                self._subscribers = apply_preferences(written, preferences)
            self._mail_now.set()

    async def _check_confirmations(self) -> None:
        """Sends new confirmations at once. One that fails is sent with the next mails."""
        waiting = await asyncio.to_thread(self._store.confirmations, now=self._clock())
        numbers = frozenset(one.number for one in waiting)
        if not numbers <= self._seen_confirmations:
            self._mail_now.set()
        self._seen_confirmations = numbers

    async def _check_due(self) -> None:
        """Sends at once the mailings that a command made due (`digest resume`), and those of a dead host.

        Mailings that the last delivery left do not count: a server that is down is not asked each time.
        """
        if abandoned := await asyncio.to_thread(self._store.reclaim_abandoned, now=self._clock()):
            _log.warning("mailings of a host that went silent are sent here count=%d", abandoned)
        due_at = await asyncio.to_thread(self._store.next_due_at)
        if due_at and self._first_due_at and due_at < self._first_due_at:
            self._mail_now.set()

    async def _stay_alive(self) -> None:
        while every := self._notifier.alive_every:
            self._notifier.alive()
            await asyncio.sleep(every.total_seconds())

    # Shared by all tasks.

    def _cycle(self, client: PoliteClient | None = None) -> Cycle:
        """Builds a cycle from the current setup."""
        return build_cycle(
            self._setup,
            self._store,
            clock=self._clock,
            client=client,
            links=self._links,
            stop=self._stop,
            composing=lambda: self._channels.composing,
        )

    async def _enrol(self, setup: Setup | None = None) -> None:
        """Makes a setup the current one. Waits while digests are composed: they use the former one."""
        async with self._composing, self._channels.composing:
            self._setup = setup or self._setup
            enrolled = await self._cycle().enrol()
            self._metrics.gave_up(enrolled.given_up)
            self._preferences, self._subscribers = enrolled.preferences, enrolled.subscribers
            self._is_other_file = enrolled.is_other_file
            self._limited_until = None

    @property
    def _all_followers(self) -> tuple[Subscriber, ...]:
        """Everybody whose keywords are fetched: subscribers and channels."""
        return (*self._subscribers, *(job.channel.follower for job in self._channel_jobs()))

    def _channel_jobs(self) -> Sequence[ChannelJob]:
        return () if self._is_other_file else self._cycle().channels

    def _status(self) -> str:
        return counted(len(self._setup.subscribers), "subscriber")
