"""What composing in batches promises: a plan of who is due, and digests that another process may compose."""

import pickle
from collections.abc import Sequence

from digest.pipeline.compose_job import Composer
from digest.pipeline.plan import ComposeReport, Plan
from digest.storage.base import Store
from digest.subscribers.subscriber import Subscriber
from tests.factories import make_subscriber
from tests.stores import LONG_AGO, NOW, claim, found, key, record, with_news

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
