"""A measured figure, and the table of many."""

from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = ("figure", "must", "ours", "naive loop", "held")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: what was measured, and how. `is_held` is `None` where no limit is set."""

    what: str
    ours: str
    naive: str = ""
    must: str = ""
    is_held: bool | None = None


def table(figures: Sequence[Figure], *, is_full_size: bool = True) -> str:
    """A Markdown table. At less than full size no limit means anything, so none is judged."""
    verdicts = {True: "yes", False: "NO", None: ""}
    lines: list[tuple[str, ...]] = [_HEAD]
    for one in figures:
        verdict = verdicts[one.is_held if is_full_size else None]
        lines.append((one.what, one.must, one.ours, one.naive, verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    )


def seconds(duration: float) -> str:
    """`1.23 s`, or `12.3 ms` below a second, or `1.2 h` from an hour on."""
    if duration >= 3600:
        return f"{duration / 3600:,.1f} h"
    return f"{duration:,.2f} s" if duration >= 1 else f"{duration * 1000:,.1f} ms"


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"
