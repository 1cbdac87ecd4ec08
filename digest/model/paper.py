"""The value that all stages use: a paper, whose identity does not include the version."""

import re
import string
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

ArxivId = NewType("ArxivId", str)
"""An arXiv identifier without its version: `2606.01234`, or before April 2007 `math/0309136`.

See https://info.arxiv.org/help/arxiv_identifier.html.
"""

_NEW_STYLE = r"\d{4}\.\d{4,5}"
_OLD_STYLE = r"[a-z][a-z-]*(?:\.[A-Z]{2})?/\d{7}"
_ID = rf"(?P<id>{_NEW_STYLE}|{_OLD_STYLE})(?:v(?P<version>[1-9]\d{{0,3}}))?"
# Values that come with each paper in each answer.
_IDENTIFIER = re.compile(
    rf"(?:https?://(?:[a-z]+\.)?arxiv\.org/abs/|oai:arxiv\.org:|arxiv:)?{_ID}", re.IGNORECASE | re.ASCII
)
# Texts that people copy. The addresses: https://info.arxiv.org/help/arxiv_identifier_for_services.html. The
# DOI: https://info.arxiv.org/help/doi.html. On a PDF, the category and the day follow.
_COPIED = re.compile(
    rf"""(?:
        (?:(?:https?:)?//)? (?:[a-z\d-]+\.)* (?:arxiv|ar5iv|alphaxiv)\.org/
        (?:(?:abs|pdf|html|format|src|e-print|ps|tb|trackback)/ | (?=\d))
      | (?:(?:(?:https?:)?//)? (?:dx\.|www\.)?doi\.org/ | doi:\s*)? 10\.48550/arxiv\.
      | arxiv:\s*
    )?
    {_ID} (?:\.pdf|\.ps(?:\.gz)?)? /? (?:[?\#]\S*)?
    (?:\s*\[[a-z.-]+\]? (?:\s+\d{{1,2}}\s[a-z]{{3}}\s\d{{4}})?)?""",
    re.IGNORECASE | re.ASCII | re.VERBOSE,
)
_BEFORE, _AFTER = "<([{\"'`“‘«*_", ">)]}\"'`”’»*_.,;:!?"
_WRITTEN_SLASH = re.compile("%2f", re.IGNORECASE)
_SUBJECT_CLASS = re.compile(r"\.[a-z]{2}/")
# DOIs of the 1990s have pairs of angle brackets: 10.1002/(SICI)1096-8644(199808)106:4<483::A>3.0.CO;2-K
_DOI = re.compile(r"10\.\d{4,9}/(?:(?![,;]10\.\d{4})[^\s<>\"{}\\]|<[^\s<>\"{}\\]*>)+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One version of a paper, as arXiv announced it.

    The first of `categories` is the primary one. `submitted_at` is when arXiv received the first version, and
    `updated_at` when it received this version; both are `None` if the source does not have them.
    """

    id: ArxivId
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    comment: str | None = None
    journal_ref: str | None = None
    doi: str | None = None

    def __hash__(self) -> int:
        """The hash of its id: papers are looked up very often, and seldom in two versions at once."""
        return hash(self.id)

    @property
    def primary_category(self) -> str:
        return self.categories[0]

    @property
    def abs_url(self) -> str:
        return f"https://arxiv.org/abs/{self.id}"

    @property
    def pdf_url(self) -> str:
        return f"https://arxiv.org/pdf/{self.id}"


def parse_identifier(text: str) -> tuple[ArxivId, int | None]:
    """The identifier, and the version if `text` contains one.

    Accepts the bare form, `oai:arXiv.org:…`, `arXiv:… [cs.LG]`, every address of a paper and its DOI, with
    punctuation around them as in copied text. An old-style subject class is not part of the identity:
    `math.GT/0309136` is `math/0309136`. Raises `ValueError` for anything else.
    """
    found = _IDENTIFIER.fullmatch(text) or _COPIED.fullmatch(_without_punctuation(text))
    if not found:
        raise ValueError(f"not an arXiv identifier: {text[:80]!r}; write it as 2606.01234, or its address")
    version = found["version"]
    return ArxivId(_SUBJECT_CLASS.sub("/", found["id"].lower())), int(version) if version else None


def first_doi(text: str) -> str | None:
    """The first DOI in what authors typed, without the punctuation that separates it from the next one."""
    found = _DOI.search(text)
    return found[0].rstrip(".,;") if found else None


def announcement_order(arxiv_id: ArxivId) -> str:
    """A sort key: of two different keys, the lower one was announced first. Empty before April 2007.

    arXiv numbers papers when it announces them, in the order of announcements, separately for each month.
    """
    month, _, number = arxiv_id.partition(".")
    return f"{month}.{number:0>5}" if number.isdigit() and len(month) == 4 else ""


def _without_punctuation(text: str) -> str:
    bare = text.strip().lstrip(_BEFORE).rstrip(_AFTER + string.whitespace)
    return _WRITTEN_SLASH.sub("/", bare)


def month_of(arxiv_id: ArxivId) -> str:
    """The month of the identifier, as in `2026-06`; the first identifiers are from 1991."""
    digits = arxiv_id.rpartition("/")[2]
    return f"{19 if digits[0] == '9' else 20}{digits[:2]}-{digits[2:4]}"


def one_line(text: str) -> str:
    """`text` with each run of blanks, line breaks, control and direction-override characters as one blank."""
    bare = text.strip().replace("\n", " ")
    if bare.isprintable() and "  " not in bare:
        return bare  # most texts; a blank is the only printable white space
    joined = " ".join(text.split())
    return joined if joined.isprintable() else _UNPRINTABLE.sub(" ", joined).strip()
