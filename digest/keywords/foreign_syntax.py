"""Finds the syntax of other search engines, which here would be only punctuation or a word.

It is never silently taken as a phrase: for `graph -survey` or `graph or tree`, the error shows both correct
forms. In quotes all of it is punctuation and words.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from digest.keywords.analysis import STOP_WORDS, words
from digest.model.categories import category_code, starting_with
from digest.model.paper import parse_identifier

FIELD_NAMES = {
    "abs": "abs", "abstract": "abs", "inabstract": "abs", "ti": "ti", "title": "ti", "intitle": "ti",
    "au": "au", "author": "au", "authors": "au", "inauthor": "au", "cat": "cat", "category": "cat",
    "categories": "cat", "co": "co", "comment": "co", "comments": "co", "jr": "jr", "journal": "jr",
    "journal_ref": "jr", "id": "id", "arxiv": "id", "all": "all", "any": "all",
}  # fmt: skip
"""The prefixes, by their short and their longer names."""

_SUSPICIOUS = re.compile(r"[^\w\s]")
_FIELDS = "|".join(sorted(FIELD_NAMES, key=len, reverse=True))
_ASSIGNED = re.compile(rf"({_FIELDS})(?:\s*=|\s+:)\s*(.*)", re.IGNORECASE)
_TAGGED = re.compile(rf"(.+?)\s*\[({_FIELDS})\]", re.IGNORECASE)
_SIGNED = re.compile(r"([-+!\u2212])(?=[^\W\d_])")
_DENYING = ("-", "\u2212", "!")
_FUZZY = re.compile(r"^~(?=[^\W\d_])|(?<=\w)~\d*$")
_BOOST = re.compile(r"(?<=[^\W\d_]{4})\^[\d.]+$")
_ONE_LETTER = re.compile(r"(?<=\w)\?(?=\w|$)")
_JOINTS = {"&": "AND", "+": "AND", "or": "OR", "not": "ANDNOT", "andnot": "ANDNOT"}
_NEAR = re.compile(r"NEAR(?:/\d+)?|ADJ/?\d*|ONEAR/\d+|PRE/\d+|[WN]/\d+")
_LIST = re.compile(r"\s*[,;]\s+(?:(?:and|or)\s+)?", re.IGNORECASE)
_SMALL = re.compile(r"\b(?:and|or|not)\b", re.IGNORECASE)
_VANISHING = re.compile(r"[+#]|^\.(?=[^\W\d_])")
_ONE_LETTER_LEFT = "single letters are in 10 to 60 papers a day; use quotes if you mean it"
_NARROWED = {
    "c": "C AND (code OR library OR software)",
    "f": "F AND (cat:cs.PL OR cat:cs.SE)",
    "r": "R package OR R software",
    "net": "net AND (cat:cs.PL OR cat:cs.SE)",
}
"""For programming languages whose names lose their marks: a keyword that finds most of their papers and few
others.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """What is wrong at `offset` characters in a phrase, and what to write instead."""

    offset: int
    expected: str
    hint: str
    instead: tuple[str, ...]


def misuse(value: str, *, prefix: str, is_plain: bool) -> Misuse | None:
    """The first part of an unquoted phrase after `prefix` (may be empty) that is syntax of another language.

    `is_plain`: the phrase is a whole keyword, without any other syntax of the keyword language.
    """
    return next(_misuses(value, prefix, is_plain), None)


def _misuses(value: str, prefix: str, is_plain: bool) -> Iterator[Misuse]:
    if _SUSPICIOUS.search(value):
        if not prefix:
            yield from _bare_names(value)
        yield from _fields(value)
        yield from _signs(value)
        yield from _within_words(value)
        if not prefix:
            yield from _lists(value, is_plain)
        yield from _vanished(value)
    yield from _joints(value, is_plain)


def _quoted(value: str) -> str:
    return f'"{value}"'


def vanishing(value: str) -> re.Match[str] | None:
    """The mark whose loss turns a name of one word into another word; `None` if none is lost."""
    return _VANISHING.search(value) if len(words(value)) == 1 and " " not in value else None


def narrowed(word: str) -> str | None:
    """A keyword for the programming language whose name is reduced to `word`; `None` if there is none."""
    return _NARROWED.get(word)


def _bare_names(value: str) -> Iterator[Misuse]:
    """A category or an identifier without its prefix: abstracts do not contain it."""
    start = value.removesuffix("*")
    code = category_code(value)
    if not code and value.endswith(".*") and (alike := starting_with(start)):
        code = f"{alike[0][: len(start)]}*"
    if code:
        yield Misuse(
            offset=0,
            expected=f"{value} is a category; without cat: it is searched as a word in title and abstract",
            hint="write cat: before a category",
            instead=(f"cat:{code}", _quoted(value)),
        )
    with suppress(ValueError):
        yield Misuse(
            offset=0,
            expected="this is the identifier of a paper; without id: it is searched as words",
            hint="write id: before an identifier",
            instead=(f"id:{parse_identifier(value)[0]}", _quoted(value)),
        )


def _fields(value: str) -> Iterator[Misuse]:
    assigned, tagged = _ASSIGNED.fullmatch(value), _TAGGED.fullmatch(value)
    name, asked = (assigned[1], assigned[2]) if assigned else (tagged[2], tagged[1]) if tagged else ("", "")
    if name:
        field = FIELD_NAMES[name.lower()]
        yield Misuse(
            offset=0,
            expected=f"write a field as {field}: followed by the search words",
            hint=f"put the colon directly after {field}; or use quotes to search for a phrase",
            instead=(f"{field}:{asked}", _quoted(value)),
        )


def _signs(value: str) -> Iterator[Misuse]:
    """`-word`, `!word` and `+word`. Before the only word, a hyphen can only be a hyphen."""
    chunks = value.split()
    signed = [found for found in _SIGNED.finditer(value) if value[: found.start()][-1:].strip() == ""]
    if not signed or (len(chunks) == 1 and signed[0][1] in ("-", "\u2212")):
        return
    sign = signed[0][1]
    wanted = " ".join(chunk for chunk in chunks if not _SIGNED.match(chunk))
    required = [chunk[1:] for chunk in chunks if _SIGNED.match(chunk) and chunk[0] == "+"]
    refused = [chunk[1:] for chunk in chunks if _SIGNED.match(chunk) and chunk[0] in _DENYING]
    asked = " AND ".join(filter(None, (wanted, *required)))
    yield Misuse(
        offset=signed[0].start(),
        expected=f"{sign} before a word is not an operator",
        hint="join required words by AND; write excluded words after ANDNOT",
        instead=("".join((asked, *(f" ANDNOT {word}" for word in refused))).strip(), _quoted(value)),
    )


def _joints(value: str, is_plain: bool) -> Iterator[Misuse]:
    """Other signs and words for AND, OR and ANDNOT between two words."""
    chunks = list(re.finditer(r"\S+", value))
    for before, chunk, after in zip(chunks, chunks[1:], chunks[2:], strict=False):
        meant = "AND" if _NEAR.fullmatch(chunk[0]) else _JOINTS.get(chunk[0].lower())
        if not meant or not words(before[0]) or not words(after[0]):
            continue
        # "whether or not" and "is not enough" are phrases: another stop word is next to the operator.
        is_said = {words(before[0])[-1], words(after[0])[0]} & STOP_WORDS
        if chunk[0].lower() in ("or", "not") and (is_said or not is_plain):
            continue
        same = rf"(?<!\S){re.escape(chunk[0])}(?!\S)"
        yield Misuse(
            offset=chunk.start(),
            expected=f"{chunk[0]} is not an operator; the operators are AND, OR and ANDNOT, in capitals",
            hint="use quotes to search for a phrase",
            instead=(re.sub(same, meant, value), _quoted(value)),
        )


def _within_words(value: str) -> Iterator[Misuse]:
    """`~word`, `word~2`, `word^3`, `wom?n`; a question mark at the end of a sentence is only punctuation."""
    chunks = list(re.finditer(r"\S+", value))
    for chunk in chunks:
        one, start, is_sentence = chunk[0], chunk.start(), len(chunks) > 1 and chunk is chunks[-1]
        if found := _FUZZY.search(one) or _BOOST.search(one):
            plain = f"{one[: found.start()]}{one[found.end() :]}"
            expected = f"{found[0]} belongs to another search engine: similarity and weights are not possible"
            instead: tuple[str, ...] = (f"{value[:start]}{plain}{value[chunk.end() :]}", _quoted(value))
        elif (found := _ONE_LETTER.search(one)) and not (is_sentence and found.end() == len(one)):
            expected = "? is not a wildcard: only * at the end of a word is"
            instead = (f"{value[:start]}{one[: found.start()]}*{value[chunk.end() :]}", _quoted(value))
        else:
            continue
        yield Misuse(
            offset=start + found.start(),
            expected=expected,
            hint="use quotes to search for a phrase",
            instead=instead,
        )


def _lists(value: str, is_plain: bool) -> Iterator[Misuse]:
    found = _LIST.search(value)
    parts = [part for part in _LIST.split(value) if words(part)]
    if found and len(parts) > 1:
        together = " OR ".join(_quoted(part) if _SMALL.search(part) else part for part in parts)
        yield Misuse(
            offset=found.start() + len(found[0]) - len(found[0].lstrip()),
            expected="a list is searched as one phrase",
            hint="join alternatives by OR, or make each a keyword; use quotes to search for a phrase",
            instead=(together if is_plain else f"({together})", _quoted(value)),
        )


def _vanished(value: str) -> Iterator[Misuse]:
    """A name of one word that becomes another word without its marks, such as `C++` and `.NET`."""
    if found := vanishing(value):
        (left,) = words(value)
        narrower = narrowed(left)
        yield Misuse(
            offset=found.start(),
            expected=f'arXiv\'s search ignores {found[0]}: it finds every paper with the word "{left}"',
            hint=_ONE_LETTER_LEFT if len(left) == 1 else "use quotes if you mean it",
            instead=(*([narrower] if narrower else []), _quoted(value)),
        )
