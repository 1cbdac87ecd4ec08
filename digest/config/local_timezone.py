"""The name of this machine's time zone, which the system stores in several places, or nowhere."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from digest.config.parsing import parse_zone

_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")
_CONTINENTS = ("Europe/", "America/", "Asia/", "Australia/", "Africa/", "Pacific/", "Atlantic/", "Indian/")


def machine_zone(
    environ: Mapping[str, str],
    localtime: Path = _LOCALTIME,
    timezone: Path = _TIMEZONE,
    now: datetime | None = None,
) -> str | None:
    """`None` if it is not known; a machine without any setting has UTC.

    `TZ` comes first (tzset(3)): a name, or a path, with or without a colon. Then the target of
    /etc/localtime. If that is a copy, it is a zone with the same offsets for two years, preferably the one in
    /etc/timezone.
    """
    given = environ.get("TZ", "").removeprefix(":")
    if given and not given.startswith("/"):
        return _name(given)
    file = Path(given) if given else localtime
    try:
        target = file.resolve()
    except OSError:
        return None
    if name := _name(str(target).partition("zoneinfo/")[2].removeprefix("posix/").removeprefix("right/")):
        return name
    named = _name_in(timezone)
    if not file.exists():
        return (named or "UTC") if file == localtime else None
    return _zone_like(file, named, now or datetime.now(UTC))


def _name(text: str) -> str | None:
    try:
        return parse_zone(text).key if text else None
    except ValueError:
        return None


def _name_in(timezone: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        return _name(timezone.read_text(encoding="utf-8").strip())
    return None


def _zone_like(file: Path, named: str | None, now: datetime) -> str | None:
    try:
        with file.open("rb") as stream:
            hours = _hours(ZoneInfo.from_file(stream), now)
    except (OSError, ValueError):
        return named
    names = sorted(available_timezones(), key=lambda name: (_rank(name), name))
    for name in ([named] if named else []) + ["UTC"] + names:
        with suppress(OSError, ValueError):
            if _hours(ZoneInfo(name), now) == hours:
                return name
    return None


def _hours(zone: tzinfo, now: datetime) -> tuple[timedelta | None, ...]:
    """The offset from UTC on each day of two years."""
    return tuple((now + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(730))


def _rank(name: str) -> int:
    """Zones of many people first; zones that are not places last."""
    return next((at for at, start in enumerate(_CONTINENTS) if name.startswith(start)), len(_CONTINENTS))
