"""What every store promises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.model.digest import Revision
from digest.model.paper import ArxivId
from digest.storage.base import Store
from digest.storage.values import LastFetch, MailingState
from tests.factories import make_subscriber, moment
from tests.stores import (
    LEASE,
    LONG_AGO,
    NOW,
    claim,
    enqueue,
    found,
    ids,
    key,
    lines,
    new_for,
    news_of,
    outbox_of,
    record,
    record_results,
    served,
    with_news,
)


def test_a_paper_is_new_once_whatever_comes_later(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", "milk")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea", "milk"))
    assert ids(enqueue(store, ada)) == {"2606.00001"}
    assert record(store, found("2606.00001", "tea"), covered=("tea", "milk")) == 0
    assert record(store, found("2606.00001", "tea", "milk", version=2), covered=("tea", "milk")) == 0
    assert new_for(store) == set()
    assert enqueue(store, ada) is None


def test_new_papers_are_counted_once_for_the_installation(store: Store) -> None:
    store.enrol([make_subscriber("ada@example.org", "tea", "milk")], now=NOW, current_since=NOW)
    assert (
        record(store, found("2606.00001", "tea", "milk"), found("2606.00002", "tea"), covered=("tea",)) == 2
    )
    assert record(store, found("2606.00002", "milk"), found("2606.00003", "milk"), covered=("milk",)) == 1


def test_a_keyword_has_no_news_before_it_was_fetched(store: Store) -> None:
    store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
    assert with_news(store) == set()
    assert store.covered_at() == {}
    record(store, covered=("tea",))
    assert store.covered_at() == {key("tea"): NOW}


def test_what_was_there_before_the_subscription_is_backlog(store: Store) -> None:
    bo = make_subscriber("bo@example.org", "tea")
    store.enrol([bo], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, bo)
    store.enrol([bo, make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
    record(store, found("2606.00002", "tea"), covered=("tea",))
    hits = news_of(store, "ada@example.org", LONG_AGO).hits
    assert {(hit.paper.id, hit.is_backlog) for hit in hits} == {("2606.00001", True), ("2606.00002", False)}


def test_the_first_fetch_of_a_keyword_is_all_backlog(store: Store) -> None:
    store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    record(store, found("2606.00002", "tea"), covered=("tea",))
    hits = news_of(store, "ada@example.org", LONG_AGO).hits
    assert {(hit.paper.id, hit.is_backlog) for hit in hits} == {("2606.00001", True), ("2606.00002", False)}


def test_backlog_older_than_asked_for_counts_as_seen(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2601.00001", "tea", submitted="2026-01-05 00:00"), covered=("tea",))
    since = moment("2026-06-01 00:00")
    news = news_of(store, ada.email, since)
    assert news.hits == ()
    store.enqueue([served(news, None)])
    assert new_for(store) == set()
    assert with_news(store) == set()


def test_a_paper_that_comes_while_one_is_subscribed_is_news_however_old(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, covered=("tea",))
    record(store, found("2601.00001", "tea", submitted="2026-01-05 00:00"), covered=("tea",))
    hits = news_of(store, ada.email, moment("2026-06-01 00:00")).hits
    assert [hit.paper.id for hit in hits] == ["2601.00001"]


def test_nobody_misses_papers_that_came_while_there_was_nothing_to_send(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, covered=("tea",))
    enqueue(store, ada)
    many = [found(f"2606.{number:05}", "tea") for number in range(25)]
    record(store, *many, covered=("tea",))
    assert len(ids(enqueue(store, ada))) == 25


def test_another_keyword_brings_no_paper_that_was_brought(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    more = make_subscriber("ada@example.org", "tea", "milk")
    store.enrol([more], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea", "milk"), found("2606.00002", "milk"), covered=("tea", "milk"))
    assert ids(enqueue(store, more)) == {"2606.00002"}


def test_a_keyword_that_is_dropped_and_taken_up_again_repeats_nothing(store: Store) -> None:
    both, one = make_subscriber("ada@example.org", "tea", "milk"), make_subscriber("ada@example.org", "milk")
    store.enrol([both], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea", "milk"))
    enqueue(store, both)
    store.enrol([one], now=NOW, current_since=NOW)
    record(store, found("2606.00002", "tea"), covered=("tea", "milk"))
    assert new_for(store) == set()
    store.enrol([both], now=NOW, current_since=NOW)
    assert ids(enqueue(store, both)) == {"2606.00002"}


def test_a_subscriber_who_leaves_and_returns_gets_nothing_twice(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    store.enrol([], now=NOW, current_since=NOW)
    assert store.subscriber_statuses(["ada@example.org"]) == {}
    assert with_news(store) == set()
    store.enrol([make_subscriber("ADA@example.org", "tea")], now=NOW, current_since=NOW)
    assert new_for(store) == set()


def test_subscribers_do_not_share_what_was_brought(store: Store) -> None:
    ada, bo = make_subscriber("ada@example.org", "tea"), make_subscriber("bo@example.org", "tea")
    store.enrol([ada, bo], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    assert with_news(store) == {"bo@example.org"}
    assert ids(enqueue(store, bo)) == {"2606.00001"}


def test_a_digest_comes_out_of_the_outbox_as_it_went_in(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", "milk")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea", "milk"), found("2606.00002", "milk"), covered=("tea", "milk"))
    digest = enqueue(store, ada)
    (mailing,) = claim(store, limit=10)
    assert mailing.digest == digest
    assert mailing.attempts == 0


def test_a_later_version_does_not_change_what_was_written_down(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    digest = enqueue(store, ada)
    store.enrol([make_subscriber("ada@example.org", "milk")], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea", "milk", version=2), covered=("milk",))
    (mailing,) = claim(store, limit=10)
    assert mailing.digest == digest


# The newest papers of a keyword


def newest(store: Store, keyword: str, limit: int = 100) -> list[tuple[str, int]]:
    return [(paper.id, paper.version) for paper in store.newest_papers(key(keyword), limit=limit)]


def test_the_newest_papers_of_a_keyword_come_by_submission_and_then_by_id(store: Store) -> None:
    assert newest(store, "tea") == []
    store.enrol([make_subscriber("ada@example.org", "tea", "milk")], now=NOW, current_since=NOW)
    record(
        store,
        found("2606.00003", "tea", submitted="2026-06-03 10:00"),
        found("2606.00001", "tea", submitted="2026-06-14 10:00"),
        found("2606.00009", "milk"),
        found("2606.00002", "tea", "milk", submitted="2026-06-14 10:00"),
        covered=("tea", "milk"),
    )
    assert newest(store, "tea") == [("2606.00002", 1), ("2606.00001", 1), ("2606.00003", 1)]
    assert newest(store, "tea", limit=2) == [("2606.00002", 1), ("2606.00001", 1)]
    assert newest(store, "milk") == [("2606.00009", 1), ("2606.00002", 1)]


def test_the_newest_papers_come_in_their_latest_versions_whoever_found_those(store: Store) -> None:
    store.enrol([make_subscriber("ada@example.org", "tea", "milk")], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    record(store, found("2606.00001", "milk", version=2), covered=("milk",))
    record(store, found("2606.00001", "milk", version=3), covered=("milk",))
    assert newest(store, "tea") == newest(store, "milk") == [("2606.00001", 3)]


def test_a_paper_without_a_time_is_as_old_as_the_month_of_its_id(store: Store) -> None:
    store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
    undated = found("2606.00002", "tea")
    undated = replace(undated, paper=replace(undated.paper, submitted_at=None, updated_at=None))
    record(
        store,
        undated,
        found("2606.00001", "tea", submitted="2026-06-01 00:00"),
        found("2605.00009", "tea", submitted="2026-05-31 23:00"),
        found("math/0309136", "tea", submitted="2003-09-08 10:00"),
        covered=("tea",),
    )
    expected = ["2606.00001", "2606.00002", "2605.00009", "math/0309136"]
    for limit in (1, 2, 3, 4):
        assert [one for one, _ in newest(store, "tea", limit)] == expected[:limit]


# Papers that something else brought


def test_what_counts_as_seen_is_no_news_for_that_subscriber_before_or_after_it_is_found(store: Store) -> None:
    ada, bo = make_subscriber("ada@example.org", "tea"), make_subscriber("bo@example.org", "tea")
    early, late, other = (ArxivId(f"2606.0000{number}") for number in (1, 2, 3))
    assert store.count_as_seen("Ada@Example.org", [early, early]) == 1
    store.enrol([ada, bo], now=NOW, current_since=NOW)
    record(store, *(found(one, "tea") for one in (early, late, other)), covered=("tea",))
    assert store.count_as_seen(ada.email, [early, late]) == 1
    assert new_for(store) == {("2606.00003", key("tea"))}
    assert len(new_for(store, bo.email)) == 3
    assert ids(enqueue(store, ada)) == {"2606.00003"}
    record(store, found(early, "tea", version=2), covered=("tea",))
    assert enqueue(store, ada) is None


def test_what_counts_as_seen_shows_nowhere(store: Store) -> None:
    store.count_as_seen("ada@example.org", [ArxivId("2606.00001")])
    assert store.delivery_history(ArxivId("2606.00001"), "Ada@example.org").is_seen_elsewhere
    assert not store.delivery_history(ArxivId("2606.00001"), "bo@example.org").is_seen_elsewhere
    store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
    assert newest(store, "tea") == []
    assert store.recent_hits(since=LONG_AGO) == {}
    assert record(store, found("2606.00001", "tea"), covered=("tea",)) == 1
    assert store.count_as_seen("ada@example.org", []) == 0


def test_recent_papers_are_all_that_a_query_found_of_late_whoever_has_them(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", "milk")
    store.enrol([ada], now=NOW, current_since=NOW)
    old = found("2605.00009", "tea", submitted="2026-05-30 10:00")
    record(store, old, found("2606.00001", "tea", "milk"), found("2606.00002", "milk"), covered=("tea",))
    enqueue(store, ada)
    record(store, found("2606.00001", "tea", "milk", version=2), covered=("tea",))
    since = moment("2026-06-01 00:00")
    assert [paper.id for paper in store.recent_papers(key("tea"), since=since)] == ["2606.00001"]
    assert store.recent_papers(key("water"), since=since) == ()


# New versions


def test_a_new_version_is_told_of_once_and_is_no_new_paper(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    assert record(store, found("2606.00001", "tea", version=2), covered=("tea",)) == 0
    assert with_news(store) == {"ada@example.org"}
    digest = enqueue(store, ada)
    assert (ids(digest), lines(digest)) == (set(), {("2606.00001", 1, 2)})
    record(store, found("2606.00001", "tea", version=2), covered=("tea",))
    assert with_news(store) == set()
    assert enqueue(store, ada) is None


def test_versions_between_two_digests_are_told_in_the_order_in_which_they_were_seen(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    second, third = (found("2606.00001", "tea", version=version) for version in (2, 3))
    record(store, second, covered=("tea",))
    record(store, third, covered=("tea",))
    assert news_of(store, ada.email, LONG_AGO).revisions == (
        Revision(paper=second.paper, from_version=1),
        Revision(paper=third.paper, from_version=1),
    )
    assert lines(enqueue(store, ada)) == {("2606.00001", 1, 3)}
    record(store, found("2606.00001", "tea", version=4), covered=("tea",))
    assert lines(enqueue(store, ada)) == {("2606.00001", 3, 4)}


def test_an_older_version_that_comes_late_is_no_new_one(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea", version=3), covered=("tea",))
    enqueue(store, ada)
    record(store, found("2606.00001", "tea", version=2), covered=("tea",))
    assert with_news(store) == set()


def test_who_did_not_ask_for_new_versions_has_none(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    record(store, found("2606.00001", "tea", version=2), covered=("tea",))
    assert with_news(store) == set()
    assert news_of(store, ada.email, LONG_AGO).revisions == ()


def test_versions_seen_before_a_subscriber_asked_for_them_are_not_told(store: Store) -> None:
    never = make_subscriber("ada@example.org", "tea")
    section = make_subscriber("ada@example.org", "tea", replacements="section")
    store.enrol([never], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, never)
    record(store, found("2606.00001", "tea", version=2), covered=("tea",))
    for asking in (section, never, section):
        store.enrol([asking], now=NOW, current_since=NOW)
        assert with_news(store) == set()
    record(store, found("2606.00001", "tea", version=3), covered=("tea",))
    assert lines(enqueue(store, section)) == {("2606.00001", 1, 3)}


def test_versions_seen_while_a_subscriber_was_away_are_not_told(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    bo = make_subscriber("bo@example.org", "tea")
    store.enrol([ada, bo], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250 taken")
    store.enrol([bo], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea", version=2), covered=("tea",))
    store.enrol([ada, bo], now=NOW, current_since=NOW)
    assert news_of(store, ada.email, LONG_AGO).revisions == ()
    record(store, found("2606.00001", "tea", version=3), covered=("tea",))
    assert lines(enqueue(store, ada)) == {("2606.00001", 1, 3)}


def test_a_paper_that_a_subscriber_did_not_get_has_no_new_versions_for_them(store: Store) -> None:
    cy = make_subscriber("cy@example.org", "tea", categories=("math.*",), replacements="section")
    di = make_subscriber("di@example.org", "tea", replacements="section")
    store.enrol([cy, di], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    assert enqueue(store, cy) is None
    enqueue(store, di)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.FAILED, "550 no")
    record(store, found("2606.00001", "tea", version=2), covered=("tea",))
    for one in (cy, di):
        assert news_of(store, one.email, LONG_AGO).revisions == ()


def test_a_dropped_keyword_brings_no_new_versions(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", "milk", replacements="section")
    store.enrol([ada, make_subscriber("bo@example.org", "tea")], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), found("2606.00002", "milk"), covered=("tea", "milk"))
    enqueue(store, ada)
    fewer = make_subscriber("ada@example.org", "milk", replacements="section")
    store.enrol([fewer, make_subscriber("bo@example.org", "tea")], now=NOW, current_since=NOW)
    versions = [found("2606.00001", "tea", version=2), found("2606.00002", "milk", version=2)]
    record(store, *versions, covered=("tea", "milk"))
    assert lines(enqueue(store, fewer)) == {("2606.00002", 1, 2)}


def test_a_version_that_brings_the_paper_to_others_is_told_to_those_who_had_it(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    bo = make_subscriber("bo@example.org", "milk", replacements="section")
    store.enrol([ada, bo], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea", "milk"))
    enqueue(store, ada)
    record(store, found("2606.00001", "tea", "milk", version=2), covered=("tea", "milk"))
    for one, entries, told in ((ada, set(), {("2606.00001", 1, 2)}), (bo, {"2606.00001"}, set())):
        digest = enqueue(store, one)
        assert (ids(digest), lines(digest)) == (entries, told)


def test_new_versions_come_out_of_the_outbox_as_they_went_in(store: Store) -> None:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    store.enrol([ada], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ada)
    record(store, found("2606.00001", "tea", version=2), found("2606.00002", "tea"), covered=("tea",))
    digest = enqueue(store, ada)
    record(store, found("2606.00001", "tea", version=3), covered=("tea",))
    assert [mailing.digest for mailing in claim(store)][-1] == digest


def test_a_claimed_mailing_is_nobody_elses(store: Store) -> None:
    outbox_of(store, "ada@example.org", "bo@example.org")
    first, second = claim(store, limit=1), claim(store)
    assert [mailing.digest.email for mailing in first + second] == ["ada@example.org", "bo@example.org"]
    assert claim(store) == ()


def test_tokens_differ_and_stay(store: Store) -> None:
    outbox_of(store, "ada@example.org", "bo@example.org")
    ada, bo = claim(store)
    store.release([ada.number, bo.number], now=NOW)
    assert ada.token != bo.token
    assert [mailing.token for mailing in claim(store)] == [ada.token, bo.token]


def test_a_sent_mailing_is_never_claimed_again(store: Store) -> None:
    outbox_of(store, "ada@example.org")
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250 taken")
    assert store.waiting() == 0
    assert store.next_due_at() is None
    assert claim(store, now=NOW + timedelta(days=9)) == ()
    assert store.reclaim(now=NOW, latest=NOW + timedelta(days=1)) == 0


@pytest.mark.parametrize("state", [MailingState.DEFERRED, MailingState.UNKNOWN])
def test_a_refused_mailing_waits_for_its_time_and_keeps_its_place(store: Store, state: MailingState) -> None:
    outbox_of(store, "ada@example.org")
    (mailing,) = claim(store)
    later = NOW + timedelta(minutes=30)
    record_results(store, mailing, state, "451 later", due_at=later)
    assert claim(store, now=later - timedelta(seconds=1)) == ()
    assert store.waiting() == 1
    assert store.next_due_at() == later
    (again,) = claim(store, now=later)
    assert (again.token, again.digest, again.attempts) == (mailing.token, mailing.digest, 1)


def test_waiting_mailings_can_be_hastened(store: Store) -> None:
    outbox_of(store, "ada@example.org")
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.DEFERRED, "451", due_at=NOW + timedelta(days=1))
    store.retry_now(now=NOW)
    assert len(claim(store)) == 1


def test_released_mailings_can_be_hastened(store: Store) -> None:
    outbox_of(store, "ada@example.org")
    (mailing,) = claim(store)
    store.release([mailing.number], now=NOW + timedelta(hours=1), reply="too many are called dead")
    store.retry_now(now=NOW)
    assert [again.number for again in claim(store)] == [mailing.number]


def test_what_a_dead_process_was_sending_is_taken_back(store: Store) -> None:
    outbox_of(store, "ada@example.org")
    (mailing,) = claim(store)
    assert store.reclaim(now=NOW + LEASE, latest=NOW + timedelta(days=1)) == 1
    assert [again.token for again in claim(store, now=NOW + LEASE)] == [mailing.token]


def test_a_reply_may_have_any_letter(store: Store) -> None:
    outbox_of(store, "ada@example.org", "bo@example.org")
    first, second = claim(store)
    record_results(store, first, MailingState.DEFERRED, "451 \x00", due_at=NOW)
    store.release([second.number], now=NOW, reply="421 \x00")
    assert store.delayed() == 2


def test_a_released_mailing_was_not_tried(store: Store) -> None:
    outbox_of(store, "ada@example.org")
    (mailing,) = claim(store)
    store.release([mailing.number], now=NOW)
    assert [again.attempts for again in claim(store)] == [0]


def test_a_mailing_given_up_is_done_with(store: Store) -> None:
    outbox_of(store, "ada@example.org")
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.FAILED, "550 no")
    assert store.waiting() == 0


def test_standings_tell_what_was_planned(store: Store) -> None:
    outbox_of(store, "ada@example.org")
    stands = store.subscriber_statuses(["ada@example.org"])["ada@example.org"]
    assert (stands.since_at, stands.last_digest_at, stands.slot_at) == (NOW, NOW, NOW)
    assert datetime.now(UTC) > stands.since_at


def test_the_last_fetch_is_that_of_any_process(store: Store, other: Store) -> None:
    assert store.last_fetch() is None
    first = LastFetch(began_at=NOW, queries=b"\x00\xff", brought_papers=True)
    later = LastFetch(began_at=NOW, queries=b"tea", failed_at=NOW + timedelta(minutes=1), is_missing=True)
    for last in (first, later):
        store.note_last_fetch(last)
        assert other.last_fetch() == last


def test_a_store_takes_a_lease_renews_and_ends_it(store: Store) -> None:
    for _ in range(2):
        assert store.take_lease("fetching", lasting=timedelta(minutes=1)) is not None
    store.end_lease("fetching")
    store.end_lease("fetching")
    assert store.take_lease("fetching", lasting=timedelta(minutes=1)) is not None
