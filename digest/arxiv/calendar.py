"""When arXiv announces papers: 20:00 US Eastern, Sunday to Thursday, but not on holidays.

Source: https://info.arxiv.org/help/availability.html. Its holidays are read as the days on whose evening
nothing is announced: the lists of earlier years name only days from Sunday to Thursday, and that of 2025
gives "Sun 6 July" for the holiday of Friday, 4 July. A holiday on a Friday therefore moves nothing by itself.
Should arXiv leave out one evening more, a fetch finds nothing and comes again; papers of an evening that
was not expected would be late by a day, which is worse.

For years without a table only the weekly rule is known.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

_EASTERN = ZoneInfo("America/New_York")
_ANNOUNCED_AT = time(20)
_DEADLINE = time(14)
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6
_DAY = timedelta(days=1)

_HOLIDAYS = {
    date(2026, 1, 1): "New Year's Day",
    date(2026, 1, 19): "Martin Luther King Jr. Day",
    date(2026, 6, 19): "Juneteenth",
    date(2026, 7, 3): "Independence Day (observed)",
    date(2026, 9, 7): "Labor Day",
    date(2026, 11, 26): "Thanksgiving",
    date(2026, 12, 25): "Christmas Day",
    date(2026, 12, 29): "winter break",
    date(2026, 12, 31): "New Year's Eve",
}


def holiday_on(day: date) -> str | None:
    """The name of arXiv's holiday on `day` (a date in US Eastern time), or `None`."""
    return _HOLIDAYS.get(day)


def next_announcement(after: datetime) -> datetime:
    """The first announcement later than `after` (both aware; the answer is in UTC)."""
    return next(announcements_after(after))


def announcements_after(moment: datetime) -> Iterator[datetime]:
    """All announcements later than `moment`, in order, without end (aware, UTC)."""
    day = _eastern_day(moment)
    while True:
        announced_at = _announcement_on(day)
        if announced_at is not None and announced_at > moment:
            yield announced_at
        day += _DAY


def announcements_between(since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The announcements later than `since` and not later than `until`, in order (aware, UTC)."""
    return tuple(takewhile(lambda announced_at: announced_at <= until, announcements_after(since)))


def last_announcement(at: datetime) -> datetime:
    """The latest announcement not later than `at` (both aware; the answer is in UTC)."""
    day = _eastern_day(at)
    while (announced_at := _announcement_on(day)) is None or announced_at > at:
        day -= _DAY
    return announced_at


def earliest_announcement(submitted_at: datetime) -> datetime:
    """When a paper is announced unless it is held back: deadlines are at 14:00 Eastern on weekdays."""
    day = _eastern_day(submitted_at)
    while (
        day.weekday() in (_SATURDAY, _SUNDAY)
        or day in _HOLIDAYS
        or datetime.combine(day, _DEADLINE, _EASTERN) < submitted_at
    ):
        day += _DAY
    return next_announcement(datetime.combine(day, _DEADLINE, _EASTERN))


def why_quiet(now: datetime) -> str | None:
    """Why nothing was announced on the latest evening, in words, or `None` when something was."""
    day = _eastern_day(now)
    if datetime.combine(day, _ANNOUNCED_AT, _EASTERN) > now:
        day -= _DAY
    if _announcement_on(day) is not None:
        return None
    return (
        f"arXiv announced nothing on the evening of {day:%A, %F} (New York):"
        f" {holiday_on(day) or 'the weekend'}"
    )


def _announcement_on(day: date) -> datetime | None:
    if day.weekday() in (_FRIDAY, _SATURDAY) or day in _HOLIDAYS:
        return None
    return datetime.combine(day, _ANNOUNCED_AT, _EASTERN).astimezone(UTC)


def _eastern_day(moment: datetime) -> date:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone: say which one is meant")
    return moment.astimezone(_EASTERN).date()
