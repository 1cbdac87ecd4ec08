"""Converts mailings to messages, many in a row: pieces that several of them share are made only once.

A paper's pieces are rendered and encoded in quoted-printable once for all subscribers for whom it looks the
same, with what its HTML takes of the reading budget. The frame around the papers is rendered for each
subscriber and encoded line by line: most of its lines are the same for all. Texts of whole lines can be
encoded separately and joined (RFC 2045, section 6.7), so the bytes do not depend on earlier mailings.
"""

import re
from binascii import a2b_qp
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import NamedTuple, TypeAlias

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
    minutes,
    plan,
)
from digest.mail.rendering.renderer import (
    NUMBER,
    Block,
    GroupHeading,
    Renderer,
    Summary,
    anchor,
    names_for,
)
from digest.mail.rendering.templates import Cut
from digest.mail.transport import Outgoing
from digest.model.digest import Digest, Group, Length, groups
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
_MORE_COST = Cost(16, 1_400)
_SUMMARY_COST = Cost(20, 400)
"""The most that each of these pieces takes. What they say follows from what has room."""

_MORE_TEXT = 1.6
"""The words of the text that are not in the HTML, for each word of the HTML."""

_MORE, _LESS = "\ue001", "\ue002"
_LONGEST_UNNUMBERED = 70
"""Of a line in quoted-printable without its number, so that the number breaks it nowhere."""

_MARKUP = re.compile(r"<!--.*?-->|<[^>]*>|&nbsp;", re.DOTALL)


_Encoded: TypeAlias = tuple[tuple[bytes, ...] | str, ...]
"""Pieces in quoted-printable; they alternate with the names of the places between them."""


class _Piece(NamedTuple):
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


class _Forms(dict[Level, _Piece]):
    """The piece of one paper at each level. Each is made when it is first needed.

    `matched` are the keywords of the paper, `names` the names of those that are shown. `judging` is as long
    as the addresses by which a subscriber judges a paper.
    """

    __slots__ = ("_heading_level", "_judging", "_matched", "_names", "_paper", "_words", "_writer")

    def __init__(
        self,
        writer: "_PaperWriter",
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

    def __missing__(self, level: Level) -> _Piece:
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
        self._papers = _PaperWriter(renderer)
        self._forms = lru_cache(maxsize=_SHOWN_KEPT)(partial(_Forms, self._papers))
        self._heading = lru_cache(maxsize=_KEYWORDS_KEPT)(partial(_heading, renderer))
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
        found, names = groups(digest), names_for(digest)
        frame = self._renderer.frame(digest, found, names, sender_identity=self._letterhead, links=links)
        text = _encoded_frame(frame.block.text)
        html, around = _encoded_html(frame.block.html)
        if not digest.entries:
            return _Written(subject=frame.subject, text=_pieces(text), html=_filled(html, style=self._style))
        room = Cost(
            WORDS[digest.length] - around.words - _SUMMARY_COST.words,
            HTML_LIMIT - around.size - self._style_size - _SUMMARY_COST.size,
        )
        shown = _Shown(self._groups(found, names, links), room, digest.length)
        summary = self._summary(shown.summary(around.words))
        return _Written(
            subject=frame.subject,
            text=_filled(text, summary=summary.text, papers=shown.text(self._renderer, around.words, links)),
            html=_filled(
                html,
                style=self._style,
                summary=summary.html,
                papers=shown.html(self._renderer, self._papers, links),
            ),
        )

    def _groups(self, found: Sequence[Group], names: Mapping[str, str], links: Links) -> list["_Group"]:
        """The groups with the pieces of their papers. A group of its own has no heading."""
        level = 3 if len(found) > 1 else 2
        pages = links.keyword_pages or {}
        judging = links.judging and "x" * (len(links.judging) + len("/more/cond-mat/0606123"))
        built = []
        for place, group in enumerate(found, start=1):
            piece = _NO_PIECE
            if level > 2:
                heading = GroupHeading(
                    name=names.get(group.keyword, "Other papers"),
                    papers=len(group.entries),
                    elsewhere=group.papers - len(group.entries),
                    anchor=anchor(place),
                    url=pages.get(group.keyword),
                )
                piece = self._heading(heading)
            papers = [
                self._forms(
                    paper,
                    keywords,
                    tuple([names[one] for one in keywords if one != group.keyword])
                    if len(keywords) > 1
                    else (),
                    level,
                    judging,
                )
                for paper, keywords in group.entries
            ]
            built.append(_Group(piece, papers))
        return built


class _Group(NamedTuple):
    heading: _Piece
    papers: Sequence[_Forms]


class _Shown:
    """The groups of one digest, and how much the HTML shows of each paper.

    The text shows the same, and also names the papers that the HTML only counts: a paper is never dropped. If
    they are very many, the last ones are only addresses, or are counted if the web has them: spam filters
    distrust a mail whose text has three times the words of its HTML.
    """

    def __init__(self, groups: Sequence[_Group], room: Cost, length: Length) -> None:
        self._groups = groups
        costs = [GroupCosts(group.heading.cost, group.papers) for group in groups]
        self._plan = plan(costs, room, length)
        if any(row[-1] is Level.COUNTED for row in self._plan.levels):
            costs = [GroupCosts(one.heading.plus(_REST_COST), one.papers) for one in costs]
            self._plan = plan(costs, room.minus(_MORE_COST), length)

    def summary(self, words: int) -> Summary:
        """`words` are those around the papers."""
        flat = list(chain.from_iterable(self._plan.levels))
        return Summary(
            whole=flat.count(Level.WHOLE),
            short=flat.count(Level.SHORT),
            titles=flat.count(Level.LINE),
            counted=flat.count(Level.COUNTED),
            minutes=minutes(words + self._plan.words),
        )

    def html(self, renderer: Renderer, writer: "_PaperWriter", links: Links) -> list[bytes]:
        pieces: list[bytes] = []
        unnamed: list[str] = []
        total = 0
        for place, ((heading, papers), row) in enumerate(
            zip(self._groups, self._plan.levels, strict=True), start=1
        ):
            counted = row.count(Level.COUNTED)
            total += counted
            if counted == len(row):
                unnamed.append(anchor(place))
                continue
            pieces += heading.html
            for forms, level in zip(papers, row, strict=True):
                if level:
                    pieces += forms[level].html
                    if links.judging:
                        pieces.append(writer.judging(*forms.judged(links), level is Level.LINE))
                    pieces += forms[level].after_judging
            if counted:
                pieces += _lines(renderer.rest(counted))
        return [*pieces, *(_lines(renderer.more(total, links.online, unnamed).html) if total else ())]

    def text(self, renderer: Renderer, words: int, links: Links) -> list[bytes]:
        """`words` are those of the HTML around the papers."""
        pieces: list[bytes] = []
        number = left_out = 0
        counted = sum([row.count(Level.COUNTED) for row in self._plan.levels])
        room = int(_MORE_TEXT * (words + self._plan.words)) - counted
        for (heading, papers), row in zip(self._groups, self._plan.levels, strict=True):
            pieces += heading.text
            for forms, level in zip(papers, row, strict=True):
                number += 1
                piece = forms[level or Level.LINE]
                if not level:
                    room -= piece.cost.words
                    if room < 0 and links.online:
                        left_out += 1
                        continue
                    if room < 0:
                        pieces.append(forms.address())
                        continue
                if piece.first_line:
                    pieces.append(_encoded_line(piece.first_line.replace(NUMBER, f"{number:>3}")))
                elif piece.is_numbered:
                    pieces.append(b"%3d" % number)
                pieces += piece.text
        if left_out:
            pieces += _pieces(_encoded_frame(renderer.more(left_out, links.online).text))
        return pieces


def _keywords(renderer: Renderer, names: tuple[str, ...], is_line: bool) -> _Piece:
    return _piece(renderer.keywords(names, is_line=is_line))


def _judging(renderer: Renderer, is_line: bool) -> tuple[str, int]:
    """The links with marks for their addresses, and their words."""
    html = renderer.judging(_MORE, _LESS, is_line=is_line).html.filled()
    return html, _words(html)


def _abstract(renderer: Renderer, paper: Paper, words: tuple[str, ...], is_short: bool) -> _Piece:
    return _piece(renderer.abstract(paper, words, is_short=is_short))


def _summary(renderer: Renderer, summary: Summary) -> _Piece:
    return _piece(renderer.summary(summary))


def _heading(renderer: Renderer, heading: GroupHeading) -> _Piece:
    return _piece(renderer.group(heading))


class _Around(NamedTuple):
    """A paper around the places for its keywords and its abstract, and the words of its HTML."""

    text: _Encoded
    html: _Encoded
    words: int
    is_numbered: bool
    first_line: str


def _around(renderer: Renderer, paper: Paper, at: Level, level: int) -> _Around:
    render = (renderer.line, renderer.short, renderer.paper)[at - 1]
    block = render(paper, level=level)
    words = sum(map(_words, block.html.pieces[::2]))
    first, line_end, rest = block.text.pieces[0].partition("\n")
    html, others = _encoded(block.html), block.text.pieces[1:]
    if not first.startswith(NUMBER):
        return _Around(_encoded(block.text), html, words, is_numbered=False, first_line="")
    unnumbered = quoted_printable(first.replace(NUMBER, "000") + line_end)[3:]
    if len(unnumbered) > _LONGEST_UNNUMBERED:
        return _Around(_encoded(Cut(pieces=(rest, *others))), html, words, is_numbered=True, first_line=first)
    head, *tail = _encoded(Cut(pieces=(rest, *others)))
    text = ((unnumbered, *head), *tail)
    return _Around(text, html, words, is_numbered=True, first_line="")


class _PaperWriter:
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
    ) -> _Piece:
        """The paper as a card; `words`, of the abstract, are marked."""
        around = self._around(paper, level, heading_level)
        chips = self._keywords(names, False) if names else _NO_PIECE
        return _assembled(around, chips, self._abstract(paper, words, level is Level.SHORT))


def _line(
    around: Callable[[Paper, Level, int], _Around],
    keywords: Callable[[tuple[str, ...], bool], _Piece],
    paper: Paper,
    names: tuple[str, ...],
) -> _Piece:
    """The paper by its title: it is the same for most subscribers."""
    return _assembled(around(paper, Level.LINE, 0), keywords(names, True) if names else _NO_PIECE, _NO_PIECE)


def _assembled(around: _Around, chips: _Piece, abstract: _Piece) -> _Piece:
    end = around.html.index("judging")
    before, after = (
        tuple(_filled(part, keywords=chips.html, abstract=abstract.html))
        for part in (around.html[:end], around.html[end + 1 :])
    )
    count = around.words + chips.cost.words + abstract.cost.words
    text = tuple(_filled(around.text, keywords=chips.text, abstract=abstract.text))
    cost = Cost(count, sum(map(len, (*before, *after))))
    return _Piece(text, before, cost, after, around.is_numbered, around.first_line)


def _piece(block: Block) -> _Piece:
    html = block.html.filled()
    encoded = quoted_printable(html)
    return _Piece((quoted_printable(block.text.filled()),), (encoded,), Cost(_words(html), len(encoded)))


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


def _encoded_html(cut: Cut) -> tuple[_Encoded, Cost]:
    """Encoded line by line as by `_encoded_frame`, and its cost."""
    encoded: list[tuple[bytes, ...] | str] = []
    words = size = 0
    for number, piece in enumerate(cut.pieces):
        if number % 2:
            encoded.append(piece)
            continue
        lines = [_encoded_html_line(line) for line in piece.split("\n")[:-1]]
        encoded.append(tuple([line for line, _ in lines]))
        words += sum([count for _, count in lines])
        size += sum([len(line) for line, _ in lines])
    return tuple(encoded), Cost(words, size)


def _encoded_frame(cut: Cut) -> _Encoded:
    """Encoded line by line, each with its line end. Every piece ends in a line end or is empty."""
    return tuple(
        [
            piece if number % 2 else tuple(map(_encoded_line, piece.split("\n")[:-1]))
            for number, piece in enumerate(cut.pieces)
        ]
    )


@lru_cache(maxsize=_LINES_KEPT)
def _encoded_html_line(line: str) -> tuple[bytes, int]:
    return quoted_printable(f"{line}\n"), _words(line)


def _words(html: str) -> int:
    """As a mail program shows them."""
    return len(_MARKUP.sub(" ", html).split())


@lru_cache(maxsize=_LINES_KEPT)
def _encoded_line(line: str) -> bytes:
    return quoted_printable(f"{line}\n")
