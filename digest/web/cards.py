"""A paper as pages and feeds show it: one line each, of bounded length, converted from TeX."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from digest.mail.cards import shortened
from digest.mail.richtext import RichText
from digest.papers import Paper

_AUTHORS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`more_authors` counts those not named; `categories` begin with the primary one."""

    title: RichText
    authors: tuple[RichText, ...]
    more_authors: int
    categories: tuple[str, ...]
    submitted_on: date | None
    comment: RichText | None
    journal_ref: RichText | None
    abstract: RichText | None
    abs_url: str
    pdf_url: str


def card_of(paper: Paper) -> Card:
    return Card(
        title=RichText(shortened(paper.title, 400) or paper.id),
        authors=tuple(RichText(shortened(author, 80)) for author in paper.authors[:_AUTHORS_SHOWN]),
        more_authors=max(0, len(paper.authors) - _AUTHORS_SHOWN),
        categories=tuple(shortened(category, 30) for category in paper.categories[:10]),
        submitted_on=paper.submitted_at.date() if paper.submitted_at else None,
        comment=_rich(paper.comment or "", 600),
        journal_ref=_rich(paper.journal_ref or "", 300),
        abstract=_rich(paper.abstract, 6000),
        abs_url=paper.abs_url,
        pdf_url=paper.pdf_url,
    )


def dated_at(paper: Paper) -> datetime:
    """When this version was made; where the source does not say, the month that its id begins with."""
    if known := paper.updated_at or paper.submitted_at:
        return known
    digits = paper.id.partition("/")[2] or paper.id
    year, month = int(digits[:2]), int(digits[2:4])
    return datetime(1900 + year if year > 90 else 2000 + year, min(max(month, 1), 12), 1, tzinfo=UTC)


def _rich(text: str, length: int) -> RichText | None:
    line = shortened(text, length)
    return RichText(line) if line else None
