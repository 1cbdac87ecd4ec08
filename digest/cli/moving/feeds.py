"""The feeds of a feed reader or of rss2email as keywords.

- OPML, as almost every reader exports it: https://opml.org/spec2.opml. `r2e opmlexport` writes it too.
- `r2e list`: `0: [*] name (address -> recipient)`, without the star if the feed is paused (`list` in
  rss2email/command.py, `Feed.__str__` in rss2email/feed.py of the repository rss2email/rss2email).
- Lines that begin with an address, as in the file `urls` of newsboat.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.parsers import expat

from digest.cli.moving.addresses import is_of_arxiv, keywords_of_address
from digest.cli.moving.found import Asked, LeftOut, NotAKeyword, Place, Problem, Subscriptions
from digest.errors import ConfigurationError

_R2E = re.compile(r"\s*\d+: \[(?P<active>[* ])\] (?P<name>\S+) \((?P<address>\S+) -> .*\)\s*")
_ADDRESS = re.compile(r"\s*(?P<address>https?://\S+)(?:\s.*)?")
_DEEPEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    line: int
    address: str
    is_active: bool = True


def feeds_of_opml(document: bytes) -> tuple[Feed, ...]:
    """Raises `ConfigurationError` for what is not OPML as a whole, or declares entities."""
    feeds: list[Feed] = []
    parser = expat.ParserCreate()
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ConfigurationError(_at(parser, "the outlines are nested too deeply"))
        if depth == 1 and name.casefold() != "opml":
            raise ConfigurationError(_at(parser, f"<{name}> instead of <opml>"))
        known = {key.casefold(): value for key, value in attributes.items()}
        if name.casefold() == "outline" and (address := known.get("xmlurl", "").strip()):
            feeds.append(Feed(line=parser.CurrentLineNumber, address=address))

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise ConfigurationError(_at(parser, "entities are declared, which OPML does not need"))

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ConfigurationError(f"line {error.lineno}: not well-formed XML: {reason}") from error
    except (LookupError, ValueError) as error:  # of the parser, about the encoding that is declared
        raise ConfigurationError(f"line 1: {error}") from error
    return tuple(feeds)


def _at(parser: expat.XMLParserType, reason: str) -> str:
    return f"line {parser.CurrentLineNumber}: {reason}"


def feeds_of_lines(text: str) -> tuple[Feed, ...]:
    """Of `r2e list`, or of a list of addresses; empty if it is neither."""
    return tuple(_feeds(text.splitlines()))


def _feeds(lines: Iterable[str]) -> Iterator[Feed]:
    for number, line in enumerate(lines, 1):
        if found := _R2E.fullmatch(line):
            yield Feed(line=number, address=found["address"], is_active=found["active"] == "*")
        elif found := _ADDRESS.fullmatch(line):
            yield Feed(line=number, address=found["address"])


def subscriptions_of_feeds(program: str, feeds: Iterable[Feed]) -> Subscriptions:
    """The keywords of those that are arXiv's; the others are left out."""
    asked: list[tuple[Place, Asked]] = []
    left_out: list[LeftOut] = []
    problems: list[Problem] = []
    for feed in feeds:
        place = Place(line=feed.line, text=feed.address)
        if not is_of_arxiv(feed.address):
            left_out.append(LeftOut(place=place, reason="not from arXiv"))
        elif not feed.is_active:
            left_out.append(LeftOut(place=place, reason="paused"))
        else:
            try:
                asked += [(place, one) for one in keywords_of_address(feed.address)]
            except NotAKeyword as error:
                problems.append(Problem(place=place, reason=str(error)))
    return Subscriptions(
        program=program, asked=tuple(asked), left_out=tuple(left_out), problems=tuple(problems)
    )
