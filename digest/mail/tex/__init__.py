r"""TeX becomes text that reads: `$\mathcal{O}(n^2)$` is 𝒪(n²), `Erd\H{o}s` is Erdős.

Titles, abstracts, comments and names come from arXiv as their authors typed them, between plain text and
TeX. Letters and digits all survive: what cannot be converted is shown as it is written.
"""

from digest.mail.tex import prose
from digest.mail.tex.pieces import Script, Span, as_text

__all__ = ["Script", "Span", "has_signs", "plain", "spans"]


def has_signs(source: str) -> bool:
    """Whether anything in `source` may be TeX. Most texts have nothing, and are one piece at once."""
    return prose.has_signs(source)


def spans(source: str) -> tuple[Span, ...]:
    """The pieces of `source` in their order, on the line, raised or lowered; no markup, no empty piece.

    Neighbours differ in script. Never raises; the time it takes grows as the length of `source`.
    """
    try:
        return prose.converted(source)
    except RecursionError:
        return (Span(source),)


def plain(source: str) -> str:
    """The same as plain text: `n²` and `x₁` where Unicode has the characters, else `x^(n+1)` and `e^-t`."""
    return as_text(spans(source))
