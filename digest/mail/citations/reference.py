"""The fields of a paper that every format of references has."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from digest.mail.citations.names import Name, parse_names
from digest.mail.citations.tex import LONGEST_TEXT
from digest.mail.rendering.richtext import converted
from digest.mail.rendering.tex.spans import as_text
from digest.model.paper import ArxivId, Paper, first_doi, month_of, one_line

_NOT_OF_A_KEY = re.compile(r"[^a-z\d]+")
_ARTICLE = re.compile(r"the\s+", re.IGNORECASE)
# Letters that Unicode does not take apart.
_PLAIN_LETTERS = str.maketrans({
    "ß": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d",
    "Đ": "d", "ð": "d", "Ð": "d", "þ": "th", "Þ": "th", "ı": "i", "ŋ": "n", "Ŋ": "n",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A paper as references name it: texts without TeX, one line each.

    Without the day of its submission, `year` and `month` are those of its identifier. `doi` is that of the
    journal, or else the one that arXiv gave. `key` depends on the paper alone, and no two papers share one.
    """

    paper: Paper
    key: str
    title: str
    abstract: str
    authors: tuple[Name, ...]
    year: int
    month: int | None
    day: int | None
    doi: str
    journal_ref: str

    def date(self, separator: str) -> str:
        """`2026-06-15`, or as much of it as is known."""
        numbers = (str(self.year), *(f"{part:02}" for part in (self.month, self.day) if part))
        return separator.join(numbers)

    @property
    def id(self) -> ArxivId:
        return self.paper.id


def references(papers: Iterable[Paper]) -> tuple[Reference, ...]:
    """One for each paper, in their order; of two versions of a paper the first."""
    distinct: dict[str, Paper] = {}
    for paper in papers:
        distinct.setdefault(paper.id, paper)
    return tuple(map(build_reference, distinct.values()))


def build_reference(paper: Paper) -> Reference:
    authors = parse_names(paper.authors)
    year, month, day = _date(paper)
    return Reference(
        paper=paper,
        key=_key(authors, year, paper.id),
        title=_shown(paper.title) or paper.id,
        abstract=_shown(paper.abstract),
        authors=authors,
        year=year,
        month=month,
        day=day,
        doi=_doi(paper),
        journal_ref=_shown(paper.journal_ref or ""),
    )


def _date(paper: Paper) -> tuple[int, int | None, int | None]:
    if at := paper.submitted_at:
        return at.year, at.month, at.day
    year, month = map(int, month_of(paper.id).split("-"))
    return year, month if 1 <= month <= 12 else None, None


def _doi(paper: Paper) -> str:
    """Each paper has one of arXiv: https://info.arxiv.org/help/doi.html."""
    return first_doi(one_line(paper.doi or "")) or f"10.48550/arXiv.{paper.id}"


def _key(authors: tuple[Name, ...], year: int, arxiv_id: ArxivId) -> str:
    """For example `berg2026-2606.01234`, of letters that all programs accept."""
    name = _ARTICLE.sub("", authors[0].family, count=1) if authors else ""
    first = name.split(" ")[0] if authors and authors[0].is_whole else name
    letters = unicodedata.normalize("NFKD", first.translate(_PLAIN_LETTERS)).lower()
    return f"{_NOT_OF_A_KEY.sub('', letters) or 'arxiv'}{year}-{arxiv_id.replace('/', '.')}"


def _shown(source: str) -> str:
    return one_line(as_text(converted(one_line(source)[:LONGEST_TEXT])))
