"""Reads the references in a file of a reference manager: BibTeX, RIS or CSL-JSON."""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from digest.mail.rendering.tex.convert import plain
from digest.model.paper import ArxivId, one_line, parse_identifier

_BIBTEX = re.compile(r"^\s*@\s*\w+\s*[{(]", re.MULTILINE)
_RIS = re.compile(r"^TY(  ?)-", re.MULTILINE)
# Crossref, and all that take texts from it, keep the markup of publishers (JATS).
_MARKUP = re.compile(
    r"</?(?:jats:)?(?:i|b|em|strong|sub|sup|sc|span|italic|bold)\b[^<>]*>"
    r"|(?P<block></?(?:(?:jats|mml):[\w-]+|p|div|br)\b[^<>]*>)",
    re.IGNORECASE,
)
_MENTIONED = re.compile(
    r"(?:arxiv(?:\s+preprint)?[:\s]\s*|arxiv\.org/(?:abs|pdf|html)/|10\.48550/arxiv\.|^abs/)"
    r"((?:[a-z][a-z.-]*/)?\d[\w./-]*)",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n?")
_BIBTEX_PLACES = (
    *("arxivid", "doi", "url", "note", "journal", "journaltitle", "howpublished", "number"),
    *("volume", "eid", "pages", "publisher"),
)
"""Fields that may name the identifier. Mendeley has `arxivid`; Semantic Scholar has `abs/…` in `volume`."""

_RIS_PLACES = (
    *("accession_number", "number", "note", "journal_name", "secondary_title", "alternate_title1"),
    *("alternate_title2", "alternate_title3", "volume", "start_page", "publisher"),
    *("file_attachments1", "file_attachments2"),
)
_NO_ABSTRACT = re.compile(r"^abstract[:.]?\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A paper of a library. `label` is what its owner knows it by; the texts may be empty."""

    label: str
    title: str
    abstract: str
    arxiv_id: ArxivId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An entry that could not be read, and why."""

    label: str
    reason: str


Entries: TypeAlias = Iterable[Reference | Unread]


def parse_library(text: str) -> list[Reference | Unread]:
    """Returns the entries of a file. Raises `ValueError` if it has none of the formats."""
    text = _LINE_END.sub("\n", text)
    if text.lstrip("\ufeff \t\r\n")[:1] in ("[", "{"):
        return list(_csl_json(text.lstrip("\ufeff")))
    if _RIS.search(text):
        return list(_ris(text))
    if _BIBTEX.search(text):
        return list(_bibtex(text))
    raise ValueError("neither BibTeX nor RIS nor CSL-JSON")


def reference(label: object, title: object, abstract: object, places: Iterable[object]) -> Reference | Unread:
    """Returns the paper. `places` are texts that may name its arXiv identifier, the surest first."""
    found = Reference(
        label=one_line(str(label or title or "an entry without a title")),
        title=_without_markup(title),
        abstract=_NO_ABSTRACT.sub("", _without_markup(abstract)),
        arxiv_id=next((one for place in places if place and (one := _arxiv_id(str(place)))), None),
    )
    if not found.title and found.arxiv_id is None:
        return Unread(label=found.label, reason="it has neither a title nor an arXiv identifier")
    return found


def _without_markup(text: object) -> str:
    return one_line(_MARKUP.sub(lambda found: " " if found["block"] else "", str(text or "")))


def _arxiv_id(place: str) -> ArxivId | None:
    """Returns the identifier that a text is, or that it mentions as `arXiv:…`, address or DOI."""
    for text in (place, *_MENTIONED.findall(place)):
        try:
            return parse_identifier(text)[0]
        except ValueError:
            continue
    return None


def _bibtex(text: str) -> Iterator[Reference | Unread]:
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import (
        DuplicateBlockKeyBlock,
        DuplicateFieldKeyBlock,
        Entry,
        ParsingFailedBlock,
    )

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # each failure is reported below
    for block in parse_string(text).blocks:
        if isinstance(block, DuplicateBlockKeyBlock | DuplicateFieldKeyBlock):
            block = block.ignore_error_block or block
        if isinstance(block, Entry):
            fields = {name.lower(): str(field.value) for name, field in block.fields_dict.items()}
            yield _of_bibtex(block.key, fields)
        elif isinstance(block, ParsingFailedBlock):
            first = one_line((block.raw or "").partition("\n")[0])[:60]
            yield Unread(label=first, reason=f"it is no valid BibTeX (line {(block.start_line or 0) + 1})")


def _of_bibtex(key: str, fields: Mapping[str, str]) -> Reference | Unread:
    kind = (fields.get("eprinttype") or fields.get("archiveprefix") or "arxiv").strip("{} ").lower()
    places = (
        *([fields.get("eprint")] if "arxiv" in kind else []),
        *(fields.get(name) for name in _BIBTEX_PLACES),
    )
    title, abstract = (_without_tex(fields.get(name, "")) for name in ("title", "abstract"))
    return reference(key, title, abstract, [place and place.strip("{} ") for place in places])


def _without_tex(text: str) -> str:
    return plain(text).replace("{", "").replace("}", "")


def _ris(text: str) -> Iterator[Reference | Unread]:
    import rispy

    try:
        entries = rispy.loads(_regular(text))
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"no valid RIS: {error}") from error
    for entry in entries:
        title = entry.get("title") or entry.get("primary_title")
        abstract = entry.get("abstract") or entry.get("notes_abstract")
        places = (
            entry.get("doi"),
            *_listed(entry.get("urls")),
            *(entry.get(name) for name in _RIS_PLACES),
            *_listed(entry.get("notes")),
        )
        yield reference(title, title, abstract, places)


def _regular(text: str) -> str:
    """The records as rispy reads them: with two blanks after each tag, and each with its end."""
    first = _RIS.search(text)
    assert first  # noqa: S101 - `parse_library` sees to it
    text = re.sub(rf"^([A-Z][A-Z\d]){first[1]}- ?", r"\1  - ", text, flags=re.MULTILINE)
    records = re.split(r"^(?=TY  - )", text, flags=re.MULTILINE)[1:]
    return "\n".join(
        one if re.search(r"^ER  - ", one, re.MULTILINE) else f"{one}\nER  - \n" for one in records
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _csl_json(text: str) -> Iterator[Reference | Unread]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no valid CSL-JSON: {error}") from error
    items = found.get("items", [found]) if isinstance(found, dict) else found
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            yield Unread(label=str(item)[:60], reason="it is no item of CSL-JSON")
            continue
        places = (
            item.get(name)
            for name in ("DOI", "URL", "number", "archive_location", "note", "container-title", "volume")
        )
        yield reference(item.get("title") or item.get("id"), item.get("title"), item.get("abstract"), places)


def of_zotero(item: Mapping[str, Any]) -> Reference | Unread | None:
    """Returns the paper of an item of Zotero's API; `None` for a note, an attachment or an annotation."""
    data = item.get("data")
    if not isinstance(data, dict) or data.get("itemType") in ("note", "attachment", "annotation"):
        return None
    title = data.get("title")
    places = (data.get(name) for name in ("archiveID", "DOI", "url", "reportNumber", "extra"))
    return reference(title or item.get("key"), title, data.get("abstractNote"), places)
