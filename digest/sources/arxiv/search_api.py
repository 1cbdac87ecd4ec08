"""The search API: many queries in one request; an answer is only used if it is plausible.

Pages are requested by date and not by offset: arXiv sorts equal dates in any order, so pages by offset may
overlap or omit papers, and it returns none beyond the 10,000th result.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from digest.errors import Implausible
from digest.keywords.query import Query, any_of, is_asked_whole
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.search_api_parser import SearchAnswer, parse_search_answer
from digest.sources.base import MANY
from digest.sources.http_client import PoliteClient
from digest.sources.plausibility import check_clock
from digest.sources.window import Window

# arXiv uses Elasticsearch, which by default accepts 1,024 clauses in one query, and a term can need several:
# 200 terms, about a hundred keywords, are well below that. 16,000 characters are a small form.
_MOST_TERMS = 200
_MOST_CHARACTERS = 16_000
_JOINT = len("( OR )")
_MOST_TERMS_OF_ONE = 1_000
# A keyword of this length has few terms, however many forms of them are in the query.
_SHORT = 50

_MINUTE = timedelta(minutes=1)
# arXiv's clock and ours may differ, and no recent paper may be missed.
_MARGIN = timedelta(days=1)
# For the check against very old answers; a day allows for a range in another time zone.
_TOLERANCE = timedelta(days=1)


class SearchApi:
    """Papers by query, over a window of submission times
    (https://info.arxiv.org/help/api/user-manual.html).
    """

    name = "search API"
    lists_again = True

    def __init__(self, client: PoliteClient, url: str, page_size: int = 2_000) -> None:
        self._client = client
        self._url = url
        self._page_size = page_size

    def can_answer(self, query: Query) -> bool:
        """Whether the query fits into one request, which finds all its papers."""
        return is_asked_whole(query) and self.fits(query)

    @staticmethod
    def fits(query: Query) -> bool:
        """Whether the query fits into one request."""
        if len(query.text) < _SHORT:
            return True
        text = any_of((query,))
        return len(text) <= _MOST_CHARACTERS and text.count(":") <= _MOST_TERMS_OF_ONE

    @staticmethod
    def batches(queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        """Splits `queries`, in their order, into groups that each fit into one request."""
        return tuple(_batches(queries))

    def cost(self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY) -> int:
        """One request for each batch, and one more for each page that `expected` papers fill."""
        pages = expected // self._page_size
        return sum(1 for _ in islice(_batches(queries), max(0, enough - pages))) + pages

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        """All papers submitted since `window.submitted_since` that match one of `queries`, newest first.

        Each appears once; some may be newer than `window.until`.
        Raises `SourceError` unless the answer is complete and plausible.
        """
        found: dict[ArxivId, Paper] = {}
        for batch in self.batches(queries):
            found |= await self._search_batch(any_of(batch), window)
        return tuple(sorted(found.values(), key=_submission, reverse=True))

    async def newest(
        self, queries: Sequence[Query], *, since: datetime, until: datetime
    ) -> tuple[tuple[Paper, ...], int]:
        """The newest papers submitted since then, in one request, and how many there are.

        `queries` fit into one request. Raises `SourceError`.
        """
        answer = await self._page(any_of(queries), since, _whole_minute_after(until + _MARGIN), None)
        return answer.papers, answer.total - answer.unreadable

    async def paper(self, arxiv_id: ArxivId) -> Paper | None:
        """The newest version of one paper; `None` if arXiv has no such paper. Raises `SourceError`."""
        fields = {"id_list": arxiv_id, "max_results": "1"}
        answer = await self._client.ask(
            self._url, fields, lambda document: parse_search_answer(document, url=self._url)
        )
        return next((paper for paper in answer.papers if paper.id == arxiv_id), None)

    async def count(self, *, since: datetime, until: datetime, query: Query | None = None) -> int:
        """The number of papers that were submitted in that time, of `query` or on any subject.

        Raises `SourceError`.
        """
        only = f"({any_of((query,))}) AND " if query else ""
        fields = {
            "search_query": f"{only}submittedDate:[{_stamp(since)} TO {_stamp(until)}]",
            "sortBy": "submittedDate",
            "max_results": "1",
        }
        answer = await self._client.ask(
            self._url, fields, lambda document: parse_search_answer(document, url=self._url)
        )
        return answer.total

    async def _search_batch(self, text: str, window: Window) -> dict[ArxivId, Paper]:
        """Requests pages, each ending where the one before began, until one contains its whole window."""
        since, upper = window.submitted_since, _whole_minute_after(window.until + _MARGIN)
        answer = await self._page(text, since, upper, None)
        if answer.made_at:
            check_clock(self._url, answer.made_at, window.until)
        promised, unreadable = answer.total, answer.unreadable
        found = {paper.id: paper for paper in answer.papers}
        while answer.came < answer.total and answer.papers:
            oldest = answer.papers[-1]
            # The oldest paper's minute is requested again, because it may contain more papers.
            bound = _whole_minute_after(_submission(oldest)[0])
            if bound >= upper:
                crowd = f"over {self._page_size} papers in the minute to {upper:%F %R}"
                raise Implausible(self._url, f"{crowd}, which is more than can be asked for")
            upper = bound
            answer = await self._page(text, since, upper, oldest.id)
            unreadable += answer.unreadable
            found |= {paper.id: paper for paper in answer.papers}
        # An unreadable entry may be on two pages, and without an identifier it is counted twice.
        if len(found) + unreadable < promised:
            raise Implausible(
                self._url, f"only {len(found)} of {promised} papers came; it will be asked again"
            )
        return found

    async def _page(self, text: str, since: datetime, upper: datetime, known: ArxivId | None) -> SearchAnswer:
        fields = {
            "search_query": f"({text}) AND submittedDate:[{_stamp(since)} TO {_stamp(upper)}]",
            "sortBy": "submittedDate",
            "sortOrder": "descending",
            "start": "0",
            "max_results": str(self._page_size),
        }

        def understand(document: bytes) -> SearchAnswer:
            answer = parse_search_answer(document, url=self._url)
            doubt = self._doubt(answer, since, upper, known)
            if doubt:
                raise Implausible(self._url, f"arXiv's answer cannot be right: {doubt}")
            return answer

        return await self._client.ask(self._url, fields, understand)

    def _doubt(
        self, answer: SearchAnswer, since: datetime, upper: datetime, known: ArxivId | None
    ) -> str | None:
        """The reason why `answer` is not plausible, or `None`. `known` is a paper that it must contain."""
        expected = min(answer.total, self._page_size)
        if answer.came != expected:
            return f"{answer.came} papers instead of {expected}, of {answer.total} in all"
        ids = {paper.id for paper in answer.papers}
        if len(ids) < len(answer.papers):
            return "the same paper twice on one page"
        if known is not None and known not in ids:
            return f"{known} was there a moment ago and is missing"
        moments = [_submission(paper)[0] for paper in answer.papers]
        if any(earlier < later for earlier, later in pairwise(moments)):
            return "the papers are not sorted by their submission"
        if moments and (moments[0] > upper + _TOLERANCE or moments[-1] < since - _TOLERANCE):
            return f"papers of {moments[-1]:%F} to {moments[0]:%F}, asked for were {since:%F} to {upper:%F}"
        return None


def _submission(paper: Paper) -> tuple[datetime, ArxivId]:
    if paper.submitted_at is None:
        raise ValueError(f"{paper.id} without a submission time is not from the search API")
    return paper.submitted_at, paper.id


def _whole_minute_after(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + _MINUTE


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M")


def _batches(queries: Sequence[Query]) -> Iterator[tuple[Query, ...]]:
    batch: list[Query] = []
    characters = terms = 0
    for query in queries:
        text = any_of((query,))
        # Every term has a prefix with a colon. One inside a phrase only makes the count higher.
        more_characters, more_terms = len(text) + _JOINT, text.count(":")
        fits = characters + more_characters <= _MOST_CHARACTERS and terms + more_terms <= _MOST_TERMS
        if batch and not fits:
            yield tuple(batch)
            batch, characters, terms = [], 0, 0
        batch.append(query)
        characters, terms = characters + more_characters, terms + more_terms
    if batch:
        yield tuple(batch)
