r"""Converts text as authors typed it (`Schr\"odinger`, `\rho (x)`) to the Unicode of arXiv's search API.

OAI-PMH gives titles, abstracts, comments and references as authors typed them; the search API and the daily
feeds give them in Unicode. A paper must have one text in all sources: otherwise the matching keywords would
depend on the source. The rules are those of arXiv's `tex2utf` (https://github.com/arXiv/arxiv-base,
arxiv/util/tex2utf.py), including its peculiarities: a blank after a command belongs to it, `\'g` becomes `g`
because the table has no such letter, and `{{x}}` loses one pair of braces. All other TeX stays: `$`, `~`,
`\&`, `\frac`.

There are three differences, because arXiv's API differs (61,405 texts of June 2026):

- `\phi` is φ (U+03C6), and `\varphi` stays. `tex2utf` has ϕ (U+03D5) and φ. The API's texts contain φ 100
  times, ϕ never, and `\varphi` 48 times.
- `\'\i` and `\'{\i}` are í. `tex2utf` has a misprint there and gives `\'ı`, which none of the API's texts
  contains; 103 contain í.
- `\upsion` stays. It is the misspelling of `\upsilon` in `tex2utf`, so `\upsilon` stays as well, there and
  here.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import partial

ACCENTS: Mapping[str, str] = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331",
}  # fmt: skip
"""The combining marks of TeX's accents, by the character after the backslash."""

UNDOTTED: Mapping[str, str] = {"ı": "i", "ȷ": "j"}
"""TeX removes the dot from a letter with an accent; Unicode does not."""

# The letters that arXiv converts with each accent.
_ACCENTED = {
    "`": "AEIOUaeiou", "'": "ACEILNORSUYZaceilnorsuyz", "^": "ACEGHIJOSUWYaceghijosuwy", "~": "AINOUainou",
    "=": "AEIOUYaeiouy", ".": "ACEGIOZacegoz", '"': "AEIOUYaeiouy", "H": "OUou", "c": "CEGKLNRSTcegklnrst",
    "k": "AEIOUaeiou", "r": "AUau", "u": "AEGIOUaegiou", "v": "ACDEGHIKLNORSTUZacdeghiklnorstuz",
}  # fmt: skip

_LETTERS = {
    "AA": "Å", "AE": "Æ", "DH": "Ð", "DJ": "Đ", "ETH": "Ð", "L": "Ł", "NG": "Ŋ", "O": "Ø", "OE": "Œ",
    "TH": "Þ", "aa": "å", "ae": "æ", "dh": "ð", "dj": "đ", "eth": "ð", "i": "ı", "l": "ł", "ng": "ŋ",
    "o": "ø", "oe": "œ", "ss": "ß", "th": "þ",
}  # fmt: skip
GREEK: Mapping[str, str] = {
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "alpha": "α", "beta": "β", "gamma": "γ",
    "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "omicron": "ο", "pi": "π", "rho": "ρ", "varsigma": "ς",
    "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
"""The letters of TeX's commands for Greek."""

_SIGNS = {
    "P": "¶", "S": "§", "copyright": "©", "guillemotleft": "«", "guillemotright": "»", "pounds": "£",
    "dag": "†", "ddag": "‡", "div": "÷", "deg": "°",
}  # fmt: skip


def _named(table: Mapping[str, str]) -> re.Pattern[str]:
    r"""The commands of `table`, each with its end: `{\o}`, `\o{}`, `\o` before a blank or before `\ `."""
    names = "|".join(table)
    return re.compile(rf"\{{\\({names})\}}|\\({names})(?![^\W_])(?: |\{{\}}|\\(?= ))?")


# One kind after the other: in `\alpha\ae`, the letter from `\ae` becomes a part of a longer name.
_NAMED = tuple((_named(table), table) for table in (_LETTERS, GREEK, _SIGNS))
_DOTLESS_J = re.compile(r"\{\\j\}|\\j\s")
_DOUBLE_BRACES = re.compile(r"\{{2,}")
_UP_TO_BRACES = re.compile(r"([^}]+)(\}*)")
_SIGN_FORMS = (re.compile(r"""\\([`'^"~=.])([A-Za-zı])"""), re.compile(r"""\\([`'^"~=.])\{([A-Za-zı])\}"""))
_LETTER_FORM = re.compile(r"\\([Hckruv])\{([A-Za-z])\}")
_TIED = re.compile(r"\\t\{([^}])\}")


def tex_to_unicode(text: str) -> str:
    """`text` as in arXiv's search API. Lines and blanks stay, except for the blank that ends a command."""
    if "\\" in text:
        text = _DOTLESS_J.sub("j", named_letters(text))
    if "{{" in text and "}}" in text:
        text = _UP_TO_BRACES.sub(_with_single_braces, text)
    if "\\" in text:
        for form in _SIGN_FORMS:
            text = form.sub(_with_sign, text)
        text = _TIED.sub(r"\1", _LETTER_FORM.sub(_with_letter, text))
    return text


def named_letters(text: str) -> str:
    r"""`text` with characters in place of TeX's named letters and signs: `\o`, `\rho`, `\S`."""
    for form, table in _NAMED:
        text = form.sub(partial(_from, table), text)
    return text


def composed(letter: str, sign: str) -> str:
    r"""The character for `\"o` and similar, composed if Unicode has it as one character."""
    return unicodedata.normalize("NFC", UNDOTTED.get(letter, letter) + ACCENTS[sign])


def _from(table: Mapping[str, str], found: re.Match[str]) -> str:
    return table[found[1] or found[2]]


def _with_sign(found: re.Match[str]) -> str:
    sign, letter = found[1], UNDOTTED.get(found[2], found[2])
    return composed(letter, sign) if letter in _ACCENTED[sign] else letter


def _with_letter(found: re.Match[str]) -> str:
    sign, letter = found[1], found[2]
    return composed(letter, sign) if letter in _ACCENTED[sign] else sign + letter


def _with_single_braces(found: re.Match[str]) -> str:
    """Removes pairs from `{{…}}`, from outside, until one is left, the leftmost first.

    arXiv replaces in rounds, each over the whole text; this gives the same result in one round.
    """
    inner, closing = found[1], found[2]
    left = len(closing) - 1

    def without_pairs(opening: re.Match[str]) -> str:
        nonlocal left
        taken = min(left, len(opening[0]) - 1)
        left -= taken
        return opening[0][taken:]

    if left < 1:
        return found[0]
    return _DOUBLE_BRACES.sub(without_pairs, inner) + closing[len(closing) - 1 - left :]
