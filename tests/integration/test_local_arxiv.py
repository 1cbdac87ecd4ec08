"""The built-in arXiv answers as arXiv does: tests lean on it, so it is tested itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from digest.demo.arxiv import Announcement, LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, FIRST_MORNING, LATE, REPLACEMENT, SECOND_MORNING
from digest.demo.search_syntax import parse_search
from digest.errors import Refused
from digest.keywords.query import parse
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.authors import author_name
from digest.sources.arxiv.search_api import SearchApi
from digest.sources.arxiv.search_api_parser import SearchAnswer, parse_search_answer
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from digest.sources.window import Window

EVERYTHING = "submittedDate:[202605010000 TO 202612310000]"


def paper(identifier: str, title: str, *, submitted: str = "2026-06-01T12:00:30") -> Paper:
    submitted_at = datetime.fromisoformat(submitted).replace(tzinfo=UTC)
    return Paper(
        id=ArxivId(identifier),
        version=1,
        title=title,
        abstract="Nothing is said here.",
        authors=("Nobody",),
        categories=("cs.LG",),
        submitted_at=submitted_at,
        updated_at=submitted_at,
    )


@pytest.fixture
async def arxiv() -> AsyncIterator[LocalArxiv]:
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as server:
        yield server


async def get(arxiv: LocalArxiv, **fields: str) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(arxiv.url, params={"max_results": "100", **fields}) as response,
    ):
        return response.status, await response.read()


async def search(arxiv: LocalArxiv, query: str, **fields: str) -> SearchAnswer:
    status, body = await get(arxiv, search_query=query, **fields)
    assert status == 200
    return parse_search_answer(body)


def ids(answer: SearchAnswer) -> list[str]:
    return [found.id for found in answer.papers]


# What exists.


async def test_a_paper_does_not_exist_before_its_announcement(arxiv: LocalArxiv) -> None:
    arxiv.now = FIRST_MORNING
    assert LATE.id not in ids(await search(arxiv, EVERYTHING))
    arxiv.now = SECOND_MORNING
    assert LATE.id in ids(await search(arxiv, EVERYTHING))


async def test_a_new_version_takes_the_place_of_the_old_one(arxiv: LocalArxiv) -> None:
    arxiv.now = FIRST_MORNING
    (before,) = (await search(arxiv, f"id:{REPLACEMENT.id}")).papers
    arxiv.now = SECOND_MORNING
    (after,) = (await search(arxiv, f"id:{REPLACEMENT.id}")).papers
    assert (before.version, after.version) == (1, 2)
    assert before.submitted_at == after.submitted_at


async def test_every_text_arrives_as_it_was_written(arxiv: LocalArxiv) -> None:
    answer = await search(arxiv, EVERYTHING)
    latest = {
        one.paper.id: replace(one.paper, authors=tuple(map(author_name, one.paper.authors)))
        for one in ANNOUNCEMENTS
    }
    assert {found.id: found for found in answer.papers} == latest


async def test_all_fields_arrive() -> None:
    whole = replace(
        paper("2606.99900", "Whole"), comment="1 page", journal_ref="J. Toys 1 (2026)", doi="10.9/x"
    )
    async with LocalArxiv([Announcement(paper=whole, announced_at=SECOND_MORNING)], SECOND_MORNING) as arxiv:
        assert (await search(arxiv, "ti:whole")).papers == (whole,)


# How it is asked.


async def test_a_post_is_answered_like_a_get(arxiv: LocalArxiv) -> None:
    fields = {"search_query": "cat:cs.PL", "sortBy": "submittedDate", "max_results": "100"}
    async with aiohttp.ClientSession() as session, session.post(arxiv.url, data=fields) as response:
        posted = parse_search_answer(await response.read())
    assert posted == await search(arxiv, "cat:cs.PL", sortBy="submittedDate")
    assert posted.total == 3


async def test_pages_are_cut_from_one_sorted_list(arxiv: LocalArxiv) -> None:
    whole = await search(arxiv, EVERYTHING, sortBy="submittedDate", sortOrder="descending")
    page = await search(arxiv, EVERYTHING, sortBy="submittedDate", start="5", max_results="4")
    assert page.papers == whole.papers[5:9]
    assert page.total == whole.total == len(whole.papers) == len(ANNOUNCEMENTS) - 1


@pytest.mark.parametrize(
    ("field", "attribute"), [("submittedDate", "submitted_at"), ("lastUpdatedDate", "updated_at")]
)
async def test_papers_are_sorted_either_way(arxiv: LocalArxiv, field: str, attribute: str) -> None:
    down = [getattr(found, attribute) for found in (await search(arxiv, EVERYTHING, sortBy=field)).papers]
    ascending = await search(arxiv, EVERYTHING, sortBy=field, sortOrder="ascending")
    up = [getattr(found, attribute) for found in ascending.papers]
    assert down == sorted(down, reverse=True)
    assert up == sorted(up)


async def test_a_window_holds_both_of_its_minutes_and_counts_the_first_version() -> None:
    old = paper("2606.99901", "Old", submitted="2026-06-01T11:59:59")
    first = paper("2606.99902", "First", submitted="2026-06-01T12:00:00")
    last = paper("2606.99903", "Last", submitted="2026-06-01T13:00:59")
    young = paper("2606.99904", "Young", submitted="2026-06-01T13:01:00")
    revised = replace(old, version=2, updated_at=last.submitted_at)
    announced = [
        Announcement(paper=one, announced_at=FIRST_MORNING) for one in (old, first, last, young, revised)
    ]
    async with LocalArxiv(announced, SECOND_MORNING) as arxiv:
        answer = await search(arxiv, "(cat:cs.LG) AND submittedDate:[202606011200 TO 202606011300]")
    assert set(ids(answer)) == {first.id, last.id}


async def test_the_search_api_source_gets_page_after_page(arxiv: LocalArxiv, tmp_path: Path) -> None:
    manners = ClientSettings(contact=None, version="0", retry_pause=timedelta(0), tries=1)
    async with PoliteClient(manners, RateLimiter(tmp_path / "turns", timedelta(0))) as client:
        source = SearchApi(client, arxiv.url, page_size=2)
        since = SECOND_MORNING - timedelta(days=16)
        found = await source.search(
            [parse("reinforcement learning")],
            Window(announced_since=since, submitted_since=since, until=SECOND_MORNING),
        )
    assert [one.id for one in found] == ["2606.99121", "2606.99114", "2605.99108", "2606.99122"]
    assert client.requests > 1


# The syntax: one paper for each combination of three words, so that every truth table can be read off.


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('ti:"ant"', {"ant", "ant bee", "ant cat", "ant bee cat"}),
        ("ti:ant AND ti:bee OR ti:cat", {"ant bee", "ant cat", "ant bee cat"}),
        ("(ti:ant AND ti:bee) OR ti:cat", {"ant bee", "cat", "ant cat", "bee cat", "ant bee cat"}),
        ("ti:ant ANDNOT ti:bee OR ti:cat", {"ant"}),
        ("ti:ant NOT ti:bee", {"ant", "ant cat"}),
        ("ti:ant AND NOT ti:bee", {"ant", "ant cat"}),
        ("ti:ant bee AND ti:cat", {"ant", "ant bee", "ant cat", "bee cat", "ant bee cat"}),
        ("ti:(bee cat)", {"bee", "cat", "ant bee", "ant cat", "bee cat", "ant bee cat"}),
        ('ti:"bee cats"', {"bee cat", "ant bee cat"}),
        ('ti:"Ant-Bees"', {"ant bee", "ant bee cat"}),
        ('ti:"ant the cat"', {"ant bee cat"}),
        ("ti:be*", {"bee", "ant bee", "bee cat", "ant bee cat"}),
        ('ti:"the"', set()),
        ("abs:ant", set()),
        ("cat:cs AND ti:ant", set()),
        ("cat:CS.* AND ti:ant AND ti:bee", {"ant bee", "ant bee cat"}),
    ],
)
def test_operators_group_to_the_right_and_phrases_are_adjacent_stems(query: str, expected: set[str]) -> None:
    titles = ("ant", "bee", "cat", "ant bee", "ant cat", "bee cat", "ant bee cat")
    is_found = parse_search(query)
    assert {title for title in titles if is_found(paper("2606.99905", title))} == expected


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ('au:"noemie angstrom"', True),
        ("au:angstrom", True),
        ("au:ang", False),
        ('co:"accepted at"', True),
        ('jr:"toys 1"', True),
        ("doi:10.9/x", True),
        ("id:2606.99906", True),
        ("all:accepted", True),
        ("all:Nothing", True),
        ("all:elsewhere", False),
    ],
)
def test_other_fields_are_searched_too(query: str, is_found: bool) -> None:
    one = replace(
        paper("2606.99906", "Title"),
        authors=("Noémie Ångström",),
        comment="Accepted at last",
        journal_ref="J. Toys 1 (2026)",
        doi="10.9/x",
    )
    assert parse_search(query)(one) is is_found


# What goes wrong.


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, {}),
        (400, {"search_query": "  "}),
        (400, {"search_query": "cat:cs.LG", "start": "-1"}),
        (400, {"search_query": "cat:cs.LG", "max_results": "many"}),
        (400, {"search_query": "cat:cs.LG", "sortBy": "beauty"}),
        (400, {"search_query": "cat:cs.LG", "sortOrder": "sideways"}),
        (400, {"search_query": "(cat:cs.LG"}),
        (400, {"search_query": "cat:cs.LG)"}),
        (400, {"search_query": "()"}),
        (400, {"search_query": "cat:cs.LG AND"}),
        (400, {"search_query": 'ti:"open'}),
        (400, {"search_query": "colour:red"}),
        (500, {"search_query": "ti:*net"}),
        (500, {"search_query": "cat:cs.LG AND submittedDate:[202606010000]"}),
        (500, {"search_query": "cat:cs.LG AND submittedDate:[202606010000 TO 202606310000]"}),
        (500, {"search_query": "cat:cs.LG", "max_results": "0"}),
        (500, {"search_query": "cat:cs.LG", "start": "9000", "max_results": "1001"}),
    ],
)
async def test_bad_input_is_answered_by_an_error_entry(
    arxiv: LocalArxiv, status: int, fields: dict[str, str]
) -> None:
    answered, body = await get(arxiv, **fields)
    assert answered == status
    with pytest.raises(Refused):
        parse_search_answer(body)


async def test_an_overloaded_arxiv_says_503_until_it_is_not(arxiv: LocalArxiv) -> None:
    arxiv.is_overloaded = True
    status, _ = await get(arxiv, search_query="cat:cs.LG")
    assert status == 503
    arxiv.is_overloaded = False
    assert (await search(arxiv, "cat:cs.LG")).total > 0


async def test_nothing_listens_after_its_end() -> None:
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as arxiv:
        port = int(arxiv.url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


# The invented papers.


def test_the_invented_papers_are_those_of_nobody_and_hold_the_hard_cases() -> None:
    papers = [one.paper for one in ANNOUNCEMENTS if one.paper.version == 1]
    assert len({one.id for one in papers}) == len(papers)
    assert all(one.id.partition(".")[2] > "90000" for one in papers)
    assert max(len(one.authors) for one in papers) > 10
    assert any("<" in one.abstract for one in papers)
    assert any("$" in one.title for one in papers)
    assert any("\\" in author for one in papers for author in one.authors)
    assert any((one.comment or "").startswith("Accepted at") for one in papers)


def test_one_paper_is_announced_two_weeks_after_its_submission() -> None:
    lags = {
        one.paper.id: one.announced_at - one.paper.submitted_at
        for one in ANNOUNCEMENTS
        if one.paper.version == 1 and one.paper.submitted_at
    }
    assert lags[LATE.id] == max(lags.values()) > timedelta(days=13)
    assert min(lags.values()) > timedelta(hours=6)
