"""A time zone is found by what people write."""

import pytest

from digest.web.zones import named_zone, suggested_zones, zone_names


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin ", "Europe/Berlin"),
        ("America/new york", "America/New_York"),
        ("utc", "UTC"),
        ("Berlin", None),
        ("", None),
    ],
)
def test_a_name_is_found_in_capitals_or_not(text: str, zone: str | None) -> None:
    assert named_zone(text) == zone


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        ("berlin", ("Europe/Berlin",)),
        ("New York", ("America/New_York",)),
        ("los_ang", ("America/Los_Angeles",)),
        ("Berlim", ("Europe/Berlin",)),
        ("europe/berlim", ("Europe/Berlin",)),
        ("xyzzy", ()),
        ("", ()),
        ("\x00../../etc/passwd" * 10, ()),
    ],
)
def test_a_city_and_a_slip_of_the_pen_are_suggested(text: str, zones: tuple[str, ...]) -> None:
    assert suggested_zones(text)[: max(1, len(zones))] == zones


def test_what_is_offered_are_places() -> None:
    names = zone_names()
    assert {"Europe/Berlin", "UTC", "America/Argentina/Ushuaia"} <= set(names)
    assert not {"EST", "posixrules", "Etc/GMT+5", "US/Eastern", "Factory"} & set(names)
