"""Fractions and roots on one line: with brackets where the meaning would change without them."""

from digest.mail.rendering.tex.atoms import Atom, Kind
from digest.mail.rendering.tex.spacing import spaced
from digest.mail.rendering.tex.spans import Span, Spans, as_text

_SUMS = frozenset({Kind.RELATION, Kind.BINARY, Kind.LARGE, Kind.FRACTION, Kind.PUNCTUATION})


def fraction(above: list[Atom], below: list[Atom], *, is_close: bool) -> Atom:
    upper = bracketed(above, is_below=False, is_close=is_close)
    return Atom((*upper, Span("/"), *bracketed(below, is_below=True, is_close=is_close)), Kind.FRACTION)


def bracketed(atoms: list[Atom], *, is_below: bool, is_close: bool) -> Spans:
    """In brackets, if the meaning would change without them beside a fraction's bar or under a root."""
    spans = spaced(atoms, is_close=is_close)
    is_whole = len(atoms) == 1 and atoms[0].kind is not Kind.FRACTION
    is_one = is_whole and not _has_outer_blank(atoms[0].text.strip())
    is_differential = len(atoms) == 2 and atoms[0].text in ("d", "∂") and atoms[1].kind is Kind.PLAIN
    is_product = not _has_outer_blank(as_text(spans)) and not _SUMS & _outer_kinds(atoms)
    if not atoms or is_one or is_differential or (is_product and not is_below):
        return spans
    return (Span("("), *spans, Span(")"))


def _has_outer_blank(text: str) -> bool:
    """Whether there is a blank outside of brackets."""
    depth = 0
    for character in text:
        depth += (character in "([{⟨⌊⌈") - (character in ")]}⟩⌋⌉")
        if character == " " and depth <= 0:
            return True
    return False


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
