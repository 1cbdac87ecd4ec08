"""Reports what a keyword finds: how many papers, by which words, and narrower alternatives."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice, pairwise
from types import MappingProxyType

from digest.keywords.analysis import STOP_WORDS, fold, stem, words
from digest.keywords.ast import Phrase
from digest.keywords.broad_terms import cautions
from digest.keywords.index import Match, QueryIndex, matches
from digest.keywords.interpretation import Reading, readings
from digest.keywords.query import Query, parse, to_arxiv
from digest.keywords.spelling import OtherSpelling, Respelling, other_spellings
from digest.model.paper import ArxivId, Paper, announcement_order
from digest.sources.arxiv.calendar import earliest_announcement

BROAD = 50
"""More papers a day than a person can read."""

_SAMPLES = 3
_PROPOSALS = 3
_FORMS_SHOWN = 4
# A narrower keyword is proposed if it keeps a share of the papers between these two.
_LEAST_SHARE, _MOST_SHARE = 0.03, 0.5
# A word of titles distinguishes if it is this many times more frequent there than elsewhere.
_DISTINCT = 1.5
_SHORTEST = 4


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
class Proposal:
    """A narrower keyword, and how many of the papers it keeps."""

    keyword: str
    papers: int


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
            proposals=tuple(islice(_proposals(query, found[query.key], timely), _PROPOSALS)),
            cautions=cautions(query),
            readings=readings(query),
            asked=to_arxiv(query),
            spellings=other_spellings(query, tried.get(query.key, ()), ids[query.key], timely),
        )
        for text, query in queries.items()
    )


def announcement_days(papers: Iterable[Paper]) -> dict[ArxivId, date]:
    """When each of `papers` was announced, as far as known; without papers that have no submission time.

    arXiv numbers papers when it announces them. So a paper is not announced before a paper with a lower
    number, and not before the first announcement after its submission. The result is the latest of these
    days. It is also right for a paper that arXiv held back, if its announcement has a paper with a lower
    number that was not held back.
    """
    days: dict[ArxivId, date] = {}
    latest = date.min
    for paper in sorted(papers, key=lambda paper: announcement_order(paper.id)):
        if paper.submitted_at:
            day = earliest_announcement(paper.submitted_at).date()
            latest = max(latest, day) if announcement_order(paper.id) else day
            days[paper.id] = latest
    return days


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


def _proposals(
    query: Query, hits: Sequence[tuple[Paper, Match]], papers: Sequence[Paper]
) -> Iterator[Proposal]:
    """The keyword AND a phrase that is frequent in its titles and rare in others, the most specific first."""
    own = [paper for paper, _ in hits]
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
        narrower = parse(f'({query.text}) AND "{phrase}"')
        kept = sum(1 for paper in own if matches(narrower, paper))
        if kept <= _MOST_SHARE * len(own):
            used |= stems
            yield Proposal(keyword=narrower.text, papers=kept)


def _usage(papers: Iterable[Paper]) -> Counter[str]:
    """In how many titles each pair of neighbouring words occurs, and each long word."""
    usage: Counter[str] = Counter()
    for paper in papers:
        found = words(paper.title)
        pairs = {f"{one} {other}" for one, other in pairwise(found) if not {one, other} & STOP_WORDS}
        usage.update(pairs | {word for word in found if len(word) >= _SHORTEST and word not in STOP_WORDS})
    return usage
