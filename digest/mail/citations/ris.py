"""RIS: https://en.wikipedia.org/wiki/RIS_(file_format). One value a line; lines end with CR and LF."""

from collections.abc import Iterable, Iterator

from digest.mail.citations.reference import Reference, references
from digest.model.paper import Paper

# There is no type for preprints. Zotero writes its own as this one. It would take `M3`, the type of a work,
# for the DOI.
_TYPE = "GEN"


def write_ris(papers: Iterable[Paper]) -> str:
    return "\r\n".join(map(_record, references(papers)))


def _record(reference: Reference) -> str:
    return "".join(f"{tag}  - {value}\r\n" for tag, value in _lines(reference))


def _lines(reference: Reference) -> Iterator[tuple[str, str]]:
    yield "TY", _TYPE
    yield "TI", reference.title
    for author in reference.authors:
        yield "AU", author.inverted
    yield "PY", str(reference.year)
    date = reference.date("/")
    yield "DA", date + "/" * (3 - date.count("/"))
    if reference.abstract:
        yield "AB", reference.abstract
    yield "DO", reference.doi
    yield "UR", reference.paper.abs_url
    yield "DB", "arXiv"
    yield "AN", f"arXiv:{reference.id}"
    if reference.journal_ref:
        yield "N1", reference.journal_ref
    yield "ID", reference.key
    yield "ER", ""
