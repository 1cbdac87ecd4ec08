"""Writes papers in the format that is asked for."""

from collections.abc import Callable, Iterable, Mapping

from digest.mail.citations.bibtex import write_bibtex
from digest.mail.citations.csl_json import write_csl_json
from digest.mail.citations.formats import Format
from digest.mail.citations.markdown import write_markdown
from digest.mail.citations.ris import write_ris
from digest.model.paper import Paper

_WRITERS: Mapping[Format, Callable[[Iterable[Paper]], str]] = {
    Format.BIBTEX: write_bibtex,
    Format.RIS: write_ris,
    Format.CSL_JSON: write_csl_json,
    Format.MARKDOWN: write_markdown,
}


def write_references(papers: Iterable[Paper], form: Format) -> str:
    """The papers in their order, each once. Never fails because of a text of an author."""
    return _WRITERS[form](papers)
