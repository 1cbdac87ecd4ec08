r"""BibTeX that biber, classic BibTeX and Zotero read alike, in UTF-8.

Names, dates and identifiers: the manual of biblatex, "Data Annotations" and "Electronic Publishing
Information". `eprinttype` and `eprintclass` are biblatex's names, `archivePrefix` and `primaryClass` those of
styles for BibTeX (https://info.arxiv.org/help/hypertex/bibstyles). `doi`, `eprint` and `url` are verbatim:
nothing in them is escaped.
"""

import re
from collections.abc import Iterable, Iterator

from digest.mail.citations.names import Name
from digest.mail.citations.reference import Reference, references
from digest.mail.citations.tex import bibtex_literal, bibtex_text, bibtex_title
from digest.model.paper import Paper

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# What programs would take for a particle, for the end of a name or for the next name.
_LOWER_WORD = re.compile(r"(?:^|\s)[^\W\d_A-Z]\S*(?=\s)")
_AND = re.compile(r"(?:^|\s)and(?:\s|$)", re.IGNORECASE)


def write_bibtex(papers: Iterable[Paper]) -> str:
    return "\n".join(map(_entry, references(papers)))


def _entry(reference: Reference) -> str:
    lines = "".join(f"  {name} = {value},\n" for name, value in _fields(reference))
    return f"@misc{{{reference.key},\n{lines}}}\n"


def _fields(reference: Reference) -> Iterator[tuple[str, str]]:
    """The fields with their values, each in braces or a name that BibTeX knows."""
    paper = reference.paper
    if reference.authors:
        yield "author", f"{{{' and '.join(map(_name, reference.authors))}}}"
    yield "title", f"{{{bibtex_title(paper.title) or paper.id}}}"
    yield "year", f"{{{reference.year}}}"
    if reference.month:
        yield "month", _MONTHS[reference.month - 1]
    yield "eprint", f"{{{paper.id}}}"
    yield "eprinttype", "{arxiv}"
    yield "archivePrefix", "{arXiv}"
    if paper.categories:
        yield "eprintclass", f"{{{paper.primary_category}}}"
        yield "primaryClass", f"{{{paper.primary_category}}}"
    yield "doi", f"{{{reference.doi}}}"
    yield "url", f"{{{paper.abs_url}}}"
    if reference.journal_ref:
        yield "note", f"{{{bibtex_text(paper.journal_ref or '')}}}"
    if reference.abstract:
        yield "abstract", f"{{{bibtex_text(paper.abstract)}}}"


def _name(name: Name) -> str:
    """`van der Berg, Jan` or `Sample, Jr., Bo`; braces keep a name without parts together."""
    if name.is_whole:
        return f"{{{bibtex_literal(name.family)}}}"
    family = bibtex_literal(name.family)
    if _LOWER_WORD.search(name.family) or _AND.search(name.family):
        family = f"{{{family}}}"
    given = bibtex_literal(name.given)
    surname = f"{name.particle} {family}" if name.particle else family
    return ", ".join(filter(None, (surname, name.suffix, given)))
