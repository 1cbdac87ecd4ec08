"""Parses the search API's Atom documents, exactly.

Papers are not parsed with feedparser: it accepts an incomplete document, and it changes a text such as
"120 Å³", because it assumes that the text was encoded twice. feedparser only parses arXiv's refusals, where
any form and any part of a document is useful.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

from digest.errors import BadDocument, Refused
from digest.model.paper import ArxivId, Paper, one_line, parse_identifier
from digest.sources.arxiv.authors import author_name
from digest.sources.xml import moment_of, optional_text, read_entries, root_of, text_of, text_or_empty

SEARCH_API_URL = "https://export.arxiv.org/api/query"

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_OPEN_SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
_LONGEST_REFUSAL = 64 * 1024
# A page of particle physics may name two hundred thousand authors, each on three lines.
_MOST_MARKS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """One page of results in arXiv's order; `total` is the number of results on all pages.

    `unreadable` is the number of entries that were omitted because they cannot be papers. `made_at` is
    arXiv's time.
    """

    total: int
    papers: tuple[Paper, ...]
    unreadable: int = 0
    made_at: datetime | None = None

    @property
    def came(self) -> int:
        """The number of results on the page, including omitted ones."""
        return len(self.papers) + self.unreadable


def parse_search_answer(document: bytes, *, url: str = SEARCH_API_URL) -> SearchAnswer:
    """The papers of one answer of the search API (https://info.arxiv.org/help/api/user-manual.html).

    Texts are exactly those of arXiv, except that each run of blanks becomes one blank; in names, remaining
    TeX is converted. `url` is for errors.
    An entry that cannot be a paper is omitted. Raises `BadDocument` unless the document is a complete feed,
    and `Refused` for an error message.
    """
    feed = root_of(document, url, tag=f"{_ATOM}feed", kind="Atom feed", most_marks=_MOST_MARKS)
    entries = feed.findall(f"{_ATOM}entry")
    for entry in entries:
        if _is_error(entry.findtext(f"{_ATOM}title"), entry.findtext(f"{_ATOM}id")):
            reason = one_line(entry.findtext(f"{_ATOM}summary", "")) or "no reason given"
            raise Refused(url, f"arXiv refused the search: {reason}")
    try:
        total = int(text_of(feed, f"{_OPEN_SEARCH}totalResults"))
        papers, unreadable = read_entries(entries, _paper, id_path=f"{_ATOM}id")
        made_at = moment_of(text) if (text := feed.findtext(f"{_ATOM}updated")) else None
        return SearchAnswer(total=total, papers=papers, unreadable=unreadable, made_at=made_at)
    except ValueError as error:
        raise BadDocument(url, f"arXiv's answer is incomplete: {error}; try again later") from error


def error_reason(document: bytes) -> str | None:
    """arXiv's own reason for a refusal, if `document` has one.

    The search API gives it in an entry titled `Error`, the daily feeds in the subtitle of an empty feed.
    """
    import feedparser  # loads as long as a thousand papers parse, and refusals are rare

    try:
        parsed = feedparser.parse(io.BytesIO(document[:_LONGEST_REFUSAL]), sanitize_html=False)
    except ValueError:
        # feedparser raises it for some invalid encodings, and for incomplete attributes.
        return None
    if not parsed["entries"]:
        return one_line(parsed["feed"].get("subtitle", "")) or None
    first = parsed["entries"][0]
    if not _is_error(first.get("title"), first.get("id")):
        return None
    return one_line(first.get("summary", "")) or None


def _is_error(title: str | None, identifier: str | None) -> bool:
    # Most errors have an id under /api/errors, some a page of the manual. A paper may have that title too.
    return title == "Error" and "/abs/" not in (identifier or "")


def _paper(entry: ElementTree.Element) -> Paper:
    identifier, version = parse_identifier(text_of(entry, f"{_ATOM}id"))
    marked = (*entry.iterfind(f"{_ARXIV}primary_category"), *entry.iterfind(f"{_ATOM}category"))
    categories = tuple(dict.fromkeys(term for element in marked if (term := element.get("term"))))
    if not categories:
        raise ValueError(f"{identifier} has no category")
    return Paper(
        id=ArxivId(identifier),
        version=version or 1,
        title=one_line(text_or_empty(entry, f"{_ATOM}title")),
        abstract=one_line(text_or_empty(entry, f"{_ATOM}summary")),
        authors=_authors(entry),
        categories=categories,
        submitted_at=moment_of(text_of(entry, f"{_ATOM}published")),
        updated_at=moment_of(text_of(entry, f"{_ATOM}updated")),
        comment=optional_text(entry, f"{_ARXIV}comment"),
        journal_ref=optional_text(entry, f"{_ARXIV}journal_ref"),
        doi=optional_text(entry, f"{_ARXIV}doi"),
    )


def _authors(entry: ElementTree.Element) -> tuple[str, ...]:
    """The names without those that have no letter: a colon after a collaboration arrives as an author."""
    texts = (text_or_empty(author, f"{_ATOM}name") for author in entry.iterfind(f"{_ATOM}author"))
    names = (author_name(one_line(text)) for text in texts)
    return tuple(name for name in names if any(map(str.isalnum, name)))
