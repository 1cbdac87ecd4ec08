"""Invented digests, and what a page made of them holds."""

import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

from digest.config.package_data import templates_folder
from digest.mail.message import Rendered, SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest, Entry, Revision
from digest.model.paper import ArxivId, Paper

LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")
WRITER = Writer(Renderer(templates_folder()), LETTERHEAD)


def paper(number: int = 1, **changes: Any) -> Paper:
    fields: dict[str, Any] = {
        "id": ArxivId(f"2606.{number:05d}"),
        "version": 1,
        "title": f"On the Patience of Compilers, Part {number}",
        "abstract": "We wait. Then we measure how long we waited, and find that it was long.",
        "authors": ("Ada Marlow", "Tomás Iribarne"),
        "categories": ("cs.PL", "cs.LG", "stat.ML"),
        "submitted_at": datetime(2026, 6, 14, 9, tzinfo=UTC),
        "comment": "12 pages, 3 figures",
    }
    return Paper(**(fields | changes))


def entry(number: int = 1, keywords: tuple[str, ...] = ("compilers",), **changes: Any) -> Entry:
    return Entry(paper=paper(number, **changes), keywords=keywords)


def revision(number: int, had: int, version: int, **changes: Any) -> Revision:
    return Revision(paper=paper(number, version=version, **changes), from_version=had)


def digest(
    *entries: Entry,
    keywords: tuple[str, ...] = ("compilers",),
    is_first: bool = False,
    revisions: tuple[Revision, ...] = (),
    near: tuple[Paper, ...] = (),
) -> Digest:
    return Digest(
        email="reader@example.org",
        name="A Reader",
        planned_at=datetime(2026, 6, 16, 7, 30, tzinfo=UTC),
        dated_on=date(2026, 6, 16),
        keywords=keywords,
        entries=entries,
        is_first=is_first,
        revisions=revisions,
        near=near,
    )


def render(*entries: Entry, **changes: Any) -> Rendered:
    return WRITER.rendered(digest(*entries, **changes))


class Page(HTMLParser):
    """What a page holds: its tags with attributes, and its text but for style and title."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self._words: list[str] = []
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._words.append("" if tag in {"b", "bdi", "sup", "sub"} else " ")
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._words.append("" if tag in {"b", "bdi", "sup", "sub"} else " ")

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self._words.append(data)


REVISIONS = (revision(8, 1, 3), revision(9, 2, 4, title="Rust \u202e& <b>"))


def style(html: str) -> str:
    return "".join(re.findall(r"<style>(.*?)</style>", html, re.DOTALL))


RENDERED_STYLE = style(render(entry()).html)
