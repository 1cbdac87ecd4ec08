"""Asks arXiv for the previews that wait: seldom, shortly, and never beside a fetch."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from digest.config.loader import Settings
from digest.errors import SourceError, StateError, Throttled
from digest.keywords.query import Query
from digest.model.paper import Paper
from digest.pipeline.preview_questions import (
    AT_ONCE,
    MOST_PAPERS,
    SPAN,
    Outcome,
    Question,
    outcome_of,
    questions_for,
)
from digest.service.bootstrap import client_settings_for, open_client
from digest.sources.arxiv.search_api import SearchApi
from digest.storage.previews import ANSWERS_LAST_FOR, PACE, PreviewRequestStore

_log = logging.getLogger(__name__)

_LONGEST = timedelta(seconds=20)
"""For one request, with the wait for a turn: a fetch that comes meanwhile in another process waits for it."""

_LARGEST = 8 * 1024 * 1024
_LONGEST_PAUSE = timedelta(hours=1)
_LEAST_PAUSE = 0.2


class PreviewAsker:
    """Sleeps until `wake` is called, and then asks until nobody waits.

    The state decides when: so one request a minute is asked over all processes and hosts.
    """

    def __init__(
        self,
        store: PreviewRequestStore,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime],
        count: Callable[[int], None] = lambda requests: None,
    ) -> None:
        """`count` is called with the number of requests to arXiv, also of those that failed."""
        self._store = store
        self._settings = settings
        self._clock = clock
        self._count = count
        self._woken = asyncio.Event()
        self._may_ask = asyncio.Event()
        self._may_ask.set()
        self._asking: asyncio.Task[Outcome] | None = None
        self._failures = 0

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Never ends."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                pause = await self.step()
                while pause is not None:
                    await asyncio.sleep(max(pause.total_seconds(), _LEAST_PAUSE))
                    pause = await self.step()
            except StateError as error:  # the next visitor wakes it again
                _log.error("previews cannot be asked for cause=%s", error)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """For a fetch: a request that is under way is given up, and none begins."""
        self._may_ask.clear()
        if self._asking:
            self._asking.cancel()
        try:
            yield
        finally:
            self._may_ask.set()

    async def step(self) -> timedelta | None:
        """Asks if it is time; returns how long to wait until the next step, `None` if nobody waits."""
        await self._may_ask.wait()
        turn = await asyncio.to_thread(self._store.begin_previews, limit=AT_ONCE, now=self._clock())
        if not turn.requests:
            return turn.wait
        questions = await asyncio.to_thread(questions_for, turn.requests)
        self._asking = asyncio.create_task(self._ask(questions))
        try:
            await asyncio.wait({self._asking})
            await self._note(self._asking)
        finally:
            self._asking.cancel()  # if this is cancelled
            self._asking = None
        return timedelta(0)

    async def _ask(self, questions: tuple[Question, ...]) -> Outcome:
        searched = [query for question in questions for query in question.searched]
        if not searched:
            return Outcome()
        now = self._clock()
        async with asyncio.timeout(_LONGEST.total_seconds()):
            papers, total = await self._search(SearchApi.batches(searched)[0], now)
        _log.info("previews asked of arXiv queries=%d papers=%d count=%d", len(questions), len(papers), total)
        return await asyncio.to_thread(outcome_of, questions, papers, total, asked_since=now - SPAN, now=now)

    async def _search(self, queries: Sequence[Query], now: datetime) -> tuple[tuple[Paper, ...], int]:
        settings = self._settings()
        limits = replace(
            client_settings_for(settings, patience=_LONGEST),
            tries=1,
            timeout=_LONGEST,
            max_bytes=_LARGEST,
        )
        async with open_client(settings, limits) as client:
            api = SearchApi(client, settings.arxiv.api_url, MOST_PAPERS)
            try:
                return await api.newest(queries, since=now - SPAN, until=now)
            finally:
                self._count(client.requests)

    async def _note(self, asked: asyncio.Task[Outcome]) -> None:
        """Stores what came. What a fetch interrupted is asked again a minute later."""
        if asked.cancelled():
            return
        error = asked.exception()
        if isinstance(error, SourceError | TimeoutError):
            await self._put_off(error)
        else:
            await self._store_outcome(asked.result())

    async def _store_outcome(self, outcome: Outcome) -> None:
        self._failures = 0
        now = self._clock()
        if outcome.alone:
            put_off = partial(self._store.put_off_previews, now, is_failing=False, alone=outcome.alone)
            await asyncio.to_thread(put_off)
        await asyncio.to_thread(self._store.record_previews, outcome.answers, now=now)

    async def _put_off(self, error: SourceError | TimeoutError) -> None:
        self._failures += 1
        pause = min(PACE * 2**self._failures, _LONGEST_PAUSE)
        if isinstance(error, Throttled) and error.retry_after:
            pause = max(pause, min(error.retry_after, ANSWERS_LAST_FOR))
        until = self._clock() + pause
        cause = error.reason if isinstance(error, SourceError) else "no answer in time"
        _log.warning("previews not answered next_try=%s cause=%s", f"{until:%FT%TZ}", cause)
        await asyncio.to_thread(self._store.put_off_previews, until, is_failing=True)
