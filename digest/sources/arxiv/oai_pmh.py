"""OAI-PMH: everything in arXiv that changed since a day, in a few requests for any number of keywords.

Source: https://info.arxiv.org/help/oa/.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil

from digest.errors import Implausible, MissingNews, Refused
from digest.keywords.query import Query
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.calendar import announcements_between
from digest.sources.arxiv.oai_pmh_parser import RecordPage, TokenExpired, parse_record_page
from digest.sources.base import MANY
from digest.sources.http_client import PoliteClient
from digest.sources.plausibility import INDEX_LAG, check_clock
from digest.sources.window import Window

# A datestamp is the UTC date of a paper's last change. arXiv announces papers at 20:00 US Eastern, which is
# after midnight UTC, and lists them about two hours later. A fetch between these times does not get them, but
# has the same date as their datestamp. One more day also covers papers that are listed up to a day late, or
# whose datestamp is from just before midnight UTC.
_OVERLAP = timedelta(days=1)
_TOLERANCE = timedelta(days=1)

_PAGE = 2_500
# About 1,200 new papers, and as many replaced, cross-listed or edited ones.
_USUAL_RECORDS = 2_200
# More than two months of announcements.
_MOST_PAGES = 100
# A token expires at midnight UTC: that can happen once, but repeatedly it is an error.
_MOST_STARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """The result of a harvest: each paper once, in its latest version, the newest submission first.

    `papers` were first submitted within the window. `changed` are all papers of the answer, including old
    papers with a new version or edited metadata. `newest_datestamp` is `None` if the answer is empty.
    `responded_at` is the server's time of the first page, which may come from a cache that is as old as the
    last announcement.
    """

    papers: tuple[Paper, ...]
    changed: tuple[Paper, ...]
    newest_datestamp: date | None
    responded_at: datetime


class OaiPmh:
    """All papers, listed by the day of their last change."""

    name = "OAI-PMH"
    lists_again = False

    def __init__(self, client: PoliteClient, url: str) -> None:
        self._client = client
        self._url = url

    def can_answer(self, query: Query) -> bool:
        """The list has all metadata of a paper."""
        return True

    def cost(self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY) -> int:
        """One request for each page that is usual for this time, however many papers are expected."""
        listed_from = datetime.combine(_first_day(window), time(), UTC) - timedelta(microseconds=1)
        announcements = announcements_between(listed_from, window.until)
        return max(1, ceil(len(announcements) * _USUAL_RECORDS / _PAGE))

    def batches(self, queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        """One batch: a list has the papers for all queries."""
        return (tuple(queries),) if queries else ()

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        """All papers of `window`, newest first, including all that match `queries`.

        Raises `SourceError` unless all pages arrive and are plausible.
        """
        harvest = await self.harvest(window)
        announced = announcements_between(window.announced_since, window.until - INDEX_LAG)
        listed_on = harvest.newest_datestamp
        if announced and (listed_on is None or listed_on < announced[-1].date()):
            due = f"the announcement of {announced[-1]:%F}"
            raise MissingNews(self._url, f"arXiv lists nothing of {due}; it will be asked again")
        return harvest.papers

    async def harvest(self, window: Window) -> Harvest:
        """Everything that changed since the window began. Raises `SourceError` as `search` does."""
        first_day = _first_day(window)
        for _ in range(_MOST_STARTS):
            pages = await self._pages(first_day, window.until)
            if pages:
                return _gathered(pages, window)
        raise Refused(
            self._url, f"arXiv took back its resumption token {_MOST_STARTS} times; try again later"
        )

    async def _pages(self, first_day: date, now: datetime) -> list[RecordPage]:
        """The whole list; empty if a token expired in between."""
        pages: list[RecordPage] = []
        tokens: list[str] = []
        fields = {"metadataPrefix": "arXivRaw", "from": f"{first_day}"}
        while True:
            page = await self._page(fields, first_day)
            if page is None:
                return []
            if not pages:
                check_clock(self._url, page.responded_at, now)
            pages.append(page)
            if page.token is None:
                break
            if page.token in tokens:
                raise Implausible(self._url, "arXiv's list goes in a circle: a resumption token came twice")
            if len(pages) == _MOST_PAGES:
                raise Implausible(self._url, f"arXiv's list does not end within {_MOST_PAGES} pages")
            tokens.append(page.token)
            fields = {"resumptionToken": page.token}
        self._check_size(pages)
        return pages

    async def _page(self, fields: Mapping[str, str], first_day: date) -> RecordPage | None:
        """One page; `None` if its token has expired."""
        is_resumed = "resumptionToken" in fields

        def understand(document: bytes) -> RecordPage | None:
            try:
                page = parse_record_page(document, url=self._url)
            except TokenExpired:
                # Another request with the same token would fail too.
                if is_resumed:
                    return None
                raise
            doubt = _doubt(page, first_day, is_resumed)
            if doubt:
                raise Implausible(self._url, f"arXiv's answer cannot be right: {doubt}")
            return page

        return await self._client.ask(self._url, {"verb": "ListRecords", **fields}, understand)

    def _check_size(self, pages: Sequence[RecordPage]) -> None:
        """Raises `Implausible` if fewer records arrived than the server's last count."""
        counted = [page.complete_size for page in pages if page.complete_size is not None]
        came = sum(page.came for page in pages)
        if counted and came < counted[-1]:
            raise Implausible(self._url, f"only {came} of {counted[-1]} records came; it will be asked again")


def _first_day(window: Window) -> date:
    return window.announced_since.astimezone(UTC).date() - _OVERLAP


def _doubt(page: RecordPage, first_day: date, is_resumed: bool) -> str | None:
    """Why `page` is not plausible, or `None`."""
    if is_resumed and not page.came:
        return "the list ends with a page that was promised and is empty"
    oldest = min((record.datestamp_on for record in page.records), default=first_day)
    if oldest < first_day - _TOLERANCE:
        return f"a record of {oldest}, asked for was what changed since {first_day}"
    return None


def _gathered(pages: Sequence[RecordPage], window: Window) -> Harvest:
    records = [record for page in pages for record in page.records]
    latest: dict[ArxivId, Paper] = {}
    for paper in sorted((record.paper for record in records), key=lambda paper: paper.version):
        latest[paper.id] = paper
    changed = tuple(sorted(latest.values(), key=_submission, reverse=True))
    return Harvest(
        papers=tuple(paper for paper in changed if _is_within(paper, window)),
        changed=changed,
        newest_datestamp=max((record.datestamp_on for record in records), default=None),
        responded_at=pages[0].responded_at,
    )


def _submission(paper: Paper) -> tuple[datetime, ArxivId]:
    if paper.submitted_at is None:
        raise ValueError(f"{paper.id} without a submission time is not from OAI-PMH")
    return paper.submitted_at, paper.id


def _is_within(paper: Paper, window: Window) -> bool:
    # arXiv's clock and ours may differ, and no recent paper may be missed.
    return window.holds(paper) and _submission(paper)[0] <= window.until + _TOLERANCE
