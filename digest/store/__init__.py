"""What an installation remembers: the seen-set, the readers' cursors and the outbox. `Store` is the seam.

A *hit* is a (query, paper) pair, numbered in the order in which this installation first saw it.
The hits are the seen-set: they alone decide what is new. A reader's *cursor* is the number of the
hit up to which they have been served. A *mailing* is a digest that was written down to be sent.

A *revision* is a higher version of a paper that was seen before, numbered likewise. Readers who ask for
new versions have a second cursor for them, which begins at the last revision of the time when they asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from digest.digests import Digest, Hit, Revision
from digest.papers import ArxivId, Paper
from digest.subscribers import Subscriber


class MailingState(StrEnum):
    """Where a mailing is in its life; `SENT` and `FAILED` are the ends of it.

    `UNKNOWN`: the connection was lost when the server may already have taken it (RFC 1047).
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A fetched paper with the keys of all queries that it matches."""

    paper: Paper
    query_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a reader stands: known since when, and when (if ever) their last digest was planned.

    `slot_at` is the last sending time that was dealt with, be it by a digest or by "nothing new".
    `has_open_mailing`: a digest is written down for them that has not arrived yet.
    """

    since_at: datetime
    last_digest_at: datetime | None
    slot_at: datetime | None
    has_open_mailing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """How far this installation has seen at one moment: the numbers of the last hit and the last revision."""

    hit: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """All that a reader has not been served, as of `frontier`.

    `revisions` come in the order in which they were seen, and only where the reader asks for new
    versions: those of papers that a mailing brought them, and that one of their keywords still finds.
    """

    hits: tuple[Hit, ...]
    frontier: Frontier
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A digest in the outbox. `token` names it in every attempt; `attempts` counts those made before."""

    number: int
    token: str
    attempts: int
    digest: Digest


class Store(Protocol):
    """Each method is one intent and one transaction: it happens whole or not at all.

    Readers are named by any address that has the `address_key` of theirs. Every method raises
    `StateError` when the state cannot be read or written.
    """

    def enrol(self, subscribers: Sequence[Subscriber], *, now: datetime, current_since: datetime) -> int:
        """Makes the enrolled readers and their subscriptions those of `subscribers`; ends all others.

        What a reader got stays known, so a keyword that is dropped and taken up again repeats nothing.
        Mailings of readers who have left are given up; returns how many. A new subscription's backlog ends
        here if its query was covered since `current_since`, else with its next fetch.
        """
        ...

    def covered_at(self) -> Mapping[str, datetime]:
        """For each query key that was ever fetched with success: when it last was."""
        ...

    def recent_hits(self, *, since: datetime) -> Mapping[str, frozenset[ArxivId]]:
        """For each query key: the papers it found that were submitted since that moment."""
        ...

    def searched_since(self) -> Mapping[str, datetime]:
        """For each covered query key: the submission time from which its first fetch searched."""
        ...

    def record(self, papers: Iterable[Matched], *, covered: Mapping[str, datetime], now: datetime) -> int:
        """Writes down a fetch that succeeded: its hits, and for each query key it covers, since when.

        Returns how many papers this installation had never seen. What was seen before changes nothing,
        but for a higher version of a paper: that is a revision.
        """
        ...

    def standings(self) -> Mapping[str, Standing]:
        """Where each enrolled reader stands, by `address_key`."""
        ...

    def with_news(self) -> frozenset[str]:
        """The `address_key` of each reader who may have something new: of all who do, and a few more."""
        ...

    def news(self, email: str, *, backlog_since: datetime) -> News:
        """What a reader has not been served; of the backlog, what was submitted since `backlog_since`."""
        ...

    def enqueue(self, digest: Digest, *, frontier: Frontier, slot_at: datetime) -> None:
        """Puts a digest in the outbox, moves its reader's cursors to `frontier` and closes the slot."""
        ...

    def settle(self, emails: Sequence[str], *, frontier: Frontier | None, slot_at: datetime) -> None:
        """These readers have nothing new: closes the slot and, if given, moves the cursors to `frontier`."""
        ...

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        """Takes back what a process that died was sending, as unknown, and returns how many that were.

        What is due after `latest` was written down by a clock that was wrong, and is due now.
        """
        ...

    def hasten(self, *, now: datetime) -> None:
        """Makes every mailing that waits for another attempt due at `now`."""
        ...

    def claim(self, *, now: datetime, limit: int) -> tuple[Mailing, ...]:
        """Marks up to `limit` mailings that are due as being sent, oldest first, and returns them."""
        ...

    def conclude(
        self, number: int, state: MailingState, reply: str, *, now: datetime, due_at: datetime | None = None
    ) -> None:
        """Writes down what became of a claimed mailing, and when it is due again unless this is the end."""
        ...

    def release(self, numbers: Sequence[int]) -> None:
        """Gives claimed mailings back untried: the server is to blame, not they."""
        ...

    def waiting(self) -> int:
        """How many mailings are written down and have neither been sent nor given up."""
        ...

    def next_due_at(self) -> datetime | None:
        """When the first of them is due that nobody is sending."""
        ...
