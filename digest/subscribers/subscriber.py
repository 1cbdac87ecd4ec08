"""Subscribers as values."""

from dataclasses import dataclass, replace
from datetime import date, time
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from digest.keywords import query
from digest.keywords.query import Query
from digest.model.digest import Length
from digest.model.paper import one_line

_MARK_BYTES = 8

Replacements: TypeAlias = Literal["never", "section"]
"""New versions of papers that the subscriber received: not shown, or a section with a line for each.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A keyword: `text` as the subscriber wrote it, its `query`, and the subscriber's own name for it."""

    text: str
    query: Query
    name: str | None = None

    @property
    def label(self) -> str:
        """The keyword, after its name if it has one: `RL (reinforcement learning)`."""
        return f"{self.name} ({self.text})" if self.name else self.text

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process parses the text, once for all subscribers: a query takes long to copy."""
        return _copied_keyword, (self.text, self.name)


@lru_cache(maxsize=50_000)
def build_keyword(value: str) -> Keyword:
    """Cached: subscribers share keywords, and a file is often read again. Raises `QueryError`."""
    text = one_line(value)
    return Keyword(text=text, query=query.parse(text))


@lru_cache(maxsize=50_000)
def _copied_keyword(text: str, name: str | None) -> Keyword:
    keyword = build_keyword(text)
    return keyword if name is None else replace(keyword, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSchedule:
    """When a subscriber is mailed: at `send_at` in `timezone`, every day or on the day `weekly` (0 is
    Monday).

    No mail is sent before the day `paused_until`, which is never in the file
    (`digest.subscribers.preferences`).
    """

    send_at: time
    timezone: ZoneInfo
    weekly: int | None = None
    paused_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which of the matching papers a subscriber wants. The default is everything except new versions.

    A paper that matches any of `exclude` is left out. `categories` (codes, or an archive with `.*`) are the
    only wanted ones, or empty for all; without `crosslists` the primary category must be among them.
    """

    exclude: tuple[Keyword, ...] = ()
    categories: tuple[str, ...] = ()
    crosslists: bool = True
    replacements: Replacements = "never"

    @property
    def refuse_papers(self) -> bool:
        """Whether they may refuse a paper that a keyword matches."""
        return bool(self.exclude or self.categories)


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One subscriber. Many share one send schedule and one filter object, which saves memory.

    `email` is as written; two addresses are equal if `digest.config.parsing.address_key` is.
    `muted` are keys of queries, never in the file: the subscriber chose them online
    (`digest.subscribers.preferences`). `is_signed_up`: there is a file of subscribers, and their entry is in
    the state, as that of everybody who signs up on the web pages.
    """

    email: str
    name: str | None
    keywords: tuple[Keyword, ...]
    send_schedule: SendSchedule
    filters: Filters = EVERYTHING
    muted: frozenset[str] = frozenset()
    length: Length = "normal"
    discover: int = 0
    is_signed_up: bool = False

    @property
    def heard(self) -> tuple[Keyword, ...]:
        """The keywords in use: all except the muted ones."""
        if not self.muted:
            return self.keywords
        return tuple(keyword for keyword in self.keywords if keyword.query.key not in self.muted)

    def __reduce__(self) -> tuple[Any, ...]:
        """Takes half the time of the copy that dataclasses make."""
        copied = self.keywords, self.send_schedule, self.filters, self.muted, self.length, self.discover
        return _copied_subscriber, (self.email, self.name, *copied, self.is_signed_up)


def _copied_subscriber(
    email: str,
    name: str | None,
    keywords: tuple[Keyword, ...],
    send_schedule: SendSchedule,
    filters: Filters,
    muted: frozenset[str],
    length: Length,
    discover: int,
    is_signed_up: bool,
) -> Subscriber:
    return Subscriber(
        email=email,
        name=name,
        keywords=keywords,
        send_schedule=send_schedule,
        filters=filters,
        muted=muted,
        length=length,
        discover=discover,
        is_signed_up=is_signed_up,
    )


def entry_mark(subscriber: Subscriber) -> bytes:
    """Returns a hash of what a subscriber's entry says, without the address.

    It is empty for who signed up: their address changes by command or on the pages, never by an edit of the
    file.
    """
    if subscriber.is_signed_up:
        return b""
    send_schedule, filters = subscriber.send_schedule, subscriber.filters
    content = (
        subscriber.name,
        [(one.text, one.name) if one.name else one.text for one in subscriber.keywords],
        (send_schedule.send_at, send_schedule.timezone.key, send_schedule.weekly),
        [keyword.text for keyword in filters.exclude],
        (filters.categories, filters.crosslists, filters.replacements),
        *([subscriber.length] if subscriber.length != "normal" else ()),
        *([subscriber.discover] if subscriber.discover else ()),
    )
    return blake2b(repr(content).encode(), digest_size=_MARK_BYTES).digest()
