"""Reports what a keyword finds: how many papers, by which words, and narrower alternatives."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from digest.keywords.analysis import fold
from digest.keywords.ast import Phrase
from digest.keywords.broad_terms import cautions
from digest.keywords.index import Match, QueryIndex, matches
from digest.keywords.interpretation import Reading, readings
from digest.keywords.narrower import Proposal, narrower
from digest.keywords.query import Query, parse, to_arxiv
from digest.keywords.spelling import OtherSpelling, Respelling, other_spellings
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.announcements import announcement_days

BROAD = 50
"""More papers a day than a person can read."""

_SAMPLES = 3
_FORMS_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """How many of `papers` a keyword finds only by other `words` than those it is written with.

    `exact` is the keyword without these matches; it keeps `kept` papers.
    """

    papers: int
    others: int
    words: tuple[str, ...]
    exact: str
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a keyword found on `days`: papers of each day, oldest first.

    `total` is the number of all papers of arXiv on these days, if known. `overlaps`: how many of the papers
    other keywords find too, the most first. `readings`: how its phrases were understood. `asked`: the query
    for arXiv. `spellings`: other spellings of its words, which it does not find.
    """

    keyword: str
    days: tuple[tuple[date, int], ...]
    papers: int
    total: int | None
    samples: tuple[Paper, ...]
    overlaps: tuple[tuple[str, int], ...]
    forms: Forms | None
    proposals: tuple[Proposal, ...]
    cautions: tuple[str, ...]
    readings: tuple[Reading, ...]
    asked: str
    spellings: tuple[OtherSpelling, ...]

    @property
    def a_day(self) -> float:
        return self.papers / len(self.days) if self.days else 0.0

    @property
    def is_dead(self) -> bool:
        return self.papers == 0

    @property
    def is_broad(self) -> bool:
        return self.a_day > BROAD


def advise(
    queries: Mapping[str, Query],
    papers: Sequence[Paper],
    *,
    days: Sequence[date],
    total: int | None,
    tried: Mapping[str, Sequence[Respelling]] = MappingProxyType({}),
) -> tuple[Advice, ...]:
    """A report for each keyword (text and query) about the `papers` that were announced on `days`.

    `tried` has, by query key, the other spellings that `papers` was searched for too.
    """
    index = QueryIndex(queries.values())
    found: dict[str, list[tuple[Paper, Match]]] = {query.key: [] for query in queries.values()}
    announced_on = announcement_days(papers)
    timely = [paper for paper in papers if announced_on.get(paper.id) in days]
    for paper in timely:
        for match in index.matches(paper):
            found[match.query.key].append((paper, match))
    ids = {key: frozenset(paper.id for paper, _ in hits) for key, hits in found.items()}
    return tuple(
        Advice(
            keyword=text,
            days=_by_day(found[query.key], announced_on, days),
            papers=len(found[query.key]),
            total=total,
            samples=tuple(paper for paper, _ in found[query.key][:_SAMPLES]),
            overlaps=_overlaps(query, queries, ids),
            forms=_forms(query, found[query.key]),
            proposals=narrower(query, [paper for paper, _ in found[query.key]], timely),
            cautions=cautions(query),
            readings=readings(query),
            asked=to_arxiv(query),
            spellings=other_spellings(query, tried.get(query.key, ()), ids[query.key], timely),
        )
        for text, query in queries.items()
    )


def _by_day(
    hits: Iterable[tuple[Paper, Match]], announced_on: Mapping[ArxivId, date], days: Iterable[date]
) -> tuple[tuple[date, int], ...]:
    counts = Counter(announced_on[paper.id] for paper, _ in hits)
    return tuple((day, counts[day]) for day in days)


def _overlaps(
    query: Query, queries: Mapping[str, Query], ids: Mapping[str, frozenset[ArxivId]]
) -> tuple[tuple[str, int], ...]:
    shared = [
        (other, len(ids[one.key] & ids[query.key])) for other, one in queries.items() if one.key != query.key
    ]
    return tuple(sorted((pair for pair in shared if pair[1]), key=lambda pair: -pair[1]))


def _forms(query: Query, hits: Sequence[tuple[Paper, Match]]) -> Forms | None:
    """Only for a keyword that is one phrase; `None` if no other word forms are found."""
    root = query.root
    if not isinstance(root, Phrase) or root.exact or root.has_wildcard or root.prefix == "all":
        return None
    exact = parse(f'{root.prefix + ":" if root.prefix else ""}="{root.written}"')
    others = [match for paper, match in hits if not matches(exact, paper)]
    usage = Counter(form for match in others for form in {fold(word) for word in match.words})
    if not others:
        return None
    return Forms(
        papers=len(hits),
        others=len(others),
        words=tuple(form for form, _ in usage.most_common(_FORMS_SHOWN)),
        exact=exact.text,
        kept=len(hits) - len(others),
    )
