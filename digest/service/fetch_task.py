"""The task of a daemon that asks arXiv, after each announcement."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import cached_property

from digest.pipeline.fetch import FetchReport
from digest.pipeline.leases import FETCHING, leased
from digest.pipeline.progress import covered_until, queries_hash
from digest.pipeline.schedule import fetch_due_at
from digest.service import long_tasks
from digest.service.bootstrap import open_client
from digest.service.current_setup import CurrentSetup
from digest.service.ping import Pinger
from digest.service.sd_notify import Notifier
from digest.service.web_pages import WebPages
from digest.sources.arxiv.calendar import not_announced, why_quiet
from digest.storage.base import Store
from digest.storage.values import LastFetch

_log = logging.getLogger(__name__)

_TIME_TO_FETCH = 600.0
"""For how many seconds a fetch that is due may go on before its delay is a problem."""


class FetchTask:
    """Fetches when it is due. `wake` is set if this may be now; `fetched` is called after a fetch.

    `last` is the last fetch over all hosts of the state, as far as it was noticed.
    """

    def __init__(
        self,
        current: CurrentSetup,
        store: Store,
        clock: Callable[[], datetime],
        *,
        pages: WebPages,
        pinger: Pinger,
        notifier: Notifier,
        fetched: Callable[[], None],
    ) -> None:
        self.wake = asyncio.Event()
        self.last: LastFetch | None = None
        self._current, self._store, self._clock = current, store, clock
        self._pages, self._pinger, self._notifier, self._fetched = pages, pinger, notifier, fetched
        self._late_since: float | None = None

    async def step(self) -> datetime:
        """Fetches if it is due, and returns when to look again."""
        due_at = await asyncio.to_thread(self._due_at)
        if not self._is_due(due_at) and due_at is not None:
            self._notifier.status(
                f"{self._current.status()}, asking arXiv next at {due_at:%Y-%m-%d %H:%M} UTC"
            )
            count = len(self._current.setup.subscribers)
            _log.info("asking arXiv next at=%s subscribers=%d", due_at, count)
            return due_at
        async with leased(self._store, FETCHING) as lease:
            if lease is None:
                return self._clock() + long_tasks.LOOK_UP
            due_at = await asyncio.to_thread(self._due_at)
            if due_at is not None and due_at > self._clock():  # another host has just asked
                return due_at
            return await self._fetch_and_tell()

    async def _fetch_and_tell(self) -> datetime:
        report = await self._fetch()
        if report is None:  # asked to stop
            return self._clock()
        self.last = await asyncio.to_thread(self._store.last_fetch)
        self._pinger.fetched()
        if report.missing_at:
            _log.warning("arXiv announced nothing cause=%s", not_announced(report.missing_at))
        if not (report.papers_new or report.errors) and (reason := why_quiet(self._clock())):
            _log.info("nothing new cause=%s", reason)
        self._fetched()
        return self._clock()

    async def _fetch(self) -> FetchReport | None:
        settings = self._current.setup.settings
        async with self._pages.previews.paused(), open_client(settings) as client:
            report = await self._current.cycle(client).fetch(self._current.followers)
        if report:
            self._pages.metrics.fetched(report, client.requests)
        return report

    async def check(self) -> None:
        """Notices what another host fetched, for subscribers whose sending time has passed."""
        known = self.last
        last = await asyncio.to_thread(self._store.last_fetch)
        if last != known and self.last is known:  # else this host has just fetched
            self.last = last
            self.wake.set()
            self._fetched()

    async def is_about_to_end(self) -> bool:
        """Whether a fetch is due that had no time to end, for example because the machine has just woken up.

        Counts by a clock that stands still while the machine sleeps.
        """
        if not self._is_due(await asyncio.to_thread(self._due_at)) or self._late_since is None:
            return False
        return asyncio.get_running_loop().time() < self._late_since + _TIME_TO_FETCH

    def _is_due(self, due_at: datetime | None) -> bool:
        """Whether a fetch is due now. Keeps since when one is."""
        is_due = due_at is None or due_at <= self._clock()
        if not is_due:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = asyncio.get_running_loop().time()
        return is_due

    @cached_property
    def _at_start(self) -> LastFetch | None:
        """The last fetch when this daemon was about to fetch for the first time."""
        return self._store.last_fetch()

    def _due_at(self) -> datetime | None:
        now, followers = self._clock(), self._current.followers
        return fetch_due_at(
            covered_until(self._store, followers, now=now),
            self._store.last_fetch(),
            queries=queries_hash(followers),
            now=now,
            at_start=self._at_start,
        )
