"""Arranges the papers of a digest: how much each part of the mail shows of each paper, as encoded pieces."""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeAlias

from digest.mail.rendering.encoding import encoded_line, whole_lines
from digest.mail.rendering.frame import anchor
from digest.mail.rendering.judging import OwnToken
from digest.mail.rendering.pieces import Forms, Piece
from digest.mail.rendering.reading_budget import Cost, GroupCosts, Level, minutes, plan
from digest.mail.rendering.renderer import NUMBER, Renderer, Summary
from digest.model.digest import Length

_REST_COST = Cost(4, 200)
_MORE_COST = Cost(16, 1_400)
"""The most that each of these pieces takes. What they say follows from what has room."""

_MORE_TEXT = 1.6
"""The words of the text that are not in the HTML, for each word of the HTML."""


_Places: TypeAlias = Mapping[int, Sequence[int]]


class PaperGroup(NamedTuple):
    heading: Piece
    papers: Sequence[Forms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The pieces of all papers in both parts, and what the parts show of them.

    `tokens` are the places of `html` that are empty for the subscriber's token, by the place of a soft line
    break in it. Another mail with these papers has the same arrangement if as many `words` are around them,
    and if their room is from `least` to `most` bytes.
    """

    text: Sequence[bytes]
    html: Sequence[bytes]
    tokens: _Places
    in_text: Summary
    in_html: Summary
    words: int
    least: int
    most: int

    def suits(self, words: int, room: Cost) -> bool:
        return words == self.words and self.least <= room.size <= self.most

    def html_for(self, token: OwnToken) -> Sequence[bytes]:
        html = list(self.html)
        for soft_break, places in self.tokens.items():
            own = token[soft_break]
            for place in places:
                html[place] = own
        return html


def arrange(
    groups: Sequence[PaperGroup],
    words: int,
    room: Cost,
    length: Length,
    *,
    renderer: Renderer,
    online: str | None,
) -> Arrangement:
    """Arranges papers so that their HTML fits into `room`; `words` are around them.

    `online` is the digest on the web. If a paper is only counted, no other mail has the same arrangement.
    """
    arranging = _Arranging(groups, words, room, length, renderer, online)
    text, in_text = arranging.text()
    html, tokens = arranging.html()
    least, most = (1, 0) if arranging.counted else (arranging.plan.least, arranging.plan.most)
    return Arrangement(
        text=text,
        html=html,
        tokens=tokens,
        in_text=in_text,
        in_html=arranging.summary(words),
        words=words,
        least=least,
        most=most,
    )


class _Arranging:
    """The levels of the papers of one digest, and the pieces that follow.

    The text shows the same, and also names the papers that the HTML only counts: a paper is never dropped. If
    they are very many, the last ones are only addresses, or are counted if the web has them: spam filters
    distrust a mail whose text has three times the words of its HTML.
    """

    def __init__(
        self,
        groups: Sequence[PaperGroup],
        words: int,
        room: Cost,
        length: Length,
        renderer: Renderer,
        online: str | None,
    ) -> None:
        self._groups = groups
        self._words = words
        self._renderer = renderer
        self._online = online
        costs = [GroupCosts(group.heading.cost, group.papers) for group in groups]
        self.plan = plan(costs, room, length)
        if self._count():
            costs = [GroupCosts(one.heading.plus(_REST_COST), one.papers) for one in costs]
            self.plan = plan(costs, room.minus(_MORE_COST), length)
        self.counted = self._count()

    def _count(self) -> int:
        return sum([row.count(Level.COUNTED) for row in self.plan.levels])

    def summary(self, words: int) -> Summary:
        """`words` are those around the papers."""
        flat = list(chain.from_iterable(self.plan.levels))
        return Summary(
            whole=flat.count(Level.WHOLE),
            short=flat.count(Level.SHORT),
            titles=flat.count(Level.LINE),
            counted=flat.count(Level.COUNTED),
            minutes=minutes(words + self.plan.words),
        )

    def html(self) -> tuple[list[bytes], _Places]:
        pieces: list[bytes] = []
        tokens: defaultdict[int, array[int]] = defaultdict(partial(array, "I"))
        unnamed: list[str] = []
        for number, ((heading, papers), row) in enumerate(
            zip(self._groups, self.plan.levels, strict=True), start=1
        ):
            counted = row.count(Level.COUNTED)
            if counted == len(row):
                unnamed.append(anchor(number))
                continue
            pieces += heading.html
            for forms, level in zip(papers, row, strict=True):
                if level:
                    piece = forms[level]
                    done = len(pieces)
                    pieces += piece.html
                    for place, soft_break in piece.tokens:
                        tokens[soft_break].append(done + place)
            if counted:
                pieces += whole_lines(self._renderer.rest(counted))
        if self.counted:
            pieces += whole_lines(self._renderer.more(self.counted, self._online, unnamed).html)
        return pieces, tokens

    def text(self) -> tuple[list[bytes], Summary]:
        """The papers in the text, and what it shows of them."""
        pieces: list[bytes] = []
        number = left_out = addresses = more_words = 0
        room = int(_MORE_TEXT * (self._words + self.plan.words)) - self.counted
        for (heading, papers), row in zip(self._groups, self.plan.levels, strict=True):
            pieces += heading.text
            for forms, level in zip(papers, row, strict=True):
                number += 1
                piece = forms[level or Level.LINE]
                if not level:
                    room -= piece.cost.words
                    if room < 0 and self._online:
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
            pieces += whole_lines(self._renderer.more(left_out, self._online).text)
        shown = self.summary(self._words + more_words)
        titles = shown.titles + shown.counted - left_out - addresses
        return pieces, shown._replace(titles=titles, counted=left_out, addresses=addresses)
