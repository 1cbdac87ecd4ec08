"""The search API: many queries in one request, and every answer checked before it is believed.

Pages are taken by date and not by offset: arXiv sorts without a tie-break, so that pages by offset may
overlap or leave papers out, and it gives none beyond the 10,000th result.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from digest.errors import Implausible
from digest.keywords.query import Query, any_of
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.search_api_parser import SearchAnswer, parse_search_answer
from digest.sources.http_client import PoliteClient
from digest.sources.plausibility import check_clock
from digest.sources.window import Window

# Elasticsearch, which answers for arXiv, takes 1,024 clauses in one query by default, and a term can need
# several: 200 terms, about a hundred keywords, keep well away from that. 16,000 characters are a small form.
_MOST_TERMS = 200
_MOST_CHARACTERS = 16_000
_JOINT = len("( OR )")
_MOST_TERMS_OF_ONE = 1_000
# So short a keyword has few terms, in however many forms they are asked for.
_SHORT = 50

_MINUTE = timedelta(minutes=1)
# arXiv's clock and ours may differ, and no paper may fall out at the recent end.
_MARGIN = timedelta(days=1)
# For the check against answers of years ago; a day allows for a range that is read in another time zone.
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
        """Whether the query fits into one request."""
        if len(query.text) < _SHORT:
            return True
        text = any_of((query,))
        return len(text) <= _MOST_CHARACTERS and text.count(":") <= _MOST_TERMS_OF_ONE

    @staticmethod
    def batches(queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        """Splits `queries`, in their order, into groups that each fit into one request."""
        batches: list[tuple[Query, ...]] = []
        batch: list[Query] = []
        characters = terms = 0
        for query in queries:
            text = any_of((query,))
            # Every term has a prefix with a colon; one inside of a phrase makes the count only safer.
            more_characters, more_terms = len(text) + _JOINT, text.count(":")
            fits = characters + more_characters <= _MOST_CHARACTERS and terms + more_terms <= _MOST_TERMS
            if batch and not fits:
                batches.append(tuple(batch))
                batch, characters, terms = [], 0, 0
            batch.append(query)
            characters, terms = characters + more_characters, terms + more_terms
        return (*batches, tuple(batch)) if batch else ()

    def cost(self, queries: Sequence[Query], window: Window, *, expected: int) -> int:
        """A request for each batch, and one more for each page that `expected` papers fill."""
        return len(self.batches(queries)) + expected // self._page_size

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        """All papers submitted since `window.submitted_since` that match one of `queries`, newest first.

        Each comes once; some may be newer than `window.until`.
        Raises `SourceError` unless all was answered and can be true.
        """
        found: dict[ArxivId, Paper] = {}
        for batch in self.batches(queries):
            found |= await self._search_batch(any_of(batch), window)
        return tuple(sorted(found.values(), key=_submission, reverse=True))

    async def paper(self, arxiv_id: ArxivId) -> Paper | None:
        """One paper in its newest version; `None` if arXiv has none called so. Raises `SourceError`."""
        fields = {"id_list": arxiv_id, "max_results": "1"}
        answer = await self._client.ask(
            self._url, fields, lambda document: parse_search_answer(document, url=self._url)
        )
        return next((paper for paper in answer.papers if paper.id == arxiv_id), None)

    async def count(self, *, since: datetime, until: datetime) -> int:
        """How many papers were submitted in that time, whatever they are about. Raises `SourceError`."""
        fields = {
            "search_query": f"submittedDate:[{_stamp(since)} TO {_stamp(until)}]",
            "sortBy": "submittedDate",
            "max_results": "1",
        }
        answer = await self._client.ask(
            self._url, fields, lambda document: parse_search_answer(document, url=self._url)
        )
        return answer.total

    async def _search_batch(self, text: str, window: Window) -> dict[ArxivId, Paper]:
        """Page after page, each ending where the one before began, until one holds all of its window."""
        since, upper = window.submitted_since, _whole_minute_after(window.until + _MARGIN)
        answer = await self._page(text, since, upper, None)
        if answer.made_at:
            check_clock(self._url, answer.made_at, window.until)
        promised, unreadable = answer.total, answer.unreadable
        found = {paper.id: paper for paper in answer.papers}
        while answer.came < answer.total and answer.papers:
            oldest = answer.papers[-1]
            # The minute of the oldest is asked for again: others of the same second may be left.
            bound = _whole_minute_after(_submission(oldest)[0])
            if bound >= upper:
                crowd = f"over {self._page_size} papers in the minute to {upper:%F %R}"
                raise Implausible(self._url, f"{crowd}, which is more than can be asked for")
            upper = bound
            answer = await self._page(text, since, upper, oldest.id)
            unreadable += answer.unreadable
            found |= {paper.id: paper for paper in answer.papers}
        # One that cannot be read may stand on two pages, and has no name to count it once by.
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
        """Why `answer` is not plausible, or `None`. `known` is a paper that must be in it."""
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
