r"""Text as authors typed it (`Schr\"odinger`, `\rho (x)`), in the Unicode that arXiv's search API gives.

OAI-PMH gives titles, abstracts, comments and references as they were typed; the search API and the daily
feeds give them in Unicode. A paper must have one text, or which keywords match it would depend on the
source. The rules are those of arXiv's `tex2utf` (https://github.com/arXiv/arxiv-base, arxiv/util/tex2utf.py),
quirks included: a blank after a command belongs to it, `\'g`, for which the table has no letter, becomes
`g`, and of `{{x}}` one pair of braces goes. All other TeX stays: `$`, `~`, `\&`, `\frac`.

Three departures, since arXiv's API shows otherwise (61,405 texts of June 2026):

- `\phi` is φ (U+03C6), and `\varphi` stays. `tex2utf` has ϕ (U+03D5) and φ. In the API's texts φ stands 100
  times, ϕ never, and `\varphi` 48 times.
- `\'\i` and `\'{\i}` are í. `tex2utf` has a misprint there and gives `\'ı`, which stands in none of the API's
  texts; 103 have an í.
- `\upsion` stays. `tex2utf` spells `\upsilon` so, which therefore stays as well, here and there.
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
"""TeX takes the dot off a letter that gets an accent; Unicode does not."""

# The letters that arXiv knows under each accent.
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
_GREEK = {
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "alpha": "α", "beta": "β", "gamma": "γ",
    "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "omicron": "ο", "pi": "π", "rho": "ρ", "varsigma": "ς",
    "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
_SIGNS = {
    "P": "¶", "S": "§", "copyright": "©", "guillemotleft": "«", "guillemotright": "»", "pounds": "£",
    "dag": "†", "ddag": "‡", "div": "÷", "deg": "°",
}  # fmt: skip


def _named(table: Mapping[str, str]) -> re.Pattern[str]:
    r"""The commands of `table` with what ends them: `{\o}`, `\o{}`, `\o` before a blank or before `\ `."""
    names = "|".join(table)
    return re.compile(rf"\{{\\({names})\}}|\\({names})(?![^\W_])(?: |\{{\}}|\\(?= ))?")


# One kind after the other: a letter that came of `\ae` is part of a longer name for `\alpha\ae`.
_NAMED = tuple((_named(table), table) for table in (_LETTERS, _GREEK, _SIGNS))
_DOTLESS_J = re.compile(r"\{\\j\}|\\j\s")
_DOUBLE_BRACES = re.compile(r"\{{2,}")
_UP_TO_BRACES = re.compile(r"([^}]+)(\}*)")
_SIGN_FORMS = (re.compile(r"""\\([`'^"~=.])([A-Za-zı])"""), re.compile(r"""\\([`'^"~=.])\{([A-Za-zı])\}"""))
_LETTER_FORM = re.compile(r"\\([Hckruv])\{([A-Za-z])\}")
_TIED = re.compile(r"\\t\{([^}])\}")


def tex_to_unicode(text: str) -> str:
    """`text` as arXiv's search API gives it. Lines and blanks stay, but for the blank that ends a command."""
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
    r"""`text` with letters and signs that have names in TeX as characters: `\o`, `\rho`, `\S`."""
    for form, table in _NAMED:
        text = form.sub(partial(_from, table), text)
    return text


def composed(letter: str, sign: str) -> str:
    r"""What `\"o` and its like stand for, composed where Unicode has it in one character."""
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
    """Pairs taken off `{{…}}` from outside until one is left, the leftmost first.

    arXiv replaces in rounds, each over the whole text; this is what they come to, in one.
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
