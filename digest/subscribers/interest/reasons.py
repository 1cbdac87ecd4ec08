"""Why a paper is near to what a subscriber likes: the most similar paper that they liked, and its terms."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from digest.keywords.analysis import stem, without_possessive, words
from digest.model.paper import Paper
from digest.subscribers.interest.judgements import DISLIKED, Example, Judgement
from digest.subscribers.interest.terms import weigh

_TERMS_SHOWN = 3
_WORD = re.compile(r"[^\W\d_][\w'’-]*\w")
_INSIDE = re.compile(r"[^.!?:\s]\s\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """The liked paper that is most similar to another one, and terms that both share, as written there."""

    example: Example
    terms: tuple[str, ...]


def reason_for(paper: Paper, judgements: Iterable[Judgement], *, keyword: str = "") -> Reason | None:
    """Returns `None` if the paper shares nothing with a liked one, apart from the words of `keyword`."""
    known = {stem(word) for word in words(keyword)}
    weights = {
        term: weight for term, weight in weigh(paper.title, paper.abstract).items() if term not in known
    }
    liked = (one.example for one in judgements if one.is_liked and one.example.name != paper.id)
    shared = [(_products(weights, example), example) for example in liked]
    products, nearest = max(shared, key=lambda one: (sum(one[0].values()), one[1].name), default=({}, None))
    if nearest is None or not products:
        return None
    return Reason(example=nearest, terms=written_terms(products, paper))


def _products(weights: dict[str, float], example: Example) -> dict[str, float]:
    theirs = weigh(example.title, example.abstract)
    return {term: weights[term] * theirs[term] for term in weights.keys() & theirs.keys()}


def learned_terms(judgements: Iterable[Judgement], *, limit: int) -> tuple[tuple[str, float], ...]:
    """Returns what speaks most for a paper, and what speaks most against it: terms with their weights.

    They are those of the profile, written as in the examples.
    """
    known = tuple(judgements)
    liked = sum(one.is_liked for one in known)
    totals: defaultdict[str, float] = defaultdict(float)
    written: dict[str | None, str] = {}
    for one in known:
        share = 1 / liked if one.is_liked else -DISLIKED / (len(known) - liked)
        for word in _written(one.example):
            for term in map(stem, words(word)):
                written.setdefault(term, word)
        for term, weight in weigh(one.example.title, one.example.abstract).items():
            totals[written.get(term, term)] += share * weight
    ordered = sorted(totals, key=lambda term: (-totals[term], term))
    best = [term for term in ordered[:limit] if totals[term] > 0]
    worst = [term for term in ordered[: -limit - 1 : -1] if totals[term] < 0]
    return tuple((term, totals[term]) for term in (*best, *worst))


def written_terms(weights: dict[str, float], paper: Paper, *, limit: int = _TERMS_SHOWN) -> tuple[str, ...]:
    """Returns the heaviest terms, as the paper writes them. Words that a hyphen joins are one."""
    found: dict[str, float] = {}
    known: set[str] = set()
    for written in _written(paper):
        terms = {term for term in map(stem, words(written)) if term in weights} - known
        if terms:
            known |= terms
            found[written] = sum(weights[term] for term in terms if term)
    return tuple(sorted(found, key=lambda one: (-found[one], one))[:limit])


def _written(paper: Paper | Example) -> Iterator[str]:
    """Yields the words of the abstract and then of the title, without the capitals of a beginning."""
    for found in _WORD.finditer(paper.abstract):
        is_inside = _INSIDE.search(paper.abstract, max(0, found.start() - 2), found.start())
        written = without_possessive(found[0])
        yield written if is_inside else _without_capitals(written)
    for found in _WORD.finditer(paper.title):
        yield _without_capitals(without_possessive(found[0]))


def _without_capitals(written: str) -> str:
    """Returns `Sim-to-Real` as `sim-to-real`; `LLM` and `arXiv` stay."""
    return "-".join(part.lower() if part[1:].islower() else part for part in written.split("-"))
