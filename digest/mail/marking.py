"""Which words of a paper a reader's keywords meet, found anew from the paper and the keywords alone."""

from dataclasses import replace
from functools import lru_cache
from itertools import chain

from digest.errors import QueryError
from digest.evidence import AnalysedPaper
from digest.mail.richtext import converted, joined
from digest.matching import evidence
from digest.papers import Paper
from digest.query import Query, parse

_QUERIES_KEPT = 4_000
_WORDS_KEPT = 16_000
# About 30 KB each. Readers' mails ask for the same papers over and over, in no order.
_PAPERS_KEPT = 512


def matched_words(paper: Paper, keywords: tuple[str, ...]) -> tuple[str, ...]:
    """The passages that `keywords` meet, as they are shown: where TeX stood, in what it became."""
    if len(keywords) == 1:
        return _words(paper, keywords[0])
    return tuple(dict.fromkeys(chain.from_iterable(_words(paper, keyword) for keyword in keywords)))


@lru_cache(maxsize=_WORDS_KEPT)
def _words(paper: Paper, keyword: str) -> tuple[str, ...]:
    query = _query(keyword)
    if query is None:
        return ()
    met = next(filter(None, (evidence(query, one) for one in _analysed(paper))), None)
    return met.words if met else ()


@lru_cache(maxsize=_QUERIES_KEPT)
def _query(keyword: str) -> Query | None:
    """`None` for what an earlier version of this language may have taken."""
    try:
        return parse(keyword)
    except QueryError:
        return None


@lru_cache(maxsize=_PAPERS_KEPT)
def _analysed(paper: Paper) -> tuple[AnalysedPaper, ...]:
    """The paper as it is shown and, where TeX was converted, as it was written and matched."""
    shown = replace(paper, title=joined(converted(paper.title)), abstract=joined(converted(paper.abstract)))
    return (AnalysedPaper(shown),) if shown == paper else (AnalysedPaper(shown), AnalysedPaper(paper))
