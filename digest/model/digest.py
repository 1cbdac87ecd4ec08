"""The values between matching and mailing: a hit, and the digest of many hits."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple, TypeAlias

from digest.model.paper import Paper

Length: TypeAlias = Literal["short", "normal", "full"]
"""How much of a digest its mail shows: about 600 words, about 1,500 words, or as much as fits."""


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
class Outlook:
    """What a subscriber can expect: how many papers a day, on average, their keywords have found of late.

    Numbers are rounded, so 0 is less than one in two days. `busiest` is the keyword that finds most, `None`
    if there is only one keyword. `narrower` are narrower keywords for it, if it finds very many, as pairs of
    keyword and papers a day.
    """

    papers_a_day: int
    busiest: str | None
    busiest_a_day: int
    narrower: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One subscriber's papers: every paper once, either as an entry or as a new version of an earlier one.

    `planned_at` (aware, UTC) is when it was due, `dated_on` is that day in the subscriber's time zone.
    `keywords` are all keywords of the subscriber, including those that found nothing. `names` are the
    subscriber's own names for keywords, as pairs of keyword and name. Only a first digest has an `outlook`,
    if enough is known. `near` are papers that match no keyword, nearest to what the subscriber likes.
    `covered_at` (aware, UTC) is until when arXiv was asked for all keywords, except those for which it was
    never asked; `None` if that is not known.
    """

    email: str
    name: str | None
    planned_at: datetime
    dated_on: date
    keywords: tuple[str, ...]
    entries: tuple[Entry, ...]
    is_first: bool = False
    revisions: tuple[Revision, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    length: Length = "normal"
    outlook: Outlook | None = None
    near: tuple[Paper, ...] = ()
    covered_at: datetime | None = None


class Group(NamedTuple):
    """The papers of a digest that stand under one `keyword`, in their order.

    `papers` is how many papers of the digest match the keyword; some may stand in the group of a rarer one.
    """

    keyword: str
    papers: int
    entries: tuple[Entry, ...]


def groups(digest: Digest) -> tuple[Group, ...]:
    """The entries by keyword, each entry once: under the rarest of its keywords. The rarest comes first.

    Of equally rare keywords, the first one of the subscriber counts, and the busiest of all days last.
    Entries without a keyword come last.
    """
    found: dict[str, int] = {}
    for _, keywords in digest.entries:
        for keyword in keywords:
            found[keyword] = found.get(keyword, 0) + 1
    places = {keyword: place for place, keyword in enumerate(digest.keywords)}
    busiest = digest.outlook.busiest if digest.outlook else None

    def rarity(keyword: str) -> tuple[int, bool, int, str]:
        return found[keyword], keyword == busiest, places.get(keyword, len(places)), keyword

    order = sorted(found, key=rarity)
    rank = {keyword: place for place, keyword in enumerate(order)}
    grouped: dict[str, list[Entry]] = {}
    for entry in digest.entries:
        keywords = entry.keywords
        rarest = min(keywords, key=rank.__getitem__) if len(keywords) > 1 else keywords[0] if keywords else ""
        grouped.setdefault(rarest, []).append(entry)
    return tuple(
        Group(keyword, found.get(keyword, len(grouped[keyword])), tuple(grouped[keyword]))
        for keyword in dict.fromkeys((*order, ""))
        if keyword in grouped
    )
