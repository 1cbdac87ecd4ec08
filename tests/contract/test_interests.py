"""What every store promises of liked and disliked papers."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.model.paper import Paper
from digest.pipeline.compose_job import compose_due
from digest.storage.base import Store
from digest.storage.values import MailingState
from digest.subscribers.interest.judgements import Example, Origin, example_of
from tests.contract.back_ends import BackEnd
from tests.factories import invented_paper, make_subscriber
from tests.stores import LONG_AGO, NOW, claim, found, profile_of, record, record_results

ADA, BO = "ada@example.org", "bo@example.org"


def example(number: int, title: str = "") -> Example:
    return example_of(invented_paper(f"2606.{number:05}", title or f"Kettle number {number}"))


def judge(store: Store, *numbers: int, is_liked: bool = True, email: str = ADA, minutes: int = 0) -> int:
    return store.judge(
        email,
        [example(number) for number in numbers],
        is_liked=is_liked,
        origin=Origin.COMMAND,
        now=NOW + timedelta(minutes=minutes),
    )


def verdicts(store: Store, email: str = ADA) -> list[tuple[str, bool]]:
    return [(one.example.name[-1], one.is_liked) for one in store.judgements(email)]


def test_judgements_are_kept_as_they_were_made_the_oldest_first(store: Store) -> None:
    assert store.judgements(ADA) == ()
    assert judge(store, 2) == 1
    assert judge(store, 1, is_liked=False, minutes=1) == 1
    assert verdicts(store) == [("2", True), ("1", False)]
    first, _ = store.judgements("Ada@Example.org")
    assert (first.example, first.judged_at, first.origin) == (example(2), NOW, Origin.COMMAND)
    assert store.judgements(BO) == ()


def test_a_judgement_made_twice_is_made_once_and_another_one_replaces_it(store: Store) -> None:
    assert judge(store, 1, 1, 2) == 2
    assert judge(store, 1, minutes=1) == 0
    assert verdicts(store) == [("1", True), ("2", True)]
    assert judge(store, 1, is_liked=False, minutes=2) == 1
    assert verdicts(store) == [("2", True), ("1", False)]


def test_a_judgement_can_be_withdrawn_and_all_can_be_forgotten(store: Store) -> None:
    judge(store, 1, 2, 3)
    judge(store, 1, email=BO)
    assert store.withdraw(ADA, ["2606.00001", "2606.00009"]) == 1
    assert verdicts(store) == [("2", True), ("3", True)]
    assert store.forget_interest(ADA) == 2
    assert store.judgements(ADA) == ()
    assert profile_of(store, ADA) is None
    assert verdicts(store, BO) == [("1", True)]


def test_there_is_a_profile_while_something_is_liked(store: Store) -> None:
    assert profile_of(store, ADA) is None
    judge(store, 1, is_liked=False)
    assert profile_of(store, ADA) is None
    judge(store, 2)
    assert profile_of(store, ADA)
    store.withdraw(ADA, ["2606.00002"])
    assert profile_of(store, ADA) is None


def test_interest_follows_a_subscriber_to_a_new_address(store: Store) -> None:
    store.enrol([make_subscriber(ADA, "tea")], now=NOW, current_since=NOW)
    judge(store, 1, 2)
    judge(store, 2, is_liked=False, email=BO)
    profile = profile_of(store, ADA)
    assert profile
    assert store.rename(ADA, BO, now=NOW)
    assert verdicts(store) == []
    assert profile_of(store, ADA) is None
    assert verdicts(store, BO) == [("1", True), ("2", False)]
    assert profile_of(store, BO) not in (None, profile)


def test_interest_is_gone_with_a_subscriber_who_is_removed(store: Store) -> None:
    both = [make_subscriber(ADA, "tea"), make_subscriber(BO, "tea")]
    judge(store, 1)
    judge(store, 1, email=BO)
    store.take_up_entries(both, file="1", now=NOW)
    assert verdicts(store) == verdicts(store, BO) == [("1", True)]
    store.take_up_entries(both[1:], file="2", now=NOW)
    assert verdicts(store) == []
    assert verdicts(store, BO) == [("1", True)]
    store.take_up_entries(both, file="3", now=NOW)
    assert profile_of(store, ADA) is None


def test_interest_of_who_left_for_a_while_stays(store: Store) -> None:
    store.enrol([make_subscriber(ADA, "tea")], now=NOW, current_since=NOW)
    judge(store, 1)
    store.leave(ADA, now=NOW)
    store.rejoin(ADA)
    assert verdicts(store) == [("1", True)]


@pytest.mark.parametrize("liked", ["Kettles", "Goats"])
def test_a_digest_begins_with_what_its_subscriber_likes(store: Store, liked: str) -> None:
    subscriber = make_subscriber(ADA, "tea")
    store.enrol([subscriber], now=NOW, current_since=NOW)
    some = [found(f"2606.{number:05}", "tea") for number in range(1, 4)]
    titles = ("Singing kettles", "On nothing", "Goats on ice")
    papers = [
        type(one)(
            paper=invented_paper(one.paper.id, title), query_keys=one.query_keys, past_keys=one.past_keys
        )
        for one, title in zip(some, titles, strict=True)
    ]
    record(store, *papers, covered=("tea",))
    store.judge(ADA, [example(9, liked)], is_liked=True, origin=Origin.WEB, now=NOW)
    compose_due(store, [subscriber], lambda *_: NOW, backlog_since=LONG_AGO)
    (mailing,) = claim(store)
    assert liked in mailing.digest.entries[0].paper.title.title()
    assert len(mailing.digest.entries) == 3


_STEPS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([True, False, None])), max_size=12)


@pytest.mark.timeout(600)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_any_order_of_judgements_gives_the_same_state_as_its_net_effect(
    back_end: BackEnd, steps: Sequence[tuple[int, bool | None]]
) -> None:
    net = dict(steps)
    with tempfile.TemporaryDirectory() as folder, back_end.open(Path(folder)) as store:
        for place, (number, is_liked) in enumerate(steps):
            if is_liked is None:
                store.withdraw(ADA, [f"2606.{number:05}"])
            else:
                judge(store, number, is_liked=is_liked, minutes=place)
        for number, is_liked in sorted(net.items()):
            if is_liked is not None:
                judge(store, number, is_liked=is_liked, email=BO)
        assert sorted(verdicts(store)) == sorted(verdicts(store, BO))
        assert profile_of(store, ADA) == profile_of(store, BO)


def listed_day(number: int = 60) -> list[Paper]:
    papers = [
        invented_paper(f"2606.{place:05}", f"On subject {place}") for place in range(1000, 1000 + number)
    ]
    return [replace(papers[0], title="Kettles that sing in snow"), *papers[1:]]


def test_listed_papers_are_kept_for_two_days(store: Store) -> None:
    assert store.listed(since=LONG_AGO) == {}
    first, *others = listed_day()
    store.keep_listed([first], now=NOW)
    store.keep_listed([first, *others], now=NOW + timedelta(days=1))
    assert store.listed(since=LONG_AGO) == {
        first: NOW,
        **dict.fromkeys(others, NOW + timedelta(days=1)),
    }
    assert set(store.listed(since=NOW + timedelta(hours=1))) == set(others)
    store.keep_listed([], now=NOW + timedelta(days=3, hours=-1))
    assert set(store.listed(since=LONG_AGO)) == set(others)
    store.keep_listed([], now=NOW + timedelta(days=4))
    assert store.listed(since=LONG_AGO) == {}


@pytest.mark.parametrize("discover", [0, 3])
def test_a_digest_has_near_papers_if_its_subscriber_wants_some(store: Store, discover: int) -> None:
    subscriber = make_subscriber(ADA, "tea", discover=discover)
    store.enrol([subscriber], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    store.keep_listed(listed_day(), now=NOW)
    store.judge(ADA, [example(9, "Kettles sing in snow")], is_liked=True, origin=Origin.WEB, now=NOW)
    compose_due(store, [subscriber], lambda *_: NOW, backlog_since=LONG_AGO)
    (mailing,) = claim(store)
    assert mailing.digest.near == (tuple(listed_day()[:1]) if discover else ())
    store.keep_listed([], now=NOW + timedelta(days=90))
    (again,) = claim(store, now=NOW + timedelta(days=90))
    assert again.digest == mailing.digest


@pytest.mark.parametrize("is_removed", [False, True])
def test_near_papers_of_sent_digests_are_forgotten_with_the_rest(store: Store, is_removed: bool) -> None:
    subscriber = make_subscriber(ADA, "tea", discover=3)
    store.take_up_entries([subscriber, make_subscriber(BO)], file="1", now=NOW)
    store.enrol([subscriber], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    store.keep_listed(listed_day(), now=NOW)
    store.judge(ADA, [example(9, "Kettles sing in snow")], is_liked=True, origin=Origin.WEB, now=NOW)
    compose_due(store, [subscriber], lambda *_: NOW, backlog_since=LONG_AGO)
    (mailing,) = claim(store)
    assert mailing.pages
    record_results(store, mailing, MailingState.SENT, "250 taken")
    token = mailing.pages.digest
    assert (store.digest_page(token) or mailing.digest).near
    if is_removed:
        store.take_up_entries([make_subscriber(BO)], file="2", now=NOW)
    else:
        store.forget_interest(ADA)
    kept = store.digest_page(token)
    assert kept
    assert kept.near == ()
    assert kept.entries == mailing.digest.entries


def test_without_a_liked_paper_there_is_nothing_near(store: Store) -> None:
    subscriber = make_subscriber(ADA, "tea", discover=3)
    store.enrol([subscriber], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    store.keep_listed(listed_day(), now=NOW)
    compose_due(store, [subscriber], lambda *_: NOW, backlog_since=LONG_AGO)
    (mailing,) = claim(store)
    assert mailing.digest.near == ()
