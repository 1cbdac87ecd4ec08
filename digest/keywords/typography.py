r"""Converts a typed or pasted keyword to the characters of the keyword language.

Quotes of other shapes, full-width signs, invisible characters, ligatures, TeX's accents and Greek letters
(`Schr\"odinger`, `$\rho$`) become the characters in the papers' texts, which arXiv gives in Unicode.
"""

import re
import unicodedata

from digest.model.paper import one_line

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_QUOTES = dict.fromkeys(map(ord, "“”„‟«»〝〞"), '"')
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\ufe63"), "-")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200e\u200f\u2060\ufeff"), "")
_CHARACTERS = {0x200B: " "} | _FULL_WIDTH | _LIGATURES | _QUOTES | _HYPHENS | _INVISIBLE

# Pairs of single quotes, not apostrophes: the characters before and after them are not part of a word.
_IN_SINGLE = re.compile(r"(?<![^\s(:=])(?:``([^`']+)''|'([^'‘’]+)'|‘([^'‘’]+)’|`([^`']+)')(?![^\s)])")

_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "c": "\u0327", "k": "\u0328",
}  # fmt: skip
_ACCENTED = re.compile(
    r"\\(?:([`'^~=.\"])|([urHvck])(?=[\s{])\s*)(?:\{\s*(\\?[A-Za-z])\s*\}|(\\[ij](?![A-Za-z])|[A-Za-z]))"
)
_LETTERS = {
    "AA": "Å", "AE": "Æ", "L": "Ł", "O": "Ø", "OE": "Œ", "aa": "å", "ae": "æ", "i": "ı", "l": "ł", "o": "ø",
    "oe": "œ", "ss": "ß",
}  # fmt: skip
# The names of letters in Unicode; arXiv's texts keep \upsilon and \varphi as they are.
_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
)  # fmt: skip


def _greek(name: str) -> str:
    size = "SMALL" if name.islower() else "CAPITAL"
    return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")


_NAMED = _LETTERS | {name: _greek(name) for name in _GREEK}
_COMMANDS = "|".join(sorted(_NAMED, key=len, reverse=True))
_COMMAND = re.compile(rf"\{{\\({_COMMANDS})\}}|\\({_COMMANDS})(?:\{{\}}|(?![A-Za-z])\s?)")
_LONE_MATHS = re.compile(r"(?<!\\)\$(\w+)\$")


def normalized(text: str) -> str:
    """`text` on one line, in the characters of the keyword language."""
    text = one_line(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", one_line(text.translate(_CHARACTERS)))
    if "\\" in text:
        text = _without_tex(text)
    parts = text.split('"')
    # Within double quotes, single quotes stay as they are.
    parts[::2] = map(with_double_quotes, parts[::2])
    return '"'.join(parts)


def with_double_quotes(text: str) -> str:
    """`text`, which has no double quotes, with double quotes in place of pairs of single ones."""
    return _IN_SINGLE.sub(lambda found: f'"{"".join(filter(None, found.groups()))}"', text)


def _without_tex(text: str) -> str:
    text = _ACCENTED.sub(_accented, text)
    text = _COMMAND.sub(lambda found: _NAMED[found[1] or found[2]], text)
    return unicodedata.normalize("NFC", _LONE_MATHS.sub(r"\1", text))


def _accented(found: re.Match[str]) -> str:
    letter = (found[3] or found[4]).removeprefix("\\")
    return unicodedata.normalize("NFC", letter + _ACCENTS[found[1] or found[2]])
