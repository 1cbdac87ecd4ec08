"""Fractions and roots on one line: with brackets where the meaning would change without them."""

from digest.mail.rendering.tex.atoms import Atom, Kind
from digest.mail.rendering.tex.spacing import spaced
from digest.mail.rendering.tex.spans import Span, Spans, as_text

_SUMS = frozenset({Kind.RELATION, Kind.BINARY, Kind.LARGE, Kind.FRACTION, Kind.PUNCTUATION})


def fraction(above: list[Atom], below: list[Atom]) -> Atom:
    spans = (*bracketed(above, is_below=False), Span("/"), *bracketed(below, is_below=True))
    return Atom(spans, Kind.FRACTION)


def bracketed(atoms: list[Atom], *, is_below: bool) -> Spans:
    """In brackets, if the meaning would change without them beside a fraction's bar or under a root."""
    spans = spaced(atoms)
    is_one = len(atoms) == 1 and atoms[0].kind is not Kind.FRACTION and " " not in atoms[0].text.strip()
    is_differential = len(atoms) == 2 and atoms[0].text in ("d", "∂") and atoms[1].kind is Kind.PLAIN
    is_product = " " not in as_text(spans) and not _SUMS & _outer_kinds(atoms)
    if not atoms or is_one or is_differential or (is_product and not is_below):
        return spans
    return (Span("("), *spans, Span(")"))


def _outer_kinds(atoms: list[Atom]) -> set[Kind]:
    """The kinds of the atoms outside of brackets."""
    depth = 0
    kinds: set[Kind] = set()
    for atom in atoms:
        depth -= atom.kind is Kind.CLOSING
        if depth <= 0:
            kinds.add(atom.kind)
        depth += atom.kind is Kind.OPENING
    return kinds
