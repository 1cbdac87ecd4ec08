"""What composing in batches promises: a plan of who is due, and digests that another process may compose."""

import pickle
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

from digest.pipeline.compose import compose
from digest.pipeline.compose_job import Composer
from digest.pipeline.plan import ComposeReport, Plan
from digest.storage.base import Store
from digest.storage.values import ClosedSlot
from digest.subscribers.subscriber import Subscriber
from tests.factories import make_subscriber
from tests.stores import LONG_AGO, NOW, claim, found, key, new_for, news_of, record, served, with_news

ADA, BO, CY = "ada@example.org", "bo@example.org", "cy@example.org"


def plan_of(store: Store, subscribers: Sequence[Subscriber], **more: frozenset[str]) -> Plan:
    return Plan(store, subscribers, lambda *_: NOW, **more)


def with_papers(store: Store, *subscribers: Subscriber) -> None:
    """One paper for all who follow tea."""
    store.enrol(subscribers, now=NOW, current_since=NOW)
    record(store, covered=("tea", "ox"))
    record(store, found("2606.00001", "tea"), covered=("tea", "ox"))


def test_a_plan_has_those_with_news_and_closes_the_sending_times_of_the_others(store: Store) -> None:
    ada, bo, cy = make_subscriber(ADA, "tea"), make_subscriber(BO, "ox"), make_subscriber(CY, "tea")
    with_papers(store, ada, bo, cy)
    plan = plan_of(store, [ada, bo, cy])
    (first,) = plan.take(1)
    (second,) = plan.take(5)
    assert (first.subscriber, second.subscriber) == (ada, cy)
    assert plan.take(5) == ()
    assert plan.report == ComposeReport(nothing_new=1)
    slots = {email: status.slot_at for email, status in store.subscriber_statuses([ADA, BO, CY]).items()}
    assert slots == {ADA: None, BO: NOW, CY: None}


def test_a_sending_time_stays_open_while_a_fetch_failed(store: Store) -> None:
    bo = make_subscriber(BO, "ox")
    with_papers(store, bo)
    plan = plan_of(store, [bo], stale=frozenset({key("ox")}))
    assert plan.take(5) == ()
    assert plan.report == ComposeReport()
    assert store.subscriber_statuses([BO])[BO].slot_at is None


def test_a_batch_may_be_composed_from_a_copy_by_another_process(store: Store, other: Store) -> None:
    ada = make_subscriber(ADA, "tea", exclude=("turnip",), weekly=2, discover=3)
    with_papers(store, ada)
    planned = plan_of(store, [ada]).take(5)
    copied = pickle.loads(pickle.dumps(planned))
    assert copied == planned
    assert Composer(other, backlog_since=LONG_AGO).compose_batch(copied) == ComposeReport(composed=1)
    assert [mailing.digest.email for mailing in claim(store)] == [ADA]
    assert not with_news(store, ADA)


def test_whoever_composes_from_an_older_standing_serves_nobody(store: Store, other: Store) -> None:
    ada = make_subscriber(ADA, "tea")
    with_papers(store, ada)
    first, second = news_of(store), news_of(other)
    digest = compose(ada, first.hits, planned_at=NOW, is_first=True)
    assert store.enqueue([served(first, digest)]) == 1
    record(store, found("2606.00002", "tea"), covered=("tea",))
    assert other.enqueue([served(second, digest)]) == 0
    assert new_for(other) == {("2606.00002", key("tea"))}
    assert len(claim(store)) == 1


def test_a_plan_that_another_process_has_carried_out_brings_no_second_digest(
    store: Store, other: Store
) -> None:
    ada, bo = make_subscriber(ADA, "tea"), make_subscriber(BO, "tea")
    with_papers(store, ada, bo)
    ours, theirs = plan_of(store, [ada, bo]).take(5), plan_of(other, [ada, bo]).take(5)
    assert Composer(other, backlog_since=LONG_AGO).compose_batch(theirs[:1]).composed == 1
    record(other, found("2606.00002", "tea"), covered=("tea",))
    assert Composer(store, backlog_since=LONG_AGO).compose_batch(ours) == ComposeReport(composed=1)
    assert sorted(mailing.digest.email for mailing in claim(store)) == [ADA, BO]
    assert with_news(store, ADA, BO) == {ADA}


def test_a_plan_does_not_move_a_sending_time_that_another_process_has_closed(
    store: Store, other: Store
) -> None:
    bo = make_subscriber(BO, "ox")
    with_papers(store, bo)
    former = store.subscriber_statuses([BO])[BO].slot_at
    later = NOW + timedelta(hours=1)
    other.close_slots([ClosedSlot(BO, later, former)])
    store.close_slots([ClosedSlot(BO, NOW, former)])
    assert store.subscriber_statuses([BO])[BO].slot_at == later


def test_what_a_fetch_brings_meanwhile_is_in_the_next_digest(store: Store, other: Store) -> None:
    """Also the backlog of a keyword whose first fetch ends between a digest and its row."""
    ada = make_subscriber(ADA, "tea", "ox")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, covered=("tea",))
    record(store, found("2606.00001", "tea"), covered=("tea",))
    news = news_of(store)
    record(other, found("2606.00002", "tea"), found("2606.00003", "ox"), covered=("tea", "ox"))
    digest = compose(ada, news.hits, planned_at=NOW, is_first=True)
    assert store.enqueue([served(news, digest)]) == 1
    assert new_for(store) == {("2606.00002", key("tea")), ("2606.00003", key("ox"))}


def test_a_digest_says_until_when_arxiv_was_asked_for_all_its_keywords(store: Store) -> None:
    """A keyword that was dropped does not count, nor one for which arXiv was never asked."""
    before = make_subscriber(ADA, "tea", "ox", "old")
    ada = make_subscriber(ADA, "tea", "ox", "new")
    store.enrol([before], now=NOW, current_since=NOW)
    record(store, covered=("old",), now=NOW - timedelta(days=9))
    record(store, covered=("ox",), now=NOW - timedelta(days=4))
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    composer = Composer(store, backlog_since=LONG_AGO)
    assert composer.compose_batch(plan_of(store, [ada]).take(1)).composed == 1
    record(store, covered=("tea", "ox", "new"), now=NOW + timedelta(hours=1))
    (mailing,) = claim(store)
    assert mailing.digest.covered_at == NOW - timedelta(days=4)


def test_of_two_that_race_each_subscriber_is_served_once(store: Store, other: Store) -> None:
    subscribers = [make_subscriber(f"reader{number}@example.org", "tea", "ox") for number in range(60)]
    with_papers(store, *subscribers)
    both = threading.Barrier(2)

    def compose_all(ours: Store, seed: int) -> int:
        due = list(plan_of(ours, subscribers).take(100))
        both.wait(timeout=30)
        Random(seed).shuffle(due)
        composer = Composer(ours, backlog_since=LONG_AGO)
        return sum(composer.compose_batch(due[at : at + 3]).composed for at in range(0, len(due), 3))

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(compose_all, (store, other), (1, 2)))
    assert sum(counts) == 60
    mailed = [mailing.digest.email for mailing in claim(store, limit=100)]
    assert sorted(mailed) == sorted(one.email for one in subscribers)
    assert not with_news(store, *mailed)
