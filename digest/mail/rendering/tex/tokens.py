"""Splits TeX into tokens, and checks that no letter or digit is lost in the conversion."""

import re
import unicodedata
from collections.abc import Sequence

from digest.mail.rendering.tex.symbols import FUNCTIONS, symbol

DEEPEST = 24
"""The depth of nested groups and arguments that is still read."""

_TOKEN = re.compile(
    r"\\(?:(?:operatorname|abs|norm|expval)\*|[A-Za-z]+|.|$)|\s+|\d+(?:[.,]\d+)*|'+|:=|.", re.DOTALL
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
# The content of these braces is an instruction to TeX and is never shown.
_E_NOTATION = re.compile(r"(?<=[\d){])\s?[eEdDx]\s?(?=[-+]?\d)")
_UNSET = re.compile(
    r"\\genfrac(?:\s*\{[^{}]*\}){4}|\\(?:m?kern|[hmv]skip)\s?[-+]?[\d.]+\s?(?:mu|pt|em|ex|mm|cm)|\\(?:begin|end|mspace|color|textcolor|[hv]space|unicode|[hv]?phantom)\*?\s*\{[^{}]*\}"
    r"|\\(?:SI|qty|si|unit|num|ang|(?:SI|qty|num)(?:range|list)|hyperref)\s*\[[^\[\]]*\]"
)


class Unreadable(ValueError):
    """This TeX must be shown as it is written."""


def tokens(source: str) -> list[str]:
    """Commands, numbers, runs of blanks and of primes, and single characters; together they are `source`."""
    return _TOKEN.findall(source)


def partners(parts: Sequence[str]) -> dict[int, int]:
    """The index of the closing brace for each opening one; braces without a partner are omitted."""
    opened: list[int] = []
    closed: dict[int, int] = {}
    for place, part in enumerate(parts):
        if part == "{":
            opened.append(place)
        elif part == "}" and opened:
            closed[opened.pop()] = place
    return closed


def survives(source: str, text: str) -> bool:
    """Whether `text` has each letter and digit that `source` shows, at least as often.

    Names of commands show nothing, except for the letters and functions that they mean.
    """
    wanted = _content(_E_NOTATION.sub(" ", _UNSET.sub(" ", source)))
    # What is shown as it is written has its commands still.
    there = _folded(text) + (_content(text) if "\\" in text else "")
    return all(there.count(letter) >= wanted.count(letter) for letter in set(wanted) if letter.isalnum())


def _content(source: str) -> str:
    """What `source` shows: no names of commands, but the letters and functions that they mean."""
    by_name = [symbol(name) or (name if name in FUNCTIONS else "") for name in _COMMAND.findall(source)]
    return _folded(" ".join([_COMMAND.sub(" ", source), *filter(None, by_name)]))


def _folded(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFKD", text).replace("ı", "i").replace("ȷ", "j")
