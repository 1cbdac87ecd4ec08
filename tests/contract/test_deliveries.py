"""What every store promises of mailings: leases, merging, bounces and suppressed addresses."""

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.model.digest import Outlook
from digest.pipeline.merge import merge
from digest.pipeline.policy import RETRY_BOUNCED_AFTER
from digest.pipeline.progress import outbox_status
from digest.storage.base import Store
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
    record_results,
    served,
    with_news,
)

ADA, BO = "ada@example.org", "bo@example.org"
LATER = NOW + timedelta(minutes=30)


def undelivered(store: Store, email: str = ADA) -> list[int]:
    return [mailing.number for mailing in news_of(store, email, LONG_AGO).undelivered]


def merged(store: Store, mailing: Mailing) -> int:
    """Composes what is new for the mailing's subscriber, with that mailing in it."""
    subscriber_ = make_subscriber(mailing.digest.email, "tea")
    news = news_of(store, subscriber_.email, LONG_AGO)
    digest = merge(replace(mailing.digest, entries=()), [mailing.digest])
    return store.enqueue([served(news, digest, merges=(mailing.number,))])


# Leases


def test_two_processes_never_hold_the_same_mailing(store: Store, other: Store) -> None:
    outbox_of(store, *(f"reader{number}@example.org" for number in range(7)))
    held = [claim(one, limit=2) for one in (store, other, store, other, store)]
    numbers = [mailing.number for some in held for mailing in some]
    assert sorted(numbers) == list(range(1, 8))


def test_what_is_given_up_in_memory_is_read_again(store: Store) -> None:
    outbox_of(store, ADA)
    (before,) = claim(store)
    store.release([before.number], now=NOW)
    store.forget()
    assert claim(store) == (before,)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    assert with_news(store, ADA) == set()


def test_the_longest_due_are_claimed_first_and_say_since_when(store: Store) -> None:
    outbox_of(store, *(f"reader{number}@example.org" for number in range(5)))
    held = {mailing.number: mailing for mailing in claim(store)}
    for number, minutes in ((1, 3), (2, 1), (4, 2), (5, 1)):
        store.release([number], now=NOW + timedelta(minutes=minutes))
    again = claim(store, now=NOW + LEASE, limit=5)
    assert [(mailing.number, mailing.was_due_at) for mailing in again] == [
        (number, NOW + timedelta(minutes=minutes)) for number, minutes in ((2, 1), (5, 1), (4, 2), (1, 3))
    ] + [(3, NOW + LEASE)]
    assert {mailing.was_due_at for mailing in held.values()} == {NOW}


def test_what_a_dead_process_held_comes_back_when_its_lease_ends(store: Store, other: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    assert claim(other, now=NOW + LEASE - timedelta(seconds=1)) == ()
    (again,) = claim(other, now=NOW + LEASE)
    assert (again.token, again.digest) == (mailing.token, mailing.digest)
    assert claim(store, now=NOW + LEASE) == ()


def test_what_one_dead_worker_held_comes_back_at_once_and_what_others_hold_does_not(
    store: Store, other: Store
) -> None:
    outbox_of(store, *(f"reader{number}@example.org" for number in range(4)))
    dead = store.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a")
    (sent,) = store.claim(now=NOW, until=NOW + LEASE, limit=1, holder="a")
    record_results(store, sent, MailingState.SENT, "250 taken")
    held = (*other.claim(now=NOW, until=NOW + LEASE, limit=1, holder="b"), *claim(other, limit=1))
    assert store.reclaim_from("a", now=NOW) == 1
    assert claim(other) == dead
    assert undelivered(store, dead[0].digest.email) == [], "it may have arrived"
    assert store.reclaim_from("a", now=NOW) == 0, "another process holds it now"
    assert store.reclaim(now=NOW + LEASE, latest=LATER) == len(held) + 1


def test_a_lease_that_is_renewed_does_not_end(store: Store, other: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    store.renew([mailing.number], until=NOW + 3 * LEASE)
    assert claim(other, now=NOW + 2 * LEASE) == ()


def test_a_lease_is_not_renewed_once_the_mail_is_sent(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250 taken")
    store.renew([mailing.number], until=NOW + LEASE)
    assert store.next_due_at() is None


def test_whoever_comes_too_late_does_not_undo_what_another_did(store: Store, other: Store) -> None:
    outbox_of(store, ADA)
    (late,) = claim(store)
    (mailing,) = claim(other, now=NOW + LEASE)
    record_results(other, mailing, MailingState.SENT, "250 taken")
    record_results(store, late, MailingState.DEFERRED, "451", due_at=LATER)
    store.release([late.number], now=LATER)
    assert store.waiting() == 0


def test_conclusions_are_written_down_together(store: Store) -> None:
    outbox_of(store, ADA, BO)
    one, two = claim(store)
    store.record_results(
        [
            DeliveryResult(number=one.number, state=MailingState.SENT, reply="250"),
            DeliveryResult(number=two.number, state=MailingState.DEFERRED, reply="451", due_at=LATER),
        ],
        now=NOW,
    )
    assert (store.waiting(), store.next_due_at()) == (1, LATER)


# Merging


@pytest.mark.parametrize("state", [MailingState.PENDING, MailingState.DEFERRED])
def test_what_certainly_has_not_arrived_can_be_merged(store: Store, state: MailingState) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    if state is MailingState.PENDING:
        store.release([mailing.number], now=NOW)
    else:
        record_results(store, mailing, state, "451", due_at=LATER)
    assert undelivered(store) == [mailing.number]
    assert merged(store, mailing) == 1
    (next_,) = claim(store, now=LATER)
    assert (ids(next_.digest), next_.token != mailing.token) == ({"2606.00001"}, True)
    assert (mailing.has_merged, next_.has_merged) == (False, True)
    assert store.waiting() == 1


def test_what_may_have_arrived_is_never_merged(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.UNKNOWN, "lost", due_at=NOW)
    assert undelivered(store) == []
    (again,) = claim(store)
    record_results(store, again, MailingState.DEFERRED, "451", due_at=NOW)
    assert undelivered(store) == []
    assert merged(store, mailing) == 0


@pytest.mark.parametrize("way", ["reclaimed", "lease ended"])
def test_what_a_dead_process_held_is_never_merged(store: Store, way: str) -> None:
    outbox_of(store, ADA)
    claim(store)
    if way == "reclaimed":
        store.reclaim(now=NOW, latest=NOW + timedelta(days=1))
    (mailing,) = claim(store, now=NOW + LEASE)
    store.release([mailing.number], now=NOW)
    assert undelivered(store) == []


def test_a_digest_whose_papers_are_being_sent_by_now_is_not_written_down(store: Store, other: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    store.release([mailing.number], now=NOW)
    claim(other)
    assert merged(store, mailing) == 0
    assert store.waiting() == 1


@pytest.mark.parametrize(
    ("state", "wait", "is_wrong"),
    [
        (MailingState.UNKNOWN, 18, False),
        (MailingState.UNKNOWN, 22, True),
        (MailingState.DEFERRED, 18, True),
        (MailingState.DEFERRED, 0.5, False),
    ],
)
def test_what_waits_for_very_long_was_put_off_by_a_wrong_clock_unless_it_may_have_arrived(
    store: Store, other: Store, state: MailingState, wait: float, is_wrong: bool
) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    now = NOW + timedelta(days=10)
    due_at = now + timedelta(days=wait)
    record_results(store, mailing, state, "451 or nothing", due_at=due_at)
    other.reclaim(now=now, latest=now + timedelta(days=1))
    assert store.next_due_at() == (now if is_wrong else due_at)


def test_no_mailing_waits_for_more_than_24_days(store: Store, other: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    now = NOW + timedelta(days=600)
    record_results(store, mailing, MailingState.UNKNOWN, "nothing", due_at=now + timedelta(days=25))
    other.reclaim(now=now, latest=now + timedelta(days=1))
    assert store.next_due_at() == now


# What a mail is rendered from


def test_a_mailing_is_read_as_it_was_written(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    outlook = Outlook(papers_a_day=54, busiest="tea", busiest_a_day=44, narrower=(("tea AND milk", 5),))
    written = replace(
        mailing.digest,
        keywords=("tea", "cat:cs.LG", "milk"),
        names=(("cat:cs.LG", "Büchlein"), ("milk", "M")),
        length="short",
        is_first=True,
        outlook=outlook,
    )
    assert store.enqueue([served(news_of(store, ADA), written)]) == 1
    (read,) = claim(store)
    assert read.digest == written
    store.forget()
    assert store.enqueue([served(news_of(store, ADA), replace(written, outlook=None))]) == 1
    (read,) = claim(store)
    assert read.digest == replace(written, outlook=None)


# Suppressed addresses


def test_a_dead_address_gets_nothing_more_until_it_is_resumed(store: Store) -> None:
    outbox_of(store, ADA, BO)
    ada, bo = claim(store)
    record_results(store, ada, MailingState.SUPPRESSED, "550 5.1.1 nobody here")
    record_results(store, bo, MailingState.SENT, "250")
    assert [(one.email, one.cause) for one in store.suppressions()] == [(ADA, "550 5.1.1 nobody here")]
    assert store.subscriber_statuses([ADA])[ADA].is_suppressed
    assert not store.subscriber_statuses([BO])[BO].is_suppressed
    assert (store.waiting(), claim(store, now=NOW + timedelta(days=9))) == (0, ())
    assert store.resume("ADA@example.org", now=LATER)
    assert store.suppressions() == ()
    assert [mailing.token for mailing in claim(store, now=LATER)] == [ada.token]


def test_suppressing_stops_what_waits(store: Store) -> None:
    outbox_of(store, ADA)
    store.suppress("Ada@Example.org", cause="came back", now=NOW)
    store.suppress(ADA, cause="came back again", now=LATER)
    assert claim(store) == ()
    (one,) = store.suppressions()
    assert (one.since_at, one.cause) == (NOW, "came back")


def test_the_record_of_a_domain_goes_back_to_its_last_accepted_mail(store: Store) -> None:
    since, weeks = NOW - timedelta(days=1), timedelta(weeks=1)
    outbox_of(store, ADA, BO, "cy@lab.example.org", "di@other.example")
    ada, bo, cy, di = claim(store)
    record_results(store, ada, MailingState.SUPPRESSED, "550 5.1.1 nobody here")
    for one in (bo, cy, di):
        record_results(store, one, MailingState.DEFERRED, "451", due_at=NOW)
    assert store.record_of("example.org", since=since) == (0, 1)
    assert store.record_of("example.org", since=since + weeks) == (0, 1)
    assert store.record_of("lab.example.org", since=since) == (0, 0)
    record_results(store, claim(store)[0], MailingState.SENT, "250")
    store.suppress("fay@example.org", cause="came back", now=NOW - timedelta(days=3))
    assert store.record_of("example.org", since=since) == (1, 1)
    store.suppress("ed@example.org", cause="came back", now=NOW + weeks)
    assert store.record_of("example.org", since=since + 2 * weeks) == (0, 2)


def test_what_may_have_arrived_before_is_not_merged_after_resuming(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.UNKNOWN, "lost", due_at=NOW)
    store.suppress(ADA, cause="came back", now=NOW)
    store.resume(ADA, now=NOW)
    assert undelivered(store) == []
    assert [again.token for again in claim(store)] == [mailing.token]


@pytest.mark.parametrize("way", ["concluded", "reclaimed", "lease ended"])
def test_what_is_being_sent_when_its_address_is_suppressed_is_not_tried_again(store: Store, way: str) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    store.suppress(ADA, cause="came back", now=NOW)
    if way == "concluded":
        record_results(store, mailing, MailingState.DEFERRED, "451", due_at=LATER)
    elif way == "reclaimed":
        store.reclaim(now=NOW, latest=NOW + timedelta(days=1))
    assert claim(store, now=LATER) == ()
    assert store.waiting() == 0
    store.resume(ADA, now=LATER)
    assert [again.token for again in claim(store, now=LATER)] == [mailing.token]


def test_what_was_being_sent_to_a_subscriber_who_left_is_given_up(store: Store) -> None:
    outbox_of(store, ADA)
    claim(store)
    store.enrol([], now=NOW, current_since=NOW)
    store.reclaim(now=NOW, latest=NOW + timedelta(days=1))
    assert claim(store, now=LATER) == ()
    assert store.waiting() == 0


@pytest.mark.parametrize("is_claimed", [False, True])
def test_what_was_given_up_is_sent_to_the_subscriber_who_returns(store: Store, is_claimed: bool) -> None:
    outbox_of(store, ADA)
    if is_claimed:
        claim(store)
    store.enrol([], now=NOW, current_since=NOW)
    assert claim(store, now=LATER) == ()
    store.enrol([make_subscriber(ADA, "tea")], now=NOW, current_since=NOW)
    assert undelivered(store) == ([] if is_claimed else [1])
    (mailing,) = claim(store, now=LATER)
    assert ids(mailing.digest) == {"2606.00001"}


def test_what_was_given_up_is_sent_to_the_address_that_the_subscriber_has_now(store: Store) -> None:
    outbox_of(store, ADA)
    store.enrol([], now=NOW, current_since=NOW)
    store.rename(ADA, "ada@example.net", now=NOW)
    store.enrol([make_subscriber("ada@example.net", "tea")], now=NOW, current_since=NOW)
    assert [mailing.digest.email for mailing in claim(store, now=LATER)] == ["ada@example.net"]


def test_what_is_given_up_again_stays_so_for_those_who_stay_away(store: Store) -> None:
    outbox_of(store, ADA, BO)
    store.enrol([], now=NOW, current_since=NOW)
    store.enrol([make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    assert [mailing.digest.email for mailing in claim(store, now=LATER)] == [BO]


def test_only_what_is_suppressed_can_be_resumed(store: Store) -> None:
    outbox_of(store, ADA)
    assert not store.resume(ADA, now=NOW)
    assert not store.resume("nobody@example.org", now=NOW)
    assert len(claim(store)) == 1


def test_papers_found_while_an_address_is_suppressed_are_kept_for_it(store: Store) -> None:
    outbox_of(store, ADA)
    store.suppress(ADA, cause="came back", now=NOW)
    record(store, found("2606.00002", "tea"), covered=("tea",))
    store.resume(ADA, now=NOW)
    assert with_news(store) == {ADA}
    assert ids(enqueue(store, make_subscriber(ADA, "tea"))) == {"2606.00002"}


# Bounces


def test_a_bounce_names_the_subscriber_and_their_count(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250")
    bounced = store.note_bounce(
        mailing.token,
        recipient="ADA@example.org",
        concern="full",
        reply="5.2.2",
        now=NOW,
        retry_at=NOW + RETRY_BOUNCED_AFTER,
    )
    assert bounced
    assert (bounced.email, bounced.bounces) == (ADA, 1)


def test_what_came_back_goes_into_the_next_digest(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250")
    assert undelivered(store) == []
    store.note_bounce(
        mailing.token,
        recipient=ADA,
        concern="full",
        reply="5.2.2 full",
        now=NOW,
        retry_at=NOW + RETRY_BOUNCED_AFTER,
    )
    assert undelivered(store) == [mailing.number]
    assert claim(store, now=LATER) == ()


def test_of_a_mail_sent_twice_one_may_come_back_and_the_other_arrive_so_it_is_not_merged(
    store: Store,
) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.UNKNOWN, "lost", due_at=NOW)
    claim(store)
    record_results(store, mailing, MailingState.SENT, "250")
    store.note_bounce(
        mailing.token,
        recipient=ADA,
        concern="full",
        reply="5.2.2 full",
        now=NOW,
        retry_at=NOW + RETRY_BOUNCED_AFTER,
    )
    assert undelivered(store) == []
    assert [again.token for again in claim(store, now=NOW + timedelta(days=1))] == [mailing.token]


def test_a_notification_that_comes_twice_counts_once(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250")
    for recipient in (ADA, ADA, None, None):
        bounced = store.note_bounce(
            mailing.token,
            recipient=recipient,
            concern="full",
            reply="5.2.2",
            now=NOW,
            retry_at=NOW + RETRY_BOUNCED_AFTER,
        )
        assert bounced
        assert bounced.bounces == 1


def test_where_it_may_have_arrived_elsewhere_it_is_counted_and_not_repeated(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250")
    bounced = store.note_bounce(
        mailing.token,
        recipient=None,
        concern="full",
        reply="5.1.1",
        now=NOW,
        retry_at=NOW + RETRY_BOUNCED_AFTER,
    )
    assert bounced
    assert (bounced.bounces, undelivered(store), store.waiting()) == (1, [], 0)


def test_bounces_are_forgotten_after_thirty_days_and_on_resuming(store: Store) -> None:
    outbox_of(store, ADA, BO)
    for mailing in claim(store):
        record_results(store, mailing, MailingState.SENT, "250")
        store.note_bounce(
            mailing.token,
            recipient=mailing.digest.email,
            concern="full",
            reply="5.2.2",
            now=NOW,
            retry_at=NOW + RETRY_BOUNCED_AFTER,
        )
        if mailing.digest.email == BO:
            store.suppress(BO, cause="full", now=NOW)
            store.resume(BO, now=NOW)
        at = NOW + timedelta(days=1 if mailing.digest.email == BO else 31)
        bounced = store.note_bounce(
            mailing.token,
            recipient=None,
            concern="full",
            reply="5.2.2",
            now=at,
            retry_at=at + RETRY_BOUNCED_AFTER,
        )
        assert bounced
        assert bounced.bounces == 1


@pytest.mark.parametrize(
    ("token", "recipient"), [("0123456789ab", None), ("", None), ("theirs", BO), ("theirs", "x@example.net")]
)
def test_a_bounce_of_something_else_changes_nothing(store: Store, token: str, recipient: str | None) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250")
    named = mailing.token if token == "theirs" else token
    assert (
        store.note_bounce(
            named,
            recipient=recipient,
            concern="full",
            reply="5.1.1",
            now=NOW,
            retry_at=NOW + RETRY_BOUNCED_AFTER,
        )
        is None
    )
    assert store.waiting() == 0


# Pruning


def arxiv_goes_on(store: Store) -> None:
    """A paper of half a year later, which nobody here asked for."""
    record(store, found("2612.00001", "milk", submitted="2026-12-15 10:00"), covered=())


def test_mailings_that_ended_are_forgotten_after_ninety_days_but_for_the_last(store: Store) -> None:
    outbox_of(store, ADA, BO)
    for mailing in claim(store):
        record_results(store, mailing, MailingState.SENT, "250")
    arxiv_goes_on(store)
    assert store.prune(now=NOW + timedelta(days=90)) == 0
    assert store.prune(now=NOW + timedelta(days=91)) == 1
    assert store.prune(now=NOW + timedelta(days=91)) == 0


def test_a_clock_that_is_far_ahead_forgets_no_mailing(store: Store) -> None:
    outbox_of(store, ADA, BO)
    for mailing in claim(store):
        record_results(store, mailing, MailingState.SENT, "250")
    assert store.prune(now=NOW + timedelta(days=365)) == 0
    arxiv_goes_on(store)
    assert store.prune(now=NOW + timedelta(days=365)) == 1


@pytest.mark.parametrize("state", [MailingState.SUPPRESSED, MailingState.DEFERRED, MailingState.UNKNOWN])
def test_what_may_yet_be_sent_is_not_forgotten(store: Store, state: MailingState) -> None:
    outbox_of(store, ADA, BO)
    for mailing in claim(store):
        record_results(store, mailing, state, "", due_at=None if state is MailingState.SUPPRESSED else LATER)
    arxiv_goes_on(store)
    assert store.prune(now=NOW + timedelta(days=1000)) == 0


def test_what_was_brought_to_a_subscriber_of_new_versions_is_not_forgotten(store: Store) -> None:
    subscribers = [make_subscriber(email, "tea", replacements="section") for email in (ADA, BO)]
    store.enrol(subscribers, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    for one in subscribers:
        enqueue(store, one)
    for mailing in claim(store):
        record_results(store, mailing, MailingState.SENT, "250")
    arxiv_goes_on(store)
    assert store.prune(now=NOW + timedelta(days=1000)) == 0


def test_a_paper_of_a_forgotten_mailing_is_not_brought_again(store: Store) -> None:
    outbox_of(store, ADA, BO)
    for mailing in claim(store):
        record_results(store, mailing, MailingState.SENT, "250")
    arxiv_goes_on(store)
    assert store.prune(now=NOW + timedelta(days=91)) == 1
    record(store, found("2606.00001", "tea", version=2), covered=("tea",))
    assert with_news(store) == set()


def test_what_another_process_is_sending_does_not_wait(store: Store) -> None:
    outbox_of(store, ADA, BO)
    store.claim(now=NOW, until=LATER, limit=1, holder="another")
    assert (store.waiting(), store.sending(now=NOW), store.sending(now=LATER)) == (2, 1, 0)
    assert outbox_status(store, now=NOW).waiting == 1
    store.claim(now=NOW, until=LATER, limit=9, holder="another")
    assert outbox_status(store, now=NOW).waiting == 0
    assert outbox_status(store, now=LATER).waiting == 2, "that process has died"
