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
from itertools import chain
from typing import NamedTuple

from digest.mail.bounces import leave_address
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Rendered, SenderIdentity, join_message, quoted_printable
from digest.mail.rendering.encoding import (
    encoded_frame,
    encoded_html,
    encoded_line,
    filled,
    whole,
    whole_lines,
)
from digest.mail.rendering.frame import anchor, names_for
from digest.mail.rendering.judging import Address, OwnToken, split
from digest.mail.rendering.pieces import NO_PIECE, Forms, PaperWriter, Piece, piece_of
from digest.mail.rendering.reading_budget import (
    HTML_LIMIT,
    WORDS,
    Cost,
    GroupCosts,
    Level,
    minutes,
    plan,
)
from digest.mail.rendering.renderer import (
    NUMBER,
    GroupHeading,
    Renderer,
    Summary,
)
from digest.mail.transport import Outgoing
from digest.model.digest import Digest, Group, Length, groups
from digest.storage.values import Mailing

_SHOWN_KEPT = 5_000
"""About 300 bytes each; they refer to pieces that several subscribers share."""

_SMALL_KEPT = 1_000
_KEYWORDS_KEPT = 2_000

_REST_COST = Cost(4, 200)
_MORE_COST = Cost(16, 1_400)
_SUMMARY_COST = Cost(20, 400)
"""The most that each of these pieces takes. What they say follows from what has room."""

_MORE_TEXT = 1.6
"""The words of the text that are not in the HTML, for each word of the HTML."""


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
        self._papers = PaperWriter(renderer)
        self._forms = lru_cache(maxsize=_SHOWN_KEPT)(partial(Forms, self._papers))
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
        text = encoded_frame(frame.block.text)
        html, around = encoded_html(frame.block.html)
        if not digest.entries:
            return _Written(subject=frame.subject, text=whole(text), html=filled(html, style=self._style))
        room = Cost(
            WORDS[digest.length] - around.words - _SUMMARY_COST.words,
            HTML_LIMIT - around.size - self._style_size - _SUMMARY_COST.size,
        )
        address, token = split(links.judging) if links.judging else (None, OwnToken(""))
        shown = _Shown(self._groups(found, names, links, address), room, digest.length)
        text_papers, in_text = shown.text(self._renderer, around.words, links)
        in_html = shown.summary(around.words)
        return _Written(
            subject=frame.subject,
            text=filled(text, summary=self._summary(in_text).text, papers=text_papers),
            html=filled(
                html,
                style=self._style,
                summary=self._summary(in_html).html,
                papers=shown.html(self._renderer, links, token),
            ),
        )

    def _groups(
        self, found: Sequence[Group], names: Mapping[str, str], links: Links, address: Address | None
    ) -> list["_Group"]:
        """The groups with the pieces of their papers. A group of its own has no heading."""
        level = 3 if len(found) > 1 else 2
        pages = links.keyword_pages or {}
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
            built.append(_Group(piece, papers))
        return built


class _Group(NamedTuple):
    heading: Piece
    papers: Sequence[Forms]


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

    def html(self, renderer: Renderer, links: Links, token: OwnToken) -> list[bytes]:
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
                    piece = forms[level]
                    pieces += piece.html
                    for part, soft_break in piece.judging:
                        pieces += (part, token[soft_break])
                    pieces += piece.after_judging
            if counted:
                pieces += whole_lines(renderer.rest(counted))
        return [*pieces, *(whole_lines(renderer.more(total, links.online, unnamed).html) if total else ())]

    def text(self, renderer: Renderer, words: int, links: Links) -> tuple[list[bytes], Summary]:
        """The papers in the text, and what it shows of them.

        `words` are those of the HTML around the papers.
        """
        pieces: list[bytes] = []
        number = left_out = addresses = more_words = 0
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
                        addresses += 1
                        pieces.append(forms.address())
                        continue
                    more_words += piece.cost.words
                if piece.first_line:
                    pieces.append(encoded_line(piece.first_line.replace(NUMBER, f"{number:>3}")))
                elif piece.is_numbered:
                    pieces.append(b"%3d" % number)
                pieces += piece.text
        if left_out:
            pieces += whole(encoded_frame(renderer.more(left_out, links.online).text))
        shown = self.summary(words + more_words)
        unnamed = left_out + addresses
        return pieces, shown._replace(titles=shown.titles + shown.counted - unnamed, counted=unnamed)


def _summary(renderer: Renderer, summary: Summary) -> Piece:
    return piece_of(renderer.summary(summary))


def _heading(renderer: Renderer, heading: GroupHeading) -> Piece:
    return piece_of(renderer.group(heading))
