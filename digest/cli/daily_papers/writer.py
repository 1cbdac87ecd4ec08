"""A page as Markdown, the way GitHub shows it, and as an HTML document."""

import re
from html import escape

from digest.cli.daily_papers.page import Page, Section, dated
from digest.mail.citations.markdown import markdown_text
from digest.model.paper import Paper, one_line

_SHORT_COMMENT = 20
_COMMENT_SHOWN = 5
_TITLE = "Daily Papers"
_INTRODUCTION = (
    "The newest arXiv papers on each keyword, which is the heading above them."
    " No more than 100 are kept for each."
)
_COLUMNS = ("Title", "Date", "Abstract", "Comment")
_LAST_UPDATE = re.compile(r"Last update: \d{4}-\d{2}-\d{2}")

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72em; padding: 1em; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #8888; padding: 0.4em 0.6em; text-align: left; vertical-align: top; }
th:first-child, td:first-child { min-width: 16em; }
td:nth-child(2) { white-space: nowrap; }
:root { color-scheme: light dark; }"""


def write_markdown(page: Page) -> str:
    """The page in GitHub's Markdown. Texts of papers and keywords appear as they are written."""
    head = f"# {_TITLE}\n\n{_INTRODUCTION}\n\n{_last_update(page)}\n"
    return "\n".join([head, *map(_markdown_section, page.sections)])


def write_html(page: Page) -> str:
    """The same as one HTML document, which loads and runs nothing."""
    sections = "\n".join(map(_html_section, page.sections))
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{_TITLE}</title>
<style>
{_STYLE}
</style>
</head>
<body>
<h1>{_TITLE}</h1>
<p>{_INTRODUCTION}</p>
<p>{_last_update(page)}</p>
{sections}
</body>
</html>
"""


def is_page(text: str) -> bool:
    """Whether `text` may be an earlier page: it has a line about its last update."""
    return _LAST_UPDATE.search(text) is not None


def says_the_same(one: str, other: str) -> bool:
    """Whether two pages differ in nothing but the day of the last update."""
    return _LAST_UPDATE.sub("", one, count=1) == _LAST_UPDATE.sub("", other, count=1)


def _last_update(page: Page) -> str:
    return f"Last update: {page.updated_on.isoformat()}"


def _plain(source: str) -> str:
    """The text of a title, abstract or comment as it is shown. TeX stands as its author wrote it."""
    return one_line(source)


def _shown_title(paper: Paper) -> str:
    return _plain(paper.title) or paper.id


def _markdown_section(section: Section) -> str:
    lines = [
        f"## {markdown_text(section.keyword.text)}",
        f"| {' | '.join(f'**{column}**' for column in _COLUMNS)} |",
        f"| {' | '.join('---' for _ in _COLUMNS)} |",
        *map(_markdown_row, section.papers),
    ]
    return "".join(f"{line}\n" for line in lines)


def _markdown_row(paper: Paper) -> str:
    abstract = _folded("Show", markdown_text(_plain(paper.abstract)))
    title = f"**[{markdown_text(_shown_title(paper))}]({_address(paper)})**"
    return f"| {title} | {dated(paper)} | {abstract} | {_markdown_comment(paper)} |"


def _markdown_comment(paper: Paper) -> str:
    comment = _plain(paper.comment or "")
    if len(comment) <= _SHORT_COMMENT:
        return markdown_text(comment)
    return _folded(f"{markdown_text(comment[:_COMMENT_SHOWN])}...", markdown_text(comment))


def _html_section(section: Section) -> str:
    columns = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    rows = "\n".join(map(_html_row, section.papers))
    return (
        f"<h2>{escape(section.keyword.text)}</h2>\n"
        f"<table>\n<thead><tr>{columns}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _html_row(paper: Paper) -> str:
    comment = _plain(paper.comment or "")
    if len(comment) > _SHORT_COMMENT:
        comment = _folded(f"{escape(comment[:_COMMENT_SHOWN])}...", escape(comment))
    else:
        comment = escape(comment)
    title = f'<strong><a href="{escape(_address(paper))}">{escape(_shown_title(paper))}</a></strong>'
    cells = (title, dated(paper), _folded("Show", escape(_plain(paper.abstract))), comment)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary><p>{text}</p></details>"


def _address(paper: Paper) -> str:
    return f"{paper.abs_url}v{paper.version}"
