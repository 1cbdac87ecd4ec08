"""Renders the pieces of the text that a subscriber sees: the frame of one subscriber, and its papers.

A paper's block depends only on the paper and its keywords, so it is rendered once for all subscribers who
share them. Templates get only cleaned values: one line each, of limited length.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from digest.errors import Unwritable
from digest.mail.links import Links
from digest.mail.message import SenderIdentity, contact_url, leave_url
from digest.mail.rendering.claims import excerpt
from digest.mail.rendering.paper_view import (
    Card,
    build_bare_card,
    build_card,
    line_for,
    shortened,
    shown_abstract,
)
from digest.mail.rendering.richtext import RichText, converted, to_html
from digest.mail.rendering.templates import Cut, Templates
from digest.mail.rendering.tex.spans import Span, as_text
from digest.model.digest import Digest
from digest.model.paper import Paper, one_line
from digest.sources.arxiv.calendar import last_announcement

_log = logging.getLogger(__name__)

_SUBJECT_LENGTH = 120
_PREHEADER_LENGTH = 100
_KEYWORDS_KEPT = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of a digest as text and as HTML, with places for pieces that are rendered separately."""

    text: Cut
    html: Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The digest around its `style`, its `papers`, and the `lines` of papers without a card."""

    subject: str
    block: Block


class KeywordCount(NamedTuple):
    """How many papers of this digest one keyword found, and its page on the web, if it has one."""

    keyword: str
    papers: int
    url: str | None = None


class Renderer:
    """Renders the pieces of digests with the templates of some folders; an earlier folder has priority.

    Raises `ConfigurationError` when a template is missing or not valid. Each method raises `Unwritable` if a
    template fails or does not print a value that it must print. `style` is the style sheet.
    """

    def __init__(self, *folders: Path) -> None:
        templates = Templates(*folders)
        self._is_customised = len(folders) > 1
        self._keywords = [templates.load(f"keywords.{kind}.j2") for kind in ("txt", "html")]
        self._paper_text = templates.load("paper.txt.j2", "keywords")
        self._paper_html = templates.load("paper.html.j2", "keywords", "abstract")
        self._lines = [templates.load(f"line.{kind}.j2") for kind in ("txt", "html")]
        self._digest_text = templates.load("digest.txt.j2", "papers", "lines")
        self._digest_html = templates.load("digest.html.j2", "style", "papers", "lines")
        self.style = templates.load("style.css.j2").render({}).filled()

    def keywords(self, keywords: tuple[str, ...]) -> Block:
        """The lines that show which of a subscriber's keywords a paper matches."""
        text, html = (template.render({"keywords": _shown(keywords)}) for template in self._keywords)
        return Block(text=text, html=html)

    def paper(self, paper: Paper, *, has_keywords: bool) -> Block:
        """One paper, around its `keywords` and, in the HTML, its `abstract`."""
        return self._of_card(paper, partial(self._paper, without=() if has_keywords else ("keywords",)))

    def _paper(self, card: Card, without: tuple[str, ...]) -> Block:
        without_abstract = () if card.abstract else ("abstract",)
        return Block(
            text=self._paper_text.render({"card": card}, without),
            html=self._paper_html.render({"card": card}, without + without_abstract),
        )

    def abstract(self, paper: Paper, words: tuple[str, ...], *, is_short: bool = False) -> str:
        """The HTML of an abstract; `words`, which match a subscriber's keywords, are marked."""
        return to_html(_abstract(paper, words, is_short=is_short), words) + "\n"

    def abstract_text(self, paper: Paper, words: tuple[str, ...], *, is_short: bool = False) -> str:
        """The same as plain text, not wrapped."""
        return as_text(_abstract(paper, words, is_short=is_short))

    def line(self, paper: Paper, keywords: tuple[str, ...]) -> Block:
        """A short form of a paper, if there is no room for its card."""
        return self._of_card(paper, partial(self._line, keywords=_shown(keywords)))

    def _line(self, card: Card, keywords: Sequence[str]) -> Block:
        text, html = (template.render({"card": card, "keywords": keywords}) for template in self._lines)
        return Block(text=text, html=html)

    def _of_card(self, paper: Paper, render: Callable[[Card], Block]) -> Block:
        """If the built-in templates fail for one paper, it is shown by its title alone.

        Raises if the operator has templates of their own, or if the failure does not depend on the paper.
        """
        try:
            return render(build_card(paper))
        except Unwritable as error:
            if self._is_customised:
                raise
            block = render(build_bare_card(paper))
            _log.warning("paper shown as its title paper=%s cause=%s", paper.id, error)
            return block

    def frame(
        self,
        digest: Digest,
        *,
        sender_identity: SenderIdentity,
        links: Links,
        has_cards: bool,
        has_lines: bool,
        counted: int,
    ) -> Frame:
        """The digest without its papers; `counted` papers appear only in the text, as lines."""
        counts = _count(digest, links)
        headline = _headline(len(digest.entries), len(digest.revisions))
        subject = subject_line(len(digest.entries), counts) if digest.entries else headline
        shown = digest.entries or digest.revisions
        values = {
            "subject": subject,
            "sender_name": one_line(sender_identity.sender_name),
            "dated_on": digest.dated_on,
            "announced_on": _announced_on(digest.planned_at),
            "is_first": digest.is_first,
            "headline": headline,
            "first_title": _first_title(shown[0].paper) if shown else "",
            "more_titles": len(shown) - 1,
            "revisions": tuple(map(line_for, digest.revisions)),
            "counts": [count for count in counts if count.papers],
            "silent_keywords": [count.keyword for count in counts if not count.papers],
            "counted": counted,
            "email": one_line(digest.email),
            "contact": one_line(sender_identity.contact),
            "leave_url": leave_url(links) or contact_url(digest, sender_identity),
            "links": links,
        }
        block = Block(
            text=self._digest_text.render(values, _without(papers=has_cards, lines=has_lines or counted > 0)),
            html=self._digest_html.render(values, _without(papers=has_cards, lines=has_lines)),
        )
        return Frame(subject=subject, block=block)


def _abstract(paper: Paper, words: tuple[str, ...], *, is_short: bool) -> Sequence[Span]:
    pieces = converted(shown_abstract(paper))
    return excerpt(pieces, words) if is_short else pieces


def _without(**there: bool) -> tuple[str, ...]:
    return tuple(name for name, is_there in there.items() if not is_there)


def _first_title(paper: Paper) -> RichText:
    return RichText(shortened(paper.title or paper.id, _PREHEADER_LENGTH))


def _headline(papers: int, revisions: int) -> str:
    """For example `7 new papers`, or without new papers `2 new versions of papers you had`."""
    if revisions and not papers:
        return (
            "1 new version of a paper you had"
            if revisions == 1
            else f"{revisions} new versions of papers you had"
        )
    return f"{papers} new paper{'' if papers == 1 else 's'}"


def subject_line(papers: int, counts: Iterable[KeywordCount]) -> str:
    """For example `7 new papers: reinforcement learning (4), compilers (3)`, at most 120 characters."""
    brought = [count for count in counts if count.papers]
    if papers == 1:
        names = [count.keyword for count in brought]
    else:
        names = [f"{count.keyword} ({count.papers})" for count in brought]
    start = _headline(papers, 0)
    if not names:
        return start
    line = f"{start}: {names[0]}"
    for place, name in enumerate(names[1:], start=1):
        if len(line) + len(name) + len(", and 999 more") > _SUBJECT_LENGTH:
            return shortened(line, _SUBJECT_LENGTH - len(" and 999 more")) + f" and {len(names) - place} more"
        line += f", {name}"
    return shortened(line, _SUBJECT_LENGTH)


@lru_cache(maxsize=64)
def _announced_on(planned_at: datetime) -> date:
    """The date (UTC) of arXiv's list for the last announcement before `planned_at`."""
    return last_announcement(planned_at).date()


def _count(digest: Digest, links: Links) -> list[KeywordCount]:
    """Each keyword of the subscriber, the one with most papers first, otherwise in the subscriber's order."""
    brought = dict.fromkeys(digest.keywords, 0)
    for entry in digest.entries:
        for keyword in entry.keywords:
            brought[keyword] = brought.get(keyword, 0) + 1
    pages = links.keyword_pages or {}
    return [
        KeywordCount(_shown_keyword(keyword), brought[keyword], pages.get(keyword))
        for keyword in sorted(brought, key=brought.__getitem__, reverse=True)
    ]


def _shown(keywords: Sequence[str]) -> list[str]:
    return [_shown_keyword(keyword) for keyword in keywords]


@lru_cache(maxsize=_KEYWORDS_KEPT)
def _shown_keyword(keyword: str) -> str:
    return shortened(keyword, 80)
