"""What every store promises of channels: their mailings are apart from mails, none is lost or twice."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from digest.pipeline.merge import merge
from digest.storage.base import Store
from digest.storage.channel_stores import ChannelStatus, Rest
from digest.storage.values import DeliveryResult, Mailing, MailingState
from tests.factories import make_subscriber
from tests.stores import (
    LEASE,
    LONG_AGO,
    NOW,
    claim,
    enqueue,
    found,
    ids,
    news_of,
    outbox_of,
    record,
    served,
    with_news,
)

LAB, PRESS, ADA = "channel:lab", "channel:press", "ada@example.org"
LATER = NOW + timedelta(minutes=30)
LATEST = NOW + timedelta(days=1)


def take(store: Store, channel: str = LAB, *, holder: str = "a", now: datetime = NOW) -> Mailing | None:
    return store.claim_for_channel(channel, now=now, until=now + LEASE, holder=holder)


def conclude(
    store: Store,
    mailing: Mailing,
    state: MailingState,
    *,
    holder: str = "a",
    due_at: datetime | None = None,
    reply: str = "no",
) -> None:
    result = DeliveryResult(number=mailing.number, state=state, reply=reply, due_at=due_at)
    store.record_for_channel(result, now=NOW, holder=holder)


def status_of(store: Store, channel: str = LAB) -> ChannelStatus:
    return store.channel_statuses([channel])[channel]


def test_what_is_done_with_mails_leaves_a_channel_alone(store: Store) -> None:
    outbox_of(store, ADA, LAB)
    store.retry_now(now=LATER)
    assert store.waiting() == 1
    (mail,) = claim(store, now=LATER)
    assert mail.digest.email == ADA
    store.record_results([DeliveryResult(number=mail.number, state=MailingState.SENT, reply="ok")], now=LATER)
    assert (store.waiting(), store.next_due_at(), store.delayed()) == (0, None, 0)
    assert store.reclaim(now=LATER, latest=LATEST) == 0
    assert store.unserved(since=LATEST) == ()
    assert status_of(store) == ChannelStatus(waiting=1, due_at=NOW)
    channel = take(store)
    assert channel is not None
    assert ids(channel.digest) == {"2606.00001"}


def test_what_is_done_with_channels_leaves_mails_alone(store: Store) -> None:
    outbox_of(store, ADA, LAB)
    store.retry_channels(now=NOW)
    channel = take(store)
    assert channel is not None
    conclude(store, channel, MailingState.SENT)
    assert take(store) is None
    assert take(store, ADA) is None
    assert status_of(store) == ChannelStatus(sent_at=NOW)
    assert store.waiting() == 1
    assert store.accepted_since(LONG_AGO) == 0


def test_a_channel_is_no_subscriber_in_the_figures(store: Store) -> None:
    outbox_of(store, ADA, LAB)
    figures = store.figures()
    assert (figures.subscribers, figures.waiting) == (1, 1)


def test_a_channel_is_not_counted_where_bounces_are_judged(store: Store) -> None:
    outbox_of(store, ADA, LAB, PRESS)
    (mail,) = claim(store)
    bounced = store.note_bounce(
        mail.token, recipient=None, concern="dead", reply="gone", now=NOW, retry_at=LATER
    )
    assert bounced is not None
    assert bounced.of_all.mailed == 1


def test_two_processes_never_hold_the_same_mailing_of_a_channel(store: Store, other: Store) -> None:
    outbox_of(store, LAB)
    assert take(store) is not None
    assert take(other, holder="b") is None


def test_each_channel_has_its_own_mailings(store: Store) -> None:
    outbox_of(store, LAB, PRESS)
    lab, press = take(store, LAB), take(store, PRESS)
    assert lab is not None
    assert press is not None
    assert (lab.digest.email, press.digest.email) == (LAB, PRESS)


def test_what_a_dead_process_was_sending_comes_again_as_it_was_and_is_not_merged(
    store: Store, other: Store
) -> None:
    outbox_of(store, LAB)
    first = take(store, holder="dead")
    assert first is not None
    assert other.reclaim_for_channel(LAB, now=LATER, latest=LATEST) == 1
    assert news_of(other, LAB).undelivered == ()
    again = take(other, now=LATER, holder="b")
    assert again is not None
    assert (again.number, again.token, again.digest) == (first.number, first.token, first.digest)


def test_a_process_that_lost_its_claim_records_only_that_it_was_sent(store: Store, other: Store) -> None:
    outbox_of(store, LAB)
    first = take(store, holder="slow")
    assert first is not None
    other.reclaim_for_channel(LAB, now=NOW, latest=LATEST)
    assert take(other, holder="b") is not None
    conclude(store, first, MailingState.DEFERRED, holder="slow", due_at=NOW)
    assert take(store) is None
    conclude(store, first, MailingState.SENT, holder="slow")
    assert status_of(store) == ChannelStatus(sent_at=NOW)


@pytest.mark.parametrize(
    ("state", "is_merged"), [(MailingState.DEFERRED, True), (MailingState.UNKNOWN, False)]
)
def test_only_what_certainly_did_not_arrive_is_merged(
    store: Store, state: MailingState, is_merged: bool
) -> None:
    outbox_of(store, LAB)
    first = take(store)
    assert first is not None
    conclude(store, first, state, due_at=LATER, reply="busy")
    assert status_of(store) == ChannelStatus(waiting=1, due_at=LATER, attempts=1, reply="busy")
    record(store, found("2606.00002", "tea"), covered=("tea",))
    news = news_of(store, LAB)
    assert [one.number for one in news.undelivered] == ([first.number] if is_merged else [])
    if is_merged:
        digest = merge(replace(first.digest, entries=()), [first.digest])
        assert store.enqueue([served(news, digest, merges=(first.number,))]) == 1
        assert status_of(store).waiting == 1


def test_a_channel_that_is_gone_gets_nothing_and_gets_it_when_it_returns(store: Store) -> None:
    outbox_of(store, ADA, LAB)
    store.enrol([make_subscriber(ADA, "tea")], now=NOW, current_since=NOW)
    assert take(store) is None
    assert status_of(store).waiting == 0
    store.enrol([make_subscriber(one, "tea") for one in (ADA, LAB)], now=LATER, current_since=NOW)
    mailing = take(store, now=LATER)
    assert mailing is not None
    assert ids(mailing.digest) == {"2606.00001"}
    assert store.waiting() == 1


def test_a_channel_that_rests_is_due_again_when_it_wakes(store: Store) -> None:
    outbox_of(store, LAB)
    first = take(store)
    assert first is not None
    conclude(store, first, MailingState.DEFERRED, due_at=LATEST, reply="410 Gone")
    rest = Rest(since_at=NOW, cause="410 Gone", target="abc")
    store.rest_channel(LAB, rest)
    assert status_of(store).rest == rest
    assert store.wake_channel(LAB, now=LATER)
    assert not store.wake_channel(LAB, now=LATER)
    assert status_of(store) == ChannelStatus(waiting=1, due_at=LATER, attempts=1, reply="410 Gone")


def test_what_was_put_off_by_a_wrong_clock_is_due_now(store: Store) -> None:
    outbox_of(store, LAB)
    first = take(store)
    assert first is not None
    conclude(store, first, MailingState.DEFERRED, due_at=LATEST + timedelta(days=300))
    assert store.reclaim_for_channel(LAB, now=LATER, latest=LATEST) == 0
    assert status_of(store).due_at == LATER


def test_a_channel_gets_what_is_new_since_its_cursor(store: Store) -> None:
    outbox_of(store, ADA, LAB)
    assert with_news(store, ADA, LAB) == set()
    record(store, found("2606.00002", "tea"), covered=("tea",))
    assert with_news(store, ADA, LAB) == {ADA, LAB}
    assert ids(enqueue(store, make_subscriber(LAB, "tea"))) == {"2606.00002"}
    assert with_news(store, ADA, LAB) == {ADA}
