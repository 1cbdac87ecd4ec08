"""Which source is asked for which keywords."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from digest.keywords.query import Query, parse
from digest.sources.base import MANY, Source
from digest.sources.planner import FetchBatch, plan
from digest.sources.window import HELD, Coverage, Window
from tests.factories import moment
from tests.fakes import FakeSource

NOW = moment("2026-06-17 12:00")
YESTERDAY = NOW - timedelta(days=1)
LOOKBACK = timedelta(days=16)
COVERED = Coverage(covered_at=YESTERDAY, searched_since=NOW - timedelta(days=400), newest="2606.00900")


class PerKeyword(FakeSource):
    """Asks once for each ten keywords, and once more for each 2,000 papers."""

    def cost(
        self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY
    ) -> int | None:
        return -(-len(queries) // 10) + expected // 2_000


class PerDay(FakeSource):
    """Asks twice, and once more for each day."""

    def cost(
        self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY
    ) -> int | None:
        return 2 + (window.until - window.announced_since).days


BY_KEYWORD, BY_DAY = PerKeyword(name="by keyword"), PerDay(name="by day")
SOURCES: tuple[Source, ...] = (BY_KEYWORD, BY_DAY)


def words(count: int, word: str = "known") -> list[Query]:
    return [parse(f"{word}{number}") for number in range(count)]


def planned(
    known: Sequence[Query] = (), fresh: Sequence[Query] = (), results: int = 5
) -> tuple[FetchBatch, ...]:
    return plan(
        (*known, *fresh),
        SOURCES,
        coverage={query.key: COVERED for query in known},
        results={query.key: results for query in known},
        now=NOW,
        lookback=LOOKBACK,
    )


def first_names(fetch_batches: Sequence[FetchBatch]) -> list[tuple[int, str]]:
    return [(len(fetch_batch.queries), fetch_batch.sources[0].name) for fetch_batch in fetch_batches]


def test_few_keywords_are_asked_for_by_name_and_many_by_day() -> None:
    assert first_names(planned(words(10))) == [(10, "by keyword")]
    assert first_names(planned(words(100))) == [(100, "by day")]


def test_few_keywords_that_find_very_much_are_asked_for_by_day() -> None:
    assert first_names(planned(words(3), results=3_000)) == [(3, "by day")]


def test_every_other_source_stands_by() -> None:
    (fetch_batch,) = planned(words(100))
    assert fetch_batch.sources == (BY_DAY, BY_KEYWORD)
    assert fetch_batch.requests == 3


def test_a_new_keyword_has_its_own_batch_over_the_lookback() -> None:
    known, fresh = planned(words(100), words(1, "fresh"))
    assert first_names((known, fresh)) == [(100, "by day"), (1, "by keyword")]
    assert known.window == Window(
        announced_since=YESTERDAY, submitted_since=YESTERDAY - HELD, until=NOW, newest="2606.00900"
    )
    assert fresh.window == Window(announced_since=NOW - LOOKBACK, submitted_since=NOW - LOOKBACK, until=NOW)


def test_one_batch_does_where_it_is_cheaper_and_it_covers_the_window_of_both() -> None:
    (fetch_batch,) = planned(words(3), words(3, "fresh"))
    assert len(fetch_batch.queries) == 6
    assert fetch_batch.window.announced_since == NOW - LOOKBACK
    assert fetch_batch.window.submitted_since == YESTERDAY - HELD


def test_after_weeks_of_downtime_the_ground_begins_before_them() -> None:
    query = parse("known")
    long_ago = NOW - timedelta(days=40)
    (fetch_batch,) = plan(
        [query],
        SOURCES,
        coverage={query.key: replace(COVERED, covered_at=long_ago)},
        results={},
        now=NOW,
        lookback=LOOKBACK,
    )
    assert fetch_batch.window == Window(
        announced_since=long_ago, submitted_since=long_ago - HELD, until=NOW, newest="2606.00900"
    )


def test_a_clock_that_was_set_back_asks_for_no_time_to_come() -> None:
    query = parse("known")
    tomorrow = NOW + timedelta(days=1)
    (fetch_batch,) = plan(
        [query],
        SOURCES,
        coverage={query.key: replace(COVERED, covered_at=tomorrow)},
        results={},
        now=NOW,
        lookback=LOOKBACK,
    )
    assert fetch_batch.window.announced_since == NOW


def test_without_keywords_nothing_is_asked() -> None:
    assert planned() == ()


def test_a_source_that_cannot_cover_the_ground_is_left_out() -> None:
    class Unable(FakeSource):
        def cost(
            self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY
        ) -> int | None:
            return None

    (fetch_batch,) = plan(
        words(3), (Unable(), BY_KEYWORD), coverage={}, results={}, now=NOW, lookback=LOOKBACK
    )
    assert fetch_batch.sources == (BY_KEYWORD,)


def test_a_keyword_whose_lookback_has_grown_is_asked_for_as_a_new_one() -> None:
    query = parse("known")
    shallow = replace(COVERED, searched_since=NOW - LOOKBACK - timedelta(days=3))
    asked = {}
    for days in (16, 60):
        (fetch_batch,) = plan(
            [query],
            SOURCES,
            coverage={query.key: shallow},
            results={},
            now=NOW,
            lookback=timedelta(days=days),
        )
        asked[days] = fetch_batch.window.announced_since
    assert asked == {16: YESTERDAY, 60: NOW - timedelta(days=60)}


def test_a_source_is_asked_first_only_where_it_can_answer_all_keywords() -> None:
    class Unable(PerKeyword):
        def can_answer(self, query: Query) -> bool:
            return query.text != "fresh0"

    unable = Unable(name="unable")
    (fetch_batch,) = plan(
        words(2, "fresh"), (unable, BY_DAY), coverage={}, results={}, now=NOW, lookback=LOOKBACK
    )
    assert fetch_batch.sources == (BY_DAY, unable)


def test_what_arxiv_is_asked_for_widely_is_asked_for_by_day() -> None:
    """By its stem, `=modelled` is half of arXiv, though it finds next to nothing."""
    assert first_names(planned([parse("=modelled")], results=1)) == [(1, "by day")]
    assert first_names(planned([parse("modelled")], results=1)) == [(1, "by keyword")]


def test_a_keyword_whose_lookback_has_grown_is_still_asked_for_what_was_held_back() -> None:
    (query,) = words(1)
    shallow = replace(COVERED, searched_since=NOW - LOOKBACK)
    (fetch_batch,) = plan(
        (query,), SOURCES, coverage={query.key: shallow}, results={}, now=NOW, lookback=timedelta(days=30)
    )
    assert fetch_batch.window == Window(
        announced_since=NOW - timedelta(days=30),
        submitted_since=YESTERDAY - HELD,
        until=NOW,
        newest=COVERED.newest,
    )


def test_nothing_is_counted_beyond_what_the_others_cost() -> None:
    """The search API builds the text of each keyword to count its requests."""
    asked: list[int] = []

    class Counting(FakeSource):
        def cost(
            self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY
        ) -> int | None:
            asked.append(enough)
            return min(600, enough)

    dear, cheap = Counting(), FakeSource()
    (fetch_batch,) = plan(words(3), (dear, cheap), coverage={}, results={}, now=NOW, lookback=LOOKBACK)
    assert asked == [cheap.price + 1]
    assert (fetch_batch.sources, fetch_batch.requests) == ((cheap, dear), cheap.price)
