"""Letters in TeX's alphabets and under its accents, as the characters that Unicode has for them."""

import unicodedata
from enum import StrEnum
from functools import lru_cache

from digest.sources.arxiv.tex_to_unicode import UNDOTTED, composed


class Alphabet(StrEnum):
    """An alphabet whose letters differ in meaning from the plain ones; with Unicode's name."""

    SCRIPT = "SCRIPT"
    DOUBLE_STRUCK = "DOUBLE-STRUCK"
    FRAKTUR = "FRAKTUR"
    BOLD = "BOLD"
    UPRIGHT = "UPRIGHT"
    """The plain letters, but not as variables."""


MARKS = {
    "grave": "\u0300", "acute": "\u0301", "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303",
    "widetilde": "\u0303", "bar": "\u0304", "overline": "\u0305", "breve": "\u0306", "dot": "\u0307",
    "ddot": "\u0308", "mathring": "\u030a", "check": "\u030c", "underline": "\u0332", "vec": "\u20d7",
    "overrightarrow": "\u20d7", "overleftarrow": "\u20d6", "dddot": "\u20db", "widecheck": "\u030c",
    "underbar": "\u0332", "overleftharpoon": "\u20d0", "overrightharpoon": "\u20d1", "wideparen": "\u0311",
    "overleftrightarrow": "\u20e1", "underleftarrow": "\u20ee", "underrightarrow": "\u20ef", "va": "\u20d7",
    "underleftrightarrow": "\u034d", "ddddot": "\u20dc", "utilde": "\u0330", "widebar": "\u0305",
    "vu": "\u0302", "slashed": "\u0338",
}  # fmt: skip
"""The combining marks of TeX's accents in maths."""


def accented(letter: str, sign: str) -> str | None:
    r"""The one character for `\"o` and similar; `None` if Unicode has none."""
    whole = composed(letter, sign)
    return whole if len(whole) == 1 else None


def marked(text: str, mark: str, *, has_letters: bool) -> str:
    """`text` with the mark on each letter and digit, or on every character if the whole has neither."""
    return unicodedata.normalize(
        "NFC",
        "".join(
            UNDOTTED.get(character, character) + mark
            if character.isalnum() or not (has_letters or character.isspace())
            else character
            for character in text
        ),
    )


@lru_cache(maxsize=1024)
def in_alphabet(character: str, alphabet: Alphabet) -> str:
    """The letter or digit in that alphabet; unchanged if Unicode has none."""
    if alphabet is Alphabet.UPRIGHT:
        return character
    name = unicodedata.name(character, "").replace("LATIN ", "").replace("GREEK ", "").replace("LETTER ", "")
    older = "BLACK-LETTER" if alphabet is Alphabet.FRAKTUR else alphabet.value
    for wanted in (f"MATHEMATICAL {alphabet} {name}", f"{older} {name}"):
        try:
            return unicodedata.lookup(wanted)
        except KeyError:
            continue
    return character
