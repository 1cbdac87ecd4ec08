from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.arxiv.calendar import (
    announcements_after,
    holiday_on,
    last_announcement,
    next_announcement,
    why_quiet,
)

EASTERN = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


minutes = st.integers(0, 3 * 365 * 24 * 60)


def test_a_week_has_announcements_from_sunday_to_thursday() -> None:
    week = list(islice(announcements_after(at("2026-06-05 12:00")), 6))
    assert [moment.astimezone(EASTERN).strftime("%a %H:%M") for moment in week] == [
        "Sun 20:00",
        "Mon 20:00",
        "Tue 20:00",
        "Wed 20:00",
        "Thu 20:00",
        "Sun 20:00",
    ]


@pytest.mark.parametrize(
    ("moment", "announced_at"),
    [
        ("2026-03-06 12:00", "2026-03-09 00:00"),  # clocks go forward on 8 March
        ("2026-03-05 12:00", "2026-03-06 01:00"),
        ("2026-10-29 12:00", "2026-10-30 00:00"),  # and back on 1 November
        ("2026-10-30 12:00", "2026-11-02 01:00"),
    ],
)
def test_twenty_hours_eastern_follows_the_daylight_saving_time(moment: str, announced_at: str) -> None:
    assert next_announcement(at(moment)) == at(announced_at)


def test_an_announcement_is_later_than_itself_only_for_the_next() -> None:
    evening = at("2026-06-10 00:00")
    assert last_announcement(evening) == evening
    assert next_announcement(evening) == evening + timedelta(days=1)
    assert next_announcement(evening - timedelta(seconds=1)) == evening
    assert last_announcement(evening - timedelta(seconds=1)) == evening - timedelta(days=1)


@pytest.mark.parametrize("day", [(1, 1), (1, 19), (9, 7), (11, 26), (12, 29), (12, 31)])
def test_nothing_is_announced_on_the_evening_of_a_holiday(day: tuple[int, int]) -> None:
    holiday = datetime(2026, *day, tzinfo=EASTERN)
    announced_on = next_announcement(holiday).astimezone(EASTERN).date()
    assert announced_on > holiday.date()
    assert holiday_on(holiday.date()) is not None


def test_after_labor_day_the_next_list_is_that_of_tuesday() -> None:
    assert next_announcement(at("2026-09-07 00:00")) == at("2026-09-09 00:00")
    assert last_announcement(at("2026-09-08 12:00")) == at("2026-09-07 00:00")


def test_a_holiday_on_a_friday_moves_no_announcement() -> None:
    assert holiday_on(date(2026, 6, 19)) == "Juneteenth"
    assert next_announcement(at("2026-06-18 12:00")) == at("2026-06-19 00:00")
    assert next_announcement(at("2026-06-19 12:00")) == at("2026-06-22 00:00")


def test_other_days_and_years_without_a_table_have_no_holiday() -> None:
    assert holiday_on(date(2026, 6, 16)) is None
    assert holiday_on(date(2031, 1, 1)) is None
    assert next_announcement(at("2031-01-01 12:00")) == at("2031-01-02 01:00")


@given(minutes)
def test_the_last_and_the_next_announcement_stand_around_every_moment(minute: int) -> None:
    moment = at("2025-01-01 00:00") + timedelta(minutes=minute)
    last, following = last_announcement(moment), next_announcement(moment)
    assert last <= moment < following
    assert next_announcement(last) == following


@pytest.mark.parametrize("ask", [next_announcement, last_announcement])
def test_a_moment_without_a_zone_is_refused(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(ValueError, match="time zone"):
        ask(datetime(2026, 6, 1, 12))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ("2026-06-16T12:00:00+00:00", None),
        ("2026-06-13T12:00:00+00:00", "Friday, 2026-06-12 (New York): the weekend"),
        ("2026-06-14T23:59:00+00:00", "Saturday, 2026-06-13 (New York): the weekend"),
        ("2026-06-15T00:00:00+00:00", None),
        ("2026-06-20T12:00:00+00:00", "Friday, 2026-06-19 (New York): Juneteenth"),
        ("2026-11-27T12:00:00+00:00", "Thursday, 2026-11-26 (New York): Thanksgiving"),
    ],
)
def test_silence_is_explained_by_the_evening_before(now: str, reason: str | None) -> None:
    explained = why_quiet(datetime.fromisoformat(now))
    assert explained == (f"arXiv announced nothing on the evening of {reason}" if reason else None)
