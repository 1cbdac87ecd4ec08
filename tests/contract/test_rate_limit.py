"""What every store promises of a provider's limits: they hold over all processes, and after a restart."""

from datetime import timedelta

from digest.storage.base import Store
from digest.storage.rate_limit import Limits, Turn
from digest.storage.values import DeliveryResult, MailingState
from tests.stores import NOW, claim, outbox_of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def sent(store: Store, count: int, ago: timedelta) -> None:
    """Sends mailings without a limit."""
    for mailing in claim(store, limit=count):
        result = DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250")
        store.record_results([result], now=NOW - ago)


def outbox_with(store: Store, count: int) -> None:
    outbox_of(store, *(f"reader{number}@example.org" for number in range(count)))


def test_a_minute_takes_so_many_from_all_processes_and_then_the_next_one_waits(
    store: Store, other: Store
) -> None:
    limits = Limits(per_minute=3)
    for second, one in ((0, store), (10, other), (20, store)):
        assert one.reserve_sending(limits, now=NOW + timedelta(seconds=second)) == Turn()
    for one in (store, other):
        turn = one.reserve_sending(limits, now=NOW + timedelta(seconds=20))
        assert turn == Turn(wait=timedelta(seconds=40))
    assert other.reserve_sending(limits, now=NOW + MINUTE) == Turn()
    assert store.reserve_sending(limits, now=NOW + MINUTE).wait == timedelta(seconds=10)


def test_a_fraction_of_a_second_counts(store: Store) -> None:
    limits, late = Limits(per_minute=1), NOW + timedelta(milliseconds=900)
    assert store.reserve_sending(limits, now=late) == Turn()
    assert store.reserve_sending(limits, now=NOW + MINUTE).wait == timedelta(milliseconds=900)


def test_a_day_takes_so_many_and_then_is_spent(store: Store, other: Store) -> None:
    limits = Limits(per_day=2)
    assert store.reserve_sending(limits, now=NOW) == Turn()
    assert other.reserve_sending(limits, now=NOW + HOUR) == Turn()
    later = NOW + 2 * HOUR
    assert store.reserve_sending(limits, now=later) == Turn(wait=DAY - 2 * HOUR, is_spent=True)
    assert other.reserve_sending(limits, now=NOW + DAY) == Turn()


def test_a_limit_that_is_raised_or_lowered_counts_the_same_mails(store: Store) -> None:
    for _ in range(4):
        store.reserve_sending(Limits(per_day=5), now=NOW)
    assert store.reserve_sending(Limits(per_day=3), now=NOW).is_spent
    assert store.reserve_sending(Limits(per_minute=9, per_day=9), now=NOW) == Turn()


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_span(store: Store) -> None:
    limits = Limits(per_minute=2, per_day=5)
    for _ in range(2):
        store.reserve_sending(limits, now=NOW + 400 * DAY)
    assert store.reserve_sending(limits, now=NOW) == Turn(wait=MINUTE)
    assert store.reserve_sending(limits, now=NOW + MINUTE) == Turn()
    assert store.reserve_sending(limits, now=NOW + MINUTE) == Turn()


def test_what_was_sent_before_a_limit_was_set_counts(store: Store) -> None:
    outbox_with(store, 6)
    for ago in (DAY + MINUTE, DAY + MINUTE, 23 * HOUR, 23 * HOUR, timedelta(seconds=5)):
        sent(store, 1, ago)
    store.resume_sending(now=NOW)
    assert store.reserve_sending(Limits(per_minute=1), now=NOW).wait == timedelta(seconds=55)
    assert store.reserve_sending(Limits(per_day=4), now=NOW) == Turn()
    assert store.reserve_sending(Limits(per_day=4), now=NOW) == Turn(wait=HOUR, is_spent=True)


def test_what_is_counted_is_not_counted_again_by_the_next_delivery(store: Store) -> None:
    outbox_with(store, 2)
    limits = Limits(per_day=3)
    for _ in range(2):
        store.resume_sending(now=NOW)
        store.reserve_sending(limits, now=NOW)
        (mailing,) = claim(store, limit=1)
        store.record_results(
            [DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250")], now=NOW
        )
    store.resume_sending(now=NOW)
    assert store.reserve_sending(limits, now=NOW) == Turn()
    assert store.reserve_sending(limits, now=NOW).is_spent


def test_attempts_that_failed_count_too(store: Store) -> None:
    outbox_with(store, 1)
    (mailing,) = claim(store)
    failed = DeliveryResult(
        number=mailing.number, state=MailingState.DEFERRED, reply="451", due_at=NOW + HOUR
    )
    store.record_results([failed], now=NOW)
    store.resume_sending(now=NOW)
    assert store.reserve_sending(Limits(per_day=1), now=NOW).is_spent
