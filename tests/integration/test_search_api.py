from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import BadDocument, Implausible, Refused, SourceError, Throttled
from digest.keywords.query import Query, any_of, parse
from digest.sources.arxiv.search_api import SearchApi
from digest.sources.base import Source
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from digest.sources.window import Window
from tests.integration.arxiv_server import (
    FIRST_SUBMITTED_AT,
    ArxivServer,
    Reply,
    arxiv_server,
    breaks_off,
    entry,
    error_entry,
    feed,
    papers_every,
    resets,
    says,
    searches,
)
from tests.waiting import LIMIT

GNOMES = (parse("lost gnomes"),)
SINCE = FIRST_SUBMITTED_AT - timedelta(days=1)
UNTIL = FIRST_SUBMITTED_AT + timedelta(days=14)
GROUND = Window(announced_since=SINCE, submitted_since=SINCE, until=UNTIL)
HOUR = timedelta(hours=1)


@asynccontextmanager
async def search_api(
    tmp_path: Path, *replies: Reply, page_size: int = 2000, tries: int = 1
) -> AsyncIterator[tuple[ArxivServer, Source]]:
    settings = ClientSettings(
        contact=None,
        version="1",
        retry_pause=timedelta(0),
        tries=tries,
        timeout=timedelta(seconds=LIMIT),
    )
    async with (
        arxiv_server(*replies) as server,
        PoliteClient(settings, RateLimiter(tmp_path / "requests", timedelta(0))) as client,
    ):
        yield server, SearchApi(client, server.url, page_size)


async def test_one_request_asks_for_all_queries_with_every_bracket_written(tmp_path: Path) -> None:
    queries = (*GNOMES, parse("elves"))
    async with search_api(tmp_path, says(feed())) as (server, api):
        assert await api.search(queries, GROUND) == ()
    (asked,) = server.asked
    assert asked.fields == {
        "search_query": f"({any_of(queries)}) AND submittedDate:[202605311200 TO 202606161201]",
        "sortBy": "submittedDate",
        "sortOrder": "descending",
        "start": "0",
        "max_results": "2000",
    }


async def test_a_window_in_another_zone_is_asked_for_in_gmt(tmp_path: Path) -> None:
    zone = datetime.fromisoformat("2026-06-01T12:00:00+09:00").tzinfo
    async with search_api(tmp_path, says(feed())) as (server, api):
        await api.search(
            GNOMES,
            Window(
                announced_since=SINCE, submitted_since=SINCE.astimezone(zone), until=UNTIL.astimezone(zone)
            ),
        )
    assert "submittedDate:[202605311200 TO 202606161201]" in server.asked[0].fields["search_query"]


async def test_nothing_is_asked_for_no_query(tmp_path: Path) -> None:
    async with search_api(tmp_path, says(feed())) as (server, api):
        assert await api.search((), GROUND) == ()
    assert server.asked == []


async def test_the_papers_come_newest_first(tmp_path: Path) -> None:
    papers = papers_every(HOUR, 30)
    async with search_api(tmp_path, searches(papers)) as (_, api):
        found = await api.search(GNOMES, GROUND)
    assert [paper.id for paper in found] == sorted(papers, reverse=True)


async def test_the_last_moments_before_until_are_searched(tmp_path: Path) -> None:
    papers = {"2606.00001": UNTIL, "2606.00002": UNTIL + timedelta(seconds=59)}
    async with search_api(tmp_path, searches(papers)) as (_, api):
        assert len(await api.search(GNOMES, GROUND)) == 2


@pytest.mark.parametrize(
    ("step", "count", "requests"),
    [
        (HOUR, 10, 1),
        (HOUR, 11, 2),
        (HOUR, 95, 11),
        (timedelta(seconds=20), 95, None),
        (timedelta(minutes=7), 100, None),
    ],
)
async def test_pages_by_date_bring_every_paper_though_ties_change_their_order(
    tmp_path: Path, step: timedelta, count: int, requests: int | None
) -> None:
    papers = papers_every(step, count)
    async with search_api(tmp_path, searches(papers), page_size=10) as (server, api):
        found = await api.search(GNOMES, GROUND)
    assert sorted(paper.id for paper in found) == sorted(papers)
    assert requests is None or len(server.asked) == requests
    assert {asked.fields["start"] for asked in server.asked} == {"0"}


async def test_papers_of_the_same_second_are_not_lost_at_the_end_of_a_page(tmp_path: Path) -> None:
    papers = {
        f"2606.{10 * group + member:05}": FIRST_SUBMITTED_AT + group * HOUR
        for group in range(12)
        for member in range(7)
    }
    async with search_api(tmp_path, searches(papers), page_size=10) as (_, api):
        found = await api.search(GNOMES, GROUND)
    assert sorted(paper.id for paper in found) == sorted(papers)


async def test_more_papers_in_a_minute_than_a_page_holds_are_an_error_and_no_endless_loop(
    tmp_path: Path,
) -> None:
    papers = papers_every(timedelta(seconds=1), 30)
    async with search_api(tmp_path, searches(papers), page_size=10) as (server, api):
        with pytest.raises(Implausible, match="over 10 papers in the minute to 2026-06-01 12:01"):
            await api.search(GNOMES, GROUND)
    assert len(server.asked) < 5


async def test_a_paper_that_vanishes_between_two_pages_fails_the_search(tmp_path: Path) -> None:
    papers = papers_every(HOUR, 12)
    fewer = {name: at for name, at in papers.items() if name != "2606.00000"}
    async with search_api(tmp_path, searches(papers), searches(fewer), page_size=10) as (_, api):
        with pytest.raises(Implausible, match="only 11 of 12 papers"):
            await api.search(GNOMES, GROUND)


async def test_an_entry_that_cannot_be_a_paper_costs_no_other(tmp_path: Path) -> None:
    names = [f"2606.{number:05}v1" for number in range(5)]
    entries = [entry(name, submitted_at=FIRST_SUBMITTED_AT - n * HOUR) for n, name in enumerate(names)]
    entries[2] = entries[2].replace("2606.00002", "gnome")
    async with search_api(tmp_path, says(feed(*entries))) as (server, api):
        found = await api.search(GNOMES, GROUND)
    assert [paper.id for paper in found] == ["2606.00000", "2606.00001", "2606.00003", "2606.00004"]
    assert len(server.asked) == 1


async def test_entries_that_cannot_be_papers_count_on_every_page(tmp_path: Path) -> None:
    names = [f"2606.{number:05}v1" for number in range(7)]
    entries = [entry(name, submitted_at=FIRST_SUBMITTED_AT - n * HOUR) for n, name in enumerate(names)]
    entries[1], entries[5] = (text.replace("abs/2606", "abs/gnome") for text in (entries[1], entries[5]))
    first, second = feed(*entries[:4], total=7), feed(*entries[3:])
    async with search_api(tmp_path, says(first), says(second), page_size=4) as (server, api):
        found = await api.search(GNOMES, GROUND)
    assert [paper.id[-1] for paper in found] == ["0", "2", "3", "4", "6"]
    assert len(server.asked) == 2


async def test_nothing_but_an_entry_that_cannot_be_a_paper_is_no_paper(tmp_path: Path) -> None:
    async with search_api(tmp_path, says(feed(entry("gnome")))) as (_, api):
        assert await api.search(GNOMES, GROUND) == ()


def page(*hours: float, total: int | None = None) -> str:
    """A page of papers submitted that many hours after the first."""
    entries = (
        entry(f"2606.{number:05}v1", submitted_at=FIRST_SUBMITTED_AT + hour * HOUR)
        for number, hour in enumerate(hours)
    )
    return feed(*entries, total=total)


DOUBTS: list[tuple[str, str]] = [
    (page(total=3), "0 papers instead of 3"),
    (page(3, total=2), "1 papers instead of 2"),
    (page(3, 2, 1, total=2), "3 papers instead of 2"),
    (page(3, 2, 1, total=9), "3 papers instead of 4, of 9"),
    (page(2, 3), "not sorted"),
    (page(3, -24 * 365 * 5), "papers of 2021-"),
    (page(24 * 365, 2), "to 2027-"),
    (feed(entry(), entry()), "twice"),
    (feed(entry("2606.00001v1"), entry("2606.00001v2")), "twice"),
]


@pytest.mark.parametrize(("document", "doubt"), DOUBTS)
async def test_an_answer_that_cannot_be_true_is_not_believed(
    tmp_path: Path, document: str, doubt: str
) -> None:
    async with search_api(tmp_path, says(document), page_size=4) as (server, api):
        with pytest.raises(Implausible, match=doubt) as failure:
            await api.search(GNOMES, GROUND)
    assert failure.value.url == server.url


FAILURES: list[tuple[Reply, type[SourceError]]] = [
    *((says(document), Implausible) for document, _ in DOUBTS),
    (says(error_entry("no such field"), 400), Refused),
    (says(error_entry("no such field")), Refused),
    (says(error_entry("internal error"), 500), Refused),
    (says("", 406), Throttled),
    (says("Rate exceeded.", 429), Throttled),
    (says("", 503), Throttled),
    (says("Rate exceeded."), Throttled),
    (says("<html>502</html>"), BadDocument),
    (says(page(3, 2)[:-40]), BadDocument),
    (says(""), BadDocument),
    (breaks_off(page(3, 2)), BadDocument),
    (resets, SourceError),
]


@pytest.mark.parametrize(("reply", "error"), FAILURES)
async def test_no_failure_looks_like_nothing_new(
    tmp_path: Path, reply: Reply, error: type[SourceError]
) -> None:
    async with search_api(tmp_path, reply, page_size=4) as (_, api):
        with pytest.raises(error):
            await api.search(GNOMES, GROUND)


@pytest.mark.parametrize("reply", [reply for reply, _ in FAILURES])
async def test_after_any_failure_the_same_page_is_asked_for_again(tmp_path: Path, reply: Reply) -> None:
    replies = (reply, says(page(3, 2)))
    async with search_api(tmp_path, *replies, page_size=4, tries=2) as (server, api):
        found = await api.search(GNOMES, GROUND)
    assert [paper.id for paper in found] == ["2606.00000", "2606.00001"]
    assert server.asked[0].fields == server.asked[1].fields


async def test_a_second_page_without_the_paper_it_must_begin_with_is_asked_for_again(tmp_path: Path) -> None:
    papers = papers_every(HOUR, 6)
    found_all = searches(papers)
    async with search_api(tmp_path, found_all, says(feed()), found_all, page_size=4, tries=2) as (
        server,
        api,
    ):
        found = await api.search(GNOMES, GROUND)
    assert len(found) == 6
    assert len(server.asked) == 3


def keywords(*lengths: int) -> tuple[Query, ...]:
    return tuple(parse(f"k{number}" + "x" * length) for number, length in enumerate(lengths))


def test_few_keywords_are_one_batch_and_none_is_no_batch() -> None:
    queries = keywords(*range(50))
    assert SearchApi.batches(queries) == (queries,)
    assert SearchApi.batches(()) == ()


@given(st.lists(st.integers(0, 480), max_size=60).map(lambda lengths: keywords(*lengths)))
def test_batches_keep_every_query_in_order_within_the_limits_and_are_as_few_as_the_order_allows(
    queries: tuple[Query, ...],
) -> None:
    batches = SearchApi.batches(queries)
    assert tuple(query for batch in batches for query in batch) == queries
    for batch in batches:
        assert len(batch) == 1 or len(any_of(batch)) <= 16_000
        assert SearchApi.batches(batch) == (batch,)
    for batch, following in pairwise(batches):
        assert len(any_of((*batch, following[0]))) > 15_000


def test_no_batch_has_more_terms_than_the_server_takes() -> None:
    batches = SearchApi.batches(keywords(*[0] * 950))
    assert [len(batch) for batch in batches] == [100] * 9 + [50]


async def test_a_paper_found_by_two_batches_comes_once(tmp_path: Path) -> None:
    async with search_api(tmp_path, searches(papers_every(HOUR, 5))) as (server, api):
        found = await api.search(keywords(*[0] * 150), GROUND)
    assert len(found) == 5
    assert [asked.method for asked in server.asked] == ["POST", "POST"]
