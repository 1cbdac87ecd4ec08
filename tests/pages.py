"""Pages as a browser shows them, by Markdown renderers that this project has no part in."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from cmarkgfm import github_flavored_markdown_to_html
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt

_EMPTY = {"br", "meta", "hr", "img", "input", "link"}


@dataclass(slots=True)
class Shown:
    """What is seen: headings, summaries, and of each table the rows of its cells, without the summaries."""

    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shown = Shown()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shown = self.shown
        shown.tags.append(tag)
        if tag not in _EMPTY:
            self.open.append(tag)
        if tag == "a":
            shown.links.append(dict(attrs)["href"] or "")
        elif tag == "table":
            shown.tables.append([])
        elif tag == "tr":
            shown.tables[-1].append([])
        elif tag in ("td", "th"):
            shown.tables[-1][-1].append("")
        elif tag == "h2":
            shown.headings.append("")
        elif tag == "summary":
            shown.summaries.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "summary" in self.open:
            self.shown.summaries[-1] += data
        elif "td" in self.open or "th" in self.open:
            self.shown.tables[-1][-1][-1] += data
        elif "h2" in self.open:
            self.shown.headings[-1] += data


def shown_html(document: str) -> Shown:
    """What an HTML document shows; its elements must be nested well."""
    subscriber = _Reader()
    subscriber.feed(document)
    subscriber.close()
    assert not subscriber.open
    return subscriber.shown


def shown_markdown(text: str) -> Shown:
    """What CommonMark with GitHub's tables and strikethrough shows, HTML in it not being held back."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return shown_html(renderer.render(text))


def shown_github(text: str) -> Shown:
    """The same by GitHub's own renderer, which also makes links of addresses."""
    return shown_html(github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))
