"""Mails go as fast as the provider's limits let them, and not faster: whatever was sent before."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.storage.rate_limit import Limits, Turn, note_of, turn_for

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
NOTHING = timedelta(0)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Sent:
    """Counts mails as a store does."""

    def __init__(self, *moments: datetime) -> None:
        self.moments = sorted(moments)

    def nth_last(self, count: int) -> datetime | None:
        return self.moments[-count] if count <= len(self.moments) else None

    def turn(self, limits: Limits, now: datetime) -> Turn:
        turn = turn_for(limits, now=now, nth_last=self.nth_last)
        if not turn.wait:
            self.moments.append(now)
        return turn


def test_without_limits_nothing_waits_and_nobody_is_asked() -> None:
    def refuse(count: int) -> datetime:
        raise AssertionError(count)

    assert turn_for(Limits(), now=NOW, nth_last=refuse) == Turn()
    assert not Limits(provider="gmail").are_set
    assert Limits(per_day=1).are_set
    assert Limits(per_minute=1).are_set


def test_the_longer_wait_of_both_limits_counts() -> None:
    limits, sent = Limits(per_minute=2, per_day=3), Sent(NOW - DAY + timedelta(seconds=5), NOW, NOW)
    assert sent.turn(limits, NOW) == Turn(wait=MINUTE, is_spent=True)
    assert sent.turn(limits, NOW + timedelta(seconds=5)) == Turn(wait=MINUTE - timedelta(seconds=5))


def test_the_operator_reads_until_when_the_rest_waits() -> None:
    until = NOW + timedelta(days=1)
    assert note_of(Limits(per_day=2, provider="gmail"), until, waiting=7) == (
        "daily limit of gmail (2) reached; 7 mails wait until 2026-11-24 07:00 UTC"
    )
    assert "limit (2) reached; 1 mail waits" in note_of(Limits(per_day=2), until, waiting=1)


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_span() -> None:
    assert Sent(NOW + 400 * DAY).turn(Limits(per_minute=1, per_day=5), NOW) == Turn(wait=MINUTE)


@pytest.mark.parametrize("limit", [1, 2, 5])
@given(
    before=st.lists(st.integers(0, 30 * 3600), max_size=12),
    pauses=st.lists(st.integers(0, 9 * 3600), min_size=1, max_size=40),
)
def test_no_24_hours_and_no_minute_ever_see_more_than_the_limit(
    limit: int, before: list[int], pauses: list[int]
) -> None:
    sent = Sent(*(NOW - timedelta(seconds=second) for second in before))
    limits = Limits(per_minute=limit, per_day=2 * limit)
    now = NOW
    for pause in pauses:
        now += timedelta(seconds=pause)
        while turn := sent.turn(limits, now).wait:
            now += turn
    ours = [moment for moment in sent.moments if moment >= NOW]
    for moment in ours[len([one for one in before if one == 0]) :]:
        assert sum(moment - DAY < one <= moment for one in sent.moments) <= 2 * limit
        assert sum(moment - MINUTE < one <= moment for one in sent.moments) <= limit
