"""From a digest to what the reader sees: subject line, plain text and HTML, by the templates.

A paper's block follows from the paper and its keywords alone, so that it can be rendered once for all
readers who share them. Templates are given cleaned values only: one line each, of bounded length.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import fill

import jinja2
from markupsafe import Markup

from digest.digests import Digest, Entry, Revision
from digest.errors import ConfigurationError
from digest.mail.message import Letterhead, Rendered, leave_url
from digest.papers import one_line

_TEXT_WIDTH = 72
_SUBJECT_LENGTH = 120
_AUTHORS_SHOWN = 10
_CROSS_LISTS_SHOWN = 10
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A paper as `paper.html.j2` and `paper.txt.j2` get it; `more_authors` counts those not named."""

    title: str
    authors: tuple[str, ...]
    more_authors: int
    keywords: tuple[str, ...]
    primary_category: str | None
    cross_lists: tuple[str, ...]
    submitted_on: date | None
    comment: str | None
    abstract: str
    abs_url: str
    pdf_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionLine:
    """A new version as the templates get it: `versions` is such as `v1 → v3`, `url` leads to the last."""

    title: str
    versions: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordCount:
    """How many papers of this digest one keyword brought."""

    keyword: str
    papers: int


class Renderer:
    """Renders digests by the templates in one folder.

    Raises `ConfigurationError` when a template is missing or is no valid template.
    """

    def __init__(self, templates: Path) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates),
            autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        environment.filters |= {"wrapped": _wrapped, "long_date": _long_date, "full_date": _full_date}
        self._paper_html = _load(environment, templates, "paper.html.j2")
        self._paper_text = _load(environment, templates, "paper.txt.j2")
        self._digest_html = _load(environment, templates, "digest.html.j2")
        self._digest_text = _load(environment, templates, "digest.txt.j2")

    def render(self, digest: Digest, *, letterhead: Letterhead) -> Rendered:
        cards = tuple(_card(entry) for entry in digest.entries)
        lines = tuple(_line(revision) for revision in digest.revisions)
        counts = _count(digest)
        headline = _headline(len(cards), len(lines))
        subject = subject_line(len(cards), counts) if cards else headline
        shown = cards or lines
        values = {
            "subject": subject,
            "sender_name": one_line(letterhead.sender_name),
            "dated_on": digest.dated_on,
            "is_first": digest.is_first,
            "headline": headline,
            "first_title": shown[0].title if shown else "",
            "more_titles": len(shown) - 1,
            "revisions": lines,
            "counts": tuple(count for count in counts if count.papers),
            "silent_keywords": tuple(count.keyword for count in counts if not count.papers),
            "email": one_line(digest.email),
            "contact": one_line(letterhead.contact),
            "leave_url": leave_url(digest, letterhead),
        }
        # Each block is the output of an escaping template already.
        html_blocks = tuple(Markup(self._paper_html.render(card=card)) for card in cards)  # noqa: S704
        text_blocks = tuple(self._paper_text.render(card=card) for card in cards)
        return Rendered(
            subject=subject,
            text=self._digest_text.render(values, papers=text_blocks),
            html=self._digest_html.render(values, papers=html_blocks),
        )


def _headline(papers: int, revisions: int) -> str:
    """Such as `7 new papers`, or where there is none `2 new versions of papers you had`."""
    if revisions and not papers:
        return (
            "1 new version of a paper you had"
            if revisions == 1
            else f"{revisions} new versions of papers you had"
        )
    return f"{papers} new paper{'' if papers == 1 else 's'}"


def subject_line(papers: int, counts: Iterable[KeywordCount]) -> str:
    """Such as `7 new papers: reinforcement learning (4), compilers (3)`, at most 120 characters."""
    brought = [count for count in counts if count.papers]
    if papers == 1:
        names = [count.keyword for count in brought]
    else:
        names = [f"{count.keyword} ({count.papers})" for count in brought]
    start = _headline(papers, 0)
    if not names:
        return start
    line = f"{start}: {names[0]}"
    for name in names[1:]:
        if len(line) + len(name) + len(", , …") > _SUBJECT_LENGTH:
            line += ", …"
            break
        line += f", {name}"
    return _shortened(line, _SUBJECT_LENGTH)


def _load(environment: jinja2.Environment, folder: Path, name: str) -> jinja2.Template:
    try:
        return environment.get_template(name)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigurationError(f"{folder / name}, line {error.lineno}: {error.message}") from error
    except jinja2.TemplateNotFound as error:
        raise ConfigurationError(f"{folder / name} is missing: install arxiv-digest again") from error


def _card(entry: Entry) -> Card:
    paper = entry.paper
    categories = tuple(_shortened(category, 30) for category in paper.categories)
    return Card(
        title=_shortened(paper.title, 400) or paper.id,
        authors=tuple(_shortened(author, 80) for author in paper.authors[:_AUTHORS_SHOWN]),
        more_authors=max(0, len(paper.authors) - _AUTHORS_SHOWN),
        keywords=tuple(_shortened(keyword, 80) for keyword in entry.keywords),
        primary_category=categories[0] if categories else None,
        cross_lists=categories[1 : 1 + _CROSS_LISTS_SHOWN],
        submitted_on=paper.submitted_at.date() if paper.submitted_at else None,
        comment=_shortened(paper.comment or "", 600) or None,
        abstract=_shortened(paper.abstract, 6000),
        abs_url=paper.abs_url,
        pdf_url=paper.pdf_url,
    )


def _line(revision: Revision) -> RevisionLine:
    paper = revision.paper
    return RevisionLine(
        title=_shortened(paper.title, 400) or paper.id,
        versions=f"v{revision.from_version} → v{paper.version}",
        url=f"{paper.abs_url}v{paper.version}",
    )


def _count(digest: Digest) -> tuple[KeywordCount, ...]:
    """Each keyword of the reader, the one with most papers first, otherwise in the reader's order."""
    brought = Counter(keyword for entry in digest.entries for keyword in entry.keywords)
    keywords = dict.fromkeys((*digest.keywords, *brought))
    ordered = sorted(keywords, key=lambda keyword: -brought[keyword])
    return tuple(
        KeywordCount(keyword=_shortened(keyword, 80), papers=brought[keyword]) for keyword in ordered
    )


def _shortened(text: str, length: int) -> str:
    """`text` on one line, of at most `length` characters."""
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _wrapped(text: str, first: str = "", then: str | None = None) -> str:
    """`text` in lines of at most 72 characters; `first` begins the first line, `then` the others.

    An unbroken word is cut unless it may be a web address, which would no longer lead anywhere.
    """
    return fill(
        text,
        _TEXT_WIDTH,
        initial_indent=first,
        subsequent_indent=first if then is None else then,
        break_on_hyphens=False,
        break_long_words="://" not in text,
    )


def _long_date(day: date) -> str:
    """Such as `16 June 2026`, in English whatever the locale."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _full_date(day: date) -> str:
    """Such as `Tuesday, 16 June 2026`."""
    return f"{_WEEKDAYS[day.weekday()]}, {_long_date(day)}"
