"""Finds the words of an abstract that match a subscriber's keywords, from the paper and the keywords alone.

The paper is known to match. Only phrases can be highlighted in an abstract, and each is searched separately.
"""

import logging
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from digest.errors import QueryError
from digest.keywords.analysis import begins_word, run_of_words
from digest.keywords.ast import Phrase, Term
from digest.keywords.index import wanted_phrases
from digest.keywords.matchers import AnalysedPaper, Finder, finder
from digest.keywords.query import parse
from digest.mail.rendering.paper_view import shown_abstract
from digest.mail.rendering.richtext import converted, joined
from digest.model.paper import ArxivId, Paper

_log = logging.getLogger(__name__)

_KEYWORDS_KEPT = 8_000
_ABSTRACTS_KEPT = 200
"""About 3 KB each, and quickly made again."""

# About 30 KB each, if it is a whole abstract.
_TEXTS_KEPT = 32


class _Sought(NamedTuple):
    """A phrase: the first letters of each of its words, and a pattern for as many words in a text."""

    find: Finder
    beginnings: tuple[str, ...]
    stretch: re.Pattern[str]


def matched_words(paper: Paper, keywords: tuple[str, ...]) -> tuple[str, ...]:
    """The passages of the abstract that match `keywords`, as they are shown: TeX is converted.

    If an error occurs, the result is empty and the error is logged.
    """
    try:
        return _matched_words(paper, keywords)
    except Exception as error:  # no text of an author may stop a mail
        _log.warning("no words marked paper=%s cause=%s", paper.id, f"{type(error).__name__}: {error}")
        return ()


def _matched_words(paper: Paper, keywords: tuple[str, ...]) -> tuple[str, ...]:
    text, letters = _abstract(paper)
    found: dict[str, None] = {}
    for keyword in keywords:
        for sought in _sought(keyword):
            parts = _stretches(sought, text, letters) if letters else (text,)
            for part in parts:
                met = sought.find(_analysed(part))
                found |= dict.fromkeys(met.words if met else ())
    return tuple(found)


def _stretches(sought: _Sought, text: str, letters: str) -> Iterator[str]:
    """Parts of the text that may contain the phrase: they take a tenth of the time."""
    if not all(beginning in letters for beginning in sought.beginnings):
        return
    beginning = sought.beginnings[0]
    at = letters.find(beginning)
    while at >= 0:
        part = sought.stretch.match(text, at)
        if part and begins_word(text, at):
            yield part[0]
        at = letters.find(beginning, at + 1)


@lru_cache(maxsize=_ABSTRACTS_KEPT)
def _abstract(paper: Paper) -> tuple[str, str]:
    """The abstract as it is shown, and its letters, in which words are searched."""
    text = joined(converted(shown_abstract(paper)))
    return text, _letters(text)


def _letters(text: str) -> str:
    """`text` in lower case, letter for letter; empty if that changes its length or a letter."""
    letters = text.lower()
    # At the end of a word, a capital sigma becomes a different letter than elsewhere.
    return letters if len(letters) == len(text) and "Σ" not in text else ""


@lru_cache(maxsize=_KEYWORDS_KEPT)
def _sought(keyword: str) -> tuple[_Sought, ...]:
    """Empty for a keyword that only an earlier version of the language accepts."""
    try:
        return tuple(map(_made_ready, wanted_phrases(parse(keyword).root)))
    except QueryError:
        return ()


def _made_ready(phrase: Phrase) -> _Sought:
    terms = phrase.terms
    return _Sought(
        find=finder(phrase),
        beginnings=tuple(map(_beginning, terms)),
        stretch=run_of_words(terms[-1].offset - terms[0].offset + 1),
    )


def _beginning(term: Term) -> str:
    """Without the last letter of a stem, which may differ from the words: `studi` is the stem of `study`."""
    if term.start:
        return term.start[:-1]
    return _common_start(term.forms) if term.forms else _common_start(tuple(one[:-1] for one in term.stems))


def _common_start(words: tuple[str, ...]) -> str:
    first, last = min(words), max(words)
    differing = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differing, len(first))]


@lru_cache(maxsize=_TEXTS_KEPT)
def _analysed(abstract: str) -> AnalysedPaper:
    """A text as the abstract of a paper without other fields."""
    return AnalysedPaper(
        Paper(id=ArxivId(""), version=1, title="", abstract=abstract, authors=(), categories=())
    )
