"""From mailings to messages, many in a row: what several of them share is rendered and encoded once.

A paper is rendered and put into quoted-printable once, around the places for its keywords and its abstract.
The keywords are so once for all papers that match the same ones, and an abstract once for all readers whose
same keywords are marked in it. The frame around the papers is rendered for each reader and encoded line by
line: most of its lines are everybody's. Texts of whole lines can be encoded apart and joined (RFC 2045,
section 6.7), so the bytes do not depend on what was written before.
"""

from binascii import a2b_qp
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import NamedTuple

from digest.digests import Digest
from digest.mail import Outgoing
from digest.mail.fitting import HTML_LIMIT, Level, levels
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Letterhead, Rendered, join_message, quoted_printable
from digest.mail.rendering import Frame, Renderer
from digest.mail.templates import Cut
from digest.papers import Paper
from digest.store import Mailing

_PAPERS_KEPT = 2_000
"""About 4 KB each, encoded: 8 MB."""

_ABSTRACTS_KEPT = 16_000
"""About 1.5 KB each: 24 MB."""

_SMALL_KEPT = 1_000
_KEYWORDS_KEPT = 8_000
_LINES_KEPT = 4_000

_MORE_SIZE = 600
"""What the HTML takes to say how many papers it does not name, at most."""


class _Sheet(NamedTuple):
    """A paper's encoded block, in turn with the names of what stands between its pieces."""

    text: Sequence[bytes | str]
    html: Sequence[bytes | str]


@dataclass(frozen=True, slots=True)
class _Shown:
    """A paper as a reader gets it: its encoded pieces, and the bytes of the HTML."""

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
    """Builds messages by one set of templates. Several threads may use it at once.

    `links` tells where a mailing leads on the web; it must give the same each time.
    """

    def __init__(
        self, renderer: Renderer, letterhead: Letterhead, links: Callable[[Mailing], Links] = _no_links
    ) -> None:
        self._renderer = renderer
        self._letterhead = letterhead
        self._links = links
        # Of functions, not of its own methods: those would hold the writer, and what is kept, long after use.
        sheet = lru_cache(maxsize=_PAPERS_KEPT)(partial(_encoded_paper, renderer))
        kept = lru_cache(maxsize=_KEYWORDS_KEPT)(partial(_encoded_keywords, renderer))
        shown = partial(_shown, renderer, sheet, kept)
        self._whole = lru_cache(maxsize=_ABSTRACTS_KEPT)(partial(shown, is_short=False))
        self._short = lru_cache(maxsize=_SMALL_KEPT)(partial(shown, is_short=True))
        self._line = lru_cache(maxsize=_SMALL_KEPT)(partial(_encoded_paper_line, renderer))

    def write(self, mailing: Mailing) -> Outgoing:
        """The message of a mailing. Raises `Unwritable` where a template does not fit it."""
        digest, links = mailing.digest, self._links(mailing)
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
            sender=self._letterhead.sender, recipient=digest.email, message=message, token=mailing.token
        )

    def rendered(self, digest: Digest, links: Links = NO_LINKS) -> Rendered:
        """What a message shows, as it is before it is encoded. Raises as `write` does."""
        written = self._written(digest, links)
        text, html = (
            a2b_qp(b"".join(part)).decode().replace("\r\n", "\n") for part in (written.text, written.html)
        )
        return Rendered(subject=written.subject, text=text, html=html)

    def _written(self, digest: Digest, links: Links) -> _Written:
        whole = [self._whole(entry.paper, entry.keywords) for entry in digest.entries]
        frame = self._frame(digest, links)
        around = _encoded_frame(frame.block.html)
        room = HTML_LIMIT - sum(map(len, around))
        if sum([shown.size for shown in whole]) <= room:
            html = _filled(around, {"papers": _pieces(shown.html for shown in whole)})
        else:
            html = self._fitted(digest, links, room - _MORE_SIZE)
        text = _filled(_encoded_frame(frame.block.text), {"papers": _pieces(shown.text for shown in whole)})
        return _Written(subject=frame.subject, text=text, html=html)

    def _fitted(self, digest: Digest, links: Links, room: int) -> list[bytes]:
        """The HTML of more papers than fit into `room` as they are."""
        papers = [(entry.paper, entry.keywords) for entry in digest.entries]
        cards = [(self._whole(*paper), self._short(*paper)) for paper in papers]
        lines = [self._line(*paper) for paper in papers]
        sizes = [
            (whole.size, short.size, len(line)) for (whole, short), line in zip(cards, lines, strict=True)
        ]
        found = levels(sizes, room)
        as_cards = [forms[level] for forms, level in zip(cards, found, strict=True) if level < Level.LINE]
        as_lines = [line for line, level in zip(lines, found, strict=True) if level is Level.LINE]
        frame = self._frame(
            digest,
            links,
            has_cards=bool(as_cards),
            has_lines=bool(as_lines),
            counted=found.count(Level.COUNTED),
        )
        inner = {"papers": _pieces(shown.html for shown in as_cards), "lines": as_lines}
        return _filled(_encoded_frame(frame.block.html), inner)

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
            letterhead=self._letterhead,
            links=links,
            has_cards=has_cards and bool(digest.entries),
            has_lines=has_lines,
            counted=counted,
        )


def _encoded_keywords(renderer: Renderer, keywords: tuple[str, ...]) -> tuple[bytes, bytes]:
    lines = renderer.keywords(keywords)
    return quoted_printable(lines.text.filled()), quoted_printable(lines.html.filled())


def _encoded_paper(renderer: Renderer, paper: Paper, has_keywords: bool) -> _Sheet:
    block = renderer.paper(paper, has_keywords=has_keywords)
    return _Sheet(_encoded(block.text), _encoded(block.html))


def _shown(
    renderer: Renderer,
    sheet: Callable[[Paper, bool], _Sheet],
    kept: Callable[[tuple[str, ...]], tuple[bytes, bytes]],
    paper: Paper,
    keywords: tuple[str, ...],
    *,
    is_short: bool,
) -> _Shown:
    own = sheet(paper, bool(keywords))
    in_text, in_html = kept(keywords) if keywords else (b"", b"")
    abstract = quoted_printable(renderer.abstract(paper, keywords, is_short=is_short))
    html = tuple(_filled(own.html, {"keywords": [in_html], "abstract": [abstract]}))
    text = tuple(_filled(own.text, {"keywords": [in_text]}))
    return _Shown(text, html, sum(map(len, html)))


def _encoded_paper_line(renderer: Renderer, paper: Paper, keywords: tuple[str, ...]) -> bytes:
    return quoted_printable(renderer.line(paper, keywords))


def _pieces(blocks: Iterable[Iterable[bytes]]) -> list[bytes]:
    return list(chain.from_iterable(blocks))


def _filled(pieces: Sequence[bytes | str], inner: dict[str, list[bytes]]) -> list[bytes]:
    """`pieces` with what stands at each place that is named among them."""
    filled: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, str):
            filled += inner[piece]
        else:
            filled.append(piece)
    return filled


def _encoded(cut: Cut) -> tuple[bytes | str, ...]:
    return tuple(piece if number % 2 else quoted_printable(piece) for number, piece in enumerate(cut.pieces))


def _encoded_frame(cut: Cut) -> list[bytes | str]:
    """Encoded line by line."""
    encoded: list[bytes | str] = []
    for number, piece in enumerate(cut.pieces):
        if number % 2:
            encoded.append(piece)
        else:
            encoded += _encoded_lines(piece)
    return encoded


def _encoded_lines(text: str) -> Iterable[bytes]:
    """Each line encoded, with its line end; `text` ends in one or is empty."""
    return map(_encoded_line, text.split("\n")[:-1])


@lru_cache(maxsize=_LINES_KEPT)
def _encoded_line(line: str) -> bytes:
    return quoted_printable(f"{line}\n")
