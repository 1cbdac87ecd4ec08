r"""Converts TeX to readable text: `$\mathcal{O}(n^2)$` is 𝒪(n²), `Erd\H{o}s` is Erdős.

arXiv gives titles, abstracts, comments and names as their authors typed them, in a mixture of plain text and
TeX. No letter or digit is lost: TeX that cannot be converted is shown as it is written.
"""

from digest.mail.rendering.tex import prose
from digest.mail.rendering.tex.spans import Script, Span, as_text

__all__ = ["Script", "Span", "attempt", "has_signs", "plain", "spans"]


def has_signs(source: str) -> bool:
    """Whether `source` may contain TeX. Most texts have none, and are one piece at once."""
    return prose.has_signs(source)


def spans(source: str) -> tuple[Span, ...]:
    """The pieces of `source` in their order, on the line, raised or lowered; no markup, no empty piece.

    Adjacent pieces differ in script. Never raises; the time is linear in the length of `source`.
    """
    return attempt(source)[0]


def attempt(source: str) -> tuple[tuple[Span, ...], str]:
    """As `spans`, with the cause if the conversion failed and `source` is one piece, as it is written."""
    try:
        pieces = prose.converted(source)
        as_text(pieces)
    except Exception as error:  # no text of an author may stop a mail or a page
        return ((Span(source),) if source else ()), f"{type(error).__name__}: {error}"
    return pieces, ""


def plain(source: str) -> str:
    """The same as plain text: `n²` and `x₁` if Unicode has the characters, else `x^(n+1)` and `e^-t`."""
    return as_text(spans(source))
