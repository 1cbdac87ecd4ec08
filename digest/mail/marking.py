"""Which words of an abstract a reader's keywords meet, found anew from the paper and the keywords alone.

That the paper matches is settled; only phrases can be seen in an abstract, and each is looked for by itself.
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from digest.errors import QueryError
from digest.evidence import AnalysedPaper, Finder, finder
from digest.mail.cards import shown_abstract
from digest.mail.richtext import converted, joined
from digest.matching import wanted_phrases
from digest.papers import Paper
from digest.query import parse
from digest.query.tree import Term

_KEYWORDS_KEPT = 8_000
_LETTERS_KEPT = 2_000
# About 30 KB each. Readers' mails ask for the same papers over and over, in no order.
_PAPERS_KEPT = 512


class _Sought(NamedTuple):
    """A phrase, and the letters with which its words begin."""

    find: Finder
    beginnings: tuple[str, ...]


def matched_words(paper: Paper, keywords: tuple[str, ...]) -> tuple[str, ...]:
    """The passages of the abstract that `keywords` meet, as it is shown: where TeX stood, what it became."""
    letters = _letters(paper)
    found: dict[str, None] = {}
    for keyword in keywords:
        for sought in _sought(keyword):
            if not letters or all(beginning in letters for beginning in sought.beginnings):
                met = sought.find(_analysed(paper))
                found |= dict.fromkeys(met.words if met else ())
    return tuple(found)


@lru_cache(maxsize=_KEYWORDS_KEPT)
def _sought(keyword: str) -> tuple[_Sought, ...]:
    """Nothing for what an earlier version of the language may have taken."""
    try:
        phrases = wanted_phrases(parse(keyword).root)
        return tuple(_Sought(finder(phrase), tuple(map(_beginning, phrase.terms))) for phrase in phrases)
    except QueryError:
        return ()


def _beginning(term: Term) -> str:
    """A stem may end in another letter than the words that have it: `studi` is that of `study`."""
    return term.start or (_common_start(term.forms) if term.forms else (term.stem or "")[:-1])


def _common_start(words: tuple[str, ...]) -> str:
    first, last = min(words), max(words)
    differing = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differing, len(first))]


@lru_cache(maxsize=_LETTERS_KEPT)
def _letters(paper: Paper) -> str:
    """Its abstract as far as that can be folded at a glance."""
    text = joined(converted(shown_abstract(paper)))
    return text.lower() if text.isascii() else ""


@lru_cache(maxsize=_PAPERS_KEPT)
def _analysed(paper: Paper) -> AnalysedPaper:
    """Its abstract alone."""
    return AnalysedPaper(replace(paper, title="", abstract=joined(converted(shown_abstract(paper)))))
