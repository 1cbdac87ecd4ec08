r"""TeX becomes text that reads: `$\mathcal{O}(n^2)$` is 𝒪(n²), `Erd\H{o}s` is Erdős.

Titles, abstracts, comments and names come from arXiv as their authors typed them, between plain text and
TeX. Letters and digits all survive: what cannot be converted is shown as it is written.
"""

from digest.mail.rendering.tex import prose
from digest.mail.rendering.tex.spans import Script, Span, as_text

__all__ = ["Script", "Span", "attempt", "has_signs", "plain", "spans"]


def has_signs(source: str) -> bool:
    """Whether anything in `source` may be TeX. Most texts have nothing, and are one piece at once."""
    return prose.has_signs(source)


def spans(source: str) -> tuple[Span, ...]:
    """The pieces of `source` in their order, on the line, raised or lowered; no markup, no empty piece.

    Neighbours differ in script. Never raises; the time it takes grows as the length of `source`.
    """
    return attempt(source)[0]


def attempt(source: str) -> tuple[tuple[Span, ...], str]:
    """As `spans`, with the cause where the conversion failed and `source` is one piece, as it is written."""
    try:
        pieces = prose.converted(source)
        as_text(pieces)
    except Exception as error:  # strangers write the texts: none of them stops a mail or a page
        return ((Span(source),) if source else ()), f"{type(error).__name__}: {error}"
    return pieces, ""


def plain(source: str) -> str:
    """The same as plain text: `n²` and `x₁` where Unicode has the characters, else `x^(n+1)` and `e^-t`."""
    return as_text(spans(source))
