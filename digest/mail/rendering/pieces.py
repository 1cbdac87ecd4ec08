"""Makes the pieces of papers: each once for all subscribers for whom it looks the same, and encoded."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from digest.mail.links import Links
from digest.mail.message import quoted_printable
from digest.mail.rendering.encoding import Encoded, count_words, encoded_pieces, filled
from digest.mail.rendering.highlight import matched_words
from digest.mail.rendering.reading_budget import NOTHING, Cost, Level
from digest.mail.rendering.renderer import NUMBER, Block, Renderer
from digest.mail.rendering.templates import Cut
from digest.model.paper import Paper

_PAPERS_KEPT = 2_000
"""About 4 KB each, encoded: 8 MB."""

_ABSTRACTS_KEPT = 8_000
"""About 1.5 KB each, encoded: 12 MB."""

_KEYWORDS_KEPT = 2_000
_LINES_KEPT = 4_000

_MORE, _LESS = "\ue001", "\ue002"
"""Stand for the addresses of links by which a paper is judged."""

_LONGEST_UNNUMBERED = 70
"""Of a line in quoted-printable without its number, so that the number breaks it nowhere."""


class Piece(NamedTuple):
    """A piece as a subscriber gets it, encoded, and what its HTML takes.

    The text of a paper begins with its number. If `first_line` is empty, `text` follows the number; else
    `first_line` has the place of the number, and is too long to be encoded without it. In the HTML, the links
    by which a subscriber judges the paper stand before `after_judging`.
    """

    text: tuple[bytes, ...]
    html: tuple[bytes, ...]
    cost: Cost
    after_judging: tuple[bytes, ...] = ()
    is_numbered: bool = False
    first_line: str = ""


class Forms(dict[Level, Piece]):
    """The piece of one paper at each level. Each is made when it is first needed.

    `matched` are the keywords of the paper, `names` the names of those that are shown. `judging` is as long
    as the addresses by which a subscriber judges a paper.
    """

    __slots__ = ("_heading_level", "_judging", "_matched", "_names", "_paper", "_words", "_writer")

    def __init__(
        self,
        writer: "PaperWriter",
        paper: Paper,
        matched: tuple[str, ...],
        names: tuple[str, ...],
        heading_level: int,
        judging: str | None,
    ) -> None:
        super().__init__()
        self._writer = writer
        self._paper = paper
        self._matched = matched
        self._names = names
        self._heading_level = heading_level
        self._judging = judging
        self._words: tuple[str, ...] | None = None

    def address(self) -> bytes:
        """The paper in the text, if there is no room for its title."""
        return quoted_printable(f"     {self._paper.abs_url}\n")

    def judged(self, links: Links) -> tuple[str, str]:
        return links.more_like(self._paper.id) or "", links.less_like(self._paper.id) or ""

    def __missing__(self, level: Level) -> Piece:
        if level is Level.LINE:
            piece = self._writer.line(self._paper, self._names)
        else:
            if self._words is None:
                self._words = matched_words(self._paper, self._matched)
            piece = self._writer.card(self._paper, level, self._words, self._names, self._heading_level)
        if self._judging:
            links = self._writer.judging_cost(self._judging, level is Level.LINE)
            piece = piece._replace(cost=piece.cost.plus(links))
        self[level] = piece
        return piece


def _keywords(renderer: Renderer, names: tuple[str, ...], is_line: bool) -> Piece:
    return piece_of(renderer.keywords(names, is_line=is_line))


def _judging(renderer: Renderer, is_line: bool) -> tuple[str, int]:
    """The links with marks for their addresses, and their words."""
    html = renderer.judging(_MORE, _LESS, is_line=is_line).html.filled()
    return html, count_words(html)


def _abstract(renderer: Renderer, paper: Paper, words: tuple[str, ...], is_short: bool) -> Piece:
    return piece_of(renderer.abstract(paper, words, is_short=is_short))


class _Around(NamedTuple):
    """A paper around the places for its keywords and its abstract, and the words of its HTML."""

    text: Encoded
    html: Encoded
    words: int
    is_numbered: bool
    first_line: str


def _around(renderer: Renderer, paper: Paper, at: Level, level: int) -> _Around:
    render = (renderer.line, renderer.short, renderer.paper)[at - 1]
    block = render(paper, level=level)
    words = sum(map(count_words, block.html.pieces[::2]))
    first, line_end, rest = block.text.pieces[0].partition("\n")
    html, others = encoded_pieces(block.html), block.text.pieces[1:]
    if not first.startswith(NUMBER):
        return _Around(encoded_pieces(block.text), html, words, is_numbered=False, first_line="")
    unnumbered = quoted_printable(first.replace(NUMBER, "000") + line_end)[3:]
    if len(unnumbered) > _LONGEST_UNNUMBERED:
        return _Around(
            encoded_pieces(Cut(pieces=(rest, *others))), html, words, is_numbered=True, first_line=first
        )
    head, *tail = encoded_pieces(Cut(pieces=(rest, *others)))
    text = ((unnumbered, *head), *tail)
    return _Around(text, html, words, is_numbered=True, first_line="")


class PaperWriter:
    """Makes the pieces of papers from the pieces that are the same for several subscribers."""

    def __init__(self, renderer: Renderer) -> None:
        # Functions, not methods: a cached method would keep the writer and its caches alive long after use.
        self._around = lru_cache(maxsize=_PAPERS_KEPT)(partial(_around, renderer))
        self._keywords = lru_cache(maxsize=_KEYWORDS_KEPT)(partial(_keywords, renderer))
        self._abstract = lru_cache(maxsize=_ABSTRACTS_KEPT)(partial(_abstract, renderer))
        self._judging = lru_cache(partial(_judging, renderer))
        self.line = lru_cache(maxsize=_LINES_KEPT)(partial(_line, self._around, self._keywords))

    def judging(self, more: str, less: str, is_line: bool) -> bytes:
        """The HTML links by which a subscriber judges a paper."""
        html, _ = self._judging(is_line)
        return quoted_printable(html.replace(_MORE, more).replace(_LESS, less))

    def judging_cost(self, address: str, is_line: bool) -> Cost:
        """What the links take if each is as long as `address`."""
        _, words = self._judging(is_line)
        return Cost(words, len(self.judging(address, address, is_line)))

    def card(
        self, paper: Paper, level: Level, words: tuple[str, ...], names: tuple[str, ...], heading_level: int
    ) -> Piece:
        """The paper as a card; `words`, of the abstract, are marked."""
        around = self._around(paper, level, heading_level)
        chips = self._keywords(names, False) if names else NO_PIECE
        return _assembled(around, chips, self._abstract(paper, words, level is Level.SHORT))


def _line(
    around: Callable[[Paper, Level, int], _Around],
    keywords: Callable[[tuple[str, ...], bool], Piece],
    paper: Paper,
    names: tuple[str, ...],
) -> Piece:
    """The paper by its title: it is the same for most subscribers."""
    return _assembled(around(paper, Level.LINE, 0), keywords(names, True) if names else NO_PIECE, NO_PIECE)


def _assembled(around: _Around, chips: Piece, abstract: Piece) -> Piece:
    end = around.html.index("judging")
    before, after = (
        tuple(filled(part, keywords=chips.html, abstract=abstract.html))
        for part in (around.html[:end], around.html[end + 1 :])
    )
    count = around.words + chips.cost.words + abstract.cost.words
    text = tuple(filled(around.text, keywords=chips.text, abstract=abstract.text))
    cost = Cost(count, sum(map(len, (*before, *after))))
    return Piece(text, before, cost, after, around.is_numbered, around.first_line)


def piece_of(block: Block) -> Piece:
    html = block.html.filled()
    encoded = quoted_printable(html)
    return Piece((quoted_printable(block.text.filled()),), (encoded,), Cost(count_words(html), len(encoded)))


NO_PIECE = Piece((), (), NOTHING)
