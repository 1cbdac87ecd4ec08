"""Reading the tables of a "Daily Papers" README, our own or one that another program wrote.

Those differ in their columns, and few escape what stands in them: a row whose columns cannot be told apart
is taken as one text.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from digest.papers import ArxivId, one_line, parse_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a page tells of a paper. `title` is empty where the row does not say which text it is."""

    id: ArxivId
    title: str
    abstract: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A heading with its papers, each once; `unreadable` counts the rows that name no paper of arXiv."""

    heading: str
    papers: tuple[Listed, ...]
    unreadable: int


_LINE_END = re.compile(r"\r\n|\n|\r")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_DELIMITER = re.compile(r"\s*\|?(?:\s*:?-+:?\s*\|)*\s*:?-+:?\s*\|?\s*")
_PIPE = re.compile(r"(?<!\\)\|")
_ADDRESS = r"https?://(?:[a-z]+\.)?arxiv\.org/(?:abs|pdf|html)/(?P<id>[^\s)>|\"'#?]+)"
_LINK_TO_ARXIV = re.compile(rf"\]\(<?{_ADDRESS}", re.IGNORECASE)
_ANY_ADDRESS = re.compile(_ADDRESS, re.IGNORECASE)
_LINK = re.compile(r"!?\[((?:(?!\]\().){0,1000})\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_SUMMARY = re.compile(r"<summary>.*?</summary>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|br|code|details|div|em|font|i|img|p|span|strong|sub|summary|sup)\b[^<>]*>", re.IGNORECASE
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def parse_listings(text: str) -> tuple[Listing, ...]:
    """The headings that have a table of papers under them, in their order; other text is passed over."""
    listings: list[Listing] = []
    heading = ""
    lines = _without_fenced(_LINE_END.split(text))
    for number, line in enumerate(lines):
        if found := _HEADING.fullmatch(line):
            heading = _heading_text(found[1])
        elif heading and _begins_table(lines, number) and "title" in (columns := _columns(line)):
            listings.append(_listing(heading, columns, _rows_after(lines, number + 2)))
    return tuple(listings)


def _without_fenced(lines: Sequence[str]) -> list[str]:
    """Examples in fenced code count as empty lines."""
    kept: list[str] = []
    is_fenced = False
    for line in lines:
        is_fence = _FENCE.match(line) is not None
        kept.append("" if is_fenced or is_fence else line)
        is_fenced ^= is_fence
    return kept


def _heading_text(written: str) -> str:
    return one_line(unescape(_ESCAPED.sub(r"\1", _without_markup(written))))


def _begins_table(lines: Sequence[str], number: int) -> bool:
    following = lines[number + 1] if number + 1 < len(lines) else ""
    return "|" in lines[number] and "|" in following and _DELIMITER.fullmatch(following) is not None


def _columns(line: str) -> list[str]:
    return [_text(cell).casefold() for cell in _cells(line)]


def _rows_after(lines: Sequence[str], number: int) -> Iterator[str]:
    for line in lines[number:]:
        if "|" not in line:
            return
        yield line


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    cells = _PIPE.split(line)
    return cells[:-1] if len(cells) > 1 and not cells[-1].strip() else cells


def _listing(heading: str, columns: Sequence[str], rows: Iterable[str]) -> Listing:
    papers: dict[ArxivId, Listed] = {}
    unreadable = 0
    for row in rows:
        listed = _listed(columns, row)
        if listed is None:
            unreadable += 1
        else:
            papers.setdefault(listed.id, listed)
    return Listing(heading=heading, papers=tuple(papers.values()), unreadable=unreadable)


def _listed(columns: Sequence[str], row: str) -> Listed | None:
    arxiv_id = _arxiv_id(row)
    if arxiv_id is None:
        return None
    cells = _cells(row)
    if len(cells) == len(columns):
        told = dict(zip(columns, cells, strict=True))
        title, abstract = _text(told["title"]), _text(told.get("abstract", ""))
        return Listed(id=arxiv_id, title=title, abstract=abstract, comment=_text(told.get("comment", "")))
    return Listed(id=arxiv_id, title="", abstract=_text(row), comment="")


def _arxiv_id(row: str) -> ArxivId | None:
    """Of the first link to arXiv; an address that is no link may be a part of the abstract."""
    found = _LINK_TO_ARXIV.search(row) or _ANY_ADDRESS.search(row)
    try:
        return parse_identifier(found["id"].removesuffix(".pdf"))[0] if found else None
    except ValueError:
        return None


def _text(cell: str) -> str:
    """What a cell shows. A backslash stays, unless before a pipe: few programs escape the TeX of a paper."""
    return one_line(unescape(_without_markup(cell).replace("\\|", "|")))


def _without_markup(written: str) -> str:
    return _LINK.sub(r"\1", _TAG.sub("", _SUMMARY.sub("", written))).replace("**", "")
