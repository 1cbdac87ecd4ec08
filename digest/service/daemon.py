"""The long-running process: asks arXiv after each announcement, mails each subscriber at their time."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from platform import node

from digest.errors import ConfigurationError, StateError
from digest.service import long_tasks
from digest.service.bootstrap import Fingerprint, Setup
from digest.service.channel_tasks import ChannelTasks
from digest.service.current_setup import CurrentSetup
from digest.service.fetch_task import FetchTask
from digest.service.log import apply_log
from digest.service.long_tasks import LongTasks
from digest.service.mail_task import MailTask
from digest.service.ping import Pinger
from digest.service.sd_notify import Notifier
from digest.service.web_pages import WebPages
from digest.storage.base import Store
from digest.subscribers.preferences import enrolled_by

_log = logging.getLogger(__name__)

_GRACE = timedelta(seconds=10)
"""How long the current mails may take after the process was asked to stop."""


_SETTLING = 1.0
"""How many seconds a file must stay as it is before an edit of it is read."""


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
        self._load, self._store, self._notifier = load, store, notifier
        self._reload = asyncio.Event()
        self._checking = asyncio.Lock()
        self._current = current = CurrentSetup(setup, store, clock, self._stop)
        self._channels = ChannelTasks(clock, self._stop, current.channel_jobs)
        self._pinger = Pinger(lambda: current.setup.settings.operator.ping_url, clock)
        self._pages = WebPages(store, lambda: current.setup, clock)
        self._fetching = FetchTask(
            current,
            store,
            clock,
            pages=self._pages,
            pinger=self._pinger,
            notifier=notifier,
            fetched=self._wake_mailing,
        )
        self._mailing = MailTask(
            current,
            store,
            clock,
            metrics=self._pages.metrics,
            pinger=self._pinger,
            last_fetch=lambda: self._fetching.last,
            fetches=self._fetching.is_about_to_end,
            check_preferences=self._check_preferences,
        )

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT, then finishes the current mails. SIGHUP rereads the files."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        await self._current.cycle().reconcile()
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
            fetch = self._pinger.watched("fetch", self._fetching.step)
            mail = self._pinger.watched("mail", self._mailing.step)
            tasks: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = (
                ("mailing", partial(self._forever, "mailing", mail, self._mailing.wake)),
                ("fetching", partial(self._forever, "fetching", fetch, self._fetching.wake)),
                ("channels", self._channels.run),
                ("pinging", self._pinger.run),
                ("watching", self._watch),
                ("watchdog", self._stay_alive),
                *self._pages.tasks(),
            )
            mailing, fetching, serving, *watching = (
                group.create_task(self.kept(name, task)) for name, task in tasks
            )
            self._notifier.ready(self._current.status())
            setup = self._current.setup
            transport = setup.settings.delivery.transport
            _log.info("ready subscribers=%d transport=%s", len(setup.subscribers), transport)
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

    # Files, preferences, signals and the watchdog.

    async def _watch(self) -> None:
        """Rereads settings and subscribers on SIGHUP and after an edit. Also applies new preferences.

        If they could not be taken up for a reason that passes, for example a full disk, it tries again.
        """
        seen: Fingerprint | None = self._current.setup.fingerprint
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._reload.wait(), long_tasks.LOOK_UP.total_seconds())
            found = await self._guarded("reading versions", self._fingerprint) or seen
            if found != seen and not self._reload.is_set() and not await self._is_settled(found):
                found = seen
            if self._reload.is_set() or found != seen:
                self._reload.clear()
                seen = found if await self._guarded("reload", self._reread) else None
            await self._guarded("reading what other hosts enrolled", self._check_file)
            await self._guarded("reading preferences", self._check_preferences)
            await self._guarded("reading confirmations", self._mailing.check_confirmations)
            await self._guarded("reading due mailings", self._mailing.check_due)
            await self._guarded("reading fetches", self._fetching.check)
            await self._guarded("reporting this host", self._note_alive)

    async def _is_settled(self, found: Fingerprint | None) -> bool:
        """Whether nobody is writing a file: one that is empty for a moment would unsubscribe everybody."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reload.wait(), _SETTLING)
        return await self._guarded("reading versions", self._fingerprint) == found

    async def _fingerprint(self) -> Fingerprint:
        return await asyncio.to_thread(self._current.setup.fingerprint_now, self._store)

    async def _reread(self) -> bool:
        """Returns false if reading them again may help, though nobody edits them. Raises `StateError`."""
        try:
            setup = await asyncio.to_thread(self._load)
        except ConfigurationError as error:
            _log.error("reload refused, the last valid files remain in use cause=%s", error)
            return not error.is_passing
        former = self._current.setup.settings
        if setup.settings.state != former.state:
            _log.warning("state moved, takes effect at the next start path=%s", setup.settings.state)
        apply_log(setup.settings.log)
        if setup.settings.web != former.web:
            _log.warning("[web] was changed, takes effect at the next start")
        if setup.settings.admin != former.admin:
            _log.warning("[admin] was changed, takes effect at the next start")
        await self._enrol(setup)
        self._fetching.wake.set()
        self._wake_mailing()
        self._notifier.status(self._current.status())
        _log.info("reloaded subscribers=%d", len(setup.subscribers))
        return True

    async def _check_file(self) -> None:
        """Enrols again if another host changed its subscribers.toml, or has the one of this host now."""
        if (content := self._current.setup.content) is None:
            return
        other = await asyncio.to_thread(self._store.other_file, node(), content)
        if (other is not None) != self._current.is_other_file:
            await self._enrol()
            self._fetching.wake.set()
            self._wake_mailing()

    async def _check_preferences(self) -> None:
        """Applies new preferences of subscribers. Enrols again if who is subscribed, or to what, changed."""
        async with self._checking:
            preferences = await asyncio.to_thread(self._store.preferences)
            if preferences == self._current.preferences:
                return
            if enrolled_by(preferences) != enrolled_by(self._current.preferences):
                # After a change of address, the former entry must not be enrolled again.
                if await self._fingerprint() != self._current.setup.fingerprint:
                    await self._reread()
                if preferences != self._current.preferences:
                    await self._enrol()
                self._fetching.wake.set()
            else:
                self._current.prefer(preferences)
            self._mailing.wake.set()

    async def _stay_alive(self) -> None:
        while every := self._notifier.alive_every:
            self._notifier.alive()
            await asyncio.sleep(every.total_seconds())

    # Shared by the tasks.

    async def _enrol(self, setup: Setup | None = None) -> None:
        self._pages.metrics.gave_up(await self._current.enrol(setup))

    def _wake_mailing(self) -> None:
        """There may be something new for subscribers and channels."""
        self._mailing.wake.set()
        self._channels.all_are_due()

    async def _note_alive(self) -> None:
        await asyncio.to_thread(self._store.note_alive, node())
