"""The Markdown of the checkout and of docs/, as what it holds: code, links, anchors."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if not page.is_symlink()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code; `line` is where it begins, counted from 1."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self.text.splitlines())

    @property
    def typed(self) -> tuple[str, ...]:
        """Its lines, but for what a console prints."""
        return tuple(line for line in self.lines if self.language != "console" or line.startswith("$ "))

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """The page's blocks and, after each, what stands in its text."""
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        found += [token, *(token.children or ())]
    return tuple(found)


def blocks(*languages: str) -> tuple[Block, ...]:
    """The fenced blocks of all pages in one of these languages; of all of them where none is named."""
    return tuple(
        Block(page=page, line=(token.map or [0])[0] + 1, language=token.info, text=token.content)
        for page in PAGES
        for token in tokens(page)
        if token.type == "fence" and (not languages or token.info in languages)
    )


def spans(page: Path) -> Iterator[str]:
    """What stands in backticks."""
    return (token.content for token in tokens(page) if token.type == "code_inline")


def links(page: Path) -> Iterator[str]:
    """Where its links and pictures lead."""
    for token in tokens(page):
        target = token.attrs.get({"link_open": "href", "image": "src"}.get(token.type, ""))
        if target is not None:
            yield str(target)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Its headings, as a link can name them both on GitHub and on the site.

    `## Where it comes from` is `#where-it-comes-from` on both. `## To add …` has a different one on each.
    """
    headings = [text.content for head, text in pairwise(tokens(page)) if head.type == "heading_open"]
    return frozenset(map(_on_github, headings)) & frozenset(map(_on_site, headings))


def _on_github(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _on_site(heading: str) -> str:
    """As `slugify` of Python-Markdown makes it."""
    ascii_only = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())
