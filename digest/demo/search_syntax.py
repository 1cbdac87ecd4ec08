"""Parses arXiv's search syntax as arXiv does since November 2025.

It differs from the keyword language of `digest.keywords.query`: all operators have the same precedence and
group to the right, a missing operator is OR and a missing prefix is `all`. So a query without a necessary
bracket finds the same papers here as at arXiv. (Source: the query parser of arXiv's published arxiv-search.)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache

from digest.keywords.analysis import STOP_WORDS, AnalysedText, name_parts, words
from digest.model.paper import Paper

Test = Callable[[Paper], bool]
"""Whether the search finds a paper."""

_TOKEN = re.compile(
    r"\s*(?:(?P<bracket>[()])|submittedDate:\[(?P<window>[^\]]*)\]|(?P<prefix>[A-Za-z_]+):(?=\S)"
    r'|"(?P<phrase>[^"]*)"|(?P<word>[^\s()"]+))\s*'
)
_OPERATORS = {"AND": "AND", "OR": "OR", "ANDNOT": "ANDNOT", "NOT": "ANDNOT"}
_CLOSING = ("bracket", ")")
_MINUTE_FORMAT = "%Y%m%d%H%M"


class BadSearch(Exception):
    """The search is not valid in arXiv's syntax: arXiv answers with HTTP 400."""


class BrokenSearch(Exception):
    """The search causes an error inside arXiv: arXiv answers with HTTP 500."""


def parse_search(text: str) -> Test:
    """The test for the search `text`. Raises `BadSearch` or `BrokenSearch`."""
    search = _Search(_tokens(text))
    test = search.chain("all")
    if search.tokens:
        raise BadSearch("unbalanced parentheses")
    return test


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise BadSearch(f"query could not be parsed at {text[at : at + 20]}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens[::-1]


class _Search:
    """Recursive descent; `tokens` are the remaining ones, the next one last."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def chain(self, prefix: str) -> Test:
        left = self._term(prefix)
        if not self.tokens or self.tokens[-1] == _CLOSING:
            return left
        operator = self._operator()
        return _joined(operator, left, self.chain(prefix))

    def _operator(self) -> str:
        kind, value = self.tokens[-1]
        if kind != "word" or value not in _OPERATORS:
            return "OR"
        self.tokens.pop()
        if value == "AND" and self.tokens and self.tokens[-1] == ("word", "NOT"):
            value = self.tokens.pop()[1]
        return _OPERATORS[value]

    def _term(self, prefix: str) -> Test:
        if not self.tokens:
            raise BadSearch("query ends too early")
        kind, value = self.tokens.pop()
        match kind:
            case "prefix":
                return self._term(value)
            case "window":
                return _submitted_within(value)
            case "bracket":
                if value == ")":
                    raise BadSearch("unbalanced parentheses")
                test = self.chain(prefix)
                if not self.tokens or self.tokens.pop() != _CLOSING:
                    raise BadSearch("unbalanced parentheses")
                return test
            case _:
                return _leaf(prefix, value, is_quoted=kind == "phrase")


def _joined(operator: str, left: Test, right: Test) -> Test:
    if operator == "AND":
        return lambda paper: left(paper) and right(paper)
    if operator == "OR":
        return lambda paper: left(paper) or right(paper)
    return lambda paper: left(paper) and not right(paper)


def _leaf(prefix: str, value: str, *, is_quoted: bool) -> Test:
    if value.startswith(("*", "?")) and not is_quoted:
        raise BrokenSearch("leading wildcard")
    if re.search(r"[*?]", value) and not is_quoted and prefix in ("ti", "abs"):
        return _with_wildcard(prefix, value.lower())
    is_met = _FIELDS.get(prefix)
    if is_met is None:
        raise BadSearch(f"unknown field {prefix}")
    return lambda paper: is_met(paper, value)


def _submitted_within(window: str) -> Test:
    first, _, last = window.partition(" TO ")
    try:
        since, until = (datetime.strptime(text, _MINUTE_FORMAT).replace(tzinfo=UTC) for text in (first, last))
    except ValueError as error:
        raise BrokenSearch(f"no range of minutes: {window}") from error
    end = until + timedelta(minutes=1)
    return lambda paper: paper.submitted_at is not None and since <= paper.submitted_at < end


def _with_wildcard(prefix: str, pattern: str) -> Test:
    def found(paper: Paper) -> bool:
        text = paper.title if prefix == "ti" else paper.abstract
        return any(fnmatchcase(stemmed, pattern) for stemmed in _analysed(text).places)

    return found


@lru_cache(maxsize=4096)
def _analysed(text: str) -> AnalysedText:
    return AnalysedText(text)


def _has_phrase(text: str, phrase: str) -> bool:
    """Adjacent stems, where a stop word of `phrase` matches any one word; or exactly the same words."""
    wanted = _analysed(phrase).stems
    found = any(wanted) and _stands_in(_analysed(text).stems, wanted)
    return found or (bool(wanted) and _stands_in(words(text), words(phrase)))


def _has_words(text: str, phrase: str) -> bool:
    wanted, found = ([word for word in words(one) if word not in STOP_WORDS] for one in (phrase, text))
    return bool(wanted) and _stands_in(found, wanted)


def _has_name(paper: Paper, name: str) -> bool:
    wanted = set(name_parts(name.replace("_", " ")))
    return bool(wanted) and any(wanted <= set(name_parts(author)) for author in paper.authors)


def _stands_in(have: Sequence[str | None], wanted: Sequence[str | None]) -> bool:
    return any(
        all(one is None or one == have[start + place] for place, one in enumerate(wanted))
        for start in range(len(have) - len(wanted) + 1)
    )


def _is_listed_in(paper: Paper, category: str) -> bool:
    return any(fnmatchcase(one.lower(), category.lower()) for one in paper.categories)


_FIELDS: Mapping[str, Callable[[Paper, str], bool]] = {
    "ti": lambda paper, value: _has_phrase(paper.title, value),
    "abs": lambda paper, value: _has_phrase(paper.abstract, value),
    "au": _has_name,
    "co": lambda paper, value: _has_words(paper.comment or "", value),
    "jr": lambda paper, value: _has_words(paper.journal_ref or "", value),
    "cat": _is_listed_in,
    "id": lambda paper, value: paper.id == value,
    "doi": lambda paper, value: paper.doi == value,
    "all": lambda paper, value: any(
        _FIELDS[field](paper, value) for field in ("ti", "abs", "au", "co", "jr", "cat")
    ),
}
