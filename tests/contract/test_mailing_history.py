"""What every store promises of the mailings that it keeps, and of one that is sent again."""

from datetime import timedelta

import pytest

from digest.storage.base import Store
from digest.storage.mailing_history import PastMailing
from digest.storage.values import Mailing, MailingState
from tests.factories import make_subscriber
from tests.stores import NOW, claim, enqueue, found, news_of, outbox_of, record, record_results

ADA, BO = "ada@example.org", "bo@example.org"
TOMORROW = NOW + timedelta(days=1)


def sent(store: Store, *emails: str) -> tuple[Mailing, ...]:
    """Digests of one paper, which their server took."""
    outbox_of(store, *emails)
    mailings = claim(store)
    for one in mailings:
        record_results(store, one, MailingState.SENT, "250 taken")
    return mailings


def past(store: Store, email: str | None = None, after: int = 0, limit: int = 9) -> tuple[PastMailing, ...]:
    return store.past_mailings(since=None, email=email, after=after, limit=limit)


def test_all_mailings_are_listed_with_their_results_in_order(store: Store) -> None:
    assert past(store) == ()
    sent(store, ADA, BO)
    record(store, found("2606.00002", "tea"), covered=("tea",))
    enqueue(store, make_subscriber(ADA, "tea"), now=TOMORROW)
    first, second, third = past(store)
    assert [one.email for one in (first, second, third)] == [ADA, BO, ADA]
    assert (first.state, first.reply, first.papers, first.attempts) == ("sent", "250 taken", 1, 1)
    assert (first.concluded_at, first.due_at, first.bounced_at, first.new_versions) == (NOW, None, None, 0)
    assert (third.state, third.reply, third.attempts, third.concluded_at) == ("pending", "", 0, None)
    assert (third.due_at, third.planned_at, third.dated_on) == (TOMORROW, TOMORROW, TOMORROW.date())
    assert past(store, after=first.number, limit=1) == (second,)
    assert store.past_mailings(since=TOMORROW, email=None, after=0, limit=9) == (third,)


def test_those_of_one_subscriber_have_the_ids_of_their_papers(store: Store) -> None:
    sent(store, ADA, BO)
    (mailing,) = past(store, "Ada@Example.org")
    assert (mailing.email, mailing.ids) == (ADA, ("2606.00001",))
    assert past(store, "cy@example.org") == ()
    assert past(store)[0].ids == ()


def test_the_mailings_to_a_former_address_stay_with_the_subscriber(store: Store) -> None:
    sent(store, ADA)
    store.rename(ADA, "ada@example.net", now=NOW)
    (mailing,) = past(store, "ada@example.net")
    assert mailing.email == ADA
    assert store.send_again(mailing.number, now=NOW)
    assert [one.digest.email for one in claim(store)] == ["ada@example.net"]


def test_a_mailing_that_is_sent_again_is_the_same(store: Store) -> None:
    (first,) = sent(store, ADA)
    before = news_of(store)
    assert store.send_again(first.number, now=TOMORROW)
    assert store.next_due_at() == TOMORROW
    assert not store.send_again(first.number, now=TOMORROW)
    (again,) = claim(store, now=TOMORROW)
    assert (again.token, again.digest, again.pages) == (first.token, first.digest, first.pages)
    record_results(store, again, MailingState.SENT, "250 again")
    (mailing,) = past(store)
    assert (mailing.state, mailing.attempts, mailing.reply) == ("sent", 1, "250 again")
    assert news_of(store).standing == before.standing


def test_what_was_sent_once_is_never_merged_into_the_next_digest(store: Store) -> None:
    (first,) = sent(store, ADA)
    assert store.send_again(first.number, now=NOW)
    record(store, found("2606.00002", "tea"), covered=("tea",))
    assert news_of(store).undelivered == ()


@pytest.mark.parametrize("reason", ["suppressed", "left", "gone", "waiting", "unknown"])
def test_nothing_is_sent_again_that_was_not_sent_or_to_who_gets_no_mail(store: Store, reason: str) -> None:
    (first,) = sent(store, ADA)
    number = first.number
    if reason == "suppressed":
        store.suppress(ADA, cause="550 no such user", now=NOW)
    elif reason == "left":
        store.leave(ADA, now=NOW)
    elif reason == "gone":
        store.enrol([make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    elif reason == "waiting":
        record(store, found("2606.00002", "tea"), covered=("tea",))
        enqueue(store, make_subscriber(ADA, "tea"), now=TOMORROW)
        number = past(store)[-1].number
    else:
        number = 99
    before = past(store)
    assert not store.send_again(number, now=NOW)
    assert past(store) == before
