r"""Parses the line of authors in arXiv's metadata and feeds: `J. Mu\~noz (1) and Bo Sample`.

Its form: https://info.arxiv.org/help/prep.html#author.
"""

import re

from digest.model.paper import one_line
from digest.sources.arxiv.tex_to_unicode import composed, named_letters, tex_to_unicode

# A backslash may have been doubled on its way. In TeX that is a line break, which no name contains.
_DOUBLED = re.compile(r"\\{2,}")
_ACCENTED = re.compile(
    r"""\\(?:(?P<sign>[`'^~=."]) ?|(?P<word>[uvHdckrb])(?![A-Za-z]) ?)"""
    r"(?:(?P<letter>[^\W\d_])|\{ ?(?P<braced>[^\W\d_]) ?\})"
)
_SPACE = re.compile(r"\\[ ,]|(?<!\\)~")
_BETWEEN = re.compile(r" ?[,;:] ?(?:and )?| (?:and|&) ")
_SUFFIX = re.compile(r"(?:Jr|Sr|II|III|IV)\.?")


def parse_author_names(line: str) -> tuple[str, ...]:
    """The names on `line`, in its order, with TeX accents in Unicode; unknown TeX stays as it is.

    Affiliations and notes, which are in parentheses, are omitted. A collaboration before a colon is an author
    too, and a suffix after a comma (`Bo Sample, Jr.`) belongs to the name before it.
    """
    names: list[str] = []
    for part in _BETWEEN.split(author_name(_without_notes(one_line(line)))):
        name = one_line(part).removeprefix("and ")
        if names and _SUFFIX.fullmatch(name):
            names[-1] += f" {name}"
        elif any(map(str.isalnum, name)):
            names.append(name)
    return tuple(names)


def author_name(text: str) -> str:
    r"""`text` with TeX's accents and letters as characters: `Erd\H os` is `Erdős`, `\L{}o\'s` is `Łoś`.

    Names are compared letter by letter. So this converts more TeX than arXiv's search API, which converts
    `Dvo\v r\'ak` only partly and leaves `Andr{\'e}` in braces. The API's names are converted here too, so all
    sources have the same names. Braces are removed if no other TeX is left that may need them.
    """
    if "\\" in text:
        text = named_letters(_DOUBLED.sub(r"\\", text))
        text = tex_to_unicode(_ACCENTED.sub(_composed, text))
    text = _SPACE.sub(" ", text)
    return text if "\\" in text else text.replace("{", "").replace("}", "")


def _composed(found: re.Match[str]) -> str:
    return composed(found["letter"] or found["braced"], found["sign"] or found["word"])


def _without_notes(line: str) -> str:
    """`line` without text in parentheses, including nested ones; an unmatched parenthesis becomes a blank."""
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
