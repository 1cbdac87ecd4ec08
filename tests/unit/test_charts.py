"""Bar charts: what is drawn, and that words and table say the same."""

import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.web.charts import Chart, Series, bar_chart

DAYS = [date(2026, 6, 15) + timedelta(days=place) for place in range(4)]
TEMPLATES = Path(__file__).parents[2] / "templates" / "web"
numbers = st.lists(st.none() | st.integers(0, 10**6) | st.floats(0, 10**6), min_size=1, max_size=40)


def chart_of(*given_numbers: float | None, unit: str = "") -> Chart:
    return bar_chart("c", "Papers a day", DAYS, [Series(name="papers", numbers=given_numbers)], unit=unit)


def heights(chart: Chart) -> list[tuple[float, float]]:
    """The place and the height of each bar."""
    drawing = ElementTree.fromstring(str(chart.rows[0].drawing))
    return [(float(one.attrib["x"]), float(one.attrib["height"])) for one in drawing.iter("rect")]


def test_bars_are_as_high_as_their_numbers_and_none_is_drawn_for_zero() -> None:
    assert heights(chart_of(1, 0, 2, None)) == [(1, 20), (21, 40)]


def test_a_small_number_is_still_seen_beside_a_large_one() -> None:
    assert [height for _, height in heights(chart_of(1, 10_000, 0, 0))] == [1.5, 40]


def test_words_and_table_say_what_the_bars_show() -> None:
    chart = chart_of(1, 0, 2_500, None)
    assert chart.rows[0].summary == "at most 2,500, on 17 June"
    assert chart.table == (
        ("15 June 2026", ("1",)),
        ("16 June 2026", ("0",)),
        ("17 June 2026", ("2,500",)),
        ("18 June 2026", ("–",)),
    )
    assert (chart.first_day, chart.last_day) == ("15 June", "18 June")
    assert 'aria-label="papers: at most 2,500, on 17 June"' in chart.rows[0].drawing


@pytest.mark.parametrize(
    ("given_numbers", "summary"),
    [
        ((0, 0, 0, 0), "0 min on each day"),
        ((None, None, 3.25, None), "at most 3.2 min, on 17 June"),
        ((None,) * 4, "nothing is known"),
    ],
)
def test_a_chart_of_nothing_says_so(given_numbers: tuple[float | None, ...], summary: str) -> None:
    assert chart_of(*given_numbers, unit="min").rows[0].summary == summary


def test_each_series_has_its_own_scale() -> None:
    few, many = Series(name="failed", numbers=(1, 0, 0, 2)), Series(name="sent", numbers=(900,) * 4)
    chart = bar_chart("m", "Mails", DAYS, [many, few])
    assert chart.columns == ("sent", "failed")
    assert 'height="40"' in chart.rows[1].drawing
    assert chart.table[0] == ("15 June 2026", ("900", "1"))


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        chart_of(1, 2)


@given(numbers)
def test_every_drawing_is_well_formed_and_keeps_to_the_policy(given_numbers: list[float | None]) -> None:
    days = [DAYS[0] + timedelta(days=place) for place in range(len(given_numbers))]
    series = Series(name='a"<b>&', numbers=tuple(given_numbers))
    chart = bar_chart("c", "Anything", days, [series])
    drawing = ElementTree.fromstring(str(chart.rows[0].drawing))
    assert not [one for one in drawing.iter() if "style" in one.attrib]
    assert all(0 < height <= 40 for _, height in heights(chart))


def test_the_page_shows_drawing_words_and_table() -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("chart.html.j2").render(chart=chart_of(1, 0, 2, None))
    assert "<svg" in page
    assert "at most 2, on 17 June" in page
    assert re.findall(r"<td>(.*?)</td>", page) == ["1", "0", "2", "–"]
    assert " style=" not in page
