"""The configuration of zotero-arxiv-daily as keywords: the repository TideDra/zotero-arxiv-daily.

Its `config/custom.yaml` (or the variable CUSTOM_CONFIG of a fork) has

    source:
      arxiv:
        category: ["cs.AI", "cs.LG"]

as does `config/base.yaml`. Before 2026, a secret had the categories: `ARXIV_QUERY: cs.AI+cs.LG`, at first a
query of the search API. `.env` and the workflow have `ZOTERO_ID`. Only these keys are read; all else (mail,
language model) has no counterpart or is set in digest.toml.
"""

import re
from collections.abc import Iterator

from digest.cli.moving.addresses import keyword_of_category
from digest.cli.moving.arxiv_query import keyword_of_query
from digest.cli.moving.found import Asked, LeftOut, NotAKeyword, Place, Problem, Subscriptions

_KEY = re.compile(r"(?P<indent>\s*)(?P<name>[A-Za-z_]+):\s*(?P<value>.*?)\s*")
_ITEM = re.compile(r"\s*-\s+(?P<value>.*?)\s*")
_COMMENT = re.compile(r"""\s#(?=[^"']*$)""")
_QUERY = re.compile(r"""\s*(?:export\s+)?["']?ARXIV_QUERY["']?\s*[:=]\s*(?P<value>.*?)\s*""")
_USER = re.compile(r"""(?:ZOTERO_ID["']?\s*[:=]|user_id:)\s*["']?(?P<number>\d{3,12})\b""")
_CROSSLISTS = re.compile(r"include_cross_list:\s*true\b", re.IGNORECASE)
_ELSEWHERE = ("biorxiv", "medrxiv", "chemrxiv")


def is_configuration(text: str) -> bool:
    lines = text.splitlines()
    return any(map(_QUERY.fullmatch, lines)) or any(
        path[-2:] == ("arxiv", "category") for _, path, _ in _keys(lines)
    )


def subscriptions_of_configuration(text: str) -> Subscriptions:
    asked: list[tuple[Place, Asked]] = []
    left_out: list[LeftOut] = []
    problems: list[Problem] = []
    lines = text.splitlines()
    for place, value in _queries(lines):
        try:
            asked += [(place, one) for one in _asked_by(value)]
        except NotAKeyword as error:
            problems.append(Problem(place=place, reason=str(error)))
    for place, path, value in _keys(lines):
        if path[-1] == "category" and path[-2] in _ELSEWHERE and value not in ("", "null"):
            left_out.append(LeftOut(place=place, reason="not from arXiv"))
        if path[-2:] == ("arxiv", "category"):
            if not (names := _listed(value) or _items(lines, place.line)):
                problems.append(Problem(place=place, reason="it names no categories"))
            for name in names:
                try:
                    asked.append((place, keyword_of_category(name)))
                except NotAKeyword as error:
                    problems.append(Problem(place=place, reason=str(error)))
    return Subscriptions(
        program="zotero-arxiv-daily",
        asked=tuple(asked),
        left_out=tuple(left_out),
        problems=tuple(problems),
        hints=tuple(_hints(text, [one.keyword for _, one in asked])),
    )


def _keys(lines: list[str]) -> Iterator[tuple[Place, tuple[str, ...], str]]:
    """Each key of the YAML with those that it is below, and the value in its line."""
    above: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if found := _KEY.fullmatch(_COMMENT.split(line, maxsplit=1)[0]):
            indent = len(found["indent"])
            above = [one for one in above if one[0] < indent]
            above.append((indent, found["name"]))
            path = ("", *(name for _, name in above))
            yield Place(line=number, text=line.strip()), path, found["value"]


def _listed(value: str) -> list[str]:
    """`["cs.AI", "cs.LG"]`, or one name."""
    names = (name.strip().strip("\"'") for name in value.strip("[]").split(","))
    return [name for name in names if name and name != "null"]


def _items(lines: list[str], after: int) -> list[str]:
    """The lines `- cs.AI` that follow."""
    names: list[str] = []
    for line in lines[after:]:
        if not (found := _ITEM.fullmatch(_COMMENT.split(line, maxsplit=1)[0])):
            break
        names += _listed(found["value"])
    return names


def _queries(lines: list[str]) -> Iterator[tuple[Place, str]]:
    for number, line in enumerate(lines, 1):
        if found := _QUERY.fullmatch(line):
            value = found["value"].strip("\"'")
            if value and not value.startswith("${{"):
                yield Place(line=number, text=line.strip()), value


def _asked_by(value: str) -> list[Asked]:
    """Categories joined by `+`, as of 2025, or a query of the search API, as before."""
    if ":" in value:
        return [keyword_of_query(value.replace("+", " "))]
    return [keyword_of_category(name) for name in value.split("+")]


def _hints(text: str, keywords: list[str]) -> Iterator[str]:
    if keywords and "include_cross_list" in text and not _CROSSLISTS.search(text):
        named = " ".join(f"--category {one.removeprefix('cat:')}" for one in dict.fromkeys(keywords))
        yield (
            "to have no cross-lists, as in zotero-arxiv-daily: digest subscribe EMAIL"
            f" {named} --no-crosslists"
        )
    if found := _USER.search(text):
        yield (
            "to have the best papers first, as in zotero-arxiv-daily: digest interests EMAIL"
            f" --zotero {found['number']} --key-file FILE"
        )
    elif "zotero" in text.casefold():
        yield (
            "to have the best papers first, as in zotero-arxiv-daily: digest interests EMAIL"
            " --zotero USER --key-file FILE"
        )
