"""What a keyword brings, from known papers: how many a day, the newest ones, and what would be narrower."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from digest.keywords.ast import AllOf, AnyOf, Node
from digest.keywords.index import QueryIndex
from digest.keywords.narrower import narrower
from digest.keywords.query import Query
from digest.keywords.spelling import OtherSpelling, other_spellings, respellings
from digest.model.paper import ArxivId, Paper
from digest.pipeline.outlook import LEAST_DAYS
from digest.sources.arxiv.announcements import announcement_days, whole_days
from digest.sources.arxiv.calendar import announcements_between

SPAN = timedelta(days=14)
TITLES = 5

_SAMPLE = 200
"""Of the newest papers of a keyword, for narrower ones: enough for shares, and quick."""

_PROPOSED = 10
"""A keyword with fewer papers a day needs no narrower ones, whatever the operator allows."""


class TooCostly(Exception):
    """Looking for a keyword in the papers took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The papers submitted since `searched_since` that a query finds, as known at `covered_at`.

    They may include others unless it `is_exact`. `has_spellings`: those of other spellings of its words are
    among them. `about` is an estimate of how many papers a day it finds, if these are too many to have all.
    """

    papers: tuple[Paper, ...]
    searched_since: datetime
    covered_at: datetime
    is_exact: bool = False
    has_spellings: bool = False
    about: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a query found: the day of each paper, of the whole `days`; `a_day` papers on average."""

    query: Query
    days: tuple[date, ...]
    announced: Mapping[ArxivId, date]
    a_day: float
    is_estimate: bool
    newest: tuple[Paper, ...]
    narrower: tuple[tuple[str, float], ...]
    spellings: tuple[OtherSpelling, ...]

    @property
    def by_day(self) -> tuple[int, ...]:
        counts = Counter(self.announced.values())
        return tuple(counts[day] for day in self.days)


def keys_in(query: Query) -> tuple[str, ...]:
    """The keys of a query and of its parts: what is known of them may be enough."""
    return tuple(dict.fromkeys(_keys(query.root)))


def _keys(node: Node) -> list[str]:
    parts = node.operands if isinstance(node, AnyOf) else node.wanted if isinstance(node, AllOf) else ()
    return [node.key, *(key for part in parts for key in _keys(part))]


def found_for(query: Query, known: Mapping[str, Found], now: datetime) -> Found | None:
    """What the state has for a query, by its parts if need be; `None` if arXiv must be asked."""
    found = _found(query.root, known)
    if found is None or (found.about is None and len(days_of(found, now)) < LEAST_DAYS):
        return None
    return found


def _found(node: Node, known: Mapping[str, Found]) -> Found | None:
    if node.key in known:
        return known[node.key]
    if isinstance(node, AllOf):
        # Both together find no other papers than one of them.
        wanted = [found for part in node.wanted if (found := _found(part, known))]
        return _plain(max(wanted, key=lambda one: (one.about is None, -len(one.papers)))) if wanted else None
    if isinstance(node, AnyOf):
        parts = [_found(part, known) for part in node.operands]
        whole = [one for one in parts if one and one.about is None]
        return _together(whole) if len(whole) == len(parts) else None
    return None


def _plain(found: Found) -> Found:
    return Found(papers=found.papers, searched_since=found.searched_since, covered_at=found.covered_at)


def _together(parts: Sequence[Found]) -> Found:
    papers = {paper.id: paper for one in parts for paper in one.papers}
    return Found(
        papers=tuple(papers.values()),
        searched_since=max(one.searched_since for one in parts),
        covered_at=min(one.covered_at for one in parts),
    )


def days_of(found: Found, now: datetime) -> tuple[date, ...]:
    """The announcements of the last two weeks of which everything is known."""
    whole = set(whole_days(found.searched_since, min(found.covered_at, now)))
    return tuple(day for at in announcements_between(now - SPAN, now) if (day := at.date()) in whole)


def findings_of(query: Query, found: Found, now: datetime, is_late: Callable[[], bool]) -> Findings:
    """Looks for the query in the papers. Raises `TooCostly` when `is_late`."""
    days, announced_on = days_of(found, now), announcement_days(found.papers)
    own = sorted(
        found.papers if found.is_exact else _own(query, found.papers, is_late),
        key=lambda paper: (announced_on.get(paper.id, date.min), paper.id),
        reverse=True,
    )
    announced = {paper.id: day for paper in own if (day := announced_on.get(paper.id, date.min)) in days}
    a_day = len(announced) / max(1, len(days)) if found.about is None else found.about
    tried = respellings(query, ()) if found.has_spellings else ()
    return Findings(
        query=query,
        days=days,
        announced=announced,
        a_day=a_day,
        is_estimate=found.about is not None,
        newest=tuple(own[:TITLES]),
        narrower=_narrower(query, own[:_SAMPLE], a_day) if a_day > _PROPOSED else (),
        spellings=other_spellings(query, tried, frozenset(paper.id for paper in own), found.papers),
    )


def _own(query: Query, papers: Sequence[Paper], is_late: Callable[[], bool]) -> list[Paper]:
    index, own = QueryIndex([query]), []
    for paper in papers:
        if is_late():
            raise TooCostly
        if index.matches(paper):
            own.append(paper)
    return own


def _narrower(query: Query, sample: Sequence[Paper], a_day: float) -> tuple[tuple[str, float], ...]:
    """Narrower keywords, and how many papers a day each keeps."""
    proposals = narrower(query, sample, sample)
    return tuple((one.keyword, one.papers / len(sample) * a_day) for one in proposals)
