"""When a mailing is tried again; where many are called dead at once, it is not they; few are given up."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

import pytest

from digest.pipeline.policy import (
    IN_A_ROW,
    LONGEST_RETRY,
    SERVER_PAUSES,
    CircuitBreaker,
    Refused,
    Tally,
    is_one_of_many,
    pause_after,
    retry_at,
)
from digest.storage.limits import LONGEST_WAIT_FOR_COPY
from digest.storage.values import Bounced, Returned
from tests.factories import moment
from tests.stores import NOW

DAY = timedelta(days=1)


def decisions(
    said: str,
    *,
    days: float | None = None,
    doubted: int = 0,
    since: int = 0,
    lately: Mapping[str, Tally] = MappingProxyType({}),
) -> str:
    """For a batch such as `aadaa` (accepted, dead, perhaps dead `p`): S, D or R of each that was refused.

    All are of one domain, or of the one whose number stands behind them, as in `d1 a2`. `doubted` more
    addresses are in doubt.
    """
    circuit_breaker = CircuitBreaker()
    refused = []
    for place, (kind, domain) in enumerate(re.findall(r"([adp])(\d*)", said)):
        address = f"reader{place}@lab{domain}.example"
        if kind == "a":
            circuit_breaker.accept(address)
            continue
        refused.append(Refused(address=address, is_certain=kind == "d"))
        circuit_breaker.refuse(refused[-1])
    since_at = {} if days is None else {one.address: NOW - days * DAY for one in refused}
    others = {f"other{number}@lab.example": NOW - DAY for number in range(doubted)}
    found = circuit_breaker.decide(
        refused, now=NOW, doubted={**since_at, **others}, accepted_since=since, lately=lately
    )
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
    assert decisions("d", days=2, doubted=2, since=0) == "D"
    assert decisions("d", days=2, doubted=2, since=3) == "S"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("d1d1d1 a2a2a2a2", "RRR"),
        ("d1d1d1 a2a2 d2 a2a2a2a2a2", "RRRS"),
        ("a2a2a2a2 d1d1d1 d2 a2", "RRRS"),
        ("a2 d1d1d1 d2", "RRRD"),
        ("d1d1d1a1a1a1 a2a2a2a2", "SSS"),
        ("d1d1d1d1a1a1a1a1a1a1 a2a2a2a2" + "a3" * 80, "RRRR"),
        ("d1d1 a2a2a2a2", "SS"),
        ("d1 a2a2a2a2", "S"),
        ("d1 a1a1a1a1a1a1 a2", "S"),
        ("d1d1d2d2d3d3", "RRRRRR"),
        ("d1d1d1 d2", "RRRR"),
        ("d1d1d1 p2", "RRRR"),
        ("d1d1d1d1 d2 d3d3 a4a4a4a4a4", "RRRRRRR"),
        ("p1p1p1 a2a2a2a2", "DDD"),
    ],
)
def test_where_many_of_a_domain_are_called_dead_it_is_not_they(said: str, expected: str) -> None:
    assert decisions(said) == expected


def test_what_was_said_of_a_domain_before_counts() -> None:
    two_gone = {"lab1.example": Tally(dead=2)}
    assert decisions("d1 a2a2a2", lately=two_gone) == "R"
    assert decisions("d1 a2a2a2", lately={"lab1.example": Tally(dead=2, accepted=3)}) == "S"
    assert decisions("d2 a1a1a1", lately=two_gone) == "S"


def test_a_domain_that_is_not_believed_keeps_nobody_else_in_doubt() -> None:
    assert decisions("a3a3a3 d1d1d1d1d1 p2", days=4, since=1) == "RRRRRS"


def refuse(circuit_breaker: CircuitBreaker, domain: str, count: int) -> None:
    for number in range(count):
        circuit_breaker.refuse(Refused(address=f"reader{number}@{domain}", is_certain=number % 2 == 0))


def test_a_domain_is_not_tried_any_more_after_so_many_in_a_row() -> None:
    circuit_breaker = CircuitBreaker()
    refuse(circuit_breaker, "lab.example", IN_A_ROW - 1)
    circuit_breaker.accept("ada@uni.example")
    assert not circuit_breaker.is_stopped("lab.example")
    refuse(circuit_breaker, "lab.example", 1)
    assert circuit_breaker.is_stopped("lab.example")
    assert not circuit_breaker.is_stopped("uni.example")
    assert not circuit_breaker.is_of_server


def test_the_batch_ends_after_so_many_in_a_row_of_several_domains() -> None:
    circuit_breaker = CircuitBreaker()
    refuse(circuit_breaker, "lab.example", IN_A_ROW)
    assert (circuit_breaker.is_pulled, circuit_breaker.is_of_server) == (False, True)
    refuse(circuit_breaker, "uni.example", IN_A_ROW // 2 - 1)
    assert not circuit_breaker.is_pulled
    refuse(circuit_breaker, "college.example", 1)
    assert circuit_breaker.is_pulled


def test_the_waits_between_attempts_grow_to_a_limit_and_never_end() -> None:
    now = moment("2026-06-16 07:00")
    waits = [retry_at(now, attempts=attempts, token="a1") - now for attempts in range(1, 500)]
    doubling = [timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)]
    assert all(least <= wait <= least * 1.1 for least, wait in zip(doubling, waits, strict=False))
    assert all(LONGEST_RETRY <= wait <= LONGEST_RETRY * 1.1 for wait in waits[9:])


def test_copies_of_a_mail_that_may_have_arrived_become_ever_rarer() -> None:
    planned_at = now = moment("2026-06-16 07:00")
    tried: list[datetime] = []
    while now < planned_at + timedelta(days=365):
        tried.append(now)
        now = retry_at(now, attempts=len(tried), token="a1", waited=now - planned_at)
    days = [(one - planned_at).days for one in tried]
    assert [sum(day < many for day in days) for many in (1, 7, 30)] == [6, 9, 11]
    assert len(tried) <= 30
    assert max(later - one for one, later in pairwise(tried)) < LONGEST_WAIT_FOR_COPY
    quickly = retry_at(planned_at, attempts=14, token="a1", waited=timedelta(minutes=7)) - planned_at
    assert quickly <= LONGEST_RETRY * 1.1, "a service asked for many attempts in a few minutes"
    late = retry_at(now, attempts=1, token="a1", waited=timedelta(days=99)) - now
    assert late <= timedelta(minutes=33), "it was tried for the first time"


def test_mails_refused_together_do_not_come_back_together_again_and_again() -> None:
    now = moment("2026-06-16 07:00")
    moments = {retry_at(now, attempts=2, token=f"token{number}") for number in range(100)}
    assert len(moments) == 100
    assert max(moments) - min(moments) > timedelta(minutes=4)


def test_a_server_that_fails_again_and_again_is_left_alone_for_an_hour_at_most() -> None:
    assert [pause_after(failures) for failures in (1, 2, 5, 99)] == [
        timedelta(minutes=minutes) for minutes in (1, 5, 60, 60)
    ]
    assert sorted(SERVER_PAUSES) == list(SERVER_PAUSES)


@pytest.mark.parametrize(
    ("others", "mailed", "domain_others", "domain_mailed", "expected"),
    [
        (0, 0, 0, 0, False),
        (2, 3, 0, 9, False),
        (3, 30, 0, 9, False),
        (3, 29, 0, 9, True),
        (3, 999, 3, 29, True),
        (2, 999, 2, 5, True),
        (2, 999, 2, 6, False),
        (1, 999, 1, 2, False),
    ],
)
def test_an_address_that_bounced_with_many_others_is_one_of_many(
    others: int, mailed: int, domain_others: int, domain_mailed: int, expected: bool
) -> None:
    bounced = Bounced(
        email="ada@example.org",
        bounces=1,
        of_all=Returned(others=others, mailed=mailed),
        of_domain=Returned(others=domain_others, mailed=domain_mailed),
    )
    assert is_one_of_many(bounced) is expected
