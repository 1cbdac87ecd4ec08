"""The values between matching and mailing: a hit, and the digest of many hits."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from digest.model.paper import Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A paper that one of a subscriber's queries found, and that the subscriber has not received yet.

    `is_backlog`: it was found before the subscriber added this query.
    """

    number: int
    query_key: str
    paper: Paper
    is_backlog: bool


class Entry(NamedTuple):
    """A paper in a digest, with all matching keywords of the subscriber, as the subscriber wrote them."""

    paper: Paper
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A new version of a paper that a subscriber received: `paper` is the new version, `from_version` the
    number of the received one.
    """

    paper: Paper
    from_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A paper that one of a subscriber's queries found, and whose text or categories changed."""

    query_key: str
    before: Paper
    after: Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One subscriber's papers: every paper once, either as an entry or as a new version of an earlier one.

    `planned_at` (aware, UTC) is when it was due, `dated_on` is that day in the subscriber's time zone.
    `keywords` are all keywords of the subscriber, including those that found nothing.
    """

    email: str
    name: str | None
    planned_at: datetime
    dated_on: date
    keywords: tuple[str, ...]
    entries: tuple[Entry, ...]
    is_first: bool = False
    revisions: tuple[Revision, ...] = ()
