"""The papers that a subscriber liked or disliked."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digest.keywords.analysis import stem, words
from digest.model.paper import Paper

DISLIKED = 0.5
"""What is disliked counts so much, against what is liked."""

_TITLED = "title:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A paper to learn from. `name` is its arXiv identifier; for another paper it is made from the title."""

    name: str
    title: str
    abstract: str

    @property
    def is_of_arxiv(self) -> bool:
        return not self.name.startswith(_TITLED)


class Origin(StrEnum):
    """How a judgement was made: on a web page, by a command, or by the import of a library."""

    WEB = "web"
    COMMAND = "command"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """An example that a subscriber liked, or else disliked."""

    example: Example
    is_liked: bool
    judged_at: datetime
    origin: Origin


def example_of(paper: Paper) -> Example:
    return Example(name=paper.id, title=paper.title, abstract=paper.abstract)


def example_by_title(title: str, abstract: str) -> Example:
    """Returns an example without an arXiv identifier. Two with the same words in the title are one."""
    return Example(
        name=_TITLED + " ".join(found for found in map(stem, words(title)) if found),
        title=title,
        abstract=abstract,
    )
