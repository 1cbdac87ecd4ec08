"""The formats of references, as the command and the web pages name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """A format of references, by the name that a user types."""

    BIBTEX = "bibtex"
    RIS = "ris"
    CSL_JSON = "csl-json"
    MARKDOWN = "markdown"


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
