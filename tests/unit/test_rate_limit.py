"""Mails go as fast as the provider's limits let them, and not faster: whatever was sent before."""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.rate_limit import Limits, RateLimit

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
NOTHING = timedelta(0)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def sent_at(*moments: datetime) -> "Store":
    return Store(sorted(moments))


class Store:
    """Counts mails as the outbox does."""

    def __init__(self, moments: list[datetime]) -> None:
        self.moments = moments

    def sent_since(self, moment: datetime) -> int:
        return len(self.moments) - bisect_left(self.moments, moment)


def test_without_limits_nothing_waits_and_nobody_is_asked() -> None:
    def refuse(moment: datetime) -> int:
        raise AssertionError(moment)

    rate_limit = RateLimit.resumed(Limits(), now=NOW, sent_since=refuse)
    for _ in range(10_000):
        rate_limit.sent(NOW)
    assert rate_limit.wait_for(NOW) == NOTHING


def test_a_minute_takes_so_many_and_then_the_next_one_waits_for_its_end() -> None:
    rate_limit = RateLimit(Limits(per_minute=3))
    for second in (0, 10, 20):
        assert rate_limit.wait_for(NOW + timedelta(seconds=second)) == NOTHING
        rate_limit.sent(NOW + timedelta(seconds=second))
    assert rate_limit.wait_for(NOW + timedelta(seconds=20)) == timedelta(seconds=40)
    assert rate_limit.wait_for(NOW + MINUTE) == NOTHING
    assert not rate_limit.is_spent(NOW + timedelta(seconds=20))


def test_a_day_takes_so_many_and_then_says_until_when_the_rest_waits() -> None:
    rate_limit = RateLimit(Limits(per_day=2, provider="gmail"))
    rate_limit.sent(NOW)
    rate_limit.sent(NOW + HOUR)
    later = NOW + 2 * HOUR
    assert rate_limit.is_spent(later)
    assert rate_limit.free_at(later) == NOW + DAY
    assert rate_limit.note(later, waiting=7) == (
        "daily limit of gmail (2) reached; 7 mails wait until 2026-11-24 07:00 UTC"
    )
    assert "limit (2) reached; 1 mail waits" in _without_provider(later)
    assert not rate_limit.is_spent(NOW + DAY)
    assert rate_limit.wait_for(NOW + DAY) == NOTHING


def _without_provider(now: datetime) -> str:
    rate_limit = RateLimit(Limits(per_day=2))
    rate_limit.sent(now)
    rate_limit.sent(now)
    return rate_limit.note(now, waiting=1)


def test_what_was_sent_before_a_restart_counts() -> None:
    store = sent_at(*[NOW - 23 * HOUR] * 300, *[NOW - 90 * MINUTE] * 150, *[NOW - DAY - MINUTE] * 999)
    rate_limit = RateLimit.resumed(Limits(per_day=500), now=NOW, sent_since=store.sent_since)
    for _ in range(50):
        assert rate_limit.wait_for(NOW) == NOTHING
        rate_limit.sent(NOW)
    assert rate_limit.is_spent(NOW)
    assert HOUR <= rate_limit.wait_for(NOW) <= 2 * HOUR


def test_what_the_last_minute_sent_counts_too() -> None:
    store = sent_at(*[NOW - timedelta(seconds=5)] * 30)
    rate_limit = RateLimit.resumed(Limits(per_minute=30), now=NOW, sent_since=store.sent_since)
    assert NOTHING < rate_limit.wait_for(NOW) <= MINUTE


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_span() -> None:
    rate_limit = RateLimit(Limits(per_minute=1, per_day=5))
    rate_limit.sent(NOW + 400 * DAY)
    assert rate_limit.wait_for(NOW) == MINUTE


def test_a_mail_at_the_edge_of_a_span_is_not_counted_twice() -> None:
    store = sent_at(NOW - HOUR, NOW - MINUTE)
    rate_limit = RateLimit.resumed(Limits(per_day=3), now=NOW, sent_since=store.sent_since)
    assert rate_limit.wait_for(NOW) == NOTHING
    rate_limit.sent(NOW)
    assert rate_limit.is_spent(NOW)


@pytest.mark.parametrize("limit", [1, 2, 5])
@given(
    before=st.lists(st.integers(0, 30 * 3600), max_size=12),
    pauses=st.lists(st.integers(0, 9 * 3600), min_size=1, max_size=40),
)
def test_no_24_hours_and_no_minute_ever_see_more_than_the_limit(
    limit: int, before: list[int], pauses: list[int]
) -> None:
    store = sent_at(*(NOW - timedelta(seconds=second) for second in before))
    limits = Limits(per_minute=limit, per_day=2 * limit)
    rate_limit = RateLimit.resumed(limits, now=NOW, sent_since=store.sent_since)
    now, ours = NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        now = rate_limit.free_at(now)
        rate_limit.sent(now)
        ours.append(now)
    everything = [*store.moments, *ours]
    for moment in ours:
        assert sum(moment - DAY < one <= moment for one in everything) <= 2 * limit
        assert sum(moment - MINUTE < one <= moment for one in everything) <= limit
