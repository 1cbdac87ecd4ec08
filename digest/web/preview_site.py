"""Makes previews from the state, and lets arXiv be asked for what nobody follows yet."""

import asyncio
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from secrets import token_bytes

from digest.keywords.query import Query
from digest.pipeline.preview_questions import AT_ONCE, SPAN
from digest.sources.arxiv.calendar import announcements_between
from digest.sources.arxiv.search_api import SearchApi
from digest.sources.window import Coverage
from digest.storage.previews import (
    PACE,
    Answer,
    Asker,
    PreviewRequest,
    PreviewRequestStore,
    PreviewStore,
    Queue,
    hash_of,
)
from digest.web.preview import Mistake, Parsed, Preview, Waiting, parsed, preview_of
from digest.web.preview_findings import Findings, Found, TooCostly, findings_of, found_for, keys_in

_SECONDS_OF_ONE = 2.0
_SECONDS_OF_ALL = 6.0
_AT_ONCE = 8
_OF_STRANGERS = 5
"""The other places are for subscribers."""

_OF_ONE_PLACE = 3
_PAPERS_KEPT = 30_000
_MINUTE = timedelta(minutes=1)

_TOO_LONG = "This keyword is too long to ask arXiv for it."
_TOO_COSTLY = "Looking for this keyword takes too long."
_SIMPLER = "Write fewer alternatives, or split it into several keywords."


class Busy(Exception):
    """Too many previews are being made at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The person who wants a preview: a `subscriber` by address, else a stranger by network.

    `page` distinguishes the pages of one person; a new preview of the same page replaces the last one.
    """

    network: str
    subscriber: str | None = None
    page: str = ""

    @property
    def place(self) -> str:
        return self.subscriber or self.network


class Previews:
    """The previews of one installation. They are made in a separate thread, one after another."""

    def __init__(
        self,
        *,
        store: PreviewStore,
        changing: PreviewRequestStore,
        most_papers_a_day: int,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called when somebody waits for an answer of arXiv."""
        self._store = store
        self._changing = changing
        self._most = most_papers_a_day
        self._clock = clock
        self._wake = wake
        self._salt = token_bytes(16).hex()
        self._pending: Counter[str] = Counter()
        self._of_strangers = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="web-previews")
        self._kept = _Kept()

    async def of(self, texts: Sequence[str], visitor: Visitor) -> Preview:
        """Raises `Busy` if too many are being made, and `StateError`."""
        with self._place_for(visitor):
            making = partial(self._preview, tuple(texts), visitor)
            preview = await asyncio.get_running_loop().run_in_executor(self._thread, making)
        if preview.is_waiting:
            self._wake()
        return preview

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _place_for(self, visitor: Visitor) -> Iterator[None]:
        place, is_stranger = visitor.place, visitor.subscriber is None
        if (
            self._pending.total() >= _AT_ONCE
            or (is_stranger and self._of_strangers >= _OF_STRANGERS)
            or (place and self._pending[place] >= _OF_ONE_PLACE)
        ):
            raise Busy
        self._pending[place] += 1
        self._of_strangers += is_stranger
        try:
            yield
        finally:
            self._of_strangers -= is_stranger
            self._pending[place] -= 1
            if not self._pending[place]:
                del self._pending[place]

    def _preview(self, texts: Sequence[str], visitor: Visitor) -> Preview:
        now, keywords = self._clock(), parsed(texts)
        known = _Known(self._store, keywords.queries.values(), now)
        findings, missing, waiting = dict[str, Findings](), list[Query](), dict[str, Waiting]()
        ends = time.monotonic() + _SECONDS_OF_ALL
        for text, query in list(keywords.queries.items()):
            try:
                found = self._findings(query, known, now, ends)
            except TooCostly:
                _refuse(keywords, text, _TOO_COSTLY)
                continue
            if isinstance(found, Findings):
                findings[query.key] = found
            elif found:
                waiting[query.key] = found
            elif SearchApi.fits(query):
                missing.append(query)
            else:
                _refuse(keywords, text, _TOO_LONG)
        waiting |= self._wait_for(missing, visitor, now)
        return preview_of(keywords, findings, waiting, texts=texts, most=self._most)

    def _findings(
        self, query: Query, known: "_Known", now: datetime, ends: float
    ) -> Findings | Waiting | None:
        """`None` if arXiv must be asked; a wait if this preview took so long that the next one goes on."""
        mark = (query.key, now.date(), known.mark(query))
        if kept := self._kept.get(mark):
            return kept
        if time.monotonic() > ends:
            return Waiting(minutes=1)
        found = found_for(query, known, now)
        if found is None:
            return None
        late = time.monotonic() + _SECONDS_OF_ONE
        findings = findings_of(query, found, now, lambda: time.monotonic() > late)
        self._kept.keep(mark, findings)
        return findings

    def _wait_for(self, missing: Sequence[Query], visitor: Visitor, now: datetime) -> Mapping[str, Waiting]:
        if not missing and not visitor.page:
            return {}
        requests = {query.key: PreviewRequest(query=hash_of(query.key), text=query.text) for query in missing}
        # Networks are in the state only by a hash that nobody can calculate.
        asker = Asker(
            place=hash_of(self._salt + visitor.place),
            is_stranger=visitor.subscriber is None,
            visitor=visitor.page and hash_of(visitor.page),
        )
        queue = self._changing.request_previews(tuple(requests.values()), asker, now=now)
        return {key: _waiting(queue, request, now) for key, request in requests.items()}


def _refuse(keywords: Parsed, text: str, why: str) -> None:
    del keywords.queries[text]
    keywords.mistakes[text] = Mistake(
        before="", marked=text, after="", expected=why, hint=_SIMPLER, remedies=()
    )


def _waiting(queue: Queue, request: PreviewRequest, now: datetime) -> Waiting:
    if request.query not in queue.before:
        return Waiting(minutes=None, is_failing=queue.is_failing)
    wait = queue.next_at - now + PACE * (queue.before[request.query] // AT_ONCE)
    return Waiting(minutes=max(1, math.ceil(wait / _MINUTE)), is_failing=queue.is_failing)


class _Known(Mapping[str, Found]):
    """What the state has of queries and their parts, by query key. Papers are read when they are needed."""

    def __init__(self, store: PreviewStore, queries: Iterable[Query], now: datetime) -> None:
        keys = list(dict.fromkeys(key for query in queries for key in keys_in(query)))
        self._store, self._now = store, now
        self._coverage = store.coverage_of(keys) if keys else {}
        hashes = {hash_of(key): key for key in keys}
        answers = store.preview_answers(list(hashes), now=now) if keys else {}
        self._answers = {hashes[one]: answer for one, answer in answers.items()}

    def mark(self, query: Query) -> tuple[datetime | None, ...]:
        """Changes when something new is known of the query."""
        return tuple(moment for key in keys_in(query) for moment in self._moments(key))

    def _moments(self, key: str) -> tuple[datetime | None, datetime | None]:
        coverage, answer = self._coverage.get(key), self._answers.get(key)
        return (coverage.covered_at if coverage else None, answer.asked_at if answer else None)

    def __getitem__(self, key: str) -> Found:
        coverage, answer = self._coverage.get(key), self._answers.get(key)
        if coverage and not (answer and answer.searched_since < coverage.searched_since):
            return self._followed(key, coverage)
        if answer is None:
            raise KeyError(key)
        return _asked(answer)

    def _followed(self, key: str, coverage: Coverage) -> Found:
        return Found(
            papers=self._store.recent_papers(key, since=self._now - SPAN),
            searched_since=max(coverage.searched_since, self._now - SPAN),
            covered_at=coverage.covered_at,
            is_exact=True,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._coverage.keys() | self._answers.keys())

    def __len__(self) -> int:
        return len(self._coverage.keys() | self._answers.keys())


def _asked(answer: Answer) -> Found:
    announcements = len(announcements_between(answer.asked_since, answer.asked_at))
    return Found(
        papers=answer.papers,
        searched_since=answer.searched_since,
        covered_at=answer.asked_at,
        has_spellings=True,
        about=None if answer.about is None else answer.about / max(1, announcements),
    )


class _Kept:
    """The last findings, with about so many papers."""

    def __init__(self) -> None:
        self._findings: OrderedDict[object, Findings] = OrderedDict()
        self._papers = 0

    def get(self, mark: object) -> Findings | None:
        return self._findings.get(mark)

    def keep(self, mark: object, findings: Findings) -> None:
        self._findings[mark] = findings
        self._papers += 100 + len(findings.announced)
        while self._papers > _PAPERS_KEPT:
            _, gone = self._findings.popitem(last=False)
            self._papers -= 100 + len(gone.announced)
