"""On real days of arXiv, its three interfaces bring the same new papers for the same keywords."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from digest.keywords.index import QueryIndex
from digest.keywords.query import parse
from digest.model.paper import Paper
from digest.sources.arxiv.daily_feed import DailyFeed
from digest.sources.arxiv.oai_pmh import OaiPmh
from digest.sources.arxiv.search_api import SearchApi
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from digest.sources.window import Window
from tests.acceptance.installation import SHARED, Simulator, needs_simulator, simulator

pytestmark = needs_simulator

QUERIES = tuple(
    map(
        parse,
        [
            "large language model",
            "reinforcement learning",
            "graph neural network",
            "state of the art",
            "=compiler",
            "ti:benchmark ANDNOT cat:cs.CV",
            "cat:math.* AND (ti:graph OR abs:polynomial)",
            "quantum* AND error-correction",
            'au:"Wang" AND abs:robust',
            "au:Müller OR au:García",
            "all:neutrino",
        ],
    )
)
INDEX = QueryIndex(QUERIES)
# An ordinary day, the busiest one, and one after a weekend.
DAYS = ("2026-06-11", "2026-06-09", "2026-06-15")
LOOKBACK = timedelta(days=16)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Simulator]:
    with simulator("--min-interval", "0.02", "--enforce") as running:
        yield running


@cache
def ids_announced() -> dict[str, set[str]]:
    """Each day's papers, straight from the corpus."""
    with gzip.open(SHARED / "arxiv" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    return {day: {paper["id"] for paper in papers if paper["announced"] == day} for day in DAYS}


async def brought(arxiv: Simulator, folder: Path, name: str, window: Window) -> tuple[tuple[Paper, ...], int]:
    """What the source of this name brings, and how many requests it took."""
    settings = ClientSettings(contact=None, version="1", retry_pause=timedelta(0), tries=1)
    rate_limiter = RateLimiter(folder / "requests", timedelta(seconds=0.025))
    async with PoliteClient(settings, rate_limiter) as client:
        sources = (
            SearchApi(client, f"{arxiv.url}/api/query"),
            OaiPmh(client, f"{arxiv.url}/oai"),
            DailyFeed(client, f"{arxiv.url}/atom"),
        )
        source = next(source for source in sources if source.name == name)
        return await source.search(QUERIES, window), client.requests


def matched(papers: tuple[Paper, ...]) -> dict[str, set[str]]:
    found = {paper.id: {match.query.text for match in INDEX.matches(paper)} for paper in papers}
    return {identifier: queries for identifier, queries in found.items() if queries}


@pytest.mark.parametrize("day", [DAYS[0], *(pytest.param(day, marks=pytest.mark.long) for day in DAYS[1:])])
def test_the_three_sources_bring_the_same_new_papers(arxiv: Simulator, tmp_path: Path, day: str) -> None:
    now = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    since = now - (3 * DAY if now.weekday() == 0 else DAY)
    long_ago = Window(announced_since=since - LOOKBACK, submitted_since=since - 2 * LOOKBACK, until=since)
    arxiv.tell(now=since.isoformat(), reset=True)
    before, _ = asyncio.run(brought(arxiv, tmp_path, "OAI-PMH", long_ago))
    seen = {paper.id for paper in before}

    window = Window(announced_since=since, submitted_since=now - LOOKBACK, until=now)
    arxiv.tell(now=now.isoformat())
    news, requests, texts = {}, {}, {}
    for name in ("search API", "OAI-PMH", "daily feed"):
        papers, requests[name] = asyncio.run(brought(arxiv, tmp_path, name, window))
        news[name] = {key: queries for key, queries in matched(papers).items() if key not in seen}
        if name != "search API":
            assert {paper.id for paper in papers} - seen == ids_announced()[day]
        texts[name] = {
            (paper.id, paper.title, paper.abstract) for paper in papers if paper.id in ids_announced()[day]
        }
    assert texts["search API"] <= texts["OAI-PMH"] == texts["daily feed"]
    assert len(news["OAI-PMH"]) > 50
    assert {query for queries in news["OAI-PMH"].values() for query in queries} >= {
        "=compiler",
        "all:neutrino",
    }
    assert news["OAI-PMH"] == news["search API"]
    assert news["daily feed"] == news["search API"]
    assert requests["OAI-PMH"] <= 4
    assert requests["daily feed"] == 3
    assert arxiv.tell()["violations"] == 0
