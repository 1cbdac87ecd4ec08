"""Bar charts as inline SVG, with everything that they show as text and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from digest.mail.rendering.templates import long_date, short_date

_STEP = 10
"""The width of a day in the units of the drawing; `_WIDTH` of it is the bar. The page stretches both."""

_WIDTH = 8
_HEIGHT = 40
_LEAST = 1.5
"""The height of the smallest bar: a day with one of a thousand must not look like a day with none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A number for each day of a chart; `None` where it is not known."""

    name: str
    numbers: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The bars of one series: the drawing, and the same in words."""

    name: str
    summary: str
    drawing: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One row of bars for each series, over the same days; `chart.html.j2` shows it.

    `key` is unique on the page. `table` has a line for each day: the day, and a number of each series.
    """

    key: str
    title: str
    first_day: str
    last_day: str
    rows: tuple[Row, ...]
    table: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows)


def bar_chart(
    key: str, title: str, days: Sequence[date], all_series: Sequence[Series], *, unit: str = ""
) -> Chart:
    """The chart of numbers over `days`, oldest first. Each series has its own scale.

    So a few failed mails are visible beside a thousand sent ones, without any colour. `unit` is said after a
    number, as in `12 min`. Raises `ValueError` if a series has another number of days.
    """
    if not days:
        raise ValueError("a chart needs a day")
    return Chart(
        key=key,
        title=title,
        first_day=short_date(days[0]),
        last_day=short_date(days[-1]),
        rows=tuple(_row(one, days, unit) for one in all_series),
        table=tuple(
            (long_date(day), tuple(_said(number, unit) for number in numbers))
            for day, *numbers in zip(days, *(one.numbers for one in all_series), strict=True)
        ),
    )


def _row(series: Series, days: Sequence[date], unit: str) -> Row:
    pairs = list(zip(days, series.numbers, strict=True))
    summary = _summary(pairs, unit)
    return Row(name=series.name, summary=summary, drawing=_drawing(f"{series.name}: {summary}", pairs, unit))


def _summary(pairs: Sequence[tuple[date, float | None]], unit: str) -> str:
    known = [(number, day) for day, number in pairs if number is not None]
    if not known:
        return "nothing is known"
    most, day = max(known, key=lambda one: one[0])
    if not most:
        return f"{_said(0, unit)} on each day" if len(known) > 1 else _said(0, unit)
    return f"at most {_said(most, unit)}, on {short_date(day)}"


def _drawing(label: str, pairs: Sequence[tuple[date, float | None]], unit: str) -> Markup:
    """Presentation attributes and classes only: the policy of the pages forbids styles in elements."""
    most = max((number for _, number in pairs if number), default=0)
    bars = Markup("").join(
        _bar(place, number / most, f"{short_date(day)}: {_said(number, unit)}")
        for place, (day, number) in enumerate(pairs)
        if number
    )
    return Markup(
        '<svg class="bars" role="img" viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
        ' aria-label="{label}">{bars}</svg>'
    ).format(width=len(pairs) * _STEP, height=_HEIGHT, label=label, bars=bars)


def _bar(place: int, share: float, title: str) -> Markup:
    height = round(max(_LEAST, share * _HEIGHT), 2)
    return Markup(
        '<rect x="{x}" y="{y:g}" width="{width}" height="{height:g}"><title>{title}</title></rect>'
    ).format(
        x=place * _STEP + (_STEP - _WIDTH) // 2,
        y=_HEIGHT - height,
        width=_WIDTH,
        height=height,
        title=title,
    )


def _said(number: float | None, unit: str) -> str:
    if number is None:
        return "–"
    digits = 0 if number >= 10 or number == int(number) else 1
    return f"{number:,.{digits}f} {unit}".rstrip()
