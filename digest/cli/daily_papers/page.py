"""Pages of papers: a heading for each keyword, and under it a table of its newest papers.

This is the form of the README of a "Daily Papers" repository. `writer` writes such a page, `parser` reads
one, and `matching` says which of its papers match their heading.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from digest.keywords.index import matches
from digest.model.paper import Paper, month_of
from digest.subscribers.subscriber import Keyword

MOST_PAPERS = 100
"""The most papers under a heading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A keyword, and papers that match it in the order in which they are shown."""

    keyword: Keyword
    papers: tuple[Paper, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The content of a page; `updated_on` is the day of its papers."""

    sections: tuple[Section, ...]
    updated_on: date


def build_section(keyword: Keyword, papers: Iterable[Paper]) -> Section:
    """Those of `papers` that match now, by the date that the page shows, newest first."""
    matching = (paper for paper in papers if matches(keyword.query, paper))
    newest_first = sorted(matching, key=lambda paper: (dated(paper), paper.id), reverse=True)
    return Section(keyword=keyword, papers=tuple(newest_first[:MOST_PAPERS]))


def dated(paper: Paper) -> str:
    """The day of this version, as in `2026-06-15`; if the source has none, the month of the id."""
    moment = paper.updated_at or paper.submitted_at
    return f"{moment:%Y-%m-%d}" if moment else month_of(paper.id)
