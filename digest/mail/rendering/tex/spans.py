"""Spans, the result of the conversion of TeX; also as plain text, with Unicode's super- and subscripts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Script(StrEnum):
    """The position of a span: on the line, raised or lowered."""

    NONE = "none"
    SUPER = "super"
    SUB = "sub"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one script, without markup."""

    text: str
    script: Script = Script.NONE


Spans = tuple[Span, ...]

_RAISED = str.maketrans(
    "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ∗",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ*",
)
_LOWERED = str.maketrans("0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ")
# These characters are raised by themselves.
_HIGH = frozenset("*†‡′″‴°®")
_SIGNS = {Script.SUPER: "^", Script.SUB: "_"}
_SMALL = frozenset(map(chr, (*_RAISED.values(), *_LOWERED.values()))) - {"*"}
_NEEDS_NO_BRACKETS = re.compile(r"[-+−]?[^\W_]+|[^\w\s]")


def joined(pieces: Iterable[Span]) -> Spans:
    """The same text, with adjacent spans of one script joined, and without empty spans."""
    runs: list[tuple[list[str], Script]] = []
    for piece in pieces:
        if not piece.text:
            continue
        if runs and runs[-1][1] is piece.script:
            runs[-1][0].append(piece.text)
        else:
            runs.append(([piece.text], piece.script))
    return tuple(Span("".join(texts), script) for texts, script in runs)


def as_text(pieces: Iterable[Span]) -> str:
    """`n²` and `x₁` if Unicode has all the characters, else `x^(n+1)` and `e^-t`."""
    spans = joined(pieces)
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
