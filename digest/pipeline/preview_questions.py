"""What one request to arXiv asks for several previews, and what its answer says of each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.errors import QueryError
from digest.keywords.index import QueryIndex, matches
from digest.keywords.query import Query, parse
from digest.keywords.spelling import respellings
from digest.model.paper import Paper
from digest.sources.arxiv.search_api import SearchApi
from digest.storage.previews import Answer, PreviewRequest

SPAN = timedelta(days=18)
"""Papers that were announced in two weeks were submitted in this time, but for those that arXiv held back."""

MOST_PAPERS = 700
"""Of one answer: a keyword that finds more in `SPAN` finds more than a person can read."""

AT_ONCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A preview request, its query, and all that is searched for it: other spellings of its words too."""

    request: PreviewRequest
    query: Query
    searched: tuple[Query, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answers to store; `alone` is the query to ask for next, by itself, if it hides the others."""

    answers: tuple[Answer, ...] = ()
    alone: str | None = None


def questions_for(requests: Sequence[PreviewRequest]) -> tuple[Question, ...]:
    """As many as fit into one request to arXiv, in their order."""
    chosen: list[Question] = []
    searched: list[Query] = []
    for question in filter(None, map(_question, requests)):
        searched += question.searched
        if chosen and len(SearchApi.batches(searched)) > 1:
            break
        chosen.append(question)
    return tuple(chosen)


def _question(request: PreviewRequest) -> Question | None:
    try:
        query = parse(request.text)
    except QueryError:  # another version of the language accepted it
        return None
    others = (query, *(one.query for one in respellings(query, ())))
    is_small = len(SearchApi.batches([*others, query])) == 1
    return Question(request=request, query=query, searched=others if is_small else (query,))


def outcome_of(
    questions: Sequence[Question],
    papers: Sequence[Paper],
    total: int,
    *,
    asked_since: datetime,
    now: datetime,
) -> Outcome:
    """`papers` are the newest ones, of `total` that arXiv has since `asked_since`."""
    index = QueryIndex(query for question in questions for query in question.searched)
    found: dict[str, list[Paper]] = {question.request.query: [] for question in questions}
    asked: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        for query in question.searched:
            asked[query.key].append(question.request.query)
    for paper in papers:
        for key in {key for match in index.matches(paper) for key in asked[match.query.key]}:
            found[key].append(paper)
    is_cut = total > len(papers)
    if is_cut and len(questions) > 1:
        return Outcome(alone=max(found, key=lambda query: len(found[query])))
    since = _complete_since(papers) if is_cut else asked_since
    return Outcome(
        answers=tuple(
            Answer(
                query=one.request.query,
                asked_at=now,
                asked_since=asked_since,
                searched_since=since or now,
                papers=tuple(found[one.request.query]),
                about=_about(one.query, papers, total) if is_cut else None,
            )
            for one in questions
        )
    )


def _complete_since(papers: Sequence[Paper]) -> datetime | None:
    """Of the minute of the oldest paper, some may be missing."""
    moments = [paper.submitted_at for paper in papers if paper.submitted_at]
    return min(moments) + timedelta(minutes=1) if moments else None


def _about(query: Query, papers: Sequence[Paper], total: int) -> int:
    """arXiv's number counts other spellings too."""
    own = sum(1 for paper in papers if matches(query, paper))
    return round(total * own / len(papers)) if papers else 0
