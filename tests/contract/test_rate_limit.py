"""What every store promises of a provider's limits: they hold over all processes, and after a restart."""

from datetime import datetime, timedelta
from heapq import heapify, heappop
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.storage.base import Store
from digest.storage.rate_limit import LONGEST, Limits, Turn
from digest.storage.values import DeliveryResult, MailingState
from tests.stores import NOW, claim, outbox_of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def sent(store: Store, count: int, ago: timedelta) -> None:
    """Sends mailings without a limit."""
    for mailing in claim(store, limit=count):
        result = DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250")
        store.record_results([result], now=NOW - ago)


def hand_over(store: Store, limits: Limits, now: datetime) -> Turn:
    """Reserves, and if the mail may go, the server answers at once."""
    turn = store.reserve_sending(limits, now=now)
    if not turn.wait:
        store.conclude_sending(now=now)
    return turn


def outbox_with(store: Store, count: int) -> None:
    outbox_of(store, *(f"reader{number}@example.org" for number in range(count)))


def test_a_minute_takes_so_many_from_all_processes_and_then_the_next_one_waits(
    store: Store, other: Store
) -> None:
    limits = Limits(per_minute=3)
    for second, one in ((0, store), (10, other), (20, store)):
        assert hand_over(one, limits, NOW + timedelta(seconds=second)) == Turn()
    for one in (store, other):
        turn = hand_over(one, limits, NOW + timedelta(seconds=20))
        assert turn == Turn(wait=timedelta(seconds=40))
    assert hand_over(other, limits, NOW + MINUTE) == Turn()
    assert hand_over(store, limits, NOW + MINUTE).wait == timedelta(seconds=10)


def test_a_fraction_of_a_second_counts(store: Store) -> None:
    limits, late = Limits(per_minute=1), NOW + timedelta(milliseconds=900)
    assert hand_over(store, limits, late) == Turn()
    assert hand_over(store, limits, NOW + MINUTE).wait == timedelta(milliseconds=900)


def test_a_day_takes_so_many_and_then_is_spent(store: Store, other: Store) -> None:
    limits = Limits(per_day=2)
    assert hand_over(store, limits, NOW) == Turn()
    assert hand_over(other, limits, NOW + HOUR) == Turn()
    later = NOW + 2 * HOUR
    assert hand_over(store, limits, later) == Turn(wait=DAY - 2 * HOUR, is_spent=True)
    assert hand_over(other, limits, NOW + DAY) == Turn()


def test_a_limit_that_is_raised_or_lowered_counts_the_same_mails(store: Store) -> None:
    for _ in range(4):
        hand_over(store, Limits(per_day=5), NOW)
    assert hand_over(store, Limits(per_day=3), NOW).is_spent
    assert hand_over(store, Limits(per_minute=9, per_day=9), NOW) == Turn()


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_span(store: Store) -> None:
    limits = Limits(per_minute=2, per_day=5)
    for _ in range(2):
        hand_over(store, limits, NOW + 400 * DAY)
    assert hand_over(store, limits, NOW) == Turn(wait=MINUTE)
    assert hand_over(store, limits, NOW + MINUTE) == Turn()
    assert hand_over(store, limits, NOW + MINUTE) == Turn()


def test_what_was_sent_before_a_limit_was_set_counts(store: Store) -> None:
    outbox_with(store, 6)
    for ago in (DAY + MINUTE, DAY + MINUTE, 23 * HOUR, 23 * HOUR, timedelta(seconds=5)):
        sent(store, 1, ago)
    store.resume_sending(now=NOW)
    assert hand_over(store, Limits(per_minute=1), NOW).wait == timedelta(seconds=55)
    assert hand_over(store, Limits(per_day=4), NOW) == Turn()
    assert hand_over(store, Limits(per_day=4), NOW) == Turn(wait=HOUR, is_spent=True)


def test_what_is_counted_is_not_counted_again_by_the_next_delivery(store: Store) -> None:
    outbox_with(store, 2)
    limits = Limits(per_day=3)
    for _ in range(2):
        store.resume_sending(now=NOW)
        hand_over(store, limits, NOW)
        (mailing,) = claim(store, limit=1)
        store.record_results(
            [DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250")], now=NOW
        )
    store.resume_sending(now=NOW)
    assert hand_over(store, limits, NOW) == Turn()
    assert hand_over(store, limits, NOW).is_spent


def test_attempts_that_failed_count_too(store: Store) -> None:
    outbox_with(store, 1)
    (mailing,) = claim(store)
    failed = DeliveryResult(
        number=mailing.number, state=MailingState.DEFERRED, reply="451", due_at=NOW + HOUR
    )
    store.record_results([failed], now=NOW)
    store.resume_sending(now=NOW)
    assert hand_over(store, Limits(per_day=1), NOW).is_spent


def test_the_span_begins_when_the_server_answers(store: Store, other: Store) -> None:
    """A mail that is long on its way may arrive at its end."""
    limits = Limits(per_minute=2)
    for one in (store, other):
        assert one.reserve_sending(limits, now=NOW) == Turn()
    assert store.reserve_sending(limits, now=NOW + 2 * MINUTE) == Turn(wait=MINUTE)
    other.conclude_sending(now=NOW + 2 * MINUTE)
    later = NOW + 2 * MINUTE + timedelta(seconds=10)
    assert store.reserve_sending(limits, now=later) == Turn(wait=timedelta(seconds=50))
    assert store.reserve_sending(limits, now=NOW + 3 * MINUTE) == Turn()
    assert store.reserve_sending(limits, now=NOW + 3 * MINUTE) == Turn(wait=MINUTE)


def test_a_short_mail_on_its_way_goes_on_counting_when_a_delivery_begins(store: Store, other: Store) -> None:
    """Short mails go beside digests: from a task of the daemon, or from `digest web`."""
    limits, later = Limits(per_minute=1), NOW + timedelta(seconds=40)
    other.reserve_sending(limits, now=NOW)
    store.resume_sending(now=NOW)
    other.conclude_sending(now=later)
    assert store.reserve_sending(limits, now=NOW + MINUTE).wait == timedelta(seconds=40)


def test_a_host_whose_clock_is_ahead_keeps_what_is_counted(store: Store, other: Store) -> None:
    """A mail ends by the clock of all hosts before it does by the clock of the host that sent it."""
    limits = Limits(per_minute=9)
    outbox_with(store, 2)
    for _ in range(2):
        hand_over(store, limits, NOW - MINUTE)
    sent(store, 2, timedelta(0))
    later = NOW + DAY - timedelta(seconds=30)
    other.reserve_sending(limits, now=later - MINUTE)
    store.resume_sending(now=later)
    assert store.reserve_sending(Limits(per_minute=1), now=later) == Turn(wait=MINUTE)


def test_what_a_killed_process_was_sending_counts_for_a_while_only(store: Store) -> None:
    limits = Limits(per_minute=1)
    store.reserve_sending(limits, now=NOW)
    assert store.reserve_sending(limits, now=NOW + LONGEST) == Turn(wait=MINUTE)
    later = NOW + LONGEST + timedelta(seconds=1)
    assert store.reserve_sending(limits, now=later) == Turn(wait=MINUTE)
    assert store.reserve_sending(limits, now=later + MINUTE) == Turn()


@pytest.mark.timeout(600)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), limit=st.integers(1, 6))
def test_no_minute_of_the_server_has_more_than_the_limit_over_all_connections(
    store: Store, other: Store, seed: int, limit: int
) -> None:
    """Connections of two processes, each with a network and a server that take their time."""
    random, limits = Random(seed), Limits(per_minute=limit)
    start = NOW + timedelta(seconds=seed)  # after all other examples
    events = [(random.uniform(0, 20), number, "ready") for number in range(8)]
    arrived: list[float] = []
    while len(arrived) < 40:
        heapify(events)
        at, number, event = heappop(events)
        one, now = (store, other)[number % 2], start + timedelta(seconds=at)
        if event == "answered":
            one.conclude_sending(now=now)
            events.append((at + random.uniform(0, 3), number, "ready"))
        elif (wait := one.reserve_sending(limits, now=now).wait) > timedelta(0):
            events.append((at + wait.total_seconds(), number, "ready"))
        else:
            takes = random.choice((0.05, 2.0, 30.0, 90.0))
            arrived.append(at + random.uniform(0, takes))
            events.append((at + takes, number, "answered"))
    for _, number, event in events:
        if event == "answered":
            (store, other)[number % 2].conclude_sending(now=start)
    arrived.sort()
    spans = [later - earlier for earlier, later in zip(arrived, arrived[limit:], strict=False)]
    assert all(span > 60 - 1e-3 for span in spans)
