"""From a digest to what the reader sees: subject line, plain text and HTML, by the templates.

A paper's block follows from the paper and its keywords alone, so that it can be rendered once for all
readers who share them; the frame around the blocks is of one reader. Templates are given cleaned values
only: one line each, of bounded length.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import chain
from pathlib import Path
from textwrap import fill

import jinja2
from markupsafe import Markup

from digest.digests import Digest, Revision
from digest.errors import ConfigurationError
from digest.mail.message import Letterhead, Rendered, leave_url
from digest.papers import Paper, one_line

_TEXT_WIDTH = 72
_SUBJECT_LENGTH = 120
_AUTHORS_SHOWN = 10
_CROSS_LISTS_SHOWN = 10
# A day's papers and keywords, as all readers share them: a few MB.
_CARDS_KEPT = 1_000
_KEYWORDS_KEPT = 4_000
_WRAPPED_KEPT = 4_000
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
    primary_category: str | None
    cross_lists: tuple[str, ...]
    submitted_on: date | None
    comment: str | None
    abstract: str
    abs_url: str
    pdf_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of a digest, in its text and in its HTML: whole lines, or nothing."""

    text: str = ""
    html: str = ""


_NOTHING = Block()


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
        self._keywords = _Pair(environment, templates, "keywords")
        self._paper = _Pair(environment, templates, "paper")
        self._digest = _Pair(environment, templates, "digest")

    def render(self, digest: Digest, *, letterhead: Letterhead) -> Rendered:
        """The whole digest."""
        blocks = [self.paper(entry.paper, self.keywords(entry.keywords)) for entry in digest.entries]
        papers = Block(
            text="".join(block.text for block in blocks), html="".join(block.html for block in blocks)
        )
        return self.frame(digest, papers, letterhead=letterhead)

    def keywords(self, keywords: tuple[str, ...]) -> Block:
        """The lines that tell which of a reader's keywords a paper matches; nothing if there are none."""
        if not keywords:
            return _NOTHING
        return self._keywords.render(keywords=[_shown_keyword(keyword) for keyword in keywords])

    def paper(self, paper: Paper, keywords: Block) -> Block:
        """One paper around the lines about its keywords."""
        return self._paper.render(keywords, "keywords", card=_card(paper))

    def frame(self, digest: Digest, papers: Block, *, letterhead: Letterhead) -> Rendered:
        """All of a digest around the blocks of its papers."""
        titles = [_card(shown.paper).title for shown in (digest.entries or digest.revisions)[:1]]
        counts = _count(digest)
        headline = _headline(len(digest.entries), len(digest.revisions))
        subject = subject_line(len(digest.entries), counts) if digest.entries else headline
        values = {
            "subject": subject,
            "sender_name": one_line(letterhead.sender_name),
            "dated_on": digest.dated_on,
            "is_first": digest.is_first,
            "headline": headline,
            "first_title": titles[0] if titles else "",
            "more_titles": len(digest.entries or digest.revisions) - 1,
            "revisions": tuple(_line(revision) for revision in digest.revisions),
            "counts": tuple(count for count in counts if count.papers),
            "silent_keywords": tuple(count.keyword for count in counts if not count.papers),
            "email": one_line(digest.email),
            "contact": one_line(letterhead.contact),
            "leave_url": leave_url(digest, letterhead),
        }
        whole = self._digest.render(papers, "papers", **values)
        return Rendered(subject=subject, text=whole.text, html=whole.html)


class _Pair:
    """A template of the text and one of the HTML that are given the same values."""

    def __init__(self, environment: jinja2.Environment, folder: Path, name: str) -> None:
        self._text = _load(environment, folder, f"{name}.txt.j2")
        self._html = _load(environment, folder, f"{name}.html.j2")

    def render(self, inner: Block = _NOTHING, name: str = "inner", **values: object) -> Block:
        """`inner` stands in it by `name`, as it is, but for the line break that it ends in."""
        # It is the output of an escaping template already.
        html = Markup(inner.html.removesuffix("\n"))  # noqa: S704
        return Block(
            text=_ended(self._text.render({name: inner.text.removesuffix("\n"), **values})),
            html=_ended(self._html.render({name: html, **values})),
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


@lru_cache(maxsize=_CARDS_KEPT)
def _card(paper: Paper) -> Card:
    categories = tuple(_shortened(category, 30) for category in paper.categories)
    return Card(
        title=_shortened(paper.title, 400) or paper.id,
        authors=tuple(_shortened(author, 80) for author in paper.authors[:_AUTHORS_SHOWN]),
        more_authors=max(0, len(paper.authors) - _AUTHORS_SHOWN),
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
        title=_card(paper).title,
        versions=f"v{revision.from_version} → v{paper.version}",
        url=f"{paper.abs_url}v{paper.version}",
    )


def _count(digest: Digest) -> tuple[KeywordCount, ...]:
    """Each keyword of the reader, the one with most papers first, otherwise in the reader's order."""
    brought = Counter(chain.from_iterable(entry.keywords for entry in digest.entries))
    keywords = dict.fromkeys((*digest.keywords, *brought))
    ordered = sorted(keywords, key=lambda keyword: -brought[keyword])
    return tuple(
        KeywordCount(keyword=_shown_keyword(keyword), papers=brought[keyword]) for keyword in ordered
    )


@lru_cache(maxsize=_KEYWORDS_KEPT)
def _shown_keyword(keyword: str) -> str:
    return _shortened(keyword, 80)


def _shortened(text: str, length: int) -> str:
    """`text` on one line, of at most `length` characters."""
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _ended(block: str) -> str:
    return block if block.endswith("\n") else f"{block}\n"


@lru_cache(maxsize=_WRAPPED_KEPT)
def _wrapped(text: str, first: str = "", then: str | None = None) -> str:
    """`text` in lines of at most 72 characters; `first` begins the first line, `then` the others.

    An unbroken word is cut unless it may be a web address, which would no longer lead anywhere.
    """
    if len(first) + len(text) <= _TEXT_WIDTH:
        return first + text
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
