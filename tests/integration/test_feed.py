from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from aiohttp import web

from digest.demo.arxiv import Announcement
from digest.errors import BadDocument, Implausible, MissingNews, Refused, SourceError, Throttled
from digest.keywords.query import parse
from digest.model.categories import NAMES
from digest.sources.arxiv.daily_feed import DailyFeed
from digest.sources.arxiv.daily_feed_parser import AnnounceType
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from digest.sources.window import Window
from tests.factories import invented_paper
from tests.integration.arxiv_harvest_server import (
    Catalogue,
    HarvestServer,
    daily_feed,
    feed_entry,
    harvest_server,
)
from tests.integration.arxiv_server import Reply, breaks_off, resets, says

GNOMES = (parse("lost gnomes"),)
EVENING = datetime(2026, 6, 16, tzinfo=UTC)  # 20:00 US Eastern on Monday, 15 June
NOW = EVENING + timedelta(hours=12)
DAY = timedelta(days=1)
GROUND = Window(announced_since=NOW - DAY, submitted_since=NOW - 14 * DAY, until=NOW)
CATEGORIES = ("cs.LG", "cs.AI", "math.CO", "stat.ML", "hep-th", "quant-ph")


@asynccontextmanager
async def daily_feeds(
    tmp_path: Path, *replies: Reply, tries: int = 1, most_entries: int = 2_000
) -> AsyncIterator[tuple[HarvestServer, DailyFeed]]:
    settings = ClientSettings(contact=None, version="1", retry_pause=timedelta(0), tries=tries)
    async with (
        harvest_server(*replies) as server,
        PoliteClient(settings, RateLimiter(tmp_path / "requests", timedelta(0))) as client,
    ):
        yield server, DailyFeed(client, f"{server.url}/atom", most_entries)


def announced(number: int, *categories: str, version: int = 1, evening: datetime = EVENING) -> Announcement:
    paper = invented_paper(f"2606.{number:05}", version=version)
    return Announcement(paper=replace(paper, categories=categories), announced_at=evening)


def a_day(count: int = 30) -> list[Announcement]:
    """Papers of all archives, each with a cross-list into the next one's."""
    around = (*CATEGORIES, CATEGORIES[0])
    return [announced(number, *around[number % 6 : number % 6 + 2]) for number in range(count)]


def parts(server: HarvestServer) -> list[list[str]]:
    return [path.removeprefix("/atom/").split("+") for path, _ in server.asked]


async def test_every_archive_is_asked_for_once_in_few_requests(tmp_path: Path) -> None:
    async with daily_feeds(tmp_path, Catalogue(announcements=a_day(), now=NOW).answer) as (server, feed):
        await feed.search(GNOMES, GROUND)
    asked = list(chain.from_iterable(parts(server)))
    assert sorted(asked) == sorted({code.partition(".")[0] for code in NAMES})
    assert len(server.asked) == 3
    assert all(not fields for _, fields in server.asked)


async def test_a_paper_that_is_new_anywhere_comes_once_the_highest_identifier_first(tmp_path: Path) -> None:
    async with daily_feeds(tmp_path, Catalogue(announcements=a_day(), now=NOW).answer) as (_, feed):
        found = await feed.search(GNOMES, GROUND)
    assert [paper.id for paper in found] == [f"2606.{number:05}" for number in reversed(range(30))]
    assert {(paper.submitted_at, paper.updated_at, paper.comment) for paper in found} == {(None, None, None)}


async def test_replaced_papers_and_old_ones_with_a_further_category_are_not_new(tmp_path: Path) -> None:
    day = [
        *a_day(),
        announced(100, "cs.LG", "math.CO", version=2),
        announced(101, "math.CO", version=3),
    ]
    cross = feed_entry("2605.00001v1", kind="cross", categories=("hep-th", "cs.AI"))
    catalogue = Catalogue(announcements=day, now=NOW)

    async def with_an_old_one(request: web.Request) -> web.StreamResponse:
        answer = await catalogue.answer(request)
        if request.path == "/atom/cs" and isinstance(answer, web.Response):
            answer.text = (answer.text or "").replace("<entry>", f"{cross}<entry>", 1)
        return answer

    async with daily_feeds(tmp_path, with_an_old_one) as (_, feed):
        announcement = await feed.announcement()
        found = await feed.search(GNOMES, GROUND)
    kinds = {str(one.paper.id): one.kind for one in announcement.entries}
    assert len(kinds) == len(announcement.entries) == 33
    assert kinds["2606.00100"] is AnnounceType.REPLACE
    assert kinds["2606.00101"] is AnnounceType.REPLACE
    assert kinds["2605.00001"] is AnnounceType.CROSS
    assert announcement.listed_on == date(2026, 6, 16)
    assert {paper.id for paper in found} == {
        identifier for identifier, kind in kinds.items() if kind == "new"
    }
    assert len(found) == 30


@pytest.mark.parametrize("most_entries", [31, 30, 25, 21])
async def test_a_feed_that_is_cut_is_asked_for_in_smaller_parts_until_none_is(
    tmp_path: Path, most_entries: int
) -> None:
    catalogue = Catalogue(announcements=a_day(60), now=NOW, most_entries=most_entries)
    async with daily_feeds(tmp_path, catalogue.answer, most_entries=most_entries) as (server, feed):
        found = await feed.search(GNOMES, GROUND)
    assert len(found) == 60
    asked = parts(server)
    assert len(asked) == len(set(map(tuple, asked)))
    assert (len(asked) == 3) == (most_entries > 30)


async def test_entries_that_cannot_be_papers_count_where_a_feed_is_cut(tmp_path: Path) -> None:
    entries = [feed_entry("2606.00001v1"), feed_entry("gnome")]
    async with daily_feeds(tmp_path, says(daily_feed(*entries)), most_entries=2) as (_, feed):
        with pytest.raises(Implausible, match="alone is cut at 2 entries"):
            await feed.search(GNOMES, GROUND)


async def test_a_category_that_alone_is_cut_is_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    day = [announced(number, "cs.LG") for number in range(50)]
    catalogue = Catalogue(announcements=day, now=NOW, most_entries=20)
    async with daily_feeds(tmp_path, catalogue.answer, most_entries=20) as (server, feed):
        with pytest.raises(Implausible, match=r"feed of cs\.LG alone is cut"):
            await feed.search(GNOMES, GROUND)
    assert len(server.asked) < 10


async def test_an_archive_without_categories_that_is_cut_is_an_error(tmp_path: Path) -> None:
    day = [*a_day(12), *(announced(number, "hep-th") for number in range(50, 100))]
    catalogue = Catalogue(announcements=day, now=NOW, most_entries=20)
    async with daily_feeds(tmp_path, catalogue.answer, most_entries=20) as (_, feed):
        with pytest.raises(Implausible, match="feed of hep-th alone is cut"):
            await feed.search(GNOMES, GROUND)


SATURDAY = datetime(2026, 6, 13, 16, tzinfo=UTC)


async def test_on_a_weekend_nothing_is_announced(tmp_path: Path) -> None:
    weekend = says(daily_feed(made_at=SATURDAY.isoformat()))
    async with daily_feeds(tmp_path, weekend) as (_, feed):
        window = replace(GROUND, announced_since=SATURDAY - DAY, until=SATURDAY)
        assert await feed.search(GNOMES, window) == ()
        assert (await feed.announcement()).listed_on is None


@pytest.mark.parametrize(
    ("since", "until", "error", "words"),
    [
        (SATURDAY - 2 * DAY, SATURDAY, Implausible, "none, not that of 2026-06-12"),
        (SATURDAY, EVENING - timedelta(hours=1), MissingNews, "none, not that of 2026-06-15"),
        (EVENING - timedelta(hours=1), EVENING + timedelta(hours=1), Implausible, "not that of 2026-06-16"),
        (EVENING + timedelta(hours=3), EVENING + timedelta(hours=5), MissingNews, "not that of 2026-06-16"),
    ],
)
async def test_an_announcement_that_is_gone_or_not_there_yet_is_never_taken_for_nothing_new(
    tmp_path: Path, since: datetime, until: datetime, error: type[SourceError], words: str
) -> None:
    async with daily_feeds(tmp_path, says(daily_feed(made_at=until.isoformat()))) as (_, feed):
        with pytest.raises(error, match=words):
            await feed.search(GNOMES, replace(GROUND, announced_since=since, until=until))


async def test_until_midnight_the_list_of_the_day_is_not_taken_for_that_of_the_evening(
    tmp_path: Path,
) -> None:
    evening = EVENING + DAY + timedelta(hours=2)
    catalogue = Catalogue(announcements=a_day(), now=evening)
    async with daily_feeds(tmp_path, catalogue.answer) as (_, feed):
        with pytest.raises(Implausible, match="list of 2026-06-16, not that of 2026-06-17"):
            await feed.search(GNOMES, replace(GROUND, announced_since=NOW, until=evening))


async def test_more_than_one_announcement_is_not_asked_for(tmp_path: Path) -> None:
    async with daily_feeds(tmp_path, says(daily_feed())) as (server, feed):
        with pytest.raises(SourceError, match="one announcement only, and 2 may have been made"):
            await feed.search(GNOMES, replace(GROUND, announced_since=EVENING - DAY - timedelta(minutes=1)))
    assert server.asked == []


async def test_a_holiday_may_have_had_an_announcement_all_the_same(tmp_path: Path) -> None:
    before_labor_day, after_it = (datetime(2026, 9, day, 12, tzinfo=UTC) for day in (7, 9))
    async with daily_feeds(tmp_path, says(daily_feed())) as (server, feed):
        with pytest.raises(SourceError, match="2 may have been made"):
            await feed.search(GNOMES, replace(GROUND, announced_since=before_labor_day, until=after_it))
    assert server.asked == []


def in_turn(*replies: str) -> Sequence[Reply]:
    return tuple(map(says, replies))


TODAY = daily_feed(feed_entry())
TOMORROW = daily_feed(feed_entry("2606.00009v1", day="2026-06-17"), made_at="2026-06-17T04:00:19+00:00")


@pytest.mark.parametrize(
    "second",
    [
        TOMORROW,
        daily_feed(feed_entry(day="2026-06-15")),
        daily_feed(made_at="2026-06-17T04:00:19+00:00"),
        daily_feed(),
    ],
)
async def test_feeds_that_do_not_show_one_day_are_not_put_together(tmp_path: Path, second: str) -> None:
    async with daily_feeds(tmp_path, *in_turn(TODAY, second, TODAY)) as (_, feed):
        with pytest.raises(Implausible, match="ask again"):
            await feed.announcement()


async def test_a_part_that_is_asked_for_after_midnight_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    cut = daily_feed(feed_entry(), feed_entry("2606.00002v1"))
    replies = in_turn(cut, TODAY, daily_feed(made_at="2026-06-17T04:00:19+00:00"), TODAY)
    async with daily_feeds(tmp_path, *replies, most_entries=2) as (server, feed):
        with pytest.raises(Implausible, match="ask again"):
            await feed.announcement()
    assert len(server.asked) == 5


FAILURES: list[tuple[Reply, type[SourceError]]] = [
    (says(daily_feed(subtitle="Bad archive 'x'."), 400), Refused),
    (says("", 406), Throttled),
    (says("Rate exceeded.", 429), Throttled),
    (says("Rate exceeded."), Throttled),
    (says("<html>502</html>"), BadDocument),
    (says(TODAY[:-40]), BadDocument),
    (says(""), BadDocument),
    (breaks_off(TODAY), BadDocument),
    (resets, SourceError),
]


@pytest.mark.parametrize(("reply", "error"), FAILURES)
async def test_no_failure_looks_like_nothing_new(
    tmp_path: Path, reply: Reply, error: type[SourceError]
) -> None:
    async with daily_feeds(tmp_path, *in_turn(TODAY, TODAY), reply) as (_, feed):
        with pytest.raises(error):
            await feed.search(GNOMES, GROUND)


@pytest.mark.parametrize("reply", [reply for reply, _ in FAILURES])
async def test_after_any_failure_the_same_feed_is_asked_for_again(tmp_path: Path, reply: Reply) -> None:
    async with daily_feeds(tmp_path, says(TODAY), reply, *in_turn(TODAY, TODAY), tries=2) as (server, feed):
        assert len(await feed.search(GNOMES, GROUND)) == 1
    assert len(server.asked) == 4
    assert server.asked[1] == server.asked[2]


async def test_a_refusal_says_why(tmp_path: Path) -> None:
    async with daily_feeds(tmp_path, FAILURES[0][0]) as (_, feed):
        with pytest.raises(Refused, match="Bad archive 'x'"):
            await feed.search(GNOMES, GROUND)
