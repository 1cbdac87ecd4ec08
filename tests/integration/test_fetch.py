"""A fetch over several sources and a real state file: who is asked, who is believed, and what moves."""

from datetime import datetime, timedelta

import pytest

from digest.errors import Unreachable
from digest.model.paper import Paper
from digest.pipeline.fetch import FetchReport, fetch
from digest.storage.sqlite.store import SqliteStore
from tests.factories import invented_paper, make_subscriber, moment
from tests.fakes import FakeSource

MONDAY, TUESDAY, WEDNESDAY = (moment(f"2026-06-{day} 12:00") for day in (15, 16, 17))
SUBSCRIBERS = [make_subscriber("ada@example.org", "tea", "milk")]


@pytest.fixture
def store(store: SqliteStore) -> SqliteStore:
    store.enrol(SUBSCRIBERS, now=MONDAY, current_since=MONDAY)
    return store


class Sources:
    """A cheap source that lists all each time, and a dear one that only lists what is new."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.cheap = FakeSource(name="cheap")
        self.dear = FakeSource(name="dear")
        self.dear.lists_again = False
        self.dear.price = 5
        self.subscribers = SUBSCRIBERS

    async def fetch(self, now: datetime) -> FetchReport:
        return await fetch(
            (self.dear, self.cheap), self.store, self.subscribers, now=now, lookback=timedelta(days=16)
        )

    def covered_at(self) -> set[datetime]:
        return set(self.store.covered_at().values())


@pytest.fixture
def sources(store: SqliteStore) -> Sources:
    return Sources(store)


def teas(first: int, count: int, submitted: str = "2026-06-12 10:00") -> tuple[Paper, ...]:
    return tuple(
        invented_paper(f"2606.{number:05}", "Tea", submitted=submitted)
        for number in range(first, first + count)
    )


async def test_the_cheapest_source_is_asked_and_the_others_are_left_in_peace(sources: Sources) -> None:
    sources.cheap.papers = teas(0, 30)
    report = await sources.fetch(MONDAY)
    assert (report.papers_new, report.errors, report.notes) == (30, (), ())
    assert (len(sources.cheap.asked), len(sources.dear.asked)) == (1, 0)


async def test_when_one_source_fails_the_next_takes_over_within_the_run(sources: Sources) -> None:
    sources.cheap.failing = lambda queries: Unreachable("http://cheap", "no answer")
    sources.dear.papers = teas(0, 3)
    report = await sources.fetch(MONDAY)
    assert (report.papers_new, report.errors, report.is_unreached) == (3, (), False)
    assert "no answer" in report.notes[0]
    assert sources.covered_at() == {MONDAY}


async def test_when_all_fail_nothing_moves_and_the_next_run_covers_the_gap(sources: Sources) -> None:
    await sources.fetch(MONDAY)
    for source in (sources.cheap, sources.dear):
        source.failing = lambda queries: Unreachable("http://arxiv", "no answer")
    report = await sources.fetch(TUESDAY)
    assert report.is_unreached
    assert "asks again for" in report.errors[-1]
    assert sources.covered_at() == {MONDAY}
    sources.cheap.failing = lambda queries: None
    await sources.fetch(MONDAY + timedelta(days=25))
    assert sources.cheap.asked[-1][1].announced_since == MONDAY


async def test_a_stale_answer_is_named_asked_again_and_then_taken_from_elsewhere(sources: Sources) -> None:
    sources.cheap.papers = teas(0, 30)
    await sources.fetch(MONDAY)
    sources.cheap.papers = teas(0, 20)
    sources.dear.papers = teas(30, 2)
    report = await sources.fetch(TUESDAY)
    assert [len(source.asked) for source in (sources.cheap, sources.dear)] == [3, 1]
    assert (report.papers_new, report.errors) == (2, ())
    assert "10 of 30 known papers are missing" in report.notes[0]


async def test_a_stale_answer_that_was_a_slip_is_mended_by_asking_again(sources: Sources) -> None:
    sources.cheap.papers = teas(0, 30)
    await sources.fetch(MONDAY)
    slips = iter([teas(0, 10)])

    def slip(queries: object) -> None:
        sources.cheap.papers = next(slips, teas(0, 33))

    sources.cheap.failing = slip
    report = await sources.fetch(TUESDAY)
    assert (report.papers_new, len(sources.dear.asked), len(report.notes)) == (3, 0, 1)


async def test_what_two_sources_agree_was_not_announced_is_no_error_and_asked_for_again(
    sources: Sources,
) -> None:
    sources.cheap.papers = sources.dear.papers = teas(0, 300)
    await sources.fetch(MONDAY)
    report = await sources.fetch(TUESDAY)
    assert (report.errors, report.is_unreached, len(report.notes)) == ((), False, 1)
    assert "announced nothing on the evening of Monday, 2026-06-15 (New York)" in report.notes[0]
    assert "(asked twice: cheap, dear)" in report.notes[0]
    assert report.missing_at == moment("2026-06-16 00:00")
    assert [len(source.asked) for source in (sources.cheap, sources.dear)] == [3, 2]
    assert sources.covered_at() == {MONDAY}
    sources.cheap.papers = (*teas(0, 300), *teas(1000, 2, submitted="2026-06-14 10:00"))
    report = await sources.fetch(TUESDAY + timedelta(hours=6))
    assert (report.papers_new, report.notes, report.missing_at) == (2, (), None)


async def test_that_one_source_alone_has_nothing_is_an_error(sources: Sources) -> None:
    sources.cheap.papers = teas(0, 300)
    sources.dear.failing = lambda queries: Unreachable("http://dear", "no answer")
    await sources.fetch(MONDAY)
    report = await sources.fetch(TUESDAY)
    assert "no new papers, although arXiv should have announced" in report.errors[0]
    assert (report.is_unreached, report.missing_at) == (True, None)
    assert sources.covered_at() == {MONDAY}


async def test_an_answer_without_news_does_not_cover_an_announcement_that_may_not_show_yet(
    sources: Sources,
) -> None:
    evening = moment("2026-06-16 00:00")
    sources.cheap.papers = sources.dear.papers = teas(0, 300)
    await sources.fetch(MONDAY)
    await sources.fetch(evening + timedelta(minutes=30))
    assert sources.covered_at() == {evening - timedelta(seconds=1)}
    report = await sources.fetch(evening + timedelta(hours=3))
    assert (report.errors, report.missing_at) == ((), evening)
    assert sources.covered_at() == {evening - timedelta(seconds=1)}


async def test_after_news_of_an_announcement_no_more_is_awaited_of_it(sources: Sources) -> None:
    evening = moment("2026-06-16 00:00")
    sources.cheap.papers = teas(0, 300)
    await sources.fetch(MONDAY)
    sources.cheap.papers = (*teas(0, 300), *teas(1000, 2, submitted="2026-06-14 10:00"))
    for minutes in (30, 60, 180):
        report = await sources.fetch(evening + timedelta(minutes=minutes))
        assert (report.errors, report.notes) == ((), ())
        assert sources.covered_at() == {evening + timedelta(minutes=minutes)}


async def test_three_announcements_in_a_row_are_not_left_out_for_holidays(sources: Sources) -> None:
    sources.cheap.papers = sources.dear.papers = teas(0, 300)
    await sources.fetch(MONDAY)
    assert (await sources.fetch(WEDNESDAY)).errors == ()
    report = await sources.fetch(WEDNESDAY + timedelta(days=1))
    assert report.is_unreached
    assert "should have announced on 2026-06-18" in report.errors[0]


async def test_what_one_source_brings_was_announced_whatever_others_have(sources: Sources) -> None:
    sources.cheap.papers = teas(0, 300)
    await sources.fetch(MONDAY)
    sources.dear.papers = teas(1000, 2, submitted="2026-06-14 10:00")
    report = await sources.fetch(TUESDAY)
    assert (report.papers_new, report.missing_at, report.errors) == (2, None, ())


async def test_a_keyword_that_finds_what_others_had_found_is_no_silence(
    store: SqliteStore, sources: Sources
) -> None:
    sources.cheap.papers = teas(0, 300)
    await sources.fetch(MONDAY)
    later = MONDAY + timedelta(hours=1)
    more = [*SUBSCRIBERS, make_subscriber("bo@example.org", "te*")]
    store.enrol(more, now=later, current_since=MONDAY)
    report = await fetch((sources.cheap,), store, more, now=later, lookback=timedelta(days=16))
    assert (report.errors, report.notes) == ((), ())
    assert sources.covered_at() == {later}


async def test_a_keyword_that_rested_for_an_hour_has_nothing_new_to_bring(
    store: SqliteStore, sources: Sources
) -> None:
    sources.cheap.papers = teas(0, 300)
    await sources.fetch(MONDAY)
    later = MONDAY + timedelta(hours=1)
    store.enrol([], now=later, current_since=MONDAY)
    store.enrol(SUBSCRIBERS, now=later, current_since=MONDAY)
    report = await sources.fetch(later)
    assert (report.errors, report.notes) == ((), ())


async def test_an_answer_to_another_question_brings_nothing(sources: Sources) -> None:
    sources.cheap.papers = tuple(invented_paper(f"2606.{number:05}", "Coffee") for number in range(30))
    report = await sources.fetch(MONDAY)
    assert "only 0 of its 30 papers match" in report.notes[0]
    assert report.papers_new == 0


async def test_a_source_that_lists_everything_may_hold_much_that_does_not_match(sources: Sources) -> None:
    sources.cheap.failing = lambda queries: Unreachable("http://cheap", "no answer")
    coffees = tuple(invented_paper(f"2606.1{number:04}", "Coffee") for number in range(300))
    sources.dear.papers = (*coffees, *teas(0, 2))
    assert (await sources.fetch(MONDAY)).papers_new == 2


async def test_a_keyword_that_is_fetched_by_its_stem_may_find_much_that_does_not_match(
    store: SqliteStore,
) -> None:
    exact = [make_subscriber("ada@example.org", "=compiler")]
    store.enrol(exact, now=MONDAY, current_since=MONDAY)
    source = FakeSource(*(invented_paper(f"2606.{number:05}", "Compiled") for number in range(30)))
    report = await fetch((source,), store, exact, now=MONDAY, lookback=timedelta(days=16))
    assert (report.errors, report.notes, report.papers_new) == ((), (), 0)


async def test_a_clock_that_was_ahead_once_hides_nothing(sources: Sources) -> None:
    sources.cheap.papers = teas(0, 30)
    await sources.fetch(MONDAY + timedelta(days=300))
    sources.cheap.papers = (*teas(0, 30), *teas(30, 5, submitted="2026-06-14 10:00"))
    assert (await sources.fetch(MONDAY)).papers_new == 35
    assert sources.covered_at() == {MONDAY}
    sources.cheap.papers = (*sources.cheap.papers, *teas(40, 5, submitted="2026-06-15 10:00"))
    assert (await sources.fetch(TUESDAY)).papers_new == 5


async def test_silence_is_noticed_in_the_long_run_too(sources: Sources) -> None:
    all_papers: list[Paper] = []

    async def fetch_on(day: datetime) -> FetchReport:
        begin = day - timedelta(days=17)
        sources.cheap.papers = tuple(paper for paper in all_papers if (paper.submitted_at or day) >= begin)
        return await sources.fetch(day)

    for number in range(30):
        day = MONDAY + timedelta(days=number)
        all_papers += teas(number * 20, 20, submitted=f"{day - timedelta(days=1):%F %R}")
        assert (await fetch_on(day)).errors == ()
    sources.dear.failing = lambda queries: Unreachable("http://dear", "no answer")
    # Tuesday, 14 July was the last day with papers.
    report = await fetch_on(MONDAY + timedelta(days=30))
    assert "no new papers, although arXiv should have announced on 2026-07-15" in report.errors[0]


async def test_a_doubt_is_told_once(sources: Sources) -> None:
    sources.cheap.papers = tuple(invented_paper(f"2606.{number:05}", "Coffee") for number in range(30))
    sources.dear.papers = teas(0, 1)
    assert len((await sources.fetch(MONDAY)).notes) == 1


@pytest.mark.parametrize("discover", [0, 3])
async def test_all_new_papers_are_kept_if_somebody_discovers_and_a_source_lists_them_anyway(
    sources: Sources, discover: int
) -> None:
    sources.subscribers = [make_subscriber("ada@example.org", "tea", "milk", discover=discover)]
    sources.dear.price = 0
    others = tuple(invented_paper(f"2606.{number:05}", "Goats") for number in range(500, 510))
    old = invented_paper("2605.00001", "Goats", submitted="2026-05-01 10:00")
    sources.dear.papers = (*teas(400, 2), *others, old)
    await sources.fetch(TUESDAY)
    assert set(sources.store.listed(since=MONDAY)) == ({*teas(400, 2), *others} if discover else set())
    more = invented_paper("2606.00600", "More goats")
    sources.dear.papers = (*sources.dear.papers, more)
    await sources.fetch(WEDNESDAY)
    assert set(sources.store.listed(since=WEDNESDAY)) == ({more} if discover else set())


async def test_a_search_for_keywords_is_no_list_of_all_papers(sources: Sources) -> None:
    sources.subscribers = [make_subscriber("ada@example.org", "tea", "milk", discover=3)]
    sources.cheap.papers = (*teas(0, 2), invented_paper("2606.00500", "Goats"))
    await sources.fetch(TUESDAY)
    assert sources.store.listed(since=MONDAY) == {}
