"""Converts mailings to messages, many in a row: pieces that several of them share are made only once.

A paper is rendered and encoded in quoted-printable once, around the places for its keywords and its abstract.
Its keywords are encoded once for all papers that match the same ones, and an abstract once for all
subscribers for whom the same words are marked. The frame around the papers is rendered for each subscriber
and encoded line by line: most of its lines are the same for all. Texts of whole lines can be encoded
separately and joined (RFC 2045, section 6.7), so the bytes do not depend on earlier mailings.
"""

from binascii import a2b_qp
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import TypeAlias

from digest.mail.bounces import leave_address
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Rendered, SenderIdentity, join_message, quoted_printable
from digest.mail.rendering.highlight import matched_words
from digest.mail.rendering.renderer import Frame, Renderer
from digest.mail.rendering.size_budget import HTML_LIMIT, Level, levels
from digest.mail.rendering.templates import Cut
from digest.mail.transport import Outgoing
from digest.model.digest import Digest
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

_MORE_SIZE = 600
"""The most bytes that the HTML needs to say how many papers it does not name."""


_Encoded: TypeAlias = tuple[tuple[bytes, ...] | str, ...]
"""Pieces in quoted-printable; they alternate with the names of the places between them."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A paper as a subscriber gets it: its encoded pieces, and the size of the HTML in bytes."""

    text: tuple[bytes, ...]
    html: tuple[bytes, ...]
    size: int


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
        # Functions, not methods: a cached method would keep the writer and its caches alive long after use.
        sheet = lru_cache(maxsize=_PAPERS_KEPT)(partial(_encoded_paper, renderer))
        keywords = lru_cache(maxsize=_KEYWORDS_KEPT)(partial(_encoded_keywords, renderer))
        abstract = lru_cache(maxsize=_ABSTRACTS_KEPT)(partial(_encoded_abstract, renderer))
        shown = partial(_shown, sheet, keywords, abstract)
        self._whole = lru_cache(maxsize=_SHOWN_KEPT)(partial(shown, is_short=False))
        self._short = lru_cache(maxsize=_SMALL_KEPT)(partial(shown, is_short=True))
        self._line = lru_cache(maxsize=_SMALL_KEPT)(partial(_encoded_paper_line, renderer))

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
        whole = [self._whole(*entry) for entry in digest.entries]
        frame = self._frame(digest, links)
        around = _encoded_frame(frame.block.html)
        room = HTML_LIMIT - _size(around) - len(self._style[0])
        if sum([shown.size for shown in whole]) > room:
            return self._fitted(digest, links, room - _MORE_SIZE)
        return _Written(
            subject=frame.subject,
            text=_filled(
                _encoded_frame(frame.block.text), {"papers": _pieces([shown.text for shown in whole])}
            ),
            html=_filled(around, {"style": self._style, "papers": _pieces([shown.html for shown in whole])}),
        )

    def _fitted(self, digest: Digest, links: Links, room: int) -> _Written:
        """For more papers than fit into `room` bytes of the HTML.

        The text shows papers without a card as lines: spam filters distrust mails whose parts differ widely.
        """
        cards = [(self._whole(*entry), self._short(*entry)) for entry in digest.entries]
        lines = [self._line(*entry) for entry in digest.entries]
        sizes = [
            (whole.size, short.size, len(html))
            for (whole, short), (_, html) in zip(cards, lines, strict=True)
        ]
        found = levels(sizes, room)
        as_cards = [forms[level] for forms, level in zip(cards, found, strict=True) if level < Level.LINE]
        in_text = [text for (text, _), level in zip(lines, found, strict=True) if level >= Level.LINE]
        in_html = [html for (_, html), level in zip(lines, found, strict=True) if level is Level.LINE]
        frame = self._frame(
            digest,
            links,
            has_cards=bool(as_cards),
            has_lines=bool(in_html),
            counted=found.count(Level.COUNTED),
        )
        text = {"papers": _pieces([shown.text for shown in as_cards]), "lines": in_text}
        html = {
            "style": self._style,
            "papers": _pieces([shown.html for shown in as_cards]),
            "lines": in_html,
        }
        return _Written(
            subject=frame.subject,
            text=_filled(_encoded_frame(frame.block.text), text),
            html=_filled(_encoded_frame(frame.block.html), html),
        )

    def _frame(
        self,
        digest: Digest,
        links: Links,
        *,
        has_cards: bool = True,
        has_lines: bool = False,
        counted: int = 0,
    ) -> Frame:
        return self._renderer.frame(
            digest,
            sender_identity=self._letterhead,
            links=links,
            has_cards=has_cards and bool(digest.entries),
            has_lines=has_lines,
            counted=counted,
        )


def _encoded_keywords(renderer: Renderer, keywords: tuple[str, ...]) -> tuple[bytes, bytes]:
    lines = renderer.keywords(keywords)
    return quoted_printable(lines.text.filled()), quoted_printable(lines.html.filled())


def _encoded_paper(renderer: Renderer, paper: Paper, has_keywords: bool) -> tuple[_Encoded, _Encoded]:
    block = renderer.paper(paper, has_keywords=has_keywords)
    return _encoded(block.text), _encoded(block.html)


def _encoded_abstract(renderer: Renderer, paper: Paper, words: tuple[str, ...], is_short: bool) -> bytes:
    return quoted_printable(renderer.abstract(paper, words, is_short=is_short))


def _encoded_paper_line(renderer: Renderer, paper: Paper, keywords: tuple[str, ...]) -> tuple[bytes, bytes]:
    line = renderer.line(paper, keywords)
    return quoted_printable(line.text.filled()), quoted_printable(line.html.filled())


def _shown(
    encoded_paper: Callable[[Paper, bool], tuple[_Encoded, _Encoded]],
    encoded_keywords: Callable[[tuple[str, ...]], tuple[bytes, bytes]],
    encoded_abstract: Callable[[Paper, tuple[str, ...], bool], bytes],
    paper: Paper,
    keywords: tuple[str, ...],
    *,
    is_short: bool,
) -> _Shown:
    in_text, in_html = encoded_keywords(keywords) if keywords else (b"", b"")
    around_text, around_html = encoded_paper(paper, bool(keywords))
    abstract = encoded_abstract(paper, matched_words(paper, keywords), is_short)
    text = tuple(_filled(around_text, {"keywords": [in_text]}))
    html = tuple(_filled(around_html, {"keywords": [in_html], "abstract": [abstract]}))
    return _Shown(text, html, sum(map(len, html)))


def _pieces(blocks: Iterable[Iterable[bytes]]) -> list[bytes]:
    return list(chain.from_iterable(blocks))


def _filled(pieces: _Encoded, inner: Mapping[str, Sequence[bytes]]) -> list[bytes]:
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


def _size(encoded: _Encoded) -> int:
    return sum([sum(map(len, piece)) for piece in encoded if not isinstance(piece, str)])


@lru_cache(maxsize=_LINES_KEPT)
def _encoded_line(line: str) -> bytes:
    return quoted_printable(f"{line}\n")
