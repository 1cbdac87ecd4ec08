"""Renders the pieces of the text that a subscriber sees: the frame of one subscriber, and its papers.

A paper's block depends only on the paper and its keywords, so it is rendered once for all subscribers who
share them. Templates get only cleaned values: one line each, of limited length.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from digest.errors import Unwritable
from digest.mail.links import Links
from digest.mail.message import SenderIdentity
from digest.mail.rendering.claims import excerpt
from digest.mail.rendering.frame import COUNTS_SHOWN, fitting, frame_values
from digest.mail.rendering.paper_view import Card, build_bare_card, build_card, shown_abstract
from digest.mail.rendering.richtext import converted, to_html
from digest.mail.rendering.templates import Cut, Template, Templates
from digest.mail.rendering.tex.spans import Span, as_text
from digest.mail.rendering.wrap import wrapped
from digest.model.digest import Digest, Group
from digest.model.paper import Paper

_log = logging.getLogger(__name__)

NUMBER = "\ue000\ue000\ue000"
"""Stands in the text for a paper's number, which is different in each digest."""

_INDENT = "     "
_KEYWORDS_SHOWN = 10
_LINE_KEYWORDS_SHOWN = 4
_KEYWORDS_ROOM = 150
"""Characters of the names of a paper's other keywords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of a digest as text and as HTML, with places for pieces that are rendered separately."""

    text: Cut
    html: Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The digest around its `style`, its `papers`, and the `summary` of them."""

    subject: str
    block: Block


class GroupHeading(NamedTuple):
    """What stands above a group: the keyword's `name`, and how many papers stand here and `elsewhere`.

    `url` is the keyword's page on the web, if it has one.
    """

    name: str
    papers: int
    elsewhere: int
    anchor: str
    url: str | None


class Summary(NamedTuple):
    """How many papers are shown as whole cards, as short cards, and by title, how many are only counted, and
    how many `minutes` it takes to read. Only the text has papers of which it shows the `addresses` alone.
    """

    whole: int
    short: int
    titles: int
    counted: int
    minutes: int
    addresses: int = 0


class Renderer:
    """Renders the pieces of digests with the templates of some folders; an earlier folder has priority.

    Raises `ConfigurationError` when a template is missing or not valid. Each method raises `Unwritable` if a
    template fails or does not print a value that it must print. `style` is the style sheet.
    """

    def __init__(self, *folders: Path) -> None:
        templates = Templates(*folders)
        self._is_customised = len(folders) > 1
        load = templates.load
        self._keywords = _Pair(load("keywords.txt.j2"), load("keywords.html.j2"))
        self._line_keywords = _Pair(load("line_keywords.txt.j2"), load("line_keywords.html.j2"))
        self._group = _Pair(load("group.txt.j2"), load("group.html.j2"))
        self._judging = load("judging.html.j2")
        self._rest = load("rest.html.j2")
        self._more = _Pair(load("more.txt.j2"), load("more.html.j2"))
        self._summary = _Pair(load("summary.txt.j2"), load("summary.html.j2"))
        self._paper = _Pair(
            load("paper.txt.j2", "keywords", "abstract"),
            load("paper.html.j2", "keywords", "abstract", "judging"),
        )
        self._short = _Pair(
            load("short.txt.j2", "keywords", "abstract"),
            load("short.html.j2", "keywords", "abstract", "judging"),
        )
        self._line = _Pair(load("line.txt.j2", "keywords"), load("line.html.j2", "keywords", "judging"))
        self._digest = _Pair(
            load("digest.txt.j2", "summary", "papers"),
            load("digest.html.j2", "style", "summary", "papers"),
        )
        self.style = load("style.css.j2").render({}).filled()

    def keywords(self, names: tuple[str, ...], *, is_line: bool = False) -> Block:
        """The other keywords that a paper matches, of a card or of a title: of many, the first ones."""
        shown = fitting(names, _LINE_KEYWORDS_SHOWN if is_line else _KEYWORDS_SHOWN, _KEYWORDS_ROOM)
        if more := len(names) - shown:
            names = (*names[:shown], f"{more} more")
        return (self._line_keywords if is_line else self._keywords).render({"keywords": names})

    def group(self, heading: GroupHeading) -> Block:
        return self._group.render({"group": heading})

    def judging(self, more: str, less: str, *, is_line: bool) -> Block:
        """The HTML links by which a subscriber says that they want `more` or `less` like a paper."""
        html = self._judging.render({"more": more, "less": less, "is_line": is_line})
        return Block(text=_whole(""), html=html)

    def rest(self, count: int) -> Cut:
        """The HTML line that counts the papers of a group that are not named."""
        return self._rest.render({"count": count})

    def more(self, count: int, url: str | None, unnamed: Sequence[str] = ()) -> Block:
        """The line that says where all papers are; `url` is the digest on the web.

        `unnamed` are the anchors of the groups of which only the number of papers is shown. The counts at the
        top lead here instead.
        """
        return self._more.render({"count": count, "url": url, "anchors": unnamed[:COUNTS_SHOWN]})

    def summary(self, summary: Summary) -> Block:
        return self._summary.render({"summary": summary})

    def paper(self, paper: Paper, *, level: int) -> Block:
        """One paper as a card, around its `keywords` and its `abstract`; `level` is that of its heading."""
        return self._of_card(paper, partial(self._card, self._paper, level))

    def short(self, paper: Paper, *, level: int) -> Block:
        """The same as a small card for a short abstract."""
        return self._of_card(paper, partial(self._card, self._short, level))

    @staticmethod
    def _card(pair: "_Pair", level: int, card: Card) -> Block:
        without = _without(abstract=bool(card.abstract))
        return pair.render({"card": card, "level": level, "number": NUMBER}, without, without)

    def abstract(self, paper: Paper, words: tuple[str, ...], *, is_short: bool = False) -> Block:
        """An abstract, or its short form. In the HTML, `words`, which match the keywords, are marked."""
        shown = _abstract(paper, words, is_short=is_short)
        return Block(
            text=_whole(wrapped(as_text(shown), _INDENT) + "\n"),
            html=_whole(to_html(shown, words, is_linked=True) + "\n"),
        )

    def line(self, paper: Paper, *, level: int) -> Block:
        """A paper by its title alone, around its `keywords`; it is no heading, so `level` does not matter."""
        return self._of_card(paper, lambda card: self._line.render({"card": card, "number": NUMBER}))

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
        found: Sequence[Group],
        names: Mapping[str, str],
        *,
        sender_identity: SenderIdentity,
        links: Links,
    ) -> Frame:
        """The digest without its `papers`, and without the `summary` of how much of them is shown.

        `found` are its groups, `names` the names of its keywords.
        """
        values = frame_values(digest, found, names, sender_identity=sender_identity, links=links)
        without = _without(papers=bool(digest.entries), summary=bool(digest.entries))
        return Frame(subject=str(values["subject"]), block=self._digest.render(values, without, without))


class _Pair(NamedTuple):
    """The templates of one piece, for the text and for the HTML."""

    text: Template
    html: Template

    def render(
        self, values: Mapping[str, object], without_text: Sequence[str] = (), without: Sequence[str] = ()
    ) -> Block:
        return Block(text=self.text.render(values, without_text), html=self.html.render(values, without))


def _whole(text: str) -> Cut:
    return Cut(pieces=(text,))


def _abstract(paper: Paper, words: tuple[str, ...], *, is_short: bool) -> Sequence[Span]:
    pieces = converted(shown_abstract(paper))
    return excerpt(pieces, words) if is_short else pieces


def _without(**there: bool) -> tuple[str, ...]:
    return tuple(name for name, is_there in there.items() if not is_there)
