"""Converts mailings to messages, many in a row: pieces that several of them share are made only once.

A paper's pieces are rendered and encoded in quoted-printable once for all subscribers for whom it looks the
same, with what its HTML takes of the reading budget. The frame around the papers is rendered for each
subscriber and encoded line by line: most of its lines are the same for all. Texts of whole lines can be
encoded separately and joined (RFC 2045, section 6.7), so the bytes do not depend on earlier mailings.
"""

import re
from binascii import a2b_qp
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import TypeAlias

from digest.mail.bounces import leave_address
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Rendered, SenderIdentity, join_message, quoted_printable
from digest.mail.rendering.highlight import matched_words
from digest.mail.rendering.reading_budget import (
    HTML_LIMIT,
    NOTHING,
    WORDS,
    Cost,
    GroupCosts,
    Level,
    PaperCosts,
    levels,
    minutes,
)
from digest.mail.rendering.renderer import (
    NUMBER,
    Block,
    GroupHeading,
    Renderer,
    Summary,
    names_for,
)
from digest.mail.rendering.templates import Cut
from digest.mail.transport import Outgoing
from digest.model.digest import Digest, Length, groups
from digest.model.paper import Paper
from digest.storage.values import Mailing

_PAPERS_KEPT = 2_000
"""About 4 KB each, encoded: 8 MB."""

_ABSTRACTS_KEPT = 8_000
"""About 1.5 KB each, encoded: 12 MB."""

_SHOWN_KEPT = 5_000
"""About 300 bytes each; they refer to the pieces above."""

_SMALL_KEPT = 1_000
_KEYWORDS_KEPT = 2_000
_LINES_KEPT = 4_000

_REST_COST = Cost(4, 200)
_MORE_COST = Cost(16, 600)
_SUMMARY_COST = Cost(20, 400)
"""The most that each of these pieces takes. What they say follows from what has room."""

_MARKUP = re.compile(r"<!--.*?-->|<[^>]*>|&nbsp;", re.DOTALL)


_Encoded: TypeAlias = tuple[tuple[bytes, ...] | str, ...]
"""Pieces in quoted-printable; they alternate with the names of the places between them."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece as a subscriber gets it, encoded, and what its HTML takes.

    `first_line` is the line of the text that has the number of the paper; it precedes `text`.
    """

    text: tuple[bytes, ...]
    html: tuple[bytes, ...]
    cost: Cost
    first_line: str = ""

    def numbered(self, number: int) -> Iterator[bytes]:
        if self.first_line:
            yield _encoded_line(self.first_line.replace(NUMBER, f"{number:>3}"))
        yield from self.text


@dataclass(frozen=True, slots=True)
class _Forms:
    """The pieces of one paper, by `Level`, and their costs."""

    line: _Piece
    short: _Piece
    whole: _Piece

    def at(self, level: Level) -> _Piece:
        return (self.line, self.short, self.whole)[level - 1]

    @property
    def costs(self) -> PaperCosts:
        return PaperCosts(self.line.cost, self.short.cost, self.whole.cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    subject: str
    text: Sequence[bytes]
    html: Sequence[bytes]


def _no_links(mailing: Mailing) -> Links:
    return NO_LINKS


class Writer:
    """Builds messages with one set of templates. Several threads may use it at once.

    `links` gives the web addresses of a mailing; they must be the same each time.
    """

    def __init__(
        self,
        renderer: Renderer,
        sender_identity: SenderIdentity,
        links: Callable[[Mailing], Links] = _no_links,
    ) -> None:
        self._renderer = renderer
        self._letterhead = sender_identity
        self._links = links
        self._style = [quoted_printable(renderer.style)]
        self._style_size = len(self._style[0])
        # Functions, not methods: a cached method would keep the writer and its caches alive long after use.
        card = lru_cache(maxsize=_PAPERS_KEPT)(partial(_card, renderer))
        keywords = lru_cache(maxsize=_KEYWORDS_KEPT)(partial(_keywords, renderer))
        abstract = lru_cache(maxsize=_ABSTRACTS_KEPT)(partial(_abstract, renderer))
        self._forms = lru_cache(maxsize=_SHOWN_KEPT)(partial(_forms, renderer, card, keywords, abstract))
        self._summary = lru_cache(maxsize=_SMALL_KEPT)(partial(_summary, renderer))

    def write(self, mailing: Mailing) -> Outgoing:
        """The message of a mailing. Raises `Unwritable` if a template does not work for it."""
        digest, links = mailing.digest, self._links(mailing)
        if self._letterhead.bounce_address and mailing.pages:
            address = leave_address(self._letterhead.bounce_address, mailing.pages.leave)
            links = replace(links, leave_by_mail=address)
        written = self._written(digest, links)
        message = join_message(
            digest,
            written.subject,
            self._letterhead,
            mailing.token,
            text=written.text,
            html=written.html,
            links=links,
        )
        return Outgoing(
            sender=self._letterhead.sender,
            recipient=digest.email,
            message=message,
            token=mailing.token,
            is_dotless=True,
        )

    def rendered(self, digest: Digest, links: Links = NO_LINKS) -> Rendered:
        """What a message shows, before it is encoded. Raises as `write` does."""
        written = self._written(digest, links)
        text, html = (
            a2b_qp(b"".join(part)).decode().replace("\r\n", "\n") for part in (written.text, written.html)
        )
        return Rendered(subject=written.subject, text=text, html=html)

    def _written(self, digest: Digest, links: Links) -> _Written:
        frame = self._renderer.frame(digest, sender_identity=self._letterhead, links=links)
        text, html = _encoded_frame(frame.block.text), _encoded_frame(frame.block.html)
        around = _cost(html, frame.block.html)
        room = Cost(
            WORDS[digest.length] - around.words - _SUMMARY_COST.words,
            HTML_LIMIT - around.size - self._style_size - _SUMMARY_COST.size,
        )
        shown = _Shown(self._groups(digest, links), room, digest.length)
        if not digest.entries:
            return _Written(subject=frame.subject, text=_pieces(text), html=_filled(html, style=self._style))
        summary = self._summary(shown.summary(around.words))
        return _Written(
            subject=frame.subject,
            text=_filled(text, summary=summary.text, papers=shown.text(self._renderer)),
            html=_filled(
                html, style=self._style, summary=summary.html, papers=shown.html(self._renderer, links)
            ),
        )

    def _groups(self, digest: Digest, links: Links) -> list["_Group"]:
        """The groups with the pieces of their papers. A group of its own has no heading."""
        found, names, pages = groups(digest), names_for(digest), links.keyword_pages or {}
        level = 3 if len(found) > 1 else 2
        built = []
        for place, group in enumerate(found, start=1):
            heading = GroupHeading(
                name=names.get(group.keyword, "Other papers"),
                papers=len(group.entries),
                elsewhere=group.papers - len(group.entries),
                anchor=f"g{place}",
                url=pages.get(group.keyword),
            )
            piece = _framed(self._renderer.group(heading)) if level == 3 else _NO_PIECE
            papers = [
                self._forms(
                    entry.paper,
                    entry.keywords,
                    tuple([names[one] for one in entry.keywords if one != group.keyword]),
                    level,
                )
                for entry in group.entries
            ]
            built.append(_Group(heading=piece, papers=papers))
        return built


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    heading: _Piece
    papers: Sequence[_Forms]

    @property
    def costs(self) -> GroupCosts:
        return GroupCosts(self.heading.cost, [one.costs for one in self.papers])


class _Shown:
    """The groups of one digest, and how much the HTML shows of each paper.

    The text shows the same, and as lines also the papers that the HTML only counts: a paper is never dropped.
    """

    def __init__(self, groups: Sequence[_Group], room: Cost, length: Length) -> None:
        self._groups = groups
        costs = [group.costs for group in groups]
        self._levels = levels(costs, room, length)
        if any(Level.COUNTED in row for row in self._levels):
            costs = [one._replace(heading=one.heading.plus(_REST_COST)) for one in costs]
            self._levels = levels(costs, room.minus(_MORE_COST), length)

    def summary(self, words: int) -> Summary:
        flat = [level for row in self._levels for level in row]
        words += sum(
            forms.at(level).cost.words
            for group, row in zip(self._groups, self._levels, strict=True)
            for forms, level in zip(group.papers, row, strict=True)
            if level
        )
        return Summary(
            whole=flat.count(Level.WHOLE),
            short=flat.count(Level.SHORT),
            titles=flat.count(Level.LINE),
            counted=flat.count(Level.COUNTED),
            minutes=minutes(words),
        )

    def html(self, renderer: Renderer, links: Links) -> list[bytes]:
        pieces: list[bytes] = []
        total = 0
        for group, row in zip(self._groups, self._levels, strict=True):
            counted = row.count(Level.COUNTED)
            total += counted
            if any(row):
                pieces += group.heading.html
                pieces += chain.from_iterable(
                    forms.at(level).html for forms, level in zip(group.papers, row, strict=True) if level
                )
                pieces += _lines(renderer.rest(counted)) if counted else ()
        return [*pieces, *(_lines(renderer.more(total, links.online)) if total else ())]

    def text(self, renderer: Renderer) -> list[bytes]:
        pieces: list[bytes] = []
        number = 0
        for group, row in zip(self._groups, self._levels, strict=True):
            pieces += group.heading.text
            for forms, level in zip(group.papers, row, strict=True):
                number += 1
                pieces += forms.at(level or Level.LINE).numbered(number)
        return pieces


def _keywords(renderer: Renderer, names: tuple[str, ...]) -> _Piece:
    return _piece(renderer.keywords(names))


def _card(
    renderer: Renderer, paper: Paper, *, is_short: bool, has_keywords: bool, level: int
) -> tuple[str, _Encoded, _Encoded, int]:
    render = renderer.short if is_short else renderer.paper
    block = render(paper, has_keywords=has_keywords, level=level)
    first_line, rest = _number_apart(block.text)
    words = sum(map(_words, block.html.pieces[::2]))
    return first_line, _encoded(rest), _encoded(block.html), words


def _abstract(renderer: Renderer, paper: Paper, words: tuple[str, ...], is_short: bool) -> _Piece:
    return _piece(renderer.abstract(paper, words, is_short=is_short))


def _summary(renderer: Renderer, summary: Summary) -> _Piece:
    return _piece(renderer.summary(summary))


def _forms(
    renderer: Renderer,
    card: Callable[..., tuple[str, _Encoded, _Encoded, int]],
    keywords: Callable[[tuple[str, ...]], _Piece],
    abstract: Callable[[Paper, tuple[str, ...], bool], _Piece],
    paper: Paper,
    matched: tuple[str, ...],
    names: tuple[str, ...],
    level: int,
) -> _Forms:
    """`matched` are the keywords of the paper, `names` the names of those that are shown."""
    chips = keywords(names) if names else _NO_PIECE
    words = matched_words(paper, matched)

    def card_with(is_short: bool) -> _Piece:
        first_line, text, html, around = card(paper, is_short=is_short, has_keywords=bool(names), level=level)
        inner = abstract(paper, words, is_short)
        filled = tuple(_filled(html, keywords=chips.html, abstract=inner.html))
        total = Cost(around + chips.cost.words + inner.cost.words, sum(map(len, filled)))
        return _Piece(
            tuple(_filled(text, keywords=chips.text, abstract=inner.text)), filled, total, first_line
        )

    block = renderer.line(paper, names)
    first_line, rest = _number_apart(block.text)
    line = replace(_piece(Block(text=rest, html=block.html)), first_line=first_line)
    return _Forms(line, card_with(is_short=True), card_with(is_short=False))


def _number_apart(text: Cut) -> tuple[str, Cut]:
    """The first line, if it has the place of the number, and the rest."""
    first_line, _, rest = text.pieces[0].partition("\n")
    if NUMBER not in first_line:
        return "", text
    return first_line, Cut(pieces=(rest, *text.pieces[1:]))


def _piece(block: Block) -> _Piece:
    html = block.html.filled()
    encoded = quoted_printable(html)
    return _Piece((quoted_printable(block.text.filled()),), (encoded,), Cost(_words(html), len(encoded)))


def _framed(block: Block) -> _Piece:
    """A piece that is rendered for one subscriber: encoded line by line."""
    text, html = _encoded_frame(block.text), _encoded_frame(block.html)
    return _Piece(tuple(_pieces(text)), tuple(_pieces(html)), _cost(html, block.html))


_NO_PIECE = _Piece((), (), NOTHING)


def _lines(cut: Cut) -> list[bytes]:
    return _pieces(_encoded_frame(cut))


def _pieces(encoded: _Encoded) -> list[bytes]:
    return list(chain.from_iterable(piece for piece in encoded if not isinstance(piece, str)))


def _filled(pieces: _Encoded, **inner: Sequence[bytes]) -> list[bytes]:
    """`pieces` with their places filled from `inner`."""
    filled: list[bytes] = []
    for piece in pieces:
        filled += inner[piece] if isinstance(piece, str) else piece
    return filled


def _encoded(cut: Cut) -> _Encoded:
    return tuple(
        piece if number % 2 else (quoted_printable(piece),) for number, piece in enumerate(cut.pieces)
    )


def _encoded_frame(cut: Cut) -> _Encoded:
    """Encoded line by line, each with its line end. Every piece ends in a line end or is empty."""
    return tuple(
        [
            piece if number % 2 else tuple(map(_encoded_line, piece.split("\n")[:-1]))
            for number, piece in enumerate(cut.pieces)
        ]
    )


def _cost(encoded: _Encoded, cut: Cut) -> Cost:
    """Of a piece that was encoded line by line."""
    size = sum([sum(map(len, piece)) for piece in encoded if not isinstance(piece, str)])
    return Cost(sum([_words(line) for piece in cut.pieces[::2] for line in piece.split("\n")]), size)


@lru_cache(maxsize=_LINES_KEPT)
def _words(html: str) -> int:
    """As a mail program shows them."""
    return len(_MARKUP.sub(" ", html).split())


@lru_cache(maxsize=_LINES_KEPT)
def _encoded_line(line: str) -> bytes:
    return quoted_printable(f"{line}\n")
