"""Parses arXiv's daily Atom feeds: one announcement, for some categories.

Source: https://info.arxiv.org/help/rss.html. This does not use feedparser, which accepts an incomplete
document and changes some texts.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from digest.errors import Refused
from digest.model.paper import Paper, one_line, parse_identifier
from digest.sources.arxiv.authors import parse_author_names
from digest.sources.xml import incomplete, moment_of, read_entries, root_of, text_of, text_or_empty

FEED_URL = "https://rss.arxiv.org/atom"

_KIND = "Atom feed"
_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_EASTERN = ZoneInfo("America/New_York")
_LEAD = re.compile(r"\s*arXiv:\S+\s+Announce Type:\s*\S+\s+Abstract:")


class AnnounceType(StrEnum):
    """The reason why a list of the requested categories has a paper; the most specific first."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A paper and the reason why it is listed. Feeds have no submission time, comment or reference."""

    paper: Paper
    kind: AnnounceType


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """The content of one feed. `listed_on` is the day of its list, `made_on` when it was made (US Eastern).

    Without entries, as on weekends and holidays, `listed_on` is `None`. `unreadable` is the number of entries
    that were omitted because they cannot be papers.
    """

    entries: tuple[Announced, ...]
    listed_on: date | None
    made_on: date
    unreadable: int = 0

    @property
    def came(self) -> int:
        """The number of entries in the feed, including omitted ones."""
        return len(self.entries) + self.unreadable


def parse_feed_page(document: bytes, *, url: str = FEED_URL) -> FeedPage:
    """The entries of one feed, in its order. `url` is for errors.

    An entry that cannot be a paper is omitted. Raises `BadDocument` unless the document is a complete feed of
    one day, and `Refused` for an error message.
    """
    feed = root_of(document, url, tag=f"{_ATOM}feed", kind=_KIND)
    elements = feed.findall(f"{_ATOM}entry")
    if not elements and feed.findtext(f"{_ATOM}title", "").startswith("Feed error"):
        reason = one_line(feed.findtext(f"{_ATOM}subtitle", "")) or "no reason given"
        raise Refused(url, f"arXiv refused the feed: {reason}")
    try:
        read, unreadable = read_entries(elements, _dated, id_path=f"{_ATOM}id")
        return FeedPage(
            entries=tuple(announced for announced, _ in read),
            listed_on=_only({day for _, day in read}),
            made_on=_eastern_day(text_of(feed, f"{_ATOM}updated")),
            unreadable=unreadable,
        )
    except ValueError as error:
        raise incomplete(url, _KIND, str(error)) from error


def _only(days: set[date]) -> date | None:
    if len(days) > 1:
        raise ValueError(f"it lists papers of {min(days)} and of {max(days)}")
    return days.pop() if days else None


def _eastern_day(text: str) -> date:
    moment = moment_of(text)
    try:
        return moment.astimezone(_EASTERN).date()
    except OverflowError as error:
        raise ValueError(f"a time out of range: {text!r}") from error


def _dated(entry: ElementTree.Element) -> tuple[Announced, date]:
    """An entry, and the day of its list."""
    return _announced(entry), _eastern_day(text_of(entry, f"{_ATOM}published"))


def _announced(entry: ElementTree.Element) -> Announced:
    identifier, version = parse_identifier(text_of(entry, f"{_ATOM}id"))
    terms = [element.get("term", "").strip() for element in entry.iterfind(f"{_ATOM}category")]
    categories = tuple(dict.fromkeys(filter(None, terms)))
    if not categories:
        raise ValueError(f"{identifier} has no category")
    paper = Paper(
        id=identifier,
        version=version or 1,
        title=one_line(text_or_empty(entry, f"{_ATOM}title")),
        abstract=one_line(_LEAD.sub("", text_or_empty(entry, f"{_ATOM}summary"), count=1)),
        authors=parse_author_names(text_or_empty(entry, f"{_DC}creator")),
        categories=categories,
    )
    return Announced(paper=paper, kind=AnnounceType(text_of(entry, f"{_ARXIV}announce_type").strip()))
