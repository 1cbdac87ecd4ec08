"""TeX cut into tokens; and the letters and digits that a reader must find again, whatever becomes of it."""

import re
import unicodedata
from collections.abc import Sequence

from digest.mail.rendering.tex.symbols import FUNCTIONS, symbol

DEEPEST = 24
"""Groups and arguments within others are read down to here."""

_TOKEN = re.compile(
    r"\\(?:(?:operatorname|abs|norm|expval)\*|[A-Za-z]+|.|$)|\s+|\d+(?:[.,]\d+)*|'+|:=|.", re.DOTALL
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
# What stands in these braces tells TeX something, and is never set.
_UNSET = re.compile(r"\\(?:begin|end|color|textcolor|hspace|vspace|unicode)\*?\s*\{[^{}]*\}")


class Unreadable(ValueError):
    """This TeX is shown as it is written."""


def tokens(source: str) -> list[str]:
    """Commands, numbers, runs of blanks and of primes, and single characters; together they are `source`."""
    return _TOKEN.findall(source)


def partners(parts: Sequence[str]) -> dict[int, int]:
    """Where the brace that is opened at each place is closed; braces without a partner are left out."""
    opened: list[int] = []
    closed: dict[int, int] = {}
    for place, part in enumerate(parts):
        if part == "{":
            opened.append(place)
        elif part == "}" and opened:
            closed[opened.pop()] = place
    return closed


def survives(source: str, text: str) -> bool:
    """Whether each letter and digit that `source` shows is in `text`, as often at least.

    Names of commands show nothing, but for the letters and functions that they stand for.
    """
    seen = _UNSET.sub(" ", source)
    by_name = [symbol(name) or (name if name in FUNCTIONS else "") for name in _COMMAND.findall(seen)]
    wanted = _folded(" ".join([_COMMAND.sub(" ", seen), *filter(None, by_name)]))
    there = _folded(text)
    return all(there.count(letter) >= wanted.count(letter) for letter in set(wanted) if letter.isalnum())


def _folded(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFKD", text).replace("ı", "i").replace("ȷ", "j")
