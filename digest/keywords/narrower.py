"""Narrower keywords for one that finds too much."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from digest.errors import QueryError
from digest.keywords.analysis import STOP_WORDS, stem, words
from digest.keywords.index import matches
from digest.keywords.query import Query, parse
from digest.model.paper import Paper

_PROPOSALS = 3
# A narrower keyword is proposed if it keeps a share of the papers between these two.
_LEAST_SHARE, _MOST_SHARE = 0.03, 0.5
# A word of titles distinguishes if it is this many times more frequent there than elsewhere.
_DISTINCT = 1.5
_SHORTEST = 4
_SAYS_NOTHING = STOP_WORDS | {
    *("about", "across", "against", "analysis", "approach", "based", "between", "beyond", "case"),
    *("effective", "efficient", "framework", "from", "improved", "improving", "method", "methods", "model"),
    *("models", "multi", "novel", "over", "problem", "study", "system", "systems", "through", "toward"),
    *("towards", "under", "using", "versus", "when", "without"),
}
"""Words that are in titles of every field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A narrower keyword, and how many of the papers it keeps."""

    keyword: str
    papers: int


def narrower(query: Query, own: Sequence[Paper], papers: Sequence[Paper]) -> tuple[Proposal, ...]:
    """The best proposals for a keyword that finds `own` of the `papers`."""
    return tuple(islice(_proposals(query, own, papers), _PROPOSALS))


def _proposals(query: Query, own: Sequence[Paper], papers: Sequence[Paper]) -> Iterator[Proposal]:
    """The keyword AND a phrase that is frequent in its titles and rare in others, the most specific first."""
    ids = {paper.id for paper in own}
    here = _usage(own)
    elsewhere = _usage(paper for paper in papers if paper.id not in ids)
    others = max(1, sum(1 for paper in papers if paper.id not in ids))
    asked = {stem(word) for word in words(query.text)}
    used: set[str] = set()
    for phrase, count in sorted(here.items(), key=lambda item: (-len(item[0].split()), -item[1], item[0])):
        share = count / len(own)
        is_specific = share >= _DISTINCT * elsewhere[phrase] / others
        stems = {found for word in phrase.split() if (found := stem(word))}
        if not _LEAST_SHARE <= share <= _MOST_SHARE or not is_specific or stems & (asked | used):
            continue
        try:
            proposed = parse(f'({query.text}) AND "{phrase}"')
        except QueryError:  # a long keyword has no room for more
            continue
        kept = sum(1 for paper in own if matches(proposed, paper))
        if kept <= _MOST_SHARE * len(own):
            used |= stems
            yield Proposal(keyword=proposed.text, papers=kept)


def _usage(papers: Iterable[Paper]) -> Counter[str]:
    """In how many titles each pair of neighbouring words occurs, and each long word."""
    usage: Counter[str] = Counter()
    for paper in papers:
        found = words(paper.title)
        pairs = {f"{one} {other}" for one, other in pairwise(found) if not {one, other} & STOP_WORDS}
        usage.update(pairs | {word for word in found if len(word) >= _SHORTEST and word not in _SAYS_NOTHING})
    return usage
