from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest.demo.arxiv import Announcement
from digest.errors import BadDocument, Implausible, MissingNews, Refused, SourceError, Throttled
from digest.keywords.query import parse
from digest.sources.arxiv.oai_pmh import OaiPmh
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from digest.sources.window import Window
from tests.factories import invented_paper
from tests.integration.arxiv_harvest_server import (
    Catalogue,
    HarvestServer,
    deleted_record,
    harvest_server,
    oai_error,
    raw_record,
    record_page,
    versions_of,
)
from tests.integration.arxiv_server import Reply, breaks_off, resets, says

GNOMES = (parse("lost gnomes"),)
NOW = datetime(2026, 6, 16, 12, tzinfo=UTC)
GROUND = Window(announced_since=NOW - timedelta(days=1), submitted_since=NOW - timedelta(days=16), until=NOW)


@asynccontextmanager
async def oai_pmh(
    tmp_path: Path, *replies: Reply, tries: int = 1
) -> AsyncIterator[tuple[HarvestServer, OaiPmh]]:
    settings = ClientSettings(contact=None, version="1", retry_pause=timedelta(0), tries=tries)
    async with (
        harvest_server(*replies) as server,
        PoliteClient(settings, RateLimiter(tmp_path / "requests", timedelta(0))) as client,
    ):
        yield server, OaiPmh(client, f"{server.url}/oai")


def pages(*tokens: str | None) -> list[Reply]:
    """Pages of one record each, with these tokens."""
    return [
        says(record_page(raw_record(f"2606.{number:05}"), token=token))
        for number, token in enumerate(tokens, 1)
    ]


async def test_all_that_changed_since_the_day_before_is_asked_for_in_the_format_with_all_versions(
    tmp_path: Path,
) -> None:
    async with oai_pmh(tmp_path, *pages(None)) as (server, oai):
        assert len(await oai.search(GNOMES, GROUND)) == 1
    assert server.asked == [
        ("/oai", {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from": "2026-06-14"})
    ]


async def test_the_day_is_that_of_utc(tmp_path: Path) -> None:
    eastern = datetime.fromisoformat("2026-06-15T20:30:00-04:00")
    async with oai_pmh(tmp_path, *pages(None)) as (server, oai):
        await oai.search(GNOMES, replace(GROUND, announced_since=eastern))
    assert server.asked[0][1]["from"] == "2026-06-15"


async def test_a_token_is_sent_back_as_it_came_alone_with_the_verb_until_one_is_empty(tmp_path: Path) -> None:
    tokens = "verb%3DListRecords%26skip%3D1", "a+b&c=d e/ü%"
    async with oai_pmh(tmp_path, *pages(*tokens, "")) as (server, oai):
        found = await oai.search(GNOMES, GROUND)
    assert len(found) == 3
    assert [fields for _, fields in server.asked[1:]] == [
        {"verb": "ListRecords", "resumptionToken": token} for token in tokens
    ]


async def test_a_day_on_which_nothing_changed_is_a_harvest_of_nothing(tmp_path: Path) -> None:
    async with oai_pmh(tmp_path, says(oai_error("noRecordsMatch")), tries=2) as (server, oai):
        harvest = await oai.harvest(GROUND)
    assert (harvest.papers, harvest.changed, harvest.newest_datestamp) == ((), (), None)
    assert harvest.responded_at == NOW
    assert len(server.asked) == 1


async def test_a_list_without_the_last_announcement_is_not_believed(tmp_path: Path) -> None:
    for answer in (
        says(oai_error("noRecordsMatch")),
        Catalogue(announcements=announcements(), now=NOW).answer,
    ):
        async with oai_pmh(tmp_path, answer) as (_, oai):
            with pytest.raises(MissingNews, match="nothing of the announcement of 2026-06-16"):
                await oai.search(GNOMES, replace(GROUND, announced_since=NOW - timedelta(days=6)))


@pytest.mark.parametrize(
    "now", [datetime(2026, 6, 14, 12, tzinfo=UTC), datetime(2026, 6, 16, 2, 59, tzinfo=UTC)]
)
async def test_a_weekend_and_the_first_hours_after_an_announcement_may_be_empty(
    tmp_path: Path, now: datetime
) -> None:
    window = replace(GROUND, announced_since=now - timedelta(hours=26), until=now)
    async with oai_pmh(tmp_path, says(oai_error("noRecordsMatch"))) as (_, oai):
        assert await oai.search(GNOMES, window) == ()


def at(hours: float) -> str:
    return f"{NOW + timedelta(hours=hours):%a, %d %b %Y %H:%M:%S} GMT"


async def test_only_papers_first_submitted_on_the_ground_are_new_and_all_others_are_changed(
    tmp_path: Path,
) -> None:
    document = record_page(
        raw_record("2605.00001", versions=versions_of(at(-24 * 30), at(-30))),
        raw_record("1105.00001", versions=versions_of(at(-24 * 5000))),
        raw_record("2606.00001", versions=versions_of(at(-24 * 16))),
        raw_record("2606.00002", versions=versions_of(at(-24 * 16 - 0.01))),
        raw_record("2606.00003", versions=versions_of(at(-40), at(-30))),
        raw_record("2606.00004", versions=versions_of(at(23))),
        raw_record("2606.00005", versions=versions_of(at(25))),
        deleted_record("2606.00006"),
    )
    async with oai_pmh(tmp_path, says(document)) as (_, oai):
        harvest = await oai.harvest(GROUND)
    assert [paper.id for paper in harvest.papers] == ["2606.00004", "2606.00003", "2606.00001"]
    assert [paper.id for paper in harvest.changed] == [
        "2606.00005", "2606.00004", "2606.00003", "2606.00001", "2606.00002", "2605.00001", "1105.00001",
    ]  # fmt: skip
    assert [paper.version for paper in harvest.papers] == [1, 2, 1]


async def test_a_paper_on_two_pages_comes_once_in_its_highest_version(tmp_path: Path) -> None:
    twice = versions_of(at(-40), at(-30))
    once = versions_of(at(-40))
    replies = (
        says(record_page(raw_record(versions=twice), raw_record("2606.00002", title="Old"), token="1")),
        says(
            record_page(
                raw_record(versions=once, datestamp="2026-06-15"),
                raw_record("2606.00002", title="New"),
                token="",
            )
        ),
    )
    async with oai_pmh(tmp_path, *replies) as (_, oai):
        harvest = await oai.harvest(GROUND)
    assert [(paper.id, paper.version) for paper in harvest.papers] == [("2606.00001", 2), ("2606.00002", 1)]
    assert harvest.papers[1].title == "New"
    assert harvest.newest_datestamp == date(2026, 6, 16)


async def test_a_list_begins_again_when_its_token_has_expired(tmp_path: Path) -> None:
    expired = says(oai_error("badResumptionToken"))
    async with oai_pmh(tmp_path, *pages("1"), expired, *pages("2", ""), tries=3) as (server, oai):
        assert len(await oai.search(GNOMES, GROUND)) == 2
    assert [fields.get("resumptionToken") for _, fields in server.asked] == [None, "1", None, "2"]


async def test_a_list_whose_tokens_always_expire_is_given_up(tmp_path: Path) -> None:
    replies = [*pages("1"), says(oai_error("badResumptionToken"))] * 10
    async with oai_pmh(tmp_path, *replies, tries=3) as (server, oai):
        with pytest.raises(Refused, match="3 times"):
            await oai.search(GNOMES, GROUND)
    assert len(server.asked) == 6


async def test_a_list_that_goes_in_a_circle_is_given_up(tmp_path: Path) -> None:
    async with oai_pmh(tmp_path, *pages("1", "2", "1")) as (server, oai):
        with pytest.raises(Implausible, match="circle"):
            await oai.search(GNOMES, GROUND)
    assert len(server.asked) == 3


async def test_a_list_without_an_end_is_given_up(tmp_path: Path) -> None:
    async with oai_pmh(tmp_path, *pages(*map(str, range(200)))) as (server, oai):
        with pytest.raises(Implausible, match="does not end within 100 pages"):
            await oai.search(GNOMES, GROUND)
    assert len(server.asked) == 100


async def test_records_that_cannot_be_papers_count_as_having_come(tmp_path: Path) -> None:
    replies = [
        says(record_page(raw_record(), raw_record("gnome"), token="1")),
        says(record_page(raw_record("elf"), token="", size=3)),
    ]
    async with oai_pmh(tmp_path, *replies) as (_, source):
        harvest = await source.harvest(GROUND)
    assert [paper.id for paper in harvest.changed] == ["2606.00001"]


@pytest.mark.parametrize(("size", "is_whole"), [(3, True), (2, True), (4, False)])
async def test_a_list_with_fewer_records_than_counted_is_not_believed(
    tmp_path: Path, size: int, is_whole: bool
) -> None:
    replies = (
        says(record_page(raw_record(), token="1", size=99)),
        says(record_page(raw_record("2606.00002"), deleted_record(), token="", size=size)),
    )
    async with oai_pmh(tmp_path, *replies) as (_, oai):
        if is_whole:
            assert len(await oai.search(GNOMES, GROUND)) == 2
        else:
            with pytest.raises(Implausible, match="only 3 of 4 records"):
                await oai.search(GNOMES, GROUND)


WHOLE = record_page(raw_record(), token="")
FAILURES: list[tuple[Reply, type[SourceError]]] = [
    (says(oai_error("badArgument")), Refused),
    (says(oai_error("badResumptionToken")), Refused),
    (says(record_page(raw_record(datestamp="2026-06-12"))), Implausible),
    (says(record_page()), BadDocument),
    (says("", 406), Throttled),
    (says("Rate exceeded.", 429), Throttled),
    (says("", 503, Retry_After="0"), Throttled),
    (says("Rate exceeded."), Throttled),
    (says("<html>502</html>"), BadDocument),
    (says("internal error", 500), Refused),
    (says(WHOLE[:-40]), BadDocument),
    (says(""), BadDocument),
    (breaks_off(WHOLE), BadDocument),
    (resets, SourceError),
]


@pytest.mark.parametrize(("reply", "error"), FAILURES)
async def test_no_failure_looks_like_nothing_new(
    tmp_path: Path, reply: Reply, error: type[SourceError]
) -> None:
    async with oai_pmh(tmp_path, reply) as (_, oai):
        with pytest.raises(error):
            await oai.search(GNOMES, GROUND)


@pytest.mark.parametrize("reply", [reply for reply, _ in FAILURES])
async def test_after_any_failure_the_same_is_asked_for_again(tmp_path: Path, reply: Reply) -> None:
    async with oai_pmh(tmp_path, reply, says(WHOLE), tries=2) as (server, oai):
        assert len(await oai.search(GNOMES, GROUND)) == 1
    assert server.asked[0] == server.asked[1]


async def test_a_promised_page_that_is_empty_is_asked_for_again(tmp_path: Path) -> None:
    replies = (*pages("1"), says(oai_error("noRecordsMatch")), says(record_page(raw_record(), token="")))
    async with oai_pmh(tmp_path, *replies, tries=2) as (server, oai):
        await oai.search(GNOMES, GROUND)
    assert [fields.get("resumptionToken") for _, fields in server.asked] == [None, "1", "1"]


def announced(number: int, at: datetime) -> Announcement:
    submitted = f"{at - timedelta(hours=20):%F %R}"
    return Announcement(paper=invented_paper(f"2606.{number:05}", submitted=submitted), announced_at=at)


def announcements() -> Sequence[Announcement]:
    """Seven papers on each of the evenings of 7 to 11 June, at 20:00 US Eastern."""
    evenings = [datetime(2026, 6, 8 + day, tzinfo=UTC) for day in range(5)]
    return [announced(10 * day + one, at) for day, at in enumerate(evenings) for one in range(7)]


@pytest.mark.parametrize(("days", "requests"), [(1, 2), (2, 2), (7, 7), (14, 11)])
async def test_the_cost_grows_with_the_days_and_not_with_the_queries(
    tmp_path: Path, days: int, requests: int
) -> None:
    window = replace(GROUND, announced_since=NOW - timedelta(days=days))
    async with oai_pmh(tmp_path, *pages(None)) as (_, oai):
        assert oai.cost(GNOMES, window, expected=1) == requests
        assert oai.cost(GNOMES * 1_000, window, expected=100_000) == requests


async def test_pages_of_a_real_list_bring_every_record_once(tmp_path: Path) -> None:
    catalogue = Catalogue(announcements=announcements(), now=NOW, oai_page=4)
    window = replace(GROUND, announced_since=NOW - timedelta(days=6))
    async with oai_pmh(tmp_path, catalogue.answer) as (server, oai):
        found = (await oai.harvest(window)).papers
    assert len(found) == 28
    assert len(server.asked) == 7
    assert list(found) == sorted(found, key=lambda paper: (paper.submitted_at, paper.id), reverse=True)


@pytest.mark.parametrize("minutes", [-90, 1, 149, 151, 600, 23 * 60])
async def test_whenever_the_last_fetch_was_nothing_that_it_could_not_see_is_left_out(
    tmp_path: Path, minutes: int
) -> None:
    """The list is ready two and a half hours after the announcement: what came before saw less."""
    evening = datetime(2026, 6, 11, tzinfo=UTC)
    last = evening + timedelta(minutes=minutes)
    ready = [one for one in announcements() if one.announced_at + timedelta(hours=2, minutes=30) > last]
    catalogue = Catalogue(announcements=announcements(), now=NOW)
    async with oai_pmh(tmp_path, catalogue.answer) as (_, oai):
        found = (await oai.harvest(replace(GROUND, announced_since=last))).papers
    assert {one.paper.id for one in ready} <= {paper.id for paper in found}
