"""A paper's text for both parts of a mail: converted from TeX, with matched words marked."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from markupsafe import escape

from digest.mail.rendering.tex.convert import attempt, has_signs
from digest.mail.rendering.tex.spans import Script, Span, Style, as_text
from digest.mail.rendering.urls import addresses, linked

_TAGS = {Script.NONE: "", Script.SUPER: "sup", Script.SUB: "sub"}
_RIGHT_TO_LEFT = {"R", "AL"}
_CONVERTED_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class RichText:
    """TeX `source` that templates print by its name: plain in the text, with `<sup>` in the HTML.

    `is_literal`: it is shown as it is written. `is_linked`: web addresses are links in the HTML.
    """

    source: str
    is_literal: bool = False
    is_linked: bool = False

    def __str__(self) -> str:
        return self.source if self.is_literal else as_text(converted(self.source))

    def __html__(self) -> str:
        return (
            str(escape(self.source))
            if self.is_literal
            else to_html(converted(self.source), is_linked=self.is_linked)
        )

    @property
    def failure(self) -> str:
        """Why text that looks like TeX is shown as it is written; empty if it was converted."""
        return _converted_before(self.source)[1] if has_signs(self.source) and not self.is_literal else ""

    @property
    def is_right_to_left(self) -> bool:
        """Whether any of its letters runs from right to left."""
        return not self.source.isascii() and any(
            unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in self.source
        )


def converted(source: str) -> tuple[Span, ...]:
    """The pieces of `source`. Cached, because an abstract with TeX takes half a millisecond."""
    if has_signs(source):
        return _converted_before(source)[0]
    return (Span(source),) if source else ()


_converted_before = lru_cache(maxsize=_CONVERTED_KEPT)(attempt)


def joined(pieces: Iterable[Span]) -> str:
    """The text of the pieces, without their scripts."""
    return "".join(piece.text for piece in pieces)


def to_html(pieces: Sequence[Span], passages: Collection[str] = (), *, is_linked: bool = False) -> str:
    """HTML with every whole occurrence of `passages` in `<b>`, the element for key words in an abstract.

    With `is_linked`, web addresses are links.
    """
    marks = places(joined(pieces), passages) if passages else []
    if len(pieces) == 1 and not marks and not is_linked:
        return _tagged(pieces[0].style, _tagged(_TAGS[pieces[0].script], str(escape(pieces[0].text))))
    shown, start = [], 0
    for piece in pieces:
        html = _linked(piece.text, start, marks) if is_linked else _marked(piece.text, start, marks)
        shown.append((piece, html))
        start += len(piece.text)
    return _elements(shown)


def _elements(shown: Iterable[tuple[Span, str]]) -> str:
    """The HTML of the pieces in their elements; adjacent pieces of one style share its element."""
    scripts = [(script, list(pieces)) for script, pieces in groupby(shown, lambda one: one[0].script)]
    units: list[tuple[Style, str]] = []
    for script, pieces in scripts:
        styles = {piece.style for piece, _ in pieces}
        if script is Script.NONE:
            units += [(piece.style, html) for piece, html in pieces]
        elif len(styles) == 1:
            units.append((styles.pop(), _tagged(_TAGS[script], "".join([html for _, html in pieces]))))
        else:
            inner = "".join([_tagged(piece.style, html) for piece, html in pieces])
            units.append((Style.NONE, _tagged(_TAGS[script], inner)))
    return "".join(
        [
            _tagged(style, "".join([html for _, html in run]))
            for style, run in groupby(units, lambda unit: unit[0])
        ]
    )


def _linked(text: str, start: int, marks: Sequence[tuple[int, int]]) -> str:
    html, done = [], 0
    for first, last in addresses(text):
        html.append(_marked(text[done:first], start + done, marks))
        html.append(linked(text[first:last], _marked(text[first:last], start + first, marks)))
        done = last
    return "".join([*html, _marked(text[done:], start + done, marks)])


def cut(pieces: Iterable[Span], start: int, end: int) -> tuple[Span, ...]:
    """What is between two places of the joined text."""
    kept = []
    for piece in pieces:
        if end <= 0:
            break
        if start < len(piece.text):
            kept.append(replace(piece, text=piece.text[max(start, 0) : end]))
        start -= len(piece.text)
        end -= len(piece.text)
    return tuple(kept)


def places(text: str, passages: Iterable[str]) -> list[tuple[int, int]]:
    """Where `passages` occur in `text` as whole words; in order, without overlaps."""
    found = []
    for passage in filter(None, passages):
        start = text.find(passage)
        while start >= 0:
            end = start + len(passage)
            if not (text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum()):
                found.append((start, end))
            start = text.find(passage, end)
    apart: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if apart and start < apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1])
        else:
            apart.append((start, end))
    return apart


def _marked(text: str, start: int, marks: Sequence[tuple[int, int]]) -> str:
    """`text`, which begins at `start` of the whole text, escaped, with the `marks` inside it."""
    if not marks:
        return str(escape(text))
    html: list[str] = []
    done = 0
    for first, last in marks:
        a, b = max(first - start, 0), min(last - start, len(text))
        if a < b:
            html += (str(escape(text[done:a])), "<b>", str(escape(text[a:b])), "</b>")
            done = b
    return "".join((*html, str(escape(text[done:]))))


def _tagged(tag: str, html: str) -> str:
    return f"<{tag}>{html}</{tag}>" if tag else html
