"""Spans, the result of the conversion of TeX; also as plain text, with Unicode's super- and subscripts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby


class Script(StrEnum):
    """The position of a span: on the line, raised or lowered."""

    NONE = "none"
    SUPER = "super"
    SUB = "sub"


class Style(StrEnum):
    """How a span looks in HTML, by the name of its element: a variable, emphasised or strong words."""

    NONE = ""
    VARIABLE = "i"
    EMPHASIS = "em"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one script and style, without markup."""

    text: str
    script: Script = Script.NONE
    style: Style = Style.NONE


Spans = tuple[Span, ...]

_RAISED = str.maketrans(
    "0123456789+-−–=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ∗",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ*",
)
_LOWERED = str.maketrans("0123456789+-−–=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ")
# These characters are raised by themselves.
_HIGH = frozenset("*†‡′″‴°®")
_SIGNS = {Script.SUPER: "^", Script.SUB: "_"}
_SMALL = frozenset(map(chr, (*_RAISED.values(), *_LOWERED.values()))) - {"*"}
_NEEDS_NO_BRACKETS = re.compile(r"[-+−]?[^\W_]+|[^\w\s]")


def joined(pieces: Iterable[Span]) -> Spans:
    """The same text, with adjacent spans of one script and style joined, and without empty spans."""
    runs: list[tuple[list[str], Span]] = []
    for piece in pieces:
        if not piece.text:
            continue
        if runs and runs[-1][1].script is piece.script and runs[-1][1].style is piece.style:
            runs[-1][0].append(piece.text)
        else:
            runs.append(([piece.text], piece))
    return tuple([one if len(texts) == 1 else replace(one, text="".join(texts)) for texts, one in runs])


def styled(pieces: Iterable[Span], style: Style) -> Spans:
    """The spans in `style`, except for those that have a style."""
    return tuple([replace(piece, style=style) if piece.style is Style.NONE else piece for piece in pieces])


def hung(pieces: Iterable[Span], script: Script) -> Spans:
    """The spans as one script; scripts within it are as in plain text."""
    found: list[Span] = []
    groups = [(inner, tuple(spans)) for inner, spans in groupby(pieces, lambda piece: piece.script)]
    for place, (inner, spans) in enumerate(groups):
        if inner is Script.NONE:
            found += [replace(span, script=script) for span in spans]
        else:
            after = groups[place + 1] if place + 1 < len(groups) else None
            following = after[1][0].text[:1] if after and after[0] is Script.NONE else ""
            text = _plain(Span("".join([span.text for span in spans]), inner), following)
            found.append(Span(text, script, spans[0].style))
    return joined(found)


def as_text(pieces: Iterable[Span]) -> str:
    """`n²` and `x₁` if Unicode has all the characters, else `x^(n+1)` and `e^-t`."""
    spans = joined([Span(piece.text, piece.script) for piece in pieces])
    following = [*(span.text[0] if span.script is Script.NONE else "" for span in spans[1:]), ""]
    return "".join(map(_plain, spans, following))


def _plain(span: Span, following: str) -> str:
    if span.script is Script.NONE:
        return span.text
    table = _RAISED if span.script is Script.SUPER else _LOWERED
    if span.script is Script.SUPER and _HIGH.issuperset(span.text):
        return span.text
    if all(ord(character) in table for character in span.text):
        return span.text.translate(table)
    is_one = _NEEDS_NO_BRACKETS.fullmatch(span.text) and _SMALL.isdisjoint(span.text)
    is_clear = is_one and not (span.text.isalnum() and following.isalnum())
    return f"{_SIGNS[span.script]}{span.text}" if is_clear else f"{_SIGNS[span.script]}({span.text})"
