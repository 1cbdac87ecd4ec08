"""Subscripts outside of maths, as in `SL_2`, `Nb_3Cl_8` and `H_0`, but not in names of files or variables."""

import re
from collections.abc import Iterator

_ELEMENTS_LINE = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm "
    "Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po Rn Ra Ac Th Pa U Np Pu Am Cm D"
)
_ELEMENT = f"(?:{'|'.join(sorted(_ELEMENTS_LINE.split(), key=len, reverse=True))})"
_WORD = re.compile(r"\w+")
_CODE = re.compile(r"\\(?:texttt|code|verb|url|path)\s*\{[^{}]*\}|`[^`'\s]{1,40}`")
_LONGEST = 40
_CHEMICAL = re.compile(
    rf"(?![A-Z]{{4}})(?:{_ELEMENT}(?:_?\d{{1,2}}|_[xyn](?![a-z]))?)*?(?:{_ELEMENT}|^)_\d{{1,2}}"
    rf"(?:{_ELEMENT}(?:_?\d{{1,2}}|_[xyn](?![a-z]))?)*"
)
_GROUP = re.compile(
    r"(?:P?[SG]L|PG[SL]|PS[LOUp]|GSp|SU|SO|Sp|Spin|GO|GU|PU|PO|log|ln|HF|HH|CH|SH|MU|BP)_(?:\d{1,2}|[nNmkdqp])"
)
_LETTERS = re.compile(r"(?:[^\W\d_]_\d{1,2})+|[A-ZΑ-Ωα-ωℓℝℂℤℚℕ]_[^\W\d_]|[a-z]_[ijknmtxyzα-ω]")
_PART_OF_NAME = frozenset("./\\@#~^$&=?")
_NAME_AFTER = re.compile(r"[.:@]\w|\(\)|[/\\@#]")
_SCRIPT = re.compile(r"_(\d+|[^\W_])")


def subscripts(source: str) -> dict[int, int]:
    """The end of each subscript in `source`, by the place of the sign before it, which is not shown."""
    words = _WORD.finditer(_CODE.sub(lambda code: " " * len(code[0]), source))
    return {script.start(): script.end() for word in words for script in _scripts(source, word)}


def _scripts(source: str, word: re.Match[str]) -> Iterator[re.Match[str]]:
    name = word[0]
    if "_" not in name or len(name) > _LONGEST:
        return iter(())
    before = source[word.start() - 1 : word.start()] if word.start() else ""
    after = source[word.end() : word.end() + 2]
    is_chemical = _CHEMICAL.fullmatch(name) and (name[0] != "_" or before in (")", "]"))
    if is_chemical and len(name) > 3 and "/" in (before, after[:1]):
        before, after = before.strip("/"), after.strip("/")
    if before in _PART_OF_NAME or _NAME_AFTER.match(after):
        return iter(())
    if is_chemical or _GROUP.fullmatch(name) or _LETTERS.fullmatch(name):
        return _SCRIPT.finditer(source, word.start(), word.end())
    return iter(())
