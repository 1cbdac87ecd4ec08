"""Previews over HTTP: from the state at once, else from arXiv, politely, whatever happens there."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.service import preview_asker
from digest.storage.previews import REQUESTS_OF_ONE_PLACE
from digest.web.preview import Preview
from digest.web.preview_site import Previews, Visitor
from tests.factories import invented_paper
from tests.forms import form_with, submitted
from tests.integration.arxiv_server import Reply, arxiv_server, feed, hangs, resets, says
from tests.integration.preview_site import local_arxiv, previewing_town, written_papers
from tests.integration.web_site import BASE, told
from tests.waiting import LIMIT, until

NOWHERE = "http://127.0.0.1:1/api/query"
MINUTE = timedelta(minutes=1)


async def test_a_keyword_that_somebody_follows_is_shown_at_once_and_asks_nobody(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        answer = await site.preview("tea")
        assert answer.status == 200
        assert "<svg" in answer.body
        assert "On tea" in answer.body
        assert "less than 1 paper a week" in told(answer.body)
        assert "http-equiv" not in answer.body
        assert await site.minute_passes() is None


async def test_a_narrower_keyword_than_one_that_is_followed_is_known_too(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        site.town.found(invented_paper("2606.00002", "Tea with sugar"))
        said = await site.said("tea AND sugar")
        assert "Tea with sugar" in said
        assert "On tea" not in said
        assert "arXiv is asked" not in said


async def test_another_keyword_waits_for_arxiv_and_is_then_kept(tmp_path: Path) -> None:
    async with (
        local_arxiv(written_papers("Coffee", 3)) as arxiv,
        previewing_town(tmp_path, arxiv.url) as site,
    ):
        first = await site.preview("coffee")
        assert "arXiv is asked at most once a minute: this takes about 1 minute." in told(first.body)
        assert "http-equiv" not in first.body  # no page renews itself: axe and WCAG 2.2.1
        assert f'href="{BASE}/p/{site.token}/preview?k=coffee"' in first.body
        assert await site.minute_passes() == timedelta(0)
        then = await site.preview("coffee")
        assert "Coffee 102" in then.body
        assert "Look again" not in then.body
        assert await site.minute_passes() is None
        assert "Coffee 102" in await site.said("coffee AND coffee", "coffee ANDNOT sugar")
        assert await site.minute_passes() is None


async def test_one_request_asks_for_several_keywords(tmp_path: Path) -> None:
    async with arxiv_server(says(feed())) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.preview("coffee", "cocoa beans", page="one")
        await site.asker.step()
        (asked,) = arxiv.asked
        assert "coffe" in asked.fields["search_query"]
        assert "cocoa bean" in asked.fields["search_query"]
        assert "No paper in two weeks" in await site.said("coffee")


async def test_between_two_requests_is_a_minute(tmp_path: Path) -> None:
    async with arxiv_server(says(feed())) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.preview("coffee")
        assert await site.asker.step() == timedelta(0)
        await site.preview("cocoa")
        assert await site.asker.step() == MINUTE
        assert len(arxiv.asked) == 1
        await site.minute_passes()
        assert len(arxiv.asked) == 2


async def test_the_one_who_asks_wakes_when_somebody_waits(tmp_path: Path) -> None:
    async with (
        local_arxiv(written_papers("Coffee", 3)) as arxiv,
        previewing_town(tmp_path, arxiv.url) as site,
    ):
        running = asyncio.create_task(site.asker.run())
        await site.preview("coffee")
        site.asker.wake()
        async with asyncio.timeout(LIMIT):
            while "Coffee 102" not in await site.said("coffee"):
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait({running})


async def test_too_many_papers_are_estimated_from_the_newest_ones(tmp_path: Path) -> None:
    papers = [
        replace(paper, categories=("cs.LG",))
        for day in range(4, 17)
        for paper in written_papers("Coffee", 90, day=f"2026-06-{day:02}", first=day * 100)
    ]
    async with local_arxiv(papers) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.said("coffee")
        await site.minute_passes()
        said = await site.said("coffee")
        assert "About 90 papers a day. Too broad" in said
        await site.said("coffee", "cocoa")
        await site.minute_passes()
        assert "No paper in two weeks" in await site.said("coffee", "cocoa")


async def test_a_keyword_with_too_many_papers_does_not_hide_the_others_for_long(tmp_path: Path) -> None:
    papers = [
        paper
        for day in range(4, 17)
        for paper in written_papers("Coffee", 90, day=f"2026-06-{day:02}", first=day * 100)
    ]
    papers += written_papers("Cocoa", 2, day="2026-06-08", first=9_000)
    async with local_arxiv(papers) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.said("coffee", "cocoa")
        for _ in range(3):
            await site.minute_passes()
        said = await site.said("coffee", "cocoa")
        assert "About 90 papers a day" in said
        assert "1 paper a week" in said


@pytest.mark.parametrize(
    ("reply", "minutes"),
    [
        (says("Rate exceeded.", status=429, Retry_After="600"), 10),
        (says("busy", status=503), 2),
        (says("<html>"), 2),
        (resets, 2),
    ],
    ids=["429", "503", "a web page", "reset"],
)
async def test_after_a_failure_arxiv_is_left_alone_and_the_page_says_so(
    tmp_path: Path, reply: Reply, minutes: int
) -> None:
    async with arxiv_server(reply) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.preview("coffee")
        await site.asker.step()
        said = await site.said("coffee")
        assert f"arXiv did not answer. It is asked again in about {minutes} minutes." in said
        site.town.now += (minutes - 1) * MINUTE
        await site.preview("coffee")
        assert await site.asker.step() == MINUTE
        assert len(arxiv.asked) == 1


async def test_an_arxiv_that_is_down_is_said_and_nothing_else_fails(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        await site.preview("coffee")
        await site.asker.step()
        assert "arXiv did not answer" in await site.said("coffee")
        assert "On tea" in await site.said("tea")


async def test_an_arxiv_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_asker, "_LONGEST", timedelta(seconds=0.3))
    async with arxiv_server(hangs) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.preview("coffee")
        assert await site.asker.step() == timedelta(0)
        assert "arXiv did not answer. It is asked again in about 2 minutes." in await site.said("coffee")


async def test_a_fetch_ends_a_request_for_previews_and_lets_none_begin(tmp_path: Path) -> None:
    async with arxiv_server(hangs) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.preview("coffee")
        asking = asyncio.create_task(site.asker.step())
        await until(lambda: arxiv.asked)
        async with site.asker.paused():
            assert await asking == timedelta(0)
            assert "arXiv did not answer" not in await site.said("coffee")
            later = asyncio.create_task(site.minute_passes())
            await asyncio.sleep(0.1)
            assert len(arxiv.asked) == 1
        await until(lambda: len(arxiv.asked) == 2)
        later.cancel()
        await asyncio.wait({later})


async def test_who_types_on_frees_the_places_of_what_was_typed_before(tmp_path: Path) -> None:
    async with arxiv_server(says(feed())) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        for text in ("c", "co", "cof", "coff", "coffee"):
            await site.preview(f"{text} beans", page="one")
        await site.preview("cocoa", page="two")
        await site.asker.step()
        (asked,) = arxiv.asked
        assert "coffe bean" in asked.fields["search_query"] or "coffee beans" in asked.fields["search_query"]
        assert "coff beans" not in asked.fields["search_query"]
        assert "cocoa" in asked.fields["search_query"]


async def test_who_wants_too_much_at_once_is_told(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        said = await site.said(*(f"coffee {number}" for number in range(REQUESTS_OF_ONE_PLACE + 1)))
        assert said.count("arXiv is asked at most once a minute") == REQUESTS_OF_ONE_PLACE
        assert said.count("too many others wait for a preview") == 1


async def test_mistakes_are_marked_in_their_place_and_the_rest_is_shown(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        answer = await site.preview("graph or tree", "tea", "tit:<b>x")
        assert "graph <mark>or</mark> tree" in answer.body
        assert "graph OR tree" in answer.body
        assert "did you mean ti: ?" in told(answer.body)
        assert "<b>x" not in answer.body
        assert "On tea" in answer.body
        assert "2 keywords with a mistake" in answer.body


async def test_a_wrong_token_shows_no_preview_and_counts_as_a_guess(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        addresses = [f"{BASE}/p/wrong{number}/preview?k=tea" for number in range(12)]
        statuses = {(await site.town.get(one, X_Forwarded_For="192.0.2.9")).status for one in addresses}
        assert statuses == {404, 429}
        assert (await site.preview("tea")).status == 200


async def test_the_script_comes_from_an_address_of_its_own(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        answer = await site.town.get(f"{BASE}/preview.js")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert "script-src" not in answer.headers["Content-Security-Policy"]


async def test_strange_requests_get_an_answer(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        for query in ("", "?k=", "?k=%00", "?k=%ff%fe", "?k=" + "a" * 3_000, "?page=" + "x" * 900, "?k=%F0"):
            answer = await site.town.get(f"{BASE}/p/{site.token}/preview{query}")
            assert answer.status == 200, query


async def test_too_many_previews_at_the_same_time_are_refused_and_pages_go_on(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        many = [site.preview(f"coffee {number}", "tea") for number in range(40)]
        answers = await asyncio.gather(*many)
        assert {answer.status for answer in answers} <= {200, 429}
        assert (await site.town.get(f"{BASE}/p/{site.token}")).status == 200
        assert (await site.preview("tea")).status == 200


async def test_strangers_leave_places_for_subscribers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, making = threading.Event(), Previews._preview

    def slow(previews: Previews, texts: tuple[str, ...], visitor: Visitor) -> Preview:
        gate.wait(LIMIT)
        return making(previews, texts, visitor)

    monkeypatch.setattr(Previews, "_preview", slow)
    async with previewing_town(tmp_path, NOWHERE, signup="open") as site, asyncio.TaskGroup() as tasks:
        url = f"{BASE}/join/preview?k=tea"
        strangers = [
            tasks.create_task(site.town.get(url, X_Forwarded_For=f"192.0.2.{number}")) for number in range(12)
        ]
        await until(lambda: sum(one.done() for one in strangers) == 7)
        subscriber = tasks.create_task(site.preview("tea", client="192.0.2.99"))
        await asyncio.wait({subscriber}, timeout=0.2)
        gate.set()
        assert (await subscriber).status == 200
        assert sorted([(await one).status for one in strangers]) == [*([200] * 5), *([429] * 7)]


async def test_the_form_of_preferences_comes_back_as_it_was_sent_with_its_preview_and_is_not_saved(
    tmp_path: Path,
) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        shown = await site.town.get(f"{BASE}/p/{site.token}")
        changes = {"k-new-1": "graph or tree", "at": "09:15"}
        sent = submitted(form_with(shown.body, "Preview"), "Preview", **changes)
        before = site.town.state()
        answer = await site.town.post(f"{BASE}/p/{site.token}/preview", sent)
        assert answer.status == 200
        assert 'value="graph or tree"' in answer.body
        assert 'value="09:15"' in answer.body
        assert "graph <mark>or</mark> tree" in answer.body
        assert "On tea" in answer.body
        assert site.town.state() == before
        assert (await site.town.post(f"{BASE}/p/wrong/preview", sent)).status == 404


async def test_only_pages_with_a_preview_may_run_the_script_of_this_site(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        preferences = await site.town.get(f"{BASE}/p/{site.token}")
        policy = preferences.headers["Content-Security-Policy"]
        assert "script-src 'self'; connect-src 'self'" in policy
        assert "default-src 'none'" in policy
        assert f'<script src="{BASE}/preview.js" defer></script>' in preferences.body
        for path in (f"/p/{site.token}/preview?k=tea", f"/u/{site.token}", "/nothing", "/robots.txt"):
            answer = await site.town.get(f"{BASE}{path}")
            assert "script-src" not in answer.headers["Content-Security-Policy"]
            assert "<script" not in answer.body


async def test_new_keywords_that_bring_more_than_the_operator_allows_are_not_saved(tmp_path: Path) -> None:
    papers = written_papers("Coffee", 60)
    async with (
        local_arxiv(papers) as arxiv,
        previewing_town(tmp_path, arxiv.url, most_papers_a_day=5) as site,
    ):
        manage = f"{BASE}/p/{site.token}"
        form = form_with((await site.town.get(manage)).body, "Save")
        wanted = submitted(form, "Save", **{"k-new-1": "coffee"})
        await site.preview("coffee")
        await site.asker.step()
        before = site.town.store.preferences()
        refused = await site.town.post(manage, wanted)
        assert refused.status == 422
        assert "Together they find more than 5 papers a day." in told(refused.body)
        assert 'value="coffee"' in refused.body
        assert site.town.store.preferences() == before
        narrower = submitted(form, "Save", **{"k-new-1": "coffee AND 159"})
        assert (await site.town.post(manage, narrower)).status == 200
        assert site.town.store.preferences() != before


async def test_a_suggestion_is_taken_by_its_button_and_nothing_is_saved(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        manage = f"{BASE}/p/{site.token}"
        form = form_with((await site.town.get(manage)).body, "Preview")
        wrong = submitted(form, "Preview", **{"k-new-1": "tea  or milk", "k-new-2": "cocoa"})
        before = site.town.state()
        shown = await site.town.post(f"{manage}/preview", wrong)
        assert f'formaction="{manage}/preview#preview-title" formnovalidate name="use"' in shown.body
        suggesting = form_with(shown.body, "tea OR milk")
        taken = await site.town.post(f"{manage}/preview", submitted(suggesting, "tea OR milk"))
        assert form_with(taken.body, "Preview").fields["k-new-1"] == ["tea OR milk"]
        assert form_with(taken.body, "Preview").fields["k-new-2"] == ["cocoa"]
        assert "On tea" in taken.body
        assert "<mark>" not in taken.body
        assert [line for line in site.town.state() if "preview_wish" not in line] == [
            line for line in before if "preview_wish" not in line
        ]


async def test_a_page_without_a_form_has_no_buttons(tmp_path: Path) -> None:
    async with previewing_town(tmp_path, NOWHERE) as site:
        assert "<button" not in (await site.preview("tea or milk")).body
        for_script = (await site.preview("tea or milk", page="one")).body
        assert 'type="button" class="small" data-of="tea or milk" data-instead="tea OR milk"' in for_script


async def test_requests_for_previews_count_as_requests_to_arxiv(tmp_path: Path) -> None:
    async with arxiv_server(says("busy", status=503)) as arxiv, previewing_town(tmp_path, arxiv.url) as site:
        await site.preview("coffee")
        await site.asker.step()
        figures = site.town.metrics.exposition(site.town.store, now=site.town.now).decode()
        assert "digest_arxiv_requests_total 1.0" in figures
