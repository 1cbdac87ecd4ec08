r"""The one line that names a paper's authors in arXiv's metadata and feeds: `J. Mu\~noz (1) and Bo Sample`.

See https://info.arxiv.org/help/prep.html#author for how it is written.
"""

import re
import unicodedata

from digest.papers import one_line

_MARKS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "d": "\u0323",
    "c": "\u0327",
    "k": "\u0328",
    "b": "\u0331",
}
_LETTERS = {
    "aa": "å", "AA": "Å", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł",
    "ss": "ß", "SS": "ẞ", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "dj": "đ", "DJ": "Đ",
    "th": "þ", "TH": "Þ", "ng": "ŋ", "NG": "Ŋ",
}  # fmt: skip
_DOTTED = {"ı": "i", "ȷ": "j"}

# A backslash may have been doubled on its way; a line break, which it would mean in TeX, is in no name.
_LETTER = re.compile(rf"\\{{1,4}}({'|'.join(_LETTERS)})(?![A-Za-z])(?:\{{\}}| )?")
_ACCENTED = re.compile(
    r"""\\{1,4}(?:(?P<sign>[`'^~=."]) ?|(?P<word>[uvHdckrb])(?![A-Za-z]) ?)"""
    r"(?:(?P<letter>[^\W\d_])|\{ ?(?P<braced>[^\W\d_]) ?\})"
)
_SPACE = re.compile(r"\\{1,4}[ ,]|(?<!\\)~")
_BETWEEN = re.compile(r" ?[,;:] ?(?:and )?| (?:and|&) ")
_SUFFIX = re.compile(r"(?:Jr|Sr|II|III|IV)\.?")


def author_names(line: str) -> tuple[str, ...]:
    """The names on `line`, in its order, with TeX accents in Unicode; TeX that is not known stays as it is.

    Affiliations and notes, which stand in parentheses, are left out. A collaboration before a colon is an
    author too, and a suffix after a comma (`Bo Sample, Jr.`) belongs to the name before it.
    """
    names: list[str] = []
    for part in _BETWEEN.split(in_unicode(_without_notes(one_line(line)))):
        name = one_line(part).removeprefix("and ")
        if names and _SUFFIX.fullmatch(name):
            names[-1] += f" {name}"
        elif any(map(str.isalnum, name)):
            names.append(name)
    return tuple(names)


def in_unicode(text: str) -> str:
    r"""`text` with TeX's accents and letters as characters: `Erd\H{o}s` is `Erdős`, `\L{}o\'s` is `Łoś`.

    Braces go when no other TeX is left that may need them.
    """
    if "\\" in text:
        text = _LETTER.sub(lambda found: _LETTERS[found[1]], text)
        text = _ACCENTED.sub(_accented, text)
    text = _SPACE.sub(" ", text)
    return text if "\\" in text else text.replace("{", "").replace("}", "")


def _accented(found: re.Match[str]) -> str:
    letter = found["letter"] or found["braced"]
    mark = _MARKS[found["sign"] or found["word"]]
    return unicodedata.normalize("NFC", _DOTTED.get(letter, letter) + mark)


def _without_notes(line: str) -> str:
    """`line` without what stands in parentheses, also nested ones; one that has no partner is a blank."""
    if "(" not in line and ")" not in line:
        return line
    kept: list[str] = []
    opened: list[int] = []
    for character in line:
        if character == "(":
            opened.append(len(kept))
            kept.append(" ")
        elif character == ")":
            if opened:
                del kept[opened.pop() :]
            kept.append(" ")
        else:
            kept.append(character)
    return "".join(kept)
