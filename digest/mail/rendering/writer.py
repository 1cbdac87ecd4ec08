"""Converts mailings to messages, many in a row: pieces that several of them share are made only once.

A paper's pieces are rendered and encoded in quoted-printable once for all subscribers for whom it looks the
same (`pieces`), with what its HTML takes of the reading budget. The frame around the papers is rendered for
each subscriber and encoded line by line (`encoding`): most of its lines are the same for all. The bytes do
not depend on earlier mailings.
"""

from binascii import a2b_qp
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Rendered, SenderIdentity, join_message, quoted_printable
from digest.mail.rendering.arrangement import Arrangement, PaperGroup, arrange
from digest.mail.rendering.encoding import (
    encoded_frame,
    encoded_html,
    filled,
    whole,
)
from digest.mail.rendering.frame import anchor, names_for
from digest.mail.rendering.judging import Address, OwnToken, split
from digest.mail.rendering.pieces import NO_PIECE, Forms, PaperWriter, Piece, piece_of
from digest.mail.rendering.reading_budget import (
    HTML_LIMIT,
    WORDS,
    Cost,
)
from digest.mail.rendering.renderer import (
    GroupHeading,
    Renderer,
    Summary,
)
from digest.mail.return_addresses import leave_address
from digest.mail.transport import Outgoing
from digest.model.digest import Digest, Entry, Group, Length, groups
from digest.storage.values import Mailing

_SHOWN_KEPT = 5_000
"""About 300 bytes each; they refer to pieces that several subscribers share."""

_SMALL_KEPT = 1_000
_KEYWORDS_KEPT = 2_000

_LATEST_KEPT = 100
"""About 12 KB each, for digests of 60 papers. Mails to the same keywords come one after another."""

_SUMMARY_COST = Cost(20, 400)
"""The most that it takes. What it says follows from what has room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    subject: str
    text: Sequence[bytes]
    html: Sequence[bytes]


@dataclass(slots=True)
class _Papers:
    """The papers of a digest, and how they were arranged last."""

    entries: tuple[Entry, ...]
    found: tuple[Group, ...]
    names: Mapping[str, str]
    groups: list[PaperGroup]
    arrangement: Arrangement | None = None


class _Latest:
    """The papers of the latest digest of those who have the same keywords."""

    def __init__(self, *_: object) -> None:
        self.papers: _Papers | None = None


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
        self._papers = PaperWriter(renderer)
        self._forms = lru_cache(maxsize=_SHOWN_KEPT)(partial(Forms, self._papers))
        self._latest = lru_cache(maxsize=_LATEST_KEPT)(_Latest)
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
        address, token = split(links.judging) if links.judging else (None, OwnToken(""))
        papers = self._papers_of(digest, links, address)
        frame = self._renderer.frame(
            digest, papers.found, papers.names, sender_identity=self._letterhead, links=links
        )
        text = encoded_frame(frame.block.text)
        html, around = encoded_html(frame.block.html)
        if not digest.entries:
            return _Written(subject=frame.subject, text=whole(text), html=filled(html, style=self._style))
        shown = self._arranged(papers, around, digest.length, links.online)
        return _Written(
            subject=frame.subject,
            text=filled(text, summary=self._summary(shown.in_text).text, papers=shown.text),
            html=filled(
                html,
                style=self._style,
                summary=self._summary(shown.in_html).html,
                papers=shown.html_for(token),
            ),
        )

    def _papers_of(self, digest: Digest, links: Links, address: Address | None) -> "_Papers":
        pages = links.keyword_pages or {}
        busiest = digest.outlook and digest.outlook.busiest
        latest = self._latest(
            digest.keywords, digest.names, digest.length, busiest, address, tuple(pages.items())
        )
        papers = latest.papers
        if papers is None or papers.entries != digest.entries:
            found, names = groups(digest), names_for(digest)
            built = self._groups(found, names, pages, address)
            papers = latest.papers = _Papers(digest.entries, found, names, built)
        return papers

    def _arranged(self, papers: "_Papers", around: Cost, length: Length, online: str | None) -> Arrangement:
        """`around` is what the frame takes."""
        room = Cost(
            WORDS[length] - around.words - _SUMMARY_COST.words,
            HTML_LIMIT - around.size - self._style_size - _SUMMARY_COST.size,
        )
        shown = papers.arrangement
        if shown is None or not shown.suits(around.words, room):
            shown = papers.arrangement = arrange(
                papers.groups, around.words, room, length, renderer=self._renderer, online=online
            )
        return shown

    def _groups(
        self,
        found: Sequence[Group],
        names: Mapping[str, str],
        pages: Mapping[str, str],
        address: Address | None,
    ) -> list[PaperGroup]:
        """The groups with the pieces of their papers. A group of its own has no heading."""
        level = 3 if len(found) > 1 else 2
        built = []
        for place, group in enumerate(found, start=1):
            piece = NO_PIECE
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
                    address,
                )
                for paper, keywords in group.entries
            ]
            built.append(PaperGroup(piece, papers))
        return built


def _summary(renderer: Renderer, summary: Summary) -> Piece:
    return piece_of(renderer.summary(summary))


def _heading(renderer: Renderer, heading: GroupHeading) -> Piece:
    return piece_of(renderer.group(heading))
