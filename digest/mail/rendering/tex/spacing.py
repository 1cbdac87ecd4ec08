"""Blanks in maths: by TeX's rules around commands, else as they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from digest.mail.rendering.tex.atoms import ROW_END, Atom, Kind
from digest.mail.rendering.tex.ranges import with_ranges
from digest.mail.rendering.tex.spans import Script, Span, Spans, joined

_OPENING = frozenset("([{⟨⌈⌊⟦")
_CLOSING = frozenset(")]}⟩⌉⌋⟧!")
_BINARY = frozenset("+-−*×·±∓∘⊗⊕⊙⊖⊘∪∩∖∧∨⋆∗∙⋊⋉⊠⊞⊟÷⊔⊓≀⨿⊎⋄⋅")
_SUMS = frozenset("+−±∓")
_LARGE = frozenset("∑∏∫∮∯∬∭∐⋃⋂⨁⨂⋁⋀⨆")
_RELATION = (
    frozenset("=<>∝∣∤∥∦≔≕⊢⊨⊩⊥⟂⟸⟹⟺⟵⟶⟷⟼⩽⩾⪅⪆⪯⪰⫋⫌")
    | frozenset((":=",))
    | frozenset(
        chr(code)
        for block in (
            range(0x2190, 0x2200),
            range(0x2208, 0x220E),
            range(0x223C, 0x22A2),
            range(0x22B2, 0x22B6),
            range(0x22D4, 0x22EE),
        )
        for code in block
        if not {chr(code)} & (_BINARY | _LARGE)
    )
)
_BLANK = Span(" ")
_BLANK_ATOM = Atom((_BLANK,), Kind.BLANK)
_NO_ROW_END = frozenset({Kind.RELATION, Kind.BINARY, Kind.PUNCTUATION})
_OPERATORS = frozenset({Kind.RELATION, Kind.BINARY})
_ENDS_OPERAND = frozenset({Kind.PLAIN, Kind.CLOSING, Kind.FRACTION, Kind.FUNCTION})
_BEGINS_OPERAND = frozenset({Kind.PLAIN, Kind.OPENING, Kind.FRACTION, Kind.FUNCTION, Kind.LARGE, Kind.BINARY})


def kind_for(character: str) -> Kind:
    for kind, characters in (
        (Kind.OPENING, _OPENING),
        (Kind.CLOSING, _CLOSING),
        (Kind.RELATION, _RELATION),
        (Kind.BINARY, _BINARY),
        (Kind.LARGE, _LARGE),
    ):
        if character in characters:
            return kind
    return Kind.PUNCTUATION if character in ",;:" else Kind.PLAIN


def spaced(atoms: Sequence[Atom], *, is_close: bool = False) -> Spans:
    """The atoms in a row; with `is_close`, as in scripts, without blanks around operators."""
    atoms = with_ranges(_without_idle_blanks(atoms))
    pieces: list[Span] = []
    for atom, is_blank in zip(atoms, _blanks(atoms, is_close=is_close), strict=True):
        if is_blank:
            pieces.append(_BLANK)
        pieces.extend(atom.spans)
    return joined(single_blanks(pieces))


def _without_idle_blanks(atoms: Sequence[Atom]) -> Sequence[Atom]:
    """Without the blanks that only separate a bracket, a comma or a relation from its neighbour."""
    if ROW_END in atoms:
        atoms = _with_row_ends(atoms)
    if not any(atom.kind is Kind.BLANK for atom in atoms):
        return atoms
    atoms = [
        atom
        for place, atom in enumerate(atoms)
        if atom.kind is not Kind.BLANK or not place or atoms[place - 1].kind is not Kind.BLANK
    ]
    last = len(atoms) - 1
    return [
        atom
        for place, atom in enumerate(atoms)
        if atom.kind is not Kind.BLANK
        or not (
            (place and atoms[place - 1].kind is Kind.OPENING)
            or (place < last and atoms[place + 1].kind in (Kind.CLOSING, Kind.PUNCTUATION))
            or (0 < place < last and _are_sides_of_relation(atoms, place))
        )
    ]


def _are_sides_of_relation(atoms: Sequence[Atom], place: int) -> bool:
    """Whether the blank at `place` is between a relation and one of its two sides."""
    left, right = atoms[place - 1], atoms[place + 1]
    if right.kind is Kind.RELATION:
        return left.kind in _ENDS_OPERAND and place + 2 < len(atoms)
    return left.kind is Kind.RELATION and place > 1 and right.kind in _BEGINS_OPERAND


def _with_row_ends(atoms: Sequence[Atom]) -> Sequence[Atom]:
    """A blank instead of the end of a row beside a sign, a comma, or the end of all."""
    found: list[Atom] = []
    for place, atom in enumerate(atoms):
        if atom is ROW_END:
            before = next((one for one in reversed(found) if one.kind is not Kind.BLANK), None)
            after = next((one for one in atoms[place + 1 :] if one.kind is not Kind.BLANK), None)
            if before and after:
                found.append(_BLANK_ATOM if {before.kind, after.kind} & _NO_ROW_END else atom)
        else:
            found.append(atom)
    return found


def _blanks(atoms: Sequence[Atom], *, is_close: bool) -> list[bool]:
    """Whether a blank precedes each atom."""
    blanks = [False] * (len(atoms) + 1)
    after = _operands(atoms, _BEGINS_OPERAND, -1)
    before = _operands(atoms, _ENDS_OPERAND, 1)
    for place in range(1, len(atoms)):
        left, right = atoms[place - 1], atoms[place]
        if Kind.BLANK in (left.kind, right.kind) or left.kind is Kind.OPENING or right.kind is Kind.CLOSING:
            continue
        if left.kind in _OPERATORS:
            continue
        blanks[place] = _is_blank_between(left, right, is_close=is_close)
        if left.text == ":" and not is_close:
            blanks[place] |= _has_relation_beside(atoms, place - 1)
    for place, atom in enumerate(atoms):
        if atom.kind in _OPERATORS and before[place] and after[place]:
            blanks[place] = blanks[place + 1] = not is_close and _is_spaced(atoms, place)
    return blanks[: len(atoms)]


def _has_relation_beside(atoms: Sequence[Atom], colon: int) -> bool:
    """Whether a relation is on a side of the colon, in the same brackets: `f: X → Y`, but `[G:H]`."""
    for step in (-1, 1):
        depth = 0
        for atom in atoms[colon + step :: step] if colon + step >= 0 else ():
            opens, closes = (Kind.OPENING, Kind.CLOSING)[::step]
            depth += (atom.kind is opens) - (atom.kind is closes)
            if depth < 0 or atom.kind is Kind.PUNCTUATION:
                break
            if not depth and atom.kind is Kind.RELATION:
                return True
    return False


def _operands(atoms: Sequence[Atom], kinds: frozenset[Kind], step: int) -> list[bool]:
    """Whether each operator has an operand on its side: `step` 1 is the left side, -1 the right side."""
    found = [False] * len(atoms)
    is_operand = is_side = False
    for place in range(len(atoms))[::step]:
        kind = atoms[place].kind
        # Relations may be adjacent; an operand next to them counts for all of them.
        found[place] = is_side if kind is Kind.RELATION else is_operand
        if kind is Kind.RELATION:
            is_operand = False
        elif kind is not Kind.BLANK:
            is_operand = is_side = kind in kinds
    return found


def _is_spaced(atoms: Sequence[Atom], place: int) -> bool:
    """Whether blanks separate the operator from its two operands."""
    atom = atoms[place]
    neighbours = atoms[max(0, place - 1) : place + 2 : 2]
    if any(one.kind is Kind.BLANK for one in neighbours):
        return False
    is_apart = atom.is_apart or atoms[place + 1].is_apart
    if atom.kind is Kind.RELATION or atom.text in _SUMS:
        return True
    if not atom.is_named:
        return is_apart
    is_product = atoms[place - 1].text[-1:].isdecimal() and atoms[place + 1].text[:1].isdecimal()
    return atom.is_apart or not is_product


def _is_blank_between(left: Atom, right: Atom, *, is_close: bool) -> bool:
    if right.kind is Kind.PUNCTUATION:
        return False
    if left.kind is Kind.PUNCTUATION:
        return not is_close and (right.is_apart or left.is_named)
    if Kind.LARGE in (left.kind, right.kind):
        return not is_close and (left.kind is not right.kind or len(left.spans) > 1)
    if Kind.FUNCTION in (left.kind, right.kind) and _ends_word(left) and _begins_word(right):
        return True
    if left.kind is Kind.FRACTION and (right.kind is Kind.OPENING or _begins_word(right)):
        return True
    if right.kind is Kind.FRACTION and _ends_word(left):
        return True
    return right.is_apart and not is_close


def _ends_word(atom: Atom) -> bool:
    return atom.text[-1:].isalnum() or atom.text[-1:] in _CLOSING


def _begins_word(atom: Atom) -> bool:
    return atom.text[:1].isalnum() or atom.text[:1] in ("√", "∂", "∇", "#")


def single_blanks(pieces: Iterable[Span]) -> Iterable[Span]:
    """The spans without a blank after another one."""
    is_after_blank = False
    for piece in pieces:
        text = piece.text.lstrip(" ") if is_after_blank and piece.script is Script.NONE else piece.text
        if text:
            is_after_blank = text.endswith(" ")
            yield piece if text == piece.text else replace(piece, text=text)
