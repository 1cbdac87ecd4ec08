"""Parses OAI-PMH's answers in the format `arXivRaw`, the only one with the dates of all versions.

Sources: https://www.openarchives.org/OAI/openarchivesprotocol.html and https://info.arxiv.org/help/oa/.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

from digest.errors import Refused
from digest.model.paper import Paper, one_line, parse_identifier
from digest.sources.arxiv.authors import parse_author_names
from digest.sources.arxiv.tex_to_unicode import tex_to_unicode
from digest.sources.xml import (
    in_utc,
    incomplete,
    moment_of,
    optional_text,
    read_entries,
    root_of,
    text_of,
    text_or_empty,
)

OAI_URL = "https://oaipmh.arxiv.org/oai"

_KIND = "OAI-PMH document"
_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_RAW = "{http://arxiv.org/OAI/arXivRaw/}"
_VERSION = re.compile(r"v([1-9]\d{0,3})", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


class TokenExpired(Refused):
    """The resumption token is no longer valid: the list must be requested again from its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A paper in its current version, and the UTC date of the last change of its metadata."""

    paper: Paper
    datestamp_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """One page of a list, and how many of its records are only marked as `deleted`.

    `unreadable` is the number of records that were omitted because they cannot be papers.
    `token` requests the next page and is `None` on the last one. `complete_size` is the number of records on
    all pages, if the server gives it. If nothing matches, the page has no records.
    """

    responded_at: datetime
    records: tuple[Record, ...]
    deleted: int = 0
    unreadable: int = 0
    token: str | None = None
    complete_size: int | None = None

    @property
    def came(self) -> int:
        """The number of records in the answer, of any kind."""
        return len(self.records) + self.deleted + self.unreadable


def parse_record_page(document: bytes, *, url: str = OAI_URL) -> RecordPage:
    """The records of one answer to `ListRecords`, with texts in Unicode. `url` is for errors.

    A record that cannot be a paper is omitted. Raises `BadDocument` unless the answer is complete and in
    `arXivRaw`, `TokenExpired`, and `Refused` for all other errors, which arrive with HTTP 200.
    """
    root = root_of(document, url, tag=f"{_OAI}OAI-PMH", kind=_KIND)
    try:
        responded_at = moment_of(text_of(root, f"{_OAI}responseDate"))
        errors = root.findall(f"{_OAI}error")
        if errors:
            _raise_unless_nothing_matches(errors, url)
            return RecordPage(responded_at=responded_at, records=())
        return _page(root, responded_at)
    except ValueError as error:
        raise incomplete(url, _KIND, str(error)) from error


def _raise_unless_nothing_matches(errors: list[ElementTree.Element], url: str) -> None:
    """The error codes are in the protocol's chapter 3.6; `noRecordsMatch` is the answer on a quiet day."""
    for error in errors:
        code = error.get("code", "no code")
        if code != "noRecordsMatch":
            words = one_line(error.text or "") or "no reason given"
            kind = TokenExpired if code == "badResumptionToken" else Refused
            raise kind(url, f"arXiv refused the harvest ({code}): {words}")


def _page(root: ElementTree.Element, responded_at: datetime) -> RecordPage:
    listed = root.find(f"{_OAI}ListRecords")
    if listed is None:
        raise ValueError("a <ListRecords> is missing")
    elements = listed.findall(f"{_OAI}record")
    if not elements:
        raise ValueError("it lists no record, and does not say that none matches")
    read, unreadable = read_entries(elements, _record, id_path=f"{_OAI}header/{_OAI}identifier")
    records = tuple(record for record in read if record)
    token = listed.find(f"{_OAI}resumptionToken")
    size = "" if token is None else token.get("completeListSize", "")
    return RecordPage(
        responded_at=responded_at,
        records=records,
        deleted=len(read) - len(records),
        unreadable=unreadable,
        token=None if token is None else (token.text or "").strip() or None,
        complete_size=int(size) if _NUMBER.fullmatch(size) else None,
    )


def _record(element: ElementTree.Element) -> Record | None:
    """`None` for a record that is only marked as deleted."""
    header = _child(element, f"{_OAI}header")
    if header.get("status") == "deleted":
        return None
    metadata = _child(element, f"{_OAI}metadata")
    return Record(
        paper=_paper(_child(metadata, f"{_RAW}arXivRaw")),
        datestamp_on=date.fromisoformat(text_of(header, f"{_OAI}datestamp").strip()[:10]),
    )


def _paper(raw: ElementTree.Element) -> Paper:
    identifier, _ = parse_identifier(text_of(raw, f"{_RAW}id"))
    versions = dict(_version(element) for element in raw.iterfind(f"{_RAW}version"))
    if 1 not in versions:
        raise ValueError(f"{identifier} has no first version")
    categories = tuple(dict.fromkeys(text_of(raw, f"{_RAW}categories").split()))
    if not categories:
        raise ValueError(f"{identifier} has no category")
    current = max(versions)
    return Paper(
        id=identifier,
        version=current,
        title=_in_unicode(text_or_empty(raw, f"{_RAW}title")),
        abstract=_in_unicode(text_or_empty(raw, f"{_RAW}abstract")),
        authors=parse_author_names(text_or_empty(raw, f"{_RAW}authors")),
        categories=categories,
        submitted_at=versions[1],
        updated_at=versions[current],
        comment=_in_unicode(text_or_empty(raw, f"{_RAW}comments")) or None,
        journal_ref=_in_unicode(text_or_empty(raw, f"{_RAW}journal-ref")) or None,
        doi=optional_text(raw, f"{_RAW}doi"),
    )


def _in_unicode(text: str) -> str:
    """`text` as in the search API, on one line. Lines are joined last, because no TeX command ends at a line
    break.
    """
    return one_line(tex_to_unicode(text))


def _version(element: ElementTree.Element) -> tuple[int, datetime]:
    """The number of a version, and when arXiv received it (an RFC 2822 date)."""
    number = _VERSION.fullmatch(element.get("version", ""))
    if number is None:
        raise ValueError(f"a version is called {element.get('version')!r}")
    text = text_of(element, f"{_RAW}date")
    try:
        received_at = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError) as error:
        raise ValueError(f"a version's date is {text[:40]!r}") from error
    if received_at.tzinfo is None:
        raise ValueError(f"a time without its zone: {text[:40]!r}")
    return int(number[1]), in_utc(received_at)


def _child(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    child = element.find(tag)
    if child is None:
        raise ValueError(f"a <{tag.rpartition('}')[2]}> is missing")
    return child
