"""The page of preferences: what can be chosen, what is refused, and what it does to the next digest."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest

from digest.preferences import Preferences, lay_over
from tests.factories import at_other_times, invented_paper
from tests.integration.web_site import ADA, Town, serving_town, told

TEA, MILK = (keyword.query.key for keyword in ADA.keywords)
AS_IT_IS = {"weekly": "never", "at": "07:00", "paused_until": ""}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with serving_town(tmp_path) as town:
        yield town


def manage(town: Town) -> str:
    url = town.links().manage
    assert url
    return url


def box_of(body: str, keyword: str) -> str:
    """The value of the box that mutes the keyword."""
    start = body.index(f"<bdi>{keyword}</bdi></label>")
    return body[:start].rpartition('value="')[2].partition('"')[0]


async def test_what_is_chosen_is_kept_and_shown(town: Town) -> None:
    url = manage(town)
    milk = box_of((await town.get(url)).body, "milk")
    chosen = {"mute[]": milk, "weekly": "fri", "at": "18:05", "paused_until": "2026-07-01"}
    answer = await town.post(url, chosen)
    assert answer.status == 200
    assert "Saved." in told(answer.body)
    assert town.store.preferences() == {
        ADA.email: Preferences(
            muted=(MILK,), weekly="fri", send_at=time(18, 5), paused_until=date(2026, 7, 1)
        )
    }
    page = (await town.get(url)).body
    assert f'value="{milk}" checked' in page
    assert 'value="fri" selected' in page
    assert 'value="18:05"' in page
    assert 'value="2026-07-01"' in page


async def test_the_form_as_it_stands_chooses_nothing(town: Town) -> None:
    await town.post(manage(town), AS_IT_IS)
    assert town.store.preferences() == {}


async def test_a_weekly_reader_can_choose_every_day(town: Town) -> None:
    url = manage(town)
    town.subscribers[0] = at_other_times(ADA, weekly=4)
    assert 'value="fri" selected' in (await town.get(url)).body
    await town.post(url, AS_IT_IS)
    assert town.store.preferences() == {ADA.email: Preferences(weekly="never")}
    (ada, _) = lay_over(town.subscribers, town.store.preferences())
    assert ada.rhythm.weekly is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", "24:00"),
        ("at", "<b>"),
        ("weekly", "someday"),
        ("paused_until", "2026-06-16"),
        ("paused_until", "2027-06-18"),
        ("paused_until", "soon"),
    ],
)
async def test_what_cannot_be_is_told_at_its_field_and_nothing_is_saved(
    town: Town, field: str, value: str
) -> None:
    url = manage(town)
    town.store.prefer(ADA.email, Preferences(muted=(MILK,)))
    answer = await town.post(url, {**AS_IT_IS, field: value})
    assert answer.status == 422
    assert 'aria-invalid="true"' in answer.body
    assert "Nothing was saved." in told(answer.body)
    assert town.store.preferences() == {ADA.email: Preferences(muted=(MILK,))}


async def test_a_keyword_that_came_after_the_page_was_shown_is_not_muted(town: Town) -> None:
    url = manage(town)
    milk = box_of((await town.get(url)).body, "milk")
    town.subscribers[0] = replace(ADA, keywords=(*town.subscribers[1].keywords, *ADA.keywords[::-1]))
    await town.post(url, {**AS_IT_IS, "mute[]": milk})
    assert town.store.preferences() == {ADA.email: Preferences(muted=(MILK,))}


async def test_a_muted_keyword_brings_nothing_to_the_next_digest_and_no_backlog_later(town: Town) -> None:
    url = manage(town)
    milk = box_of((await town.get(url)).body, "milk")
    await town.post(url, {**AS_IT_IS, "mute[]": milk})
    town.found(invented_paper("2606.00002", "On milk"), keyword="milk")
    town.found(invented_paper("2606.00003", "On tea again"))
    (ada, _) = lay_over(town.subscribers, town.store.preferences())
    assert [entry.paper.id for entry in town.mail(ada).digest.entries] == ["2606.00003"]
    await town.post(url, AS_IT_IS)
    town.found(invented_paper("2606.00004", "On milk again"), keyword="milk")
    (ada, _) = lay_over(town.subscribers, town.store.preferences())
    assert [entry.paper.id for entry in town.mail(ada).digest.entries] == ["2606.00004"]


async def test_choices_survive_a_restart_and_a_reread(tmp_path: Path) -> None:
    async with serving_town(tmp_path) as town:
        url = manage(town)
        await town.post(url, {**AS_IT_IS, "weekly": "mon"})
    async with serving_town(tmp_path) as town:
        town.subscribers[0] = replace(ADA, name="Ada")
        town.enrol()
        assert 'value="mon" selected' in (await town.get(url)).body


async def test_a_form_that_is_too_large_is_refused(town: Town) -> None:
    url = manage(town)
    answer = await town.post(url, {**AS_IT_IS, "more": "x" * 70_000})
    assert answer.status == 413
    assert town.store.preferences() == {}
