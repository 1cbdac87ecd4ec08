"""The values between matching and mailing: a hit, and the digest that comes of many."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from digest.model.paper import Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A paper that one of a subscriber's queries found and that they have not been served.

    `is_backlog`: it was there before the subscriber asked for this query.
    """

    number: int
    query_key: str
    paper: Paper
    is_backlog: bool


class Entry(NamedTuple):
    """A paper in a digest, with all of the subscriber's keywords that it matches, as the subscriber wrote
    them.
    """

    paper: Paper
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A new version of a paper that a subscriber had: `paper` is the new one, `from_version` what they
    had.
    """

    paper: Paper
    from_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A paper that one of a subscriber's queries had found, and whose text or categories became others."""

    query_key: str
    before: Paper
    after: Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What one subscriber gets: every paper once, either as an entry or as a new version of one they had.

    `planned_at` (aware, UTC) is when it was due, `dated_on` that day where the subscriber lives.
    `keywords` are all that the subscriber follows, also those which brought nothing.
    """

    email: str
    name: str | None
    planned_at: datetime
    dated_on: date
    keywords: tuple[str, ...]
    entries: tuple[Entry, ...]
    is_first: bool = False
    revisions: tuple[Revision, ...] = ()
