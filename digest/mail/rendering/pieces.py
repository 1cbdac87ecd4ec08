"""Makes the pieces of papers: each once for all subscribers for whom it looks the same, and encoded."""

from functools import lru_cache, partial
from typing import NamedTuple

from digest.mail.links import Links
from digest.mail.message import quoted_printable
from digest.mail.rendering.encoding import Encoded, count_words, encoded_pieces, filled
from digest.mail.rendering.highlight import matched_words
from digest.mail.rendering.judging import Address, Parts, around_tokens
from digest.mail.rendering.reading_budget import NOTHING, Cost, Level
from digest.mail.rendering.renderer import NUMBER, Block, Renderer
from digest.mail.rendering.templates import Cut
from digest.model.paper import ArxivId, Paper

_PAPERS_KEPT = 2_000
"""About 4 KB each, encoded: 8 MB."""

_ABSTRACTS_KEPT = 8_000
"""About 1.5 KB each, encoded: 12 MB."""

_KEYWORDS_KEPT = 2_000

_MORE, _LESS = "\ue001", "\ue002"
"""Stand for the addresses of links by which a paper is judged."""

_LONGEST_UNNUMBERED = 70
"""Of a line in quoted-printable without its number, so that the number breaks it nowhere."""


class Piece(NamedTuple):
    """A piece as a subscriber gets it, encoded, and what its HTML takes.

    The text of a paper begins with its number. If `first_line` is empty, `text` follows the number; else
    `first_line` has the place of the number, and is too long to be encoded without it. The HTML has empty
    pieces where the subscriber's token is missing: `tokens` are their places, each with the place of a soft
    line break in the token.
    """

    text: tuple[bytes, ...]
    html: tuple[bytes, ...]
    cost: Cost
    tokens: tuple[tuple[int, int], ...] = ()
    is_numbered: bool = False
    first_line: str = ""


class Forms(dict[Level, Piece]):
    """The piece of one paper at each level. Each is made when it is first needed.

    `matched` are the keywords of the paper, `names` the names of those that are shown. `address` is where
    subscribers judge papers, if they do.
    """

    __slots__ = ("_address", "_heading_level", "_matched", "_names", "_paper", "_words", "_writer")

    def __init__(
        self,
        writer: "PaperWriter",
        paper: Paper,
        matched: tuple[str, ...],
        names: tuple[str, ...],
        heading_level: int,
        address: Address | None,
    ) -> None:
        super().__init__()
        self._writer = writer
        self._paper = paper
        self._matched = matched
        self._names = names
        self._heading_level = heading_level
        self._address = address
        self._words: tuple[str, ...] | None = None

    def address(self) -> bytes:
        """The paper in the text, if there is no room for its title."""
        return quoted_printable(f"     {self._paper.abs_url}\n")

    def __missing__(self, level: Level) -> Piece:
        words = self._matched_words() if level > Level.LINE else ()
        heading_level = self._heading_level if level > Level.LINE else 0
        piece = self[level] = self._writer.piece(
            self._paper, level, words, self._names, heading_level, self._address
        )
        return piece

    def _matched_words(self) -> tuple[str, ...]:
        if self._words is None:
            self._words = matched_words(self._paper, self._matched)
        return self._words


class _Around(NamedTuple):
    """A paper around the places for its keywords and its abstract, and what its HTML takes without them."""

    text: Encoded
    html: Encoded
    judging: Parts
    after_judging: Encoded
    cost: Cost
    is_numbered: bool
    first_line: str


def _around(renderer: Renderer, paper: Paper, at: Level, level: int, address: Address | None) -> _Around:
    render = (renderer.line, renderer.short, renderer.paper)[at - 1]
    block = render(paper, level=level)
    html = encoded_pieces(block.html)
    place = html.index("judging")
    words = sum(map(count_words, block.html.pieces[::2]))
    size = sum(len(piece[0]) for piece in html[::2])
    judging, after, cost = _judging(renderer, paper.id, address, at is Level.LINE)
    text, is_numbered, first_line = _numbered(block.text)
    return _Around(
        text=text,
        html=html[:place],
        judging=judging,
        after_judging=((after, *html[place + 1]), *html[place + 2 :]),
        cost=cost.plus(Cost(words, size)),
        is_numbered=is_numbered,
        first_line=first_line,
    )


def _judging(
    renderer: Renderer, arxiv_id: ArxivId, address: Address | None, is_line: bool
) -> tuple[Parts, bytes, Cost]:
    """The HTML links by which subscribers judge a paper, around their tokens."""
    if address is None:
        return (), b"", NOTHING
    html = renderer.judging(_MORE, _LESS, is_line=is_line).html.filled()

    def encoded(links: Links, arxiv_id: ArxivId) -> bytes:
        more, less = links.more_like(arxiv_id), links.less_like(arxiv_id)
        return quoted_printable(html.replace(_MORE, more or "").replace(_LESS, less or ""))

    parts, rest = around_tokens(
        encoded(address.links("a"), arxiv_id), encoded(address.links("b"), arxiv_id), address.length
    )
    longest = "x" * (len(address.start) + address.length + len("/more/cond-mat/0606123"))
    size = len(quoted_printable(html.replace(_MORE, longest).replace(_LESS, longest)))
    return parts, rest, Cost(count_words(html), size)


def _numbered(text: Cut) -> tuple[Encoded, bool, str]:
    """The text without its number, whether there is one, and its first line if the number may break it."""
    first, line_end, rest = text.pieces[0].partition("\n")
    if not first.startswith(NUMBER):
        return encoded_pieces(text), False, ""
    others = encoded_pieces(Cut(pieces=(rest, *text.pieces[1:])))
    unnumbered = quoted_printable(first.replace(NUMBER, "000") + line_end)[3:]
    if len(unnumbered) > _LONGEST_UNNUMBERED:
        return others, True, first
    head, *tail = others
    return ((unnumbered, *head), *tail), True, ""


class PaperWriter:
    """Makes the pieces of papers from the pieces that are the same for several subscribers."""

    def __init__(self, renderer: Renderer) -> None:
        # Functions, not methods: a cached method would keep the writer and its caches alive long after use.
        self._around = lru_cache(maxsize=_PAPERS_KEPT)(partial(_around, renderer))
        self._keywords = lru_cache(maxsize=_KEYWORDS_KEPT)(partial(_keywords, renderer))
        self._abstract = lru_cache(maxsize=_ABSTRACTS_KEPT)(partial(_abstract, renderer))

    def piece(
        self,
        paper: Paper,
        level: Level,
        words: tuple[str, ...],
        names: tuple[str, ...],
        heading_level: int,
        address: Address | None,
    ) -> Piece:
        """The paper at this level; `words`, of the abstract, are marked."""
        around = self._around(paper, level, heading_level, address)
        chips = self._keywords(names, level is Level.LINE) if names else NO_PIECE
        is_card = level > Level.LINE
        return _assembled(
            around, chips, self._abstract(paper, words, level is Level.SHORT) if is_card else NO_PIECE
        )


def _keywords(renderer: Renderer, names: tuple[str, ...], is_line: bool) -> Piece:
    return piece_of(renderer.keywords(names, is_line=is_line))


def _abstract(renderer: Renderer, paper: Paper, words: tuple[str, ...], is_short: bool) -> Piece:
    return piece_of(renderer.abstract(paper, words, is_short=is_short))


def _assembled(around: _Around, chips: Piece, abstract: Piece) -> Piece:
    html = filled(around.html, keywords=chips.html, abstract=abstract.html)
    tokens = []
    for part, soft_break in around.judging:
        tokens.append((len(html) + 1, soft_break))
        html += (part, b"")
    html += filled(around.after_judging, keywords=chips.html, abstract=abstract.html)
    return Piece(
        text=tuple(filled(around.text, keywords=chips.text, abstract=abstract.text)),
        html=tuple(html),
        cost=around.cost.plus(chips.cost).plus(abstract.cost),
        tokens=tuple(tokens),
        is_numbered=around.is_numbered,
        first_line=around.first_line,
    )


def piece_of(block: Block) -> Piece:
    html = block.html.filled()
    encoded = quoted_printable(html)
    return Piece((quoted_printable(block.text.filled()),), (encoded,), Cost(count_words(html), len(encoded)))


NO_PIECE = Piece((), (), NOTHING)
