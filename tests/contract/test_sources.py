"""What any source of papers must do: the same day brings the same papers, wherever they come from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from digest.demo.arxiv import Announcement, LocalArxiv
from digest.errors import SourceError
from digest.keywords.index import QueryIndex
from digest.keywords.query import parse
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.daily_feed import DailyFeed
from digest.sources.arxiv.oai_pmh import OaiPmh
from digest.sources.arxiv.search_api import SearchApi
from digest.sources.base import Source
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from digest.sources.window import Window
from tests.integration.arxiv_harvest_server import Catalogue, harvest_server
from tests.integration.arxiv_server import says

MONDAY = datetime(2026, 6, 8, 12, tzinfo=UTC)
MORNINGS = [MONDAY + timedelta(days=day) for day in range(11)]
LOOKBACK = timedelta(days=16)
QUERIES = [
    "lost gnome",
    "=walk",
    "ti:lantern",
    "abs:lantern",
    "gnom*",
    "walks of lanterns",
    "cat:cs.* AND gnome",
    "lantern ANDNOT cat:math.CO",
    "au:Muñoz",
    'au:"Ada Example" OR "lost lantern"',
]
ASKED = tuple(parse(text) for text in QUERIES)
INDEX = QueryIndex(ASKED)
AUTHORS = ("Ada Example", "Bo Sample", "J. Muñoz", "Cy Erdős-Third Jr.", "Łukasz O'Sample")
CATEGORIES = ("cs.LG", "math.CO", "quant-ph", "stat.ML", "cs.AI", "hep-th")
TEXTS = (
    "lost gnomes",
    "a walk",
    "the walks of the lantern",
    "Gnomes-at-Work",
    "lanterns",
    "lost lantern",
    "$x<y$",
)


def announcements() -> list[Announcement]:
    """Two dozen papers a listing, submitted up to two weeks before; a third of them replaced later."""
    chance = Random(7)
    evenings = [MONDAY - timedelta(hours=12) + timedelta(days=day) for day in range(-14, 12)]
    evenings = [evening for evening in evenings if evening.weekday() < 5]
    made: list[Announcement] = []
    for day, evening in enumerate(evenings):
        for number in range(24):
            paper = _paper(chance, ArxivId(f"2606.{1000 * day + number:05}"), evening)
            made.append(Announcement(paper=paper, announced_at=evening))
            later = evenings[day + 1 :]
            if later and chance.random() < 0.3:
                made.append(_replaced(paper, chance.choice(later)))
    return made


def _paper(chance: Random, identifier: ArxivId, evening: datetime) -> Paper:
    submitted_at = evening - timedelta(hours=6 + 24 * min(13, int(chance.expovariate(0.5))))
    primary = int(identifier[-2:]) % len(CATEGORIES)
    return Paper(
        id=identifier,
        version=1,
        title=" ".join(chance.sample(TEXTS, 2)),
        abstract=". ".join(chance.sample(TEXTS, 3)),
        authors=tuple(chance.sample(AUTHORS, chance.randint(1, 4))),
        categories=tuple(dict.fromkeys((CATEGORIES[primary], chance.choice(CATEGORIES)))),
        submitted_at=submitted_at,
        updated_at=submitted_at,
    )


def _replaced(paper: Paper, evening: datetime) -> Announcement:
    again = replace(paper, version=2, updated_at=evening - timedelta(hours=26), comment="Revised")
    return Announcement(paper=again, announced_at=evening)


ANNOUNCEMENTS = announcements()


SOURCES = ("search API", "OAI-PMH", "daily feed")


@asynccontextmanager
async def source_called(
    name: str, folder: Path, now: datetime, *, is_down: bool = False
) -> AsyncIterator[Source]:
    """One of arXiv's interfaces over all announcements up to `now`, with pages and feeds that are small."""
    catalogue = Catalogue(announcements=ANNOUNCEMENTS, now=now, oai_page=17, most_entries=25)
    settings = ClientSettings(contact=None, version="1", retry_pause=timedelta(0), tries=1)
    async with (
        LocalArxiv(ANNOUNCEMENTS, now) as local,
        harvest_server(says("", 503) if is_down else catalogue.answer) as server,
        PoliteClient(settings, RateLimiter(folder / "requests", timedelta(0))) as client,
    ):
        local.is_overloaded = is_down
        sources: tuple[Source, ...] = (
            SearchApi(client, local.url, page_size=50),
            OaiPmh(client, f"{server.url}/oai"),
            DailyFeed(client, f"{server.url}/atom", most_entries=25),
        )
        yield next(source for source in sources if source.name == name)


def ground_of(morning: datetime) -> Window:
    """What was announced since the morning before."""
    return Window(
        announced_since=morning - timedelta(days=1), submitted_since=morning - LOOKBACK, until=morning
    )


def matches(paper: Paper) -> set[str]:
    return {match.query.text for match in INDEX.matches(paper)}


def announced_before(morning: datetime) -> set[ArxivId]:
    return {one.paper.id for one in ANNOUNCEMENTS if one.announced_at <= morning - timedelta(days=1)}


@pytest.mark.parametrize("name", SOURCES)
async def test_a_source_brings_exactly_the_new_papers_of_each_day(tmp_path: Path, name: str) -> None:
    for morning in MORNINGS:
        seen = announced_before(morning)
        announced = {
            one.paper.id: matches(one.paper)
            for one in ANNOUNCEMENTS
            if one.announced_at <= morning and one.paper.id not in seen
        }
        expected = {identifier: queries for identifier, queries in announced.items() if queries}
        assert bool(expected) == (morning.weekday() < 5)
        async with source_called(name, tmp_path, morning) as source:
            brought = await source.search(ASKED, ground_of(morning))
        new = {paper.id: matches(paper) for paper in brought if paper.id not in seen}
        assert {identifier: queries for identifier, queries in new.items() if queries} == expected


@pytest.mark.parametrize("name", SOURCES)
async def test_a_source_brings_each_paper_once_the_newest_first(tmp_path: Path, name: str) -> None:
    async with source_called(name, tmp_path, MORNINGS[3]) as source:
        brought = await source.search(ASKED, ground_of(MORNINGS[3]))
    assert brought
    assert len({paper.id for paper in brought}) == len(brought)
    assert list(brought) == sorted(
        brought, key=lambda paper: (paper.submitted_at or MONDAY, paper.id), reverse=True
    )


@pytest.mark.parametrize("name", SOURCES)
async def test_a_source_that_is_down_never_says_that_there_is_nothing(tmp_path: Path, name: str) -> None:
    async with source_called(name, tmp_path, MORNINGS[3], is_down=True) as source:
        with pytest.raises(SourceError):
            await source.search(ASKED, ground_of(MORNINGS[3]))


@pytest.mark.parametrize("name", SOURCES)
async def test_a_source_asks_for_every_query_in_one_batch_or_another(tmp_path: Path, name: str) -> None:
    async with source_called(name, tmp_path, MORNINGS[3]) as source:
        assert [query for batch in source.batches(ASKED) for query in batch] == list(ASKED)
        assert source.batches(()) == ()
        assert (source.cost(ASKED, ground_of(MORNINGS[3]), expected=10) or 0) >= 1
