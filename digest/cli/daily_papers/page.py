"""Pages of papers: a heading for each keyword, and under it a table of its newest papers.

That is the form of the README of a "Daily Papers" repository. `digest.cli.daily_papers.writer` makes such a
page, `digest.cli.daily_papers.parser` reads one, and `digest.cli.daily_papers.matching` says which of its
papers match their heading.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from digest.keywords.index import matches
from digest.model.paper import Paper, month_of
from digest.subscribers.subscriber import Keyword

MOST_PAPERS = 100
"""How many papers stand under a heading at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A keyword, and papers that match it in the order in which they are shown."""

    keyword: Keyword
    papers: tuple[Paper, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page says; `updated_on` is the day on which its papers were looked up."""

    sections: tuple[Section, ...]
    updated_on: date


def build_section(keyword: Keyword, papers: Iterable[Paper]) -> Section:
    """Those of `papers` that match, as they are now, by the date that is shown, the newest first."""
    matching = (paper for paper in papers if matches(keyword.query, paper))
    newest_first = sorted(matching, key=lambda paper: (dated(paper), paper.id), reverse=True)
    return Section(keyword=keyword, papers=tuple(newest_first[:MOST_PAPERS]))


def dated(paper: Paper) -> str:
    """The day of this version, as in `2026-06-15`; where its source told none, the month of the id."""
    moment = paper.updated_at or paper.submitted_at
    return f"{moment:%Y-%m-%d}" if moment else month_of(paper.id)
