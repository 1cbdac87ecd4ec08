"""The daily Atom feeds: what arXiv announced today, from midnight to midnight US Eastern.

Source: https://info.arxiv.org/help/rss.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from digest.errors import Implausible, MissingNews, SourceError
from digest.keywords.query import Query, asks_for_remarks
from digest.model.categories import starting_with
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.calendar import announcements_between, evenings_between
from digest.sources.arxiv.daily_feed_parser import Announced, AnnounceType, FeedPage, parse_feed_page
from digest.sources.base import MANY
from digest.sources.http_client import PoliteClient
from digest.sources.plausibility import check_clock
from digest.sources.window import Window

# All 20 archives. On a busy day, with replacements, each group except the first stays well below the limit;
# computer science may reach it, and is then requested in parts.
_GROUPS = (
    ("cs",),
    ("math", "math-ph", "nlin", "stat", "econ", "q-bio", "q-fin"),
    ("astro-ph", "cond-mat", "eess", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "nucl-ex", "nucl-th",
     "physics", "quant-ph"),
)  # fmt: skip

_EASTERN = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)
_NOON = time(12)
# A feed shows an announcement from midnight on. The other sources may show it as late.
_LAG = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """arXiv's complete list of one day: each paper once, with its most specific announce type.

    `listed_on` is a US Eastern date, the day after the evening of the announcement; it is `None` if there is
    no list today. `made_on` is the day on which arXiv made the feeds, also US Eastern.
    """

    entries: tuple[Announced, ...]
    listed_on: date | None
    made_on: date


class DailyFeed:
    """Today's announcement."""

    name = "daily feed"
    lists_again = False

    def __init__(self, client: PoliteClient, url: str, most_entries: int = 2_000) -> None:
        """`most_entries` is the limit of one feed; beyond it, arXiv omits new papers."""
        self._client = client
        self._url = url.rstrip("/")
        self._most_entries = most_entries

    def can_answer(self, query: Query) -> bool:
        """A feed has no comments and no references."""
        return not asks_for_remarks(query)

    def cost(
        self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY
    ) -> int | None:
        """One request for each group of archives; `None` if today's list does not cover the window."""
        return len(_GROUPS) if _most_lists(window) <= 1 else None

    def batches(self, queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        """One batch: a list has the papers for all queries."""
        return (tuple(queries),) if queries else ()

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        """All papers of `window`, the highest identifier first, including all that match `queries`.

        They have no comments and references. Raises `SourceError` unless the feed shows every announcement of
        the window; it never shows two.
        """
        if (most := _most_lists(window)) > 1:
            reason = f"the daily feed shows one announcement only, and {most} may have been made meanwhile"
            raise SourceError(self._url, f"{reason}; another source has them")
        awaited = _lists_of(window)
        announcement = await self.announcement()
        check_clock(self._url, datetime.combine(announcement.made_on, _NOON, _EASTERN), window.until)
        if awaited and announcement.listed_on != awaited[0]:
            shown = announcement.listed_on or "none"
            reason = f"the daily feed shows the list of {shown}, not that of {awaited[0]}"
            # On other days an empty feed says nothing about the list.
            is_its_day = window.until.astimezone(_EASTERN).date() == awaited[0]
            is_missing = announcement.listed_on is None and is_its_day
            raise (MissingNews if is_missing else Implausible)(self._url, reason)
        new = (one.paper for one in announcement.entries if one.kind is AnnounceType.NEW)
        return tuple(sorted(new, key=lambda paper: paper.id, reverse=True))

    async def announcement(self) -> Announcement:
        """Today's list, with arXiv's announce types. Raises `SourceError` unless the list is complete.

        A paper that was submitted for today is `new` in its primary archive, even if it is a cross-list
        elsewhere. A cross-list in all categories is an older paper that got one more category.
        """
        groups = [await self._whole(group) for group in _GROUPS]
        pages = [page for group in groups for page in group]
        made_on = {page.made_on for page in pages}
        listed_on = {page.listed_on for page in pages if page.listed_on}
        if len(made_on) > 1 or len(listed_on) > 1:
            raise Implausible(self._url, "the daily feeds changed to another day's list; ask again")
        if listed_on and not all(any(page.came for page in group) for group in groups):
            raise Implausible(self._url, "some of the daily feeds are empty and others are not; ask again")
        return Announcement(
            entries=_merged(pages),
            listed_on=listed_on.pop() if listed_on else None,
            made_on=made_on.pop(),
        )

    async def _whole(self, parts: Sequence[str]) -> list[FeedPage]:
        """The feed of these archives or categories, in enough parts so that none reaches the limit."""
        address = f"{self._url}/{'+'.join(parts)}"
        page = await self._client.ask(address, {}, lambda document: parse_feed_page(document, url=address))
        if page.came < self._most_entries:
            return [page]
        smaller = parts if len(parts) > 1 else starting_with(f"{parts[0]}.")
        if len(smaller) < 2:
            raise Implausible(address, f"the feed of {parts[0]} alone is cut at {self._most_entries} entries")
        middle = len(smaller) // 2
        return [*await self._whole(smaller[:middle]), *await self._whole(smaller[middle:])]


def _lists_of(window: Window) -> list[date]:
    """The days whose lists were announced in `window`, or shortly before it and were perhaps not seen."""
    made = announcements_between(window.announced_since - _LAG, window.until)
    return [at.astimezone(_EASTERN).date() + _DAY for at in made]


def _most_lists(window: Window) -> int:
    """The number of lists if arXiv also announces on holidays: the calendar may be wrong."""
    return len(evenings_between(window.announced_since - _LAG, window.until))


def _merged(pages: Sequence[FeedPage]) -> tuple[Announced, ...]:
    order = list(AnnounceType)
    first: dict[ArxivId, Announced] = {}
    for one in sorted((one for page in pages for one in page.entries), key=lambda one: order.index(one.kind)):
        first.setdefault(one.paper.id, one)
    return tuple(first.values())
