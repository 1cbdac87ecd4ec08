"""When arXiv announces papers: 20:00 US Eastern, Sunday to Thursday, but not on holidays.

Source: https://info.arxiv.org/help/availability.html. Its lists of 2025 and 2026 are in the table below. The
lists of other years are in the history of https://github.com/arXiv/arxiv-docs.

**A holiday on a Friday cancels Sunday's announcement**: Sunday's announcement has the papers up to Friday's
deadline, and a holiday has no deadline. The list of 2025 names Sunday, 6 July for Friday, 4 July. The list of
2026 names the Fridays themselves, and after 19 June nothing was listed on Monday, 22 June. arXiv's notices
for 4 July 2008, 1 January 2010 and 25 December 2020, all Fridays, say the same.

For years without a list, the calendar expects the US holidays that are in both lists. The calendar may be
wrong in both directions: a fetch also queries arXiv on the evening of a holiday (`next_evening`), and a
missing announcement alone is not an error.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

_EASTERN = ZoneInfo("America/New_York")
_ANNOUNCED_AT = time(20)
_DEADLINE = time(14)
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_DAY = timedelta(days=1)

_PUBLISHED: Mapping[int, Mapping[date, str]] = {
    2025: {
        date(2025, 1, 1): "New Year's Day",
        date(2025, 1, 20): "Martin Luther King Jr. Day",
        date(2025, 6, 19): "Juneteenth",
        date(2025, 7, 4): "Independence Day",
        date(2025, 9, 1): "Labor Day",
        date(2025, 11, 27): "Thanksgiving",
        date(2025, 12, 25): "Christmas Day",
        date(2025, 12, 30): "winter break",
    },
    2026: {
        date(2026, 1, 1): "New Year's Day",
        date(2026, 1, 19): "Martin Luther King Jr. Day",
        date(2026, 6, 19): "Juneteenth",
        date(2026, 7, 3): "Independence Day (observed)",
        date(2026, 9, 7): "Labor Day",
        date(2026, 11, 26): "Thanksgiving",
        date(2026, 12, 25): "Christmas Day",
        date(2026, 12, 29): "winter break",
        date(2026, 12, 31): "New Year's Eve",
    },
}


def holiday_on(day: date) -> str | None:
    """The name of arXiv's holiday on `day` (a date in US Eastern time), or `None`."""
    return (_PUBLISHED.get(day.year) or _expected_holidays(day.year)).get(day)


def is_published(year: int) -> bool:
    """Whether the holidays of a year come from arXiv's own list; otherwise they are expected."""
    return year in _PUBLISHED


def next_announcement(after: datetime) -> datetime:
    """The first announcement after `after` (both aware; the result is in UTC)."""
    return next(announcements_after(after))


def announcements_after(moment: datetime) -> Iterator[datetime]:
    """All announcements after `moment`, in order, without end (aware, UTC)."""
    return _after(moment, _announcement_on)


def announcements_between(since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The announcements after `since` and not after `until`, in order (aware, UTC)."""
    return tuple(takewhile(lambda announced_at: announced_at <= until, announcements_after(since)))


def last_announcement(at: datetime) -> datetime:
    """The last announcement not after `at` (both aware; the result is in UTC)."""
    day = _eastern_day(at)
    while (announced_at := _announcement_on(day)) is None or announced_at > at:
        day -= _DAY
    return announced_at


def next_evening(after: datetime) -> datetime:
    """The first evening after `after` on which arXiv announces unless it is a holiday (aware, UTC)."""
    return next(_after(after, _evening_on))


def evenings_between(since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The announcements as in `announcements_between`, and those that holidays probably cancel."""
    return tuple(takewhile(lambda evening: evening <= until, _after(since, _evening_on)))


def earliest_announcement(submitted_at: datetime) -> datetime:
    """When a paper is announced unless arXiv holds it back: deadlines are at 14:00 Eastern on weekdays."""
    day = _eastern_day(submitted_at)
    while (
        day.weekday() in (_SATURDAY, _SUNDAY)
        or holiday_on(day)
        or datetime.combine(day, _DEADLINE, _EASTERN) < submitted_at
    ):
        day += _DAY
    return next_announcement(datetime.combine(day, _DEADLINE, _EASTERN))


def why_quiet(now: datetime) -> str | None:
    """The reason in words if nothing was announced on the last evening, otherwise `None`."""
    day = _eastern_day(now)
    if datetime.combine(day, _ANNOUNCED_AT, _EASTERN) > now:
        day -= _DAY
    if _announcement_on(day) is not None:
        return None
    return f"arXiv announced nothing on the evening of {day:%A, %F} (New York): {_reason(day)}"


def not_announced(announced_at: datetime) -> str:
    """A message that an announcement of the calendar is missing."""
    day = _eastern_day(announced_at)
    return f"arXiv announced nothing on the evening of {day:%A, %F} (New York), though it was to"


def _reason(day: date) -> str:
    """The reason why nothing is announced on the evening of that day."""
    holiday = _deferring_holiday(day)
    if holiday is None:
        return "the weekend"
    name = holiday_on(holiday) or ""
    shown = name if is_published(holiday.year) else f"{name}, as in earlier years"
    return shown if holiday == day else f"no announcement follows a holiday on a Friday ({shown})"


def _after(moment: datetime, on: Callable[[date], datetime | None]) -> Iterator[datetime]:
    day = _eastern_day(moment)
    while True:
        at = on(day)
        if at is not None and at > moment:
            yield at
        day += _DAY


def _announcement_on(day: date) -> datetime | None:
    return None if _deferring_holiday(day) else _evening_on(day)


def _evening_on(day: date) -> datetime | None:
    if day.weekday() in (_FRIDAY, _SATURDAY):
        return None
    return datetime.combine(day, _ANNOUNCED_AT, _EASTERN).astimezone(UTC)


def _deferring_holiday(day: date) -> date | None:
    """The holiday that cancels the announcement on the evening of `day`."""
    if holiday_on(day):
        return day
    friday = day - 2 * _DAY
    return friday if day.weekday() == _SUNDAY and holiday_on(friday) else None


@lru_cache(maxsize=16)
def _expected_holidays(year: int) -> Mapping[date, str]:
    """The days in the lists of both 2025 and 2026, which differ between Christmas and New Year."""
    return {
        _observed(date(year, 1, 1)): "New Year's Day",
        _nth_weekday(year, 1, _MONDAY, 3): "Martin Luther King Jr. Day",
        _observed(date(year, 6, 19)): "Juneteenth",
        _observed(date(year, 7, 4)): "Independence Day",
        _nth_weekday(year, 9, _MONDAY, 1): "Labor Day",
        _nth_weekday(year, 11, _THURSDAY, 4): "Thanksgiving",
        _observed(date(year, 12, 25)): "Christmas Day",
        # If it is a Saturday, it is observed on the last Friday of this year.
        _observed(date(year + 1, 1, 1)): "New Year's Day",
    }


def _observed(holiday: date) -> date:
    """The US observe a holiday on a Saturday on Friday, and a holiday on a Sunday on Monday."""
    return holiday + {_SATURDAY: -_DAY, _SUNDAY: _DAY}.get(holiday.weekday(), timedelta(0))


def _nth_weekday(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _eastern_day(moment: datetime) -> date:
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone")
    return moment.astimezone(_EASTERN).date()
