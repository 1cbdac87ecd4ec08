"""The machine's clock and its time zones."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from digest.service.bootstrap import Setup
from digest.service.finding import Finding, failed, ok, warning

_NOTICEABLE = timedelta(minutes=2)
_HARMFUL = timedelta(minutes=30)
_ARXIVS_OWN = "America/New_York"


def check_zones(setup: Setup, now: datetime) -> Iterator[Finding]:
    """Whether every zone in use is known, and its time, which the operator can compare."""
    zones = {
        setup.settings.defaults.timezone.key,
        *(one.send_schedule.timezone.key for one in setup.subscribers),
    }
    missing = [zone for zone in sorted(zones | {_ARXIVS_OWN}) if not _is_known(zone)]
    if missing:
        said = f"no time zone data for {', '.join(missing)}"
        yield failed("time zones", said, "install tzdata, from the system or from PyPI")
        return
    yield ok("time zones", _times(sorted(zones), now))


def _times(zones: Iterable[str], now: datetime, most: int = 4) -> str:
    shown = [f"{now.astimezone(ZoneInfo(zone)):%H:%M} in {zone}" for zone in zones]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return f"it is {now.astimezone(UTC):%F %H:%M} UTC: {', '.join(shown[:most])}{more}"


def _is_known(zone: str) -> bool:
    try:
        ZoneInfo.no_cache(zone)
    except ZoneInfoNotFoundError:
        return False
    return True


def judge_clock(lead: timedelta | None) -> Finding:
    """`lead`: how far this machine is ahead of the server; `None` if no server sent its time."""
    if lead is None:
        return warning("clock", "not checked: no server sent its time", "compare it with another clock")
    said = f"this machine is {_length(abs(lead))} {'ahead' if lead > timedelta(0) else 'behind'}"
    remedy = "set the clock and keep it synchronized: timedatectl set-ntp true"
    if abs(lead) > _HARMFUL:
        return failed("clock", said, remedy)
    if abs(lead) > _NOTICEABLE:
        return warning("clock", said, remedy)
    return ok("clock", f"within {_NOTICEABLE.seconds // 60} minutes of arXiv's")


def _length(span: timedelta) -> str:
    """In the largest unit of which there are two or more."""
    for unit, name in ((timedelta(days=1), "days"), (timedelta(hours=1), "hours")):
        if span >= 2 * unit:
            return f"{span / unit:.0f} {name}"
    return f"{span / timedelta(minutes=1):.0f} minutes"
