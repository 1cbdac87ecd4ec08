"""A request to arXiv's own mailing lists as keywords: https://info.arxiv.org/help/subscribe.html.

    To: cs@arxiv.org
    Subject: subscribe Jane Reader

    add LG
    add Computation and Language

An archive without subject classes, as quant-ph, has no such lines. Several requests may follow each other.
"""

import re
from collections.abc import Iterator

from digest.cli.moving.addresses import keyword_of_category
from digest.cli.moving.found import Asked, NotAKeyword, Place, Problem, Subscriptions
from digest.model.categories import ARCHIVE_NAMES, NAMES

_TO = re.compile(r"\s*To:\s*.*?<?(?P<archive>[a-z-]+)@arxiv\.org>?\s*", re.IGNORECASE)
_CHANGE = re.compile(r"\s*(?P<verb>add|del)\s+(?P<name>\S.*?)\s*", re.IGNORECASE)


def is_request(text: str) -> bool:
    return any(_TO.fullmatch(line) for line in text.splitlines())


def subscriptions_of_request(text: str) -> Subscriptions:
    """The categories of each `add`; `del` takes one away again."""
    asked: dict[str, tuple[Place, Asked]] = {}
    problems: list[Problem] = []
    for place, verb, name in _changes(text):
        try:
            one = keyword_of_category(name)
        except NotAKeyword as error:
            problems.append(Problem(place=place, reason=str(error)))
            continue
        if verb == "add":
            asked.setdefault(one.keyword, (place, one))
        else:
            asked.pop(one.keyword, None)
    return Subscriptions(
        program="arXiv's mailing lists", asked=tuple(asked.values()), problems=tuple(problems)
    )


def _changes(text: str) -> Iterator[tuple[Place, str, str]]:
    """Each line of the request: where it is, `add` or `del`, and the category."""
    to: tuple[Place, str] | None = None
    has_lines = True
    for number, line in enumerate(text.splitlines(), 1):
        place = Place(line=number, text=line.strip())
        if found := _TO.fullmatch(line):
            if to and not has_lines:
                yield to[0], "add", to[1]
            to, has_lines = (place, found["archive"].lower()), False
        elif to and (found := _CHANGE.fullmatch(line)):
            has_lines = True
            yield place, found["verb"].lower(), _code(to[1], found["name"])
    if to and not has_lines:
        yield to[0], "add", to[1]


def _code(archive: str, name: str) -> str:
    """The code of a subject class that is written by its name or by the end of its code."""
    for code, full in NAMES.items():
        if full.casefold() == name.casefold() and code.startswith(f"{archive}."):
            return code
    return name if "." in name or archive not in ARCHIVE_NAMES else f"{archive}.{name}"
