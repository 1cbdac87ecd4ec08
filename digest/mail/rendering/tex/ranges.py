"""Tells a range of numbers, as in `2-5` and `10^{-3}-10^{-1}`, from a difference."""

import re
from collections.abc import Sequence
from dataclasses import replace

from digest.mail.rendering.tex.atoms import Atom, Kind
from digest.mail.rendering.tex.spans import Script, Span

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_EXPONENT = re.compile(r"[-+−]?\d+")
_APART = frozenset({Kind.RELATION, Kind.PUNCTUATION, Kind.OPENING, Kind.CLOSING, Kind.BLANK})
_UNITS = ("%", "°", "′", "″", "σ")
_LARGEST_EXPONENT = 99


def with_ranges(atoms: Sequence[Atom]) -> Sequence[Atom]:
    """The atoms, with a dash between two numbers of which the first one is smaller, instead of a minus."""
    if not any(atom.text == "−" for atom in atoms):
        return atoms
    return [
        replace(atom, spans=(Span("–"),), kind=Kind.PLAIN, is_apart=False)
        if atom.text == "−" and _is_range(atoms, place)
        else replace(atom, is_apart=False)
        if place and atoms[place - 1].text == "−" and _is_range(atoms, place - 1)
        else atom
        for place, atom in enumerate(atoms)
    ]


def _is_range(atoms: Sequence[Atom], place: int) -> bool:
    if not 0 < place < len(atoms) - 1:
        return False
    first, last = _value(atoms[place - 1]), _value(atoms[place + 1])
    if first is None or last is None or first >= last:
        return False
    before = atoms[place - 2] if place > 1 else None
    after = atoms[place + 2] if place + 2 < len(atoms) else None
    is_product = after is not None and after.text in ("×", "·")
    is_unit = after is not None and (after.text in _UNITS or len(after.text.strip()) > 1)
    return (before is None or before.kind in _APART) and (
        after is None or after.kind in _APART or is_product or is_unit
    )


def _value(atom: Atom) -> float | None:
    """The value of a number, which may have an exponent; `None` for everything else."""
    if not atom.spans:
        return None
    base, *rest = atom.spans
    if base.script is not Script.NONE or not _NUMBER.fullmatch(base.text):
        return None
    number = float(base.text.replace(",", ""))
    if not rest:
        return number
    exponent = rest[0].text.replace("−", "-")
    if len(rest) > 1 or rest[0].script is not Script.SUPER or not _EXPONENT.fullmatch(exponent):
        return None
    power = int(exponent)
    return number**power if number and abs(power) <= _LARGEST_EXPONENT and number < 1e3 else None
