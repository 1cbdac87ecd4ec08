"""Writes papers in the format that is asked for, and says what files of it are called."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from digest.mail.citations import Format
from digest.mail.citations.bibtex import write_bibtex
from digest.mail.citations.csl_json import write_csl_json
from digest.mail.citations.markdown import write_markdown
from digest.mail.citations.ris import write_ris
from digest.model.paper import Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class FileType:
    """How files of a format are called on the web."""

    extension: str
    content_type: str


FILE_TYPES: Mapping[Format, FileType] = {
    Format.BIBTEX: FileType(extension="bib", content_type="application/x-bibtex"),
    Format.RIS: FileType(extension="ris", content_type="application/x-research-info-systems"),
    Format.CSL_JSON: FileType(extension="json", content_type="application/vnd.citationstyles.csl+json"),
}
"""Of those that a web page offers."""

_WRITERS: Mapping[Format, Callable[[Iterable[Paper]], str]] = {
    Format.BIBTEX: write_bibtex,
    Format.RIS: write_ris,
    Format.CSL_JSON: write_csl_json,
    Format.MARKDOWN: write_markdown,
}


def write_references(papers: Iterable[Paper], form: Format) -> str:
    """The papers in their order, each once. Never fails because of a text of an author."""
    return _WRITERS[form](papers)
