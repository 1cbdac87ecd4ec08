"""Markdown: a list of references. And text of papers as Markdown that shows exactly this text."""

import re
from collections.abc import Iterable
from urllib.parse import quote

from digest.mail.citations.reference import Reference, references
from digest.model.paper import Paper

_AUTHORS_SHOWN = 10

# An entity never has a meaning of its own in Markdown, also not within an address or a table
# (https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references). An underscore within a
# word has none either.
_MARK = r"[&<>|*`\[\]\\~#$]|(?<![^\W_])_|_(?![^\W_])"
_HAS_MARK = re.compile(_MARK)
# GitHub links addresses before it decodes entities: in a word with a mark, entities also prevent a link.
_INERT = re.compile(rf"{_MARK}|[:@]|(?<=www)\.", re.IGNORECASE)
# GitHub reads text between dollar signs as formulas, escaped or not, unless each sign is in its own element:
# https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting.
_DOLLAR = "<span>$</span>"


def write_markdown(papers: Iterable[Paper]) -> str:
    return "".join(map(_item, references(papers)))


def markdown_text(text: str) -> str:
    """`text`, one line, as Markdown that shows exactly this text."""
    return " ".join(_inert(word) if _HAS_MARK.search(word) else word for word in text.split(" "))


def _item(reference: Reference) -> str:
    """For example `- Jan van der Berg: [Title](…). 2026. arXiv:2606.01234, [doi:10.…](…)`."""
    paper = reference.paper
    names = [name.spoken for name in reference.authors]
    more = [f"{len(names) - _AUTHORS_SHOWN} more"] if len(names) > _AUTHORS_SHOWN else []
    authors = ", ".join(map(markdown_text, names[:_AUTHORS_SHOWN] + more))
    title = f"[{markdown_text(reference.title)}]({paper.abs_url})"
    category = f" \\[{paper.primary_category}\\]" if paper.categories else ""
    doi = f"[doi:{markdown_text(reference.doi)}](https://doi.org/{quote(reference.doi, safe='/:;.-_')})"
    journal = f" {markdown_text(reference.journal_ref)}." if reference.journal_ref else ""
    where = f"{journal} {reference.year}. arXiv:{paper.id}{category}, {doi}"
    return f"- {authors}{': ' if authors else ''}{title}.{where}\n"


def _inert(word: str) -> str:
    return _INERT.sub(lambda found: _DOLLAR if found[0] == "$" else f"&#{ord(found[0])};", word)
