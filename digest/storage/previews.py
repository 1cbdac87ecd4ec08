"""Previews of keywords that nobody follows yet: who waits for one, and what arXiv answered."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Protocol

from digest.model.paper import ArxivId, Paper
from digest.sources.window import Coverage

PACE = timedelta(minutes=1)
"""Between two requests to arXiv for previews, over all processes and hosts."""

ANSWERS_LAST_FOR = timedelta(days=1)
ANSWERS_KEPT = 100
"""An answer takes up to half a megabyte, and usually a tenth of that."""

REQUESTS_LAST_FOR = timedelta(minutes=3)
"""A request that is not renewed ends: a page that waits for a preview is loaded at least once a minute."""

REQUESTS_RENEWED_AFTER = timedelta(seconds=20)

REQUESTS_OF_STRANGERS = 50
REQUESTS_OF_SUBSCRIBERS = 100
REQUESTS_OF_ONE_PLACE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """A query that arXiv is to be asked for. `query` is its `hash_of` key, `text` its canonical form."""

    query: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who wants previews: `place` is what has a limited number of requests, as the network of a stranger.

    `visitor` distinguishes the pages of one place, and may be empty: a new request replaces all others of
    the same visitor.
    """

    place: str
    is_stranger: bool
    visitor: str = ""

    def has_place(self, taken: int, of_place: int) -> bool:
        """Whether one more request is taken, after `taken` of strangers, or else of subscribers."""
        most = REQUESTS_OF_STRANGERS if self.is_stranger else REQUESTS_OF_SUBSCRIBERS
        return taken < most and of_place < REQUESTS_OF_ONE_PLACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What arXiv answered at `asked_at`: all `papers` submitted since `searched_since` that a query may find.

    They include papers of other spellings. `about` is an estimate of how many the query found since
    `asked_since`, if these were more than one answer has; else `None`.
    """

    query: str
    asked_at: datetime
    asked_since: datetime
    searched_since: datetime
    papers: tuple[Paper, ...]
    about: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How many other queries are before each request, and when arXiv may be asked next.

    A request that is missing in `before` has no place: too many others wait. `is_failing`: arXiv did not
    answer.
    """

    before: Mapping[str, int]
    next_at: datetime
    is_failing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewTurn:
    """The requests to ask for together now; if there are none, how long to wait; `None`: nobody waits."""

    requests: tuple[PreviewRequest, ...] = ()
    wait: timedelta | None = None


class PreviewStore(Protocol):
    """Reads what is known about keywords."""

    def coverage_of(self, query_keys: Sequence[str]) -> Mapping[str, Coverage]:
        """Returns the coverage of those of these queries that were fetched."""
        ...

    def recent_papers(self, query_key: str, *, since: datetime) -> tuple[Paper, ...]:
        """Returns the papers submitted since then that a query found, new or not, without archived ones."""
        ...

    def preview_answers(self, queries: Sequence[str], *, now: datetime) -> Mapping[str, Answer]:
        """Returns the answers for these queries, by their `hash_of` key, that are less than a day old."""
        ...


class PreviewRequestStore(Protocol):
    """The queue of previews that arXiv is asked for."""

    def request_previews(self, requests: Sequence[PreviewRequest], asker: Asker, *, now: datetime) -> Queue:
        """Adds requests, or renews them, and returns their queue. Those without a place are not added."""
        ...

    def begin_previews(self, *, limit: int, now: datetime) -> PreviewTurn:
        """Takes the turn to ask arXiv once, if the last one began at least a minute ago and none is put off.

        Subscribers come before strangers, then the longest wait. Requests that were not renewed are deleted.
        """
        ...

    def record_previews(self, answers: Sequence[Answer], *, now: datetime) -> None:
        """Stores answers, and ends the requests for them."""
        ...

    def put_off_previews(self, until: datetime, *, is_failing: bool, alone: str | None = None) -> None:
        """Lets arXiv be asked no earlier than then; the next one is for the query `alone`, if given."""
        ...


def hash_of(query_key: str) -> str:
    """A short name of a query: its key may be long."""
    return blake2b(query_key.encode(errors="replace"), digest_size=16).hexdigest()


def turn_for(waiting: Sequence[tuple[str, str]], *, alone: str | None, limit: int) -> PreviewTurn:
    """The first of these queries, with their texts; or only the query `alone`, if it waits."""
    requests = [PreviewRequest(query=query, text=text) for query, text in waiting]
    single = [request for request in requests if request.query == alone]
    return PreviewTurn(requests=tuple(single or requests[:limit]))


def wait_for_turn(now: datetime, last_at: datetime | None, retry_at: datetime | None) -> timedelta:
    """How long until arXiv may be asked; after a clock was set back, not longer than it could be."""
    waits = [timedelta(0)]
    if last_at is not None:
        waits.append(min(last_at + PACE - now, PACE))
    if retry_at is not None:
        waits.append(min(retry_at - now, ANSWERS_LAST_FOR))
    return max(waits)


def packed(papers: Sequence[Paper]) -> bytes:
    return zlib.compress(json.dumps([_row(paper) for paper in papers], ensure_ascii=False).encode())


def unpacked(content: bytes) -> tuple[Paper, ...]:
    return tuple(map(_paper, json.loads(zlib.decompress(content))))


def _row(paper: Paper) -> list[object]:
    return [
        *(paper.id, paper.version, paper.title, paper.abstract, paper.authors, paper.categories),
        *(moment and moment.isoformat() for moment in (paper.submitted_at, paper.updated_at)),
        *(paper.comment, paper.journal_ref, paper.doi),
    ]


def _paper(row: list[Any]) -> Paper:
    arxiv_id, version, title, abstract, authors, categories, submitted_at, updated_at, *rest = row
    comment, journal_ref, doi = rest
    return Paper(
        id=ArxivId(arxiv_id),
        version=version,
        title=title,
        abstract=abstract,
        authors=tuple(authors),
        categories=tuple(categories),
        submitted_at=submitted_at and datetime.fromisoformat(submitted_at),
        updated_at=updated_at and datetime.fromisoformat(updated_at),
        comment=comment,
        journal_ref=journal_ref,
        doi=doi,
    )
