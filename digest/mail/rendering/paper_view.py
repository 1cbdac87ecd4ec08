"""A paper, cleaned and split into fields for the templates: one line each, of limited length."""

import logging
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from urllib.parse import quote

from digest.mail.rendering.byline import Byline, named_authors
from digest.mail.rendering.richtext import RichText
from digest.mail.rendering.venue import split_venue
from digest.model.categories import NAMES
from digest.model.digest import Revision
from digest.model.paper import Paper, first_doi, one_line

_log = logging.getLogger(__name__)

_CROSS_LISTS_SHOWN = 10
# One digest needs a paper's card and abstract several times, and the next digests need the whole block.
_CARDS_KEPT = 1_000
# arXiv offers HTML of papers since December 2023.
_FIRST_HTML = "2312"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A paper as templates get it. `authors` are those who are named, `more_authors` counts the others.

    The last of many authors is named last. `byline` puts the names into one line.
    `venue` is the part of the comment about acceptance, such as `Accepted at …`; `comment` is the rest.
    """

    title: RichText
    authors: tuple[RichText, ...]
    more_authors: int
    primary_category: str | None
    primary_name: str | None
    cross_lists: tuple[str, ...]
    submitted_on: date | None
    venue: RichText | None
    comment: RichText | None
    journal_ref: RichText | None
    doi: str | None
    doi_url: str | None
    abstract: RichText | None
    abs_url: str
    pdf_url: str
    html_url: str | None

    @property
    def byline(self) -> Byline:
        return Byline(self.authors, self.more_authors)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionLine:
    """A new version as templates get it: `versions` is for example `v1 → v3`, `url` leads to the last one."""

    title: RichText
    versions: str
    url: str


@lru_cache(maxsize=_CARDS_KEPT)
def build_card(paper: Paper) -> Card:
    """Never fails: a paper that cannot be split is shown by its title, as it is written, and its addresses.

    A failure is logged with the paper's id and the cause.
    """
    try:
        card = _card(paper)
        texts = _texts(card)
        for text in texts.values():
            str(text), text.__html__()
    except Exception as error:  # no text of an author may stop a mail or a page
        _log.warning(
            "paper shown as its title paper=%s cause=%s", paper.id, f"{type(error).__name__}: {error}"
        )
        return build_bare_card(paper)
    for name, text in texts.items():
        if text.failure:
            _log.warning("text shown as written paper=%s text=%s cause=%s", paper.id, name, text.failure)
    return card


def _texts(card: Card) -> dict[str, RichText]:
    named = {
        "title": card.title,
        "venue": card.venue,
        "abstract": card.abstract,
        "comment": card.comment,
        "journal_ref": card.journal_ref,
        **{f"author {number}": author for number, author in enumerate(card.authors, start=1)},
    }
    return {name: text for name, text in named.items() if text is not None}


def build_bare_card(paper: Paper) -> Card:
    """Only the paper's title, as it is written, and its addresses."""
    return Card(
        title=RichText(shortened(paper.title, 400) or paper.id, is_literal=True),
        authors=(),
        more_authors=0,
        primary_category=None,
        primary_name=None,
        cross_lists=(),
        submitted_on=None,
        venue=None,
        comment=None,
        journal_ref=None,
        doi=None,
        doi_url=None,
        abstract=None,
        abs_url=paper.abs_url,
        pdf_url=paper.pdf_url,
        html_url=None,
    )


def _card(paper: Paper) -> Card:
    categories = tuple(shortened(category, 30) for category in paper.categories)
    authors = named_authors(paper.authors)
    venue, comment = split_venue(shortened(paper.comment or "", 600))
    doi = first_doi(one_line(paper.doi or ""))
    return Card(
        title=title_for(paper),
        authors=tuple(RichText(shortened(author, 80)) for author in authors),
        more_authors=len(paper.authors) - len(authors),
        primary_category=categories[0] if categories else None,
        primary_name=NAMES.get(categories[0]) if categories else None,
        cross_lists=_cross_lists(categories[1:]),
        submitted_on=paper.submitted_at.date() if paper.submitted_at else None,
        venue=_rich(venue),
        comment=_linked(comment),
        journal_ref=_rich(shortened(paper.journal_ref or "", 300)),
        doi=shortened(doi, 120) if doi else None,
        doi_url=f"https://doi.org/{quote(doi, safe='/:;().-_')}" if doi else None,
        abstract=_linked(shown_abstract(paper)),
        abs_url=paper.abs_url,
        pdf_url=paper.pdf_url,
        html_url=_html_url(paper),
    )


def _cross_lists(categories: tuple[str, ...]) -> tuple[str, ...]:
    """As they are joined by commas; the last of many says how many more there are."""
    shown = categories[:_CROSS_LISTS_SHOWN]
    left = len(categories) - len(shown)
    return (*shown[:-1], f"{shown[-1]} and {left} more") if left else shown


def title_for(paper: Paper) -> RichText:
    """The title; as it is written if its TeX would show nothing; the id if there is no title."""
    title = RichText(shortened(paper.title, 400) or paper.id)
    return title if str(title).strip() else replace(title, is_literal=True)


@lru_cache(maxsize=_CARDS_KEPT)
def shown_abstract(paper: Paper) -> str:
    return shortened(paper.abstract, 6000)


def line_for(revision: Revision) -> RevisionLine:
    paper = revision.paper
    return RevisionLine(
        title=title_for(paper),
        versions=f"v{revision.from_version} → v{paper.version}",
        url=f"{paper.abs_url}v{paper.version}",
    )


def shortened(text: str, length: int) -> str:
    """`text` on one line, of at most `length` characters."""
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _rich(text: str) -> RichText | None:
    return RichText(text) if text else None


def _linked(text: str) -> RichText | None:
    return RichText(text, is_linked=True) if text else None


def _html_url(paper: Paper) -> str | None:
    is_new = paper.id[:4].isdecimal() and paper.id[:4] >= _FIRST_HTML
    return f"https://arxiv.org/html/{paper.id}" if is_new else None
