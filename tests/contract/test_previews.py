"""What every store promises of previews: a queue with places, one request a minute, and answers for a day."""

from dataclasses import replace
from datetime import timedelta

from digest.storage.base import Store
from digest.storage.previews import (
    ANSWERS_KEPT,
    REQUESTS_OF_ONE_PLACE,
    REQUESTS_OF_STRANGERS,
    Answer,
    Asker,
    PreviewRequest,
    PreviewTurn,
    Queue,
    hash_of,
)
from tests.factories import invented_paper, make_subscriber
from tests.stores import NOW, found, key, record

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
STRANGER = Asker(place="192.0.2.1", is_stranger=True)
OTHER = replace(STRANGER, place="192.0.2.2")
SUBSCRIBER = Asker(place="ada@example.org", is_stranger=False)
TEA, MILK, RICE = (PreviewRequest(query=hash_of(text), text=text) for text in ("tea", "milk", "rice"))


def requests(count: int, first: int = 0) -> list[PreviewRequest]:
    return [
        PreviewRequest(query=f"q{number}", text=f"word {number}") for number in range(first, first + count)
    ]


def answer_for(request: PreviewRequest, **changes: object) -> Answer:
    answer = Answer(
        query=request.query,
        asked_at=NOW,
        asked_since=NOW - timedelta(days=18),
        searched_since=NOW - timedelta(days=18),
        papers=(replace(invented_paper("2606.00001", "Tea “&” \x00 ∞"), doi="10.1/x"),),
    )
    return replace(answer, **changes)  # type: ignore[arg-type]


def begun(store: Store, *, after: timedelta = timedelta(0), limit: int = 5) -> list[PreviewRequest]:
    turn = store.begin_previews(limit=limit, now=NOW + after)
    return list(turn.requests)


def test_the_same_query_is_asked_for_once_for_all_who_want_it(store: Store, other: Store) -> None:
    assert store.request_previews([TEA], STRANGER, now=NOW) == Queue(before={TEA.query: 0}, next_at=NOW)
    queue = other.request_previews([TEA, MILK], OTHER, now=NOW + SECOND)
    assert queue.before == {TEA.query: 0, MILK.query: 1}
    assert begun(store, after=2 * SECOND) == [TEA, MILK]


def test_a_minute_has_one_request_over_all_processes(store: Store, other: Store) -> None:
    store.request_previews([TEA], STRANGER, now=NOW)
    late = timedelta(milliseconds=900)
    assert begun(store, after=late) == [TEA]
    for one in (store, other):
        assert one.begin_previews(limit=5, now=NOW + MINUTE) == PreviewTurn(wait=late)
    assert store.request_previews([TEA], STRANGER, now=NOW + MINUTE).next_at == NOW + MINUTE + late
    assert begun(other, after=MINUTE + late) == [TEA]
    assert begun(store, after=MINUTE + late) == []


def test_a_process_that_dies_while_it_asks_loses_nothing(store: Store, other: Store) -> None:
    store.request_previews([TEA], STRANGER, now=NOW - SECOND)
    store.request_previews([MILK], STRANGER, now=NOW)
    assert begun(store, limit=1) == [TEA]
    assert begun(other, after=MINUTE) == [TEA, MILK]


def test_subscribers_come_before_strangers_and_then_who_waited_longest(store: Store) -> None:
    store.request_previews([TEA], STRANGER, now=NOW)
    store.request_previews([MILK], OTHER, now=NOW + SECOND)
    store.request_previews([RICE], SUBSCRIBER, now=NOW + 2 * SECOND)
    assert begun(store, after=3 * SECOND) == [RICE, TEA, MILK]


def test_one_network_has_few_places_and_a_subscriber_has_some_of_their_own(store: Store) -> None:
    many = requests(REQUESTS_OF_ONE_PLACE + 2)
    queue = store.request_previews(many, STRANGER, now=NOW)
    assert list(queue.before) == [request.query for request in many[:REQUESTS_OF_ONE_PLACE]]
    assert store.request_previews([TEA], STRANGER, now=NOW).before == {}
    assert TEA.query in store.request_previews([TEA], OTHER, now=NOW).before


def test_strangers_together_have_so_many_places_and_take_none_from_subscribers(store: Store) -> None:
    for number in range(REQUESTS_OF_STRANGERS + 5):
        asker = replace(STRANGER, place=f"192.0.2.{number}")
        queue = store.request_previews(requests(1, first=number), asker, now=NOW)
        assert bool(queue.before) == (number < REQUESTS_OF_STRANGERS)
    assert store.request_previews([TEA], SUBSCRIBER, now=NOW).before == {TEA.query: 0}


def test_who_does_not_come_back_frees_the_place(store: Store) -> None:
    store.request_previews(requests(REQUESTS_OF_ONE_PLACE), STRANGER, now=NOW)
    store.request_previews(requests(1), STRANGER, now=NOW + 2 * MINUTE)
    later = NOW + 4 * MINUTE
    assert store.request_previews([TEA], STRANGER, now=later).before == {TEA.query: 1}
    assert begun(store, after=6 * MINUTE) == [TEA]
    assert store.begin_previews(limit=5, now=NOW + 9 * MINUTE) == PreviewTurn()


def test_a_new_wish_of_a_visitor_replaces_the_last_one_and_no_other_visitors(store: Store) -> None:
    one, two = (replace(STRANGER, visitor=name) for name in ("one", "two"))
    store.request_previews([TEA], one, now=NOW)
    store.request_previews([MILK], two, now=NOW)
    store.request_previews([RICE], one, now=NOW + SECOND)
    assert begun(store, after=SECOND) == [MILK, RICE]
    store.request_previews([], two, now=NOW + SECOND)
    assert begun(store, after=MINUTE + SECOND) == [RICE]


def test_an_answer_ends_the_wish_and_is_kept_for_a_day(store: Store, other: Store) -> None:
    store.request_previews([TEA, MILK], STRANGER, now=NOW)
    answer = answer_for(TEA, about=2_300)
    store.record_previews([answer], now=NOW)
    assert begun(store) == [MILK]
    asked = [TEA.query, MILK.query]
    assert other.preview_answers(asked, now=NOW + timedelta(hours=23)) == {TEA.query: answer}
    assert other.preview_answers(asked, now=NOW + timedelta(hours=24)) == {}
    assert other.preview_answers([], now=NOW) == {}


def test_a_later_answer_replaces_the_first(store: Store) -> None:
    later = answer_for(TEA, asked_at=NOW + MINUTE, papers=())
    store.record_previews([answer_for(TEA)], now=NOW)
    store.record_previews([later], now=NOW + MINUTE)
    assert store.preview_answers([TEA.query], now=NOW + MINUTE) == {TEA.query: later}


def test_no_more_than_so_many_answers_are_kept(store: Store) -> None:
    many = [
        answer_for(request, asked_at=NOW + place * SECOND, papers=())
        for place, request in enumerate(requests(ANSWERS_KEPT + 3))
    ]
    store.record_previews(many, now=NOW)
    kept = store.preview_answers([one.query for one in many], now=NOW)
    assert sorted(kept) == sorted(one.query for one in many[3:])


def test_after_a_failure_arxiv_is_left_alone_until_then(store: Store, other: Store) -> None:
    store.request_previews([TEA], STRANGER, now=NOW)
    assert begun(store) == [TEA]
    store.put_off_previews(NOW + 5 * MINUTE, is_failing=True)
    store.request_previews([TEA], STRANGER, now=NOW + 2 * MINUTE)
    queue = other.request_previews([TEA], STRANGER, now=NOW + 4 * MINUTE)
    assert queue == Queue(before={TEA.query: 0}, next_at=NOW + 5 * MINUTE, is_failing=True)
    assert other.begin_previews(limit=5, now=NOW + 4 * MINUTE).wait == MINUTE
    assert begun(other, after=5 * MINUTE) == [TEA]
    other.record_previews([answer_for(TEA)], now=NOW + 5 * MINUTE)
    assert not store.request_previews([MILK], STRANGER, now=NOW + 5 * MINUTE).is_failing


def test_a_query_can_be_asked_for_alone_the_next_time(store: Store) -> None:
    store.request_previews([TEA], STRANGER, now=NOW - SECOND)
    store.request_previews([MILK], STRANGER, now=NOW)
    assert begun(store) == [TEA, MILK]
    store.put_off_previews(NOW, is_failing=False, alone=MILK.query)
    assert begun(store, after=MINUTE) == [MILK]
    assert begun(store, after=2 * MINUTE) == [TEA, MILK]


def test_a_clock_that_was_set_back_makes_nobody_wait_longer(store: Store) -> None:
    ahead = timedelta(days=400)
    store.request_previews([MILK], STRANGER, now=NOW + ahead)
    assert begun(store, after=ahead) == [MILK]
    store.request_previews([TEA], STRANGER, now=NOW)
    assert store.begin_previews(limit=5, now=NOW) == PreviewTurn(wait=MINUTE)
    store.put_off_previews(NOW + ahead, is_failing=True)
    assert store.begin_previews(limit=5, now=NOW) == PreviewTurn(wait=timedelta(days=1))


def test_the_coverage_of_some_queries_is_that_of_all(store: Store) -> None:
    store.enrol([make_subscriber("ada@example.org", "tea", "milk")], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), found("2606.00002", "milk"), covered=("tea", "milk"))
    asked = [key("tea"), key("rice")]
    assert store.coverage_of(asked) == {key("tea"): store.coverage()[key("tea")]}
    assert store.coverage_of([]) == {}
