"""Where many are called dead at once, it is not they; where few are, they are given up."""

from datetime import timedelta

import pytest

from digest.jobs.brake import IN_A_ROW, Brake, Refused
from tests.stores import NOW

DAY = timedelta(days=1)


def decisions(said: str, *, days: float | None = None, doubted: int | None = None, since: int = 0) -> str:
    """For a batch such as `aadaa` (accepted, dead, perhaps dead `p`): S, D or R of each that was refused."""
    brake = Brake()
    refused = []
    for one in said:
        if one == "a":
            brake.accept()
            continue
        brake.refuse(is_certain=one == "d")
        refused.append(Refused(is_certain=one == "d", doubted_at=None if days is None else NOW - days * DAY))
    found = brake.decide(refused, now=NOW, doubted=doubted or len(refused), accepted_since=since)
    return "".join(one.name[0] for one in found)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("da", "S"),
        ("ad", "S"),
        ("adaaadaaaada", "SSS"),
        ("dddaaaaaaaaa", "SSS"),
        ("ad" + "a" * 98 + "daad", "SSS"),
        ("a" * 50 + "dadadada" + "a" * 50, "SSSS"),
        ("dadadadaaaaa", "RRRR"),
        ("ddd", "RRR"),
        ("a" * 12 + "ddd", "DDD"),
        ("aaadaaaaaddd", "RRRR"),
        ("d" * 12, "R" * 12),
        ("p" * 12, "R" * 12),
        ("a" * 900 + "d" * IN_A_ROW, "R" * IN_A_ROW),
        ("dd", "DD"),
        ("d", "D"),
        ("pa", "D"),
    ],
)
def test_what_is_believed_at_once(said: str, expected: str) -> None:
    assert decisions(said) == expected


def test_who_is_alone_is_given_up_on_the_next_day() -> None:
    assert [decisions("d", days=days) for days in (0.1, 0.7, 0.9)] == ["D", "D", "S"]
    assert [decisions("pa", days=days) for days in (0.9, 2.9, 3.1)] == ["D", "D", "S"]


def test_several_in_doubt_are_given_up_only_where_the_server_takes_other_mail() -> None:
    assert decisions("d", days=2, doubted=3, since=0) == "D"
    assert decisions("d", days=2, doubted=3, since=3) == "S"


def test_the_batch_ends_after_so_many_in_a_row() -> None:
    brake = Brake()
    for _ in range(IN_A_ROW - 1):
        brake.refuse(is_certain=True)
    assert not brake.is_pulled
    brake.refuse(is_certain=False)
    assert brake.is_pulled
