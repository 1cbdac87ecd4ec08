"""Papers as references: BibTeX, RIS, CSL-JSON, Markdown and COinS."""

from enum import StrEnum


class Format(StrEnum):
    """A format of references, by the name that a user types."""

    BIBTEX = "bibtex"
    RIS = "ris"
    CSL_JSON = "csl-json"
    MARKDOWN = "markdown"
