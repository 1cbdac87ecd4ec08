"""`digest docs`: the pages of the documentation, which come with the program."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer


def docs(
    page: Annotated[
        str | None,
        typer.Argument(
            metavar="PAGE", help="The page to print. Without it: a list of all pages.", show_default=False
        ),
    ] = None,
) -> None:
    """Print a page of the documentation, or list the pages.

    The pages belong to this version of the program. A terminal shows the page in the pager that the
    environment variable PAGER names.
    """
    from digest.config.package_data import docs_folder

    folder = docs_folder()
    if page is None:
        typer.echo("\n".join(_contents((folder / "README.md").read_text(encoding="utf-8"))))
    else:
        _show(_find(page, folder).read_text(encoding="utf-8"))


def _contents(index: str) -> Iterator[str]:
    """The lists of the index, with the name of each page for its link."""
    entries = re.findall(r"(?m)^\*\*(.+)\*\*$|^- \[.+?\]\((.+?)\.md\): (.+)$", index)
    width = max(len(name) for _, name, _ in entries)
    for section, name, summary in entries:
        yield section or f"  {name:{width}}  {summary}"


def _find(page: str, folder: Path) -> Path:
    """The file of a page. Raises `ConfigurationError`, which names pages with a similar name."""
    names = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.md"))
    name = page.removeprefix("docs/").removesuffix(".md")
    if name not in names:
        _refuse(name, names)
    return folder / f"{name}.md"


def _refuse(page: str, names: list[str]) -> None:
    from difflib import get_close_matches

    from digest.errors import ConfigurationError

    near = [name for name in names if page and page in name] or get_close_matches(page, names, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else "`digest docs` lists them"
    raise ConfigurationError(f"there is no page {page!r}: {advice}")


def _show(text: str) -> None:
    """Prints the text, in a pager at a terminal, without comments for programs."""
    from pydoc import pager

    pager(re.sub(r"(?m)^<!--.*-->\n+", "", text))
