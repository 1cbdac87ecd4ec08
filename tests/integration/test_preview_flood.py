"""Previews under abuse: many networks, long and costly keywords, and an arXiv that is asked once a minute."""

import asyncio
import gc
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

from digest.storage.factory import open_store
from digest.storage.previews import REQUESTS_OF_ONE_PLACE, REQUESTS_OF_STRANGERS
from digest.web.preview import Preview
from digest.web.preview_site import Busy, Previews, Visitor
from tests.factories import invented_paper
from tests.integration.arxiv_server import arxiv_server, feed, says
from tests.integration.preview_site import NOW, Previewing, previewing_town, written_papers
from tests.waiting import LIMIT

NOWHERE = "http://127.0.0.1:1/api/query"
ADA = Visitor(network="198.51.100.1", subscriber="ada")


@asynccontextmanager
async def previews_of(site: Previewing) -> AsyncIterator[Previews]:
    """Those for strangers too; the pages of the town use others."""
    with open_store(site.town.path) as store, open_store(site.town.path) as changing:
        previews = Previews(
            store=store,
            changing=changing,
            most_papers_a_day=200,
            clock=lambda: site.town.now,
            wake=site.asker.wake,
        )
        try:
            yield previews
        finally:
            previews.close()


async def patient(previews: Previews, texts: tuple[str, ...], visitor: Visitor) -> Preview:
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                return await previews.of(texts, visitor)
            except Busy:
                await asyncio.sleep(0.005)


def stranger(number: int, page: str = "") -> Visitor:
    return Visitor(network=f"192.0.{number // 250}.{number % 250}", page=page)


def words_of(random: Random, count: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(random.choices(letters, k=9)) for _ in range(count))


async def test_a_flood_of_strangers_has_few_places_and_arxiv_one_request_a_minute(tmp_path: Path) -> None:
    random = Random(1)
    async with (
        arxiv_server(says(feed())) as arxiv,
        previewing_town(tmp_path, arxiv.url) as site,
        previews_of(site) as previews,
    ):
        crowd = [
            patient(previews, (words_of(random, 2), words_of(random, 30)), stranger(number))
            for number in range(300)
        ]
        for shown in await asyncio.gather(*crowd):
            assert shown.is_waiting
        queue = site.town.store.begin_previews(limit=1_000, now=NOW)
        assert len(queue.requests) == REQUESTS_OF_STRANGERS
        site.town.now += timedelta(minutes=1)
        mine = await previews.of(("coffee beans",), ADA)
        assert mine.keywords[0].waiting
        assert mine.keywords[0].waiting.minutes is not None
        assert not (await previews.of(("tea",), stranger(900))).is_waiting
        for _ in range(5):
            await site.asker.step()
        assert len(arxiv.asked) == 1
        assert "coffe" in arxiv.asked[0].fields["search_query"]


async def test_one_network_cannot_take_the_places_of_others(tmp_path: Path) -> None:
    random = Random(2)
    async with previewing_town(tmp_path, NOWHERE) as site, previews_of(site) as previews:
        for _ in range(20):
            await patient(previews, tuple(words_of(random, 2) for _ in range(5)), stranger(1))
        assert len(site.town.store.begin_previews(limit=1_000, now=NOW).requests) == REQUESTS_OF_ONE_PLACE
        other = await previews.of(("coffee",), stranger(2))
        assert other.keywords[0].waiting
        assert other.keywords[0].waiting.minutes is not None


async def test_costly_keywords_of_many_papers_take_bounded_time_and_memory(tmp_path: Path) -> None:
    random = Random(3)
    async with previewing_town(tmp_path, NOWHERE) as site, previews_of(site) as previews:
        site.town.found(*written_papers("Tea of the green garden", 700))
        await previews.of(("tea",), ADA)
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(25):
            costly = " OR ".join(f"{words_of(random, 1)[:3]}*" for _ in range(40))
            shown = await patient(previews, (f"tea AND ({costly})",), stranger(number))
            (one,) = shown.keywords
            assert one.findings or one.mistake or one.waiting
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB


async def test_a_visitor_who_is_gone_leaves_nothing_behind(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site, previews_of(site) as previews:
        site.town.found(invented_paper("2606.00009", "More tea"))
        waiting = [asyncio.create_task(previews.of(("tea",), stranger(1))) for _ in range(3)]
        await asyncio.sleep(0)
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        assert not (await previews.of(("tea",), stranger(1))).is_waiting
