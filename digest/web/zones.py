"""Time zones as people write them: a city instead of a name of the IANA database."""

import re
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import available_timezones

_AREAS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian"),
    "Pacific",
)
_MOST = 4


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The zones to offer: those with the name of a place, and UTC."""
    placed = (zone for zone in available_timezones() if zone.startswith(tuple(f"{one}/" for one in _AREAS)))
    return (*sorted(placed), "UTC")


def named_zone(text: str) -> str | None:
    """The zone with this name, in capitals or not, with spaces or underscores; `None` if there is none."""
    return _by_name().get(_plain(text))


def suggested_zones(text: str) -> tuple[str, ...]:
    """The zones that may be meant: those of the city, else with similar names. The likeliest is first."""
    wanted = _plain(text)
    if not wanted:
        return ()
    cities = _by_city()
    found = cities.get(wanted, ())
    if not found and len(wanted) > 3:
        found = tuple(zone for city, zones in cities.items() if city.startswith(wanted) for zone in zones)
    if not found:
        near = get_close_matches(wanted, [*cities, *_by_name()], n=_MOST, cutoff=0.75)
        found = tuple(zone for one in near for zone in cities.get(one) or (_by_name()[one],))
    return tuple(dict.fromkeys(found))[:_MOST]


@lru_cache(maxsize=1)
def _by_name() -> dict[str, str]:
    return {_plain(zone): zone for zone in sorted(available_timezones())}


@lru_cache(maxsize=1)
def _by_city() -> dict[str, tuple[str, ...]]:
    """The last part of a name is a city, or a state that has cities of its own."""
    cities: dict[str, tuple[str, ...]] = {}
    for zone in zone_names():
        city = _plain(zone.rpartition("/")[2])
        cities[city] = (*cities.get(city, ()), zone)
    return cities


def _plain(text: str) -> str:
    return re.sub(r"[\s_]+", "_", text.strip()).casefold()
