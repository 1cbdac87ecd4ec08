"""A preview in a real browser: while keywords are typed, and without scripts by the button."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest.demo.arxiv import LocalArxiv
from tests.integration.preview_site import Previewing, local_arxiv, previewing_town, written_papers
from tests.judges.browser import (
    AXE,
    Step,
    Visit,
    clicking,
    filling,
    opening,
    pressing,
    tabbing,
    typing,
    until,
    visits,
)
from tests.judges.correspondence import BASE
from tests.judges.on_node import html_errors
from tests.judges.website import behind_tls

pytestmark = pytest.mark.long

JOIN = f"{BASE}/join"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Somebody at a browser; `site` is what they look at."""

    site: Previewing
    arxiv: LocalArxiv
    port: int

    async def visit(
        self, *steps: Step, is_dark: bool = False, width: int = 700, scripts: bool = True
    ) -> Visit:
        """Without a message on the console, a violation, another host, or a page that is too wide."""
        found = await asyncio.to_thread(
            visits, self, {"one": steps}, is_dark=is_dark, width=width, scripts=scripts
        )
        one = found["one"]
        assert [error for error in one.errors if "422" not in error] == []  # a form with a mistake
        assert [(page.address, page.violations) for page in one.seen if page.violations] == []
        assert not any(page.scrolls for page in one.seen)
        assert one.hosts == (BASE.removeprefix("https://"),)
        return one


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    async with (
        local_arxiv(written_papers("Coffee", 3)) as arxiv,
        previewing_town(folder, arxiv.url, signup="open") as site,
    ):
        with behind_tls(int(site.town.address.rpartition(":")[2])) as port:
            yield Desk(site=site, arxiv=arxiv, port=port)


async def test_the_preview_comes_while_a_keyword_is_typed(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        shown = await there.visit(
            opening(JOIN), tabbing("Keyword 1"), typing("tea"), until("On tea"), AXE, width=360, is_dark=True
        )
        assert "less than 1 paper a week" in shown.last.text
        assert "Numbers" in shown.last.text
        assert shown.last.address == JOIN


async def test_a_mistake_is_marked_while_it_is_typed_and_goes_when_it_is_mended(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        shown = await there.visit(
            opening(JOIN),
            tabbing("Keyword 1"),
            typing("tea or milk"),
            until("the operators are AND, OR and ANDNOT"),
            AXE,
            filling("Keyword 1", "tea OR milk"),
            until("On tea"),
            AXE,
        )
        assert "the operators are" not in shown.last.text


async def test_what_arxiv_must_be_asked_for_comes_without_a_hand(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        there.site.asker.wake()
        watching = asyncio.create_task(
            there.visit(opening(JOIN), tabbing("Keyword 1"), typing("coffee"), until("Coffee 102"), AXE)
        )
        async with asyncio.timeout(60):
            while await there.site.asker.step() is None:
                await asyncio.sleep(0.2)
        assert "arXiv is asked" not in (await watching).last.text


async def test_without_scripts_the_button_shows_the_same(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        steps = (
            opening(JOIN),
            filling("Keyword 1", "tea"),
            filling("Keyword 2", "milk or"),
            pressing("Preview"),
        )
        shown = await there.visit(*steps, scripts=False)
        assert "On tea" in shown.last.text
        assert "2 keywords" not in shown.last.text
        assert shown.last.status in (200, 422)
        waiting = await there.visit(opening(f"{JOIN}/preview?k=coffee"), scripts=False)
        assert "this takes about 1 minute" in waiting.last.text
        await there.site.asker.step()
        then = await there.visit(opening(f"{JOIN}/preview?k=coffee"), AXE, width=360)
        assert "Coffee 102" in then.last.text
        assert html_errors({"preview": then.last.html, "join": shown.last.html}) == []


async def test_the_page_of_preferences_has_the_preview_too(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        manage = f"{BASE}/p/{there.site.token}"
        typed = await there.visit(
            opening(manage),
            tabbing("New keyword 1"),
            typing("tea AND (milk"),
            until("this bracket is not closed"),
            AXE,
        )
        assert typed.last.address == manage
        pressed = await there.visit(
            opening(manage), filling("New keyword 1", "tea AND (milk"), pressing("Preview"), scripts=False
        )
        assert "this bracket is not closed" in pressed.last.text
        assert html_errors({"preferences": pressed.last.html}) == []


async def test_a_suggestion_is_taken_with_a_click(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        mistaken = [opening(JOIN), tabbing("Keyword 1"), typing("tea or milk"), until("Did you mean"), AXE]
        mended = [clicking("Use tea OR milk"), until("On tea"), AXE]
        clicked = await there.visit(*mistaken, *mended, width=360)
        assert clicked.last.address == JOIN
        assert "Did you mean" not in clicked.last.text


async def test_a_suggestion_is_taken_without_scripts(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        mistaken = [opening(JOIN), filling("Keyword 1", "tea or milk"), pressing("Preview")]
        pressed = await there.visit(*mistaken, pressing("Use tea OR milk"), AXE, scripts=False)
        assert "On tea" in pressed.last.text
        assert "Did you mean" not in pressed.last.text
        assert html_errors({"wrong": pressed.seen[2].html, "mended": pressed.last.html}) == []
