"""Parses the tables of a "Daily Papers" README, written by `digest page` or by another program.

Such pages differ in their columns, and few escape the text in them. A row whose columns cannot be separated
is read as one text, and a cell may continue in the next line. Tables are in Markdown or HTML.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from itertools import chain

from digest.model.paper import ArxivId, one_line, parse_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The data of a paper on a page. `title` is empty if the row does not show which text it is."""

    id: ArxivId
    title: str
    abstract: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A row that looks like a paper but could not be parsed: its line, counted from 1, and its text."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A heading with its papers, each once; `unread` are rows without a paper of arXiv."""

    heading: str
    papers: tuple[Listed, ...]
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The headings that have a table of papers, in their order, and the links to papers elsewhere."""

    listings: tuple[Listing, ...]
    unread: tuple[Unread, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: int
    source: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """`end` is the index of the line after it."""

    columns: tuple[str, ...]
    rows: tuple[_Row, ...]
    end: int


_LINE_END = re.compile(r"\r\n|\n|\r")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]+|$)")
_HTML_HEADING = re.compile(r"\s*<h[1-6]\b[^<>]*>(?P<text>.*)</h[1-6]>\s*", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_DELIMITER = re.compile(r":?-+:?")
_PIPE = re.compile(r"(?<!\\)\|")
_TABLE_BEGINS, _TABLE_ENDS = re.compile(r"<table\b", re.IGNORECASE), re.compile(r"</table\s*>", re.IGNORECASE)
_TR = re.compile(r"<tr\b[^<>]*>", re.IGNORECASE)
_TD = re.compile(r"<t[dh]\b[^<>]*>", re.IGNORECASE)
_CELL_ENDS = re.compile(r"</(?:t[dhr]|thead|tbody|table)\s*>", re.IGNORECASE)
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_NO_MARKDOWN = str.maketrans({"*": "&#42;", "[": "&#91;"})
# Elements that end in the cell that they begin in; a <p> need not end.
_OPENS = re.compile(r"<(?:details|summary|div)\b[^<>]*>", re.IGNORECASE)
_CLOSES = re.compile(r"</(?:details|summary|div)\s*>", re.IGNORECASE)

_LINKED = re.compile(
    r"""\]\(\s*<?(?P<markdown>[^\s<>()]+)[\s>)] | \bhref\s*=\s*["']?(?P<html>[^\s"'<>]+)["'\s>]""",
    re.IGNORECASE | re.VERBOSE,
)
# If the page ends within an address, the address may lack digits.
_ADDRESS = re.compile(
    r"(?<![a-z\d-])(?:(?:arxiv|ar5iv|alphaxiv)\.org/|10\.48550(?:/|%2f)arxiv\.)[^\s<>|()\[\]\"']++(?=.)",
    re.IGNORECASE | re.DOTALL,
)
_SEEMS_A_PAPER = re.compile(r"arxiv\.org/(?:abs|html|pdf)/|10\.48550(?:/|%2f)arxiv\.", re.IGNORECASE)
_LINK_ENDS = re.compile(r"\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_SUMMARY = re.compile(r"<summary>.{0,300}?</summary>", re.IGNORECASE)
_BLOCK_TAG = re.compile(r"</?(?:br|details|div|p|summary|table|tbody|td|th|thead|tr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?(?:a|b|code|em|font|i|img|span|strong|sub|sup)\b[^<>]*>", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def parse_page(text: str) -> Contents:
    """The headings that have a table of papers under them; a table of papers has a column Title."""
    lines = _LINE_END.split(text)
    shown = _without_fenced(lines)
    listings: list[Listing] = []
    unread: list[Unread] = []
    heading, at = "", 0
    while at < len(lines):
        found = _heading(shown[at])
        heading = heading if found is None else found
        table = _table_at(shown, at) if heading and found is None else None
        if table:
            listings.append(_listing(heading, table))
        elif _SEEMS_A_PAPER.search(lines[at]):
            unread.append(Unread(line=at + 1, text=_text(lines[at])))
        at = table.end if table else at + 1
    return Contents(listings=tuple(listings), unread=tuple(unread))


def _without_fenced(lines: Sequence[str]) -> list[str]:
    """Fenced code as empty lines; see https://spec.commonmark.org/0.31.2/#fenced-code-blocks."""
    kept: list[str] = []
    fence = ""
    for line in lines:
        found = _FENCE.fullmatch(line)
        if fence:
            kept.append("")
            if found and found[1].startswith(fence) and not found[2].strip(" \t"):
                fence = ""
        elif found and not (line.lstrip().startswith("`") and "`" in found[2]):
            kept.append("")
            fence = found[1]
        else:
            kept.append(line)
    return kept


def _heading(line: str) -> str | None:
    if html := _HTML_HEADING.fullmatch(line):
        return _heading_text(html["text"])
    if not (found := _HEADING.match(line)):
        return None
    written = line[found.end() :].rstrip(" \t")
    bare = written.rstrip("#")
    return _heading_text(written if bare and not bare.endswith((" ", "\t")) else bare)


def _heading_text(written: str) -> str:
    return one_line(unescape(_ESCAPED.sub(r"\1", _without_markup(written))))


def _table_at(lines: Sequence[str], at: int) -> _Table | None:
    """The table of papers that begins in this line."""
    if _is_header(lines, at):
        columns = _columns(_cells(lines[at]))
        return _markdown_table(columns, lines, at) if "title" in columns else None
    if _TABLE_BEGINS.search(lines[at]):
        table = _html_table(lines, at)
        return table if "title" in table.columns else None
    return None


def _is_header(lines: Sequence[str], at: int) -> bool:
    following = lines[at + 1] if at + 1 < len(lines) else ""
    if "|" not in lines[at] or "|" not in following:
        return False
    return all(_DELIMITER.fullmatch(cell.strip()) for cell in _cells(following))


def _columns(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(_text(cell).casefold() for cell in cells)


def _markdown_table(columns: tuple[str, ...], lines: Sequence[str], at: int) -> _Table:
    rows: list[_Row] = []
    first = at = at + 2
    while at < len(lines) and "|" in lines[at]:
        first, at = at, _row_end(lines, at, len(columns))
        source = "\n".join(lines[first:at]) + "\n" * (at < len(lines))
        rows.append(_Row(line=first + 1, source=source, cells=tuple(_cells(source))))
    return _Table(columns=columns, rows=tuple(rows), end=at)


def _row_end(lines: Sequence[str], at: int, columns: int) -> int:
    """The index after a row, which goes on while it lacks cells or an element of it is open."""
    pipes = depth = 0
    is_framed = lines[at].lstrip().startswith("|")
    while True:
        line = lines[at]
        pipes += len(_PIPE.findall(line))
        depth += len(_OPENS.findall(line)) - len(_CLOSES.findall(line))
        at += 1
        lacks_cells = is_framed and (pipes <= columns or not line.rstrip().endswith("|"))
        following = lines[at].strip() if at < len(lines) else ""
        begins_another = following.startswith("|") and following != "|"
        if at == len(lines) or begins_another or _heading(lines[at]) is not None:
            return at
        if depth <= 0 and not (lacks_cells and following):
            return at


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    cells = [cell.replace("\\|", "|") for cell in _PIPE.split(line)]
    return cells[:-1] if len(cells) > 1 and not cells[-1].strip() else cells


def _html_table(lines: Sequence[str], at: int) -> _Table:
    end = at + 1
    while end < len(lines) and not (
        _TABLE_ENDS.search(lines[end - 1]) or _TABLE_BEGINS.search(lines[end]) or _heading(lines[end])
    ):
        end += 1
    header, *rows = _html_rows("\n".join(lines[at:end]), at + 1) or [_Row(line=at + 1, source="", cells=())]
    return _Table(columns=_columns(header.cells), rows=tuple(rows), end=end)


def _html_rows(source: str, line: int) -> list[_Row]:
    rows: list[_Row] = []
    before, *parts = _TR.split(source)
    for part in parts:
        line += before.count("\n")
        cells = tuple(_html_cell(cell) for cell in _TD.split(part)[1:])
        if cells:
            rows.append(_Row(line=line, source=part, cells=cells))
        before = part
    return rows


def _html_cell(written: str) -> str:
    """In HTML, Markdown has a meaning after an empty line only."""
    cell = _CELL_ENDS.split(written, maxsplit=1)[0]
    return cell if _EMPTY_LINE.search(cell) else cell.translate(_NO_MARKDOWN)


def _listing(heading: str, table: _Table) -> Listing:
    papers: dict[ArxivId, Listed] = {}
    unread: list[Unread] = []
    for row in table.rows:
        if arxiv_id := _arxiv_id(row.source):
            papers.setdefault(arxiv_id, _listed(arxiv_id, table.columns, row))
        else:
            unread.append(Unread(line=row.line, text=_text("|".join(row.cells))))
    return Listing(heading=heading, papers=tuple(papers.values()), unread=tuple(unread))


def _listed(arxiv_id: ArxivId, columns: Sequence[str], row: _Row) -> Listed:
    if len(row.cells) != len(columns):
        return Listed(id=arxiv_id, title="", abstract=_text("|".join(row.cells)), comment="")
    texts: Mapping[str, str] = dict(zip(columns, map(_text, row.cells), strict=True))
    return Listed(
        id=arxiv_id,
        title=texts["title"],
        abstract=texts.get("abstract", ""),
        comment=texts.get("comment", ""),
    )


def _arxiv_id(row: str) -> ArxivId | None:
    """From the first link to a paper; an address that is not a link may be part of the abstract."""
    links = " ".join(found["markdown"] or found["html"] for found in _LINKED.finditer(row))
    for found in chain(_ADDRESS.finditer(f"{links} "), _ADDRESS.finditer(row)):
        with suppress(ValueError):
            return parse_identifier(unescape(found[0]))[0]
    return None


def _text(cell: str) -> str:
    """The text that a cell shows. A backslash stays: few programs escape the TeX of a paper."""
    return one_line(unescape(_without_markup(cell)))


def _without_markup(written: str) -> str:
    bare = _TAG.sub("", _BLOCK_TAG.sub(" ", _SUMMARY.sub("", written)))
    return _without_links(bare).replace("**", "")


def _without_links(written: str) -> str:
    """The texts of links in place of the links; a link begins at the first bracket after the last one."""
    parts: list[str] = []
    at = 0
    for found in _LINK_ENDS.finditer(written):
        before, bracket, text = written[at : found.start()].partition("[")
        parts += [before.removesuffix("!"), text] if bracket else [before, found[0]]
        at = found.end()
    return "".join([*parts, written[at:]])
