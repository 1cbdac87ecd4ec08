from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.sources.arxiv.calendar import (
    _expected_holidays,
    announcements_after,
    announcements_between,
    earliest_announcement,
    evenings_between,
    holiday_on,
    is_published,
    last_announcement,
    next_announcement,
    next_evening,
    why_quiet,
)

EASTERN = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


minutes = st.integers(0, 4 * 365 * 24 * 60)


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


# Every evening from Sunday to Thursday without an announcement, past or to come. Of 2025 and 2026: arXiv's
# own lists, with the Sundays after Friday holidays; that of 2025 has one itself, and 21 June 2026 was seen.
DEFERRED = {
    2025: "01-01 01-20 06-19 07-06 09-01 11-27 12-25 12-30",
    2026: "01-01 01-19 06-21 07-05 09-07 11-26 12-27 12-29 12-31",
    # Expected. New Year's Day is a Friday; Juneteenth is kept on Friday, Independence Day on Monday, and
    # Christmas Day and the next New Year's Day on Friday.
    2027: "01-03 01-18 06-20 07-05 09-06 11-25 12-26",
    2028: "01-02 01-17 06-19 07-04 09-04 11-23 12-25",
}


@pytest.mark.parametrize("year", DEFERRED)
def test_nothing_is_announced_on_the_evenings_that_holidays_take_and_on_no_others(year: int) -> None:
    begin, end = (datetime(each, 1, 1, tzinfo=EASTERN) for each in (year, year + 1))
    missing = sorted(set(evenings_between(begin, end)) - set(announcements_between(begin, end)))
    assert [f"{evening.astimezone(EASTERN):%m-%d}" for evening in missing] == DEFERRED[year].split()


def test_the_holidays_that_are_expected_are_those_that_arxiv_listed_before() -> None:
    for year in (2025, 2026):
        assert is_published(year)
        days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
        listed = {day for day in days if holiday_on(day)}
        expected = {day for day in _expected_holidays(year) if day.year == year}
        assert expected <= listed
        assert all(day > date(year, 12, 25) for day in listed - expected)
    assert not is_published(2027)


def test_after_labor_day_the_next_list_is_that_of_tuesday() -> None:
    assert next_announcement(at("2026-09-07 00:00")) == at("2026-09-09 00:00")
    assert last_announcement(at("2026-09-08 12:00")) == at("2026-09-07 00:00")


def test_a_holiday_on_a_friday_takes_the_announcement_of_sunday() -> None:
    assert holiday_on(date(2026, 6, 19)) == "Juneteenth"
    assert next_announcement(at("2026-06-18 12:00")) == at("2026-06-19 00:00")
    assert next_announcement(at("2026-06-19 12:00")) == at("2026-06-23 00:00")
    assert last_announcement(at("2026-06-22 12:00")) == at("2026-06-19 00:00")


def test_the_days_from_christmas_to_new_year_are_announced_as_arxiv_listed() -> None:
    announced = announcements_between(at("2026-12-24 12:00"), at("2027-01-06 12:00"))
    assert [f"{moment.astimezone(EASTERN):%a %m-%d}" for moment in announced] == [
        "Thu 12-24",
        "Mon 12-28",
        "Wed 12-30",
        "Mon 01-04",
        "Tue 01-05",
    ]


@pytest.mark.parametrize(
    ("submitted", "announced"),
    [
        # US Eastern, first as arXiv's table has it, then around Juneteenth, Thanksgiving and New Year.
        ("2026-06-11 13:59", "2026-06-11"),
        ("2026-06-11 14:01", "2026-06-14"),
        ("2026-06-12 14:01", "2026-06-15"),
        ("2026-06-18 13:59", "2026-06-18"),
        ("2026-06-18 14:01", "2026-06-22"),
        ("2026-06-19 10:00", "2026-06-22"),
        ("2026-06-20 10:00", "2026-06-22"),
        ("2026-06-22 14:01", "2026-06-23"),
        ("2025-07-03 14:01", "2025-07-07"),
        ("2026-11-25 14:01", "2026-11-29"),
        ("2026-11-27 13:59", "2026-11-29"),
        ("2026-12-24 14:01", "2026-12-28"),
        ("2026-12-28 14:01", "2026-12-30"),
        ("2026-12-30 14:01", "2027-01-04"),
    ],
)
def test_a_paper_is_announced_after_the_first_deadline_that_no_holiday_takes(
    submitted: str, announced: str
) -> None:
    announced_at = earliest_announcement(datetime.fromisoformat(submitted).replace(tzinfo=EASTERN))
    assert f"{announced_at.astimezone(EASTERN):%F %R}" == f"{announced} 20:00"


def test_other_days_have_no_holiday() -> None:
    assert holiday_on(date(2026, 6, 16)) is None
    assert holiday_on(date(2031, 1, 2)) is None
    assert holiday_on(date(2031, 1, 1)) == "New Year's Day"


@given(minutes)
def test_an_evening_is_an_announcement_or_one_that_a_holiday_took(minute: int) -> None:
    moment = at("2025-01-01 00:00") + timedelta(minutes=minute)
    assert moment < next_evening(moment) <= next_announcement(moment)
    week = evenings_between(moment, moment + timedelta(days=7))
    assert set(announcements_between(moment, moment + timedelta(days=7))) <= set(week)
    assert all(first < second for first, second in pairwise(week))


@given(minutes)
def test_a_paper_is_announced_after_it_was_submitted_and_later_ones_not_before_it(minute: int) -> None:
    submitted_at = at("2025-01-01 00:00") + timedelta(minutes=minute)
    announced_at = earliest_announcement(submitted_at)
    assert announced_at == last_announcement(announced_at)
    assert timedelta(hours=5) < announced_at - submitted_at < timedelta(days=7)
    assert announced_at <= earliest_announcement(submitted_at + timedelta(hours=1))


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
        ("2026-06-21T12:00:00+00:00", "Saturday, 2026-06-20 (New York): the weekend"),
        (
            "2026-06-22T12:00:00+00:00",
            "Sunday, 2026-06-21 (New York): no announcement follows a holiday on a Friday (Juneteenth)",
        ),
        ("2026-06-23T12:00:00+00:00", None),
        (
            "2027-06-21T12:00:00+00:00",
            (
                "Sunday, 2027-06-20 (New York): no announcement follows a holiday on a Friday"
                " (Juneteenth, as in earlier years)"
            ),
        ),
        ("2027-09-07T12:00:00+00:00", "Monday, 2027-09-06 (New York): Labor Day, as in earlier years"),
        ("2026-11-27T12:00:00+00:00", "Thursday, 2026-11-26 (New York): Thanksgiving"),
    ],
)
def test_silence_is_explained_by_the_evening_before(now: str, reason: str | None) -> None:
    explained = why_quiet(datetime.fromisoformat(now))
    assert explained == (f"arXiv announced nothing on the evening of {reason}" if reason else None)
