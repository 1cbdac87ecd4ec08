"""The output of commands: as wide as the terminal; elsewhere one line for each thing, for grep and cut."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from digest.config.atomic_write import replace_text, target_of, unwritable

_NO_END = 10_000


def screen() -> Console:
    """Prints text as it is, and wraps lines at the width of a terminal."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _NO_END
    return console


def indented(line: str, style: str = "") -> Padding:
    """A line whose continuation is indented as well."""
    return Padding(Text(line, style), (0, 0, 0, 2), expand=False)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table. The first column is an address and is never wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*map(Text, row))
    screen().print(table)


def write_file(path: Path, text: str) -> None:
    """Writes a file, complete or not at all. Raises `ConfigurationError`."""
    try:
        if path.exists() and not path.is_file():  # for example /dev/stdout
            path.write_text(text, encoding="utf-8", newline="")
        else:
            replace_text(target_of(path), text)
    except OSError as error:
        raise unwritable(path, error) from error
