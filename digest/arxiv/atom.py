"""The search API's Atom documents, read exactly or not at all.

Papers are not read with feedparser: what was cut off it takes for a shorter document, and a text such as
"120 Å³" it takes for one that was encoded twice, and changes it. It reads what arXiv says when it refuses,
where any form and any part of a document is welcome.
"""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn
from xml.etree import ElementTree

import feedparser

from digest.errors import BadDocument, Refused
from digest.papers import ArxivId, Paper, one_line, parse_identifier

SEARCH_API_URL = "https://export.arxiv.org/api/query"

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_OPEN_SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
_LONGEST_REFUSAL = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """One page of results in arXiv's order; `total` counts the results on all pages."""

    total: int
    papers: tuple[Paper, ...]


def parse_search_answer(document: bytes, *, url: str = SEARCH_API_URL) -> SearchAnswer:
    """The papers of one answer of the search API (https://info.arxiv.org/help/api/user-manual.html).

    Texts are character for character those of arXiv, with each run of blanks as one. `url` is for errors.
    Raises `BadDocument` for anything but a complete feed, and `Refused` for one that is an error message.
    """
    feed = _feed(document, url)
    entries = feed.findall(f"{_ATOM}entry")
    for entry in entries:
        if _is_error(entry.findtext(f"{_ATOM}title"), entry.findtext(f"{_ATOM}id")):
            reason = one_line(entry.findtext(f"{_ATOM}summary", "")) or "no reason given"
            raise Refused(url, f"arXiv refused the search: {reason}")
    try:
        return SearchAnswer(
            total=int(_text(feed, f"{_OPEN_SEARCH}totalResults")),
            papers=tuple(_paper(entry) for entry in entries),
        )
    except (ValueError, OverflowError) as error:
        raise BadDocument(url, f"arXiv's answer is incomplete: {error}; try again later") from error


def error_reason(document: bytes) -> str | None:
    """Why arXiv refused, in its own words, if `document` says so.

    The search API puts them into an entry titled `Error`, the daily feeds into the subtitle of an empty feed.
    """
    parsed = feedparser.parse(io.BytesIO(document[:_LONGEST_REFUSAL]), sanitize_html=False)
    if not parsed["entries"]:
        return one_line(parsed["feed"].get("subtitle", "")) or None
    first = parsed["entries"][0]
    if not _is_error(first.get("title"), first.get("id")):
        return None
    return one_line(first.get("summary", "")) or None


class _NoDoctype(ElementTree.TreeBuilder):
    """Without a DOCTYPE there are no entities, neither exploding nor external ones."""

    def doctype(self, *_declaration: object) -> NoReturn:
        raise ValueError("it has a DOCTYPE")


def _feed(document: bytes, url: str) -> ElementTree.Element:
    try:
        # S314 is about entities, which need the DOCTYPE that is refused.
        root = ElementTree.XML(document, ElementTree.XMLParser(target=_NoDoctype()))  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        reason = f"arXiv's answer is not a complete Atom feed: {error}; try again later"
        raise BadDocument(url, reason) from error
    if root.tag != f"{_ATOM}feed":
        name = root.tag.rpartition("}")[2]
        raise BadDocument(url, f"arXiv's answer is not a complete Atom feed: it is <{name}>; try again later")
    return root


def _is_error(title: str | None, identifier: str | None) -> bool:
    # Most errors have an id under /api/errors, some a page of the manual. A paper may have that title too.
    return title == "Error" and "/abs/" not in (identifier or "")


def _paper(entry: ElementTree.Element) -> Paper:
    identifier, version = parse_identifier(_text(entry, f"{_ATOM}id"))
    marked = (*entry.iterfind(f"{_ARXIV}primary_category"), *entry.iterfind(f"{_ATOM}category"))
    categories = tuple(dict.fromkeys(term for element in marked if (term := element.get("term"))))
    if not categories:
        raise ValueError(f"{identifier} has no category")
    return Paper(
        id=ArxivId(identifier),
        version=version or 1,
        title=one_line(_text(entry, f"{_ATOM}title")),
        abstract=one_line(_text(entry, f"{_ATOM}summary")),
        authors=tuple(one_line(_text(author, f"{_ATOM}name")) for author in entry.iterfind(f"{_ATOM}author")),
        categories=categories,
        submitted_at=_moment(entry, f"{_ATOM}published"),
        updated_at=_moment(entry, f"{_ATOM}updated"),
        comment=_optional(entry, f"{_ARXIV}comment"),
        journal_ref=_optional(entry, f"{_ARXIV}journal_ref"),
        doi=_optional(entry, f"{_ARXIV}doi"),
    )


def _text(element: ElementTree.Element, tag: str) -> str:
    text = element.findtext(tag)
    if text is None:
        raise ValueError(f"a <{tag.rpartition('}')[2]}> is missing")
    return text


def _moment(entry: ElementTree.Element, tag: str) -> datetime:
    text = _text(entry, tag).strip()
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without its zone: {text!r}")
    return moment.astimezone(UTC)


def _optional(entry: ElementTree.Element, tag: str) -> str | None:
    return one_line(entry.findtext(tag, "")) or None
