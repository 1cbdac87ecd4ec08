"""The page of preferences: what can be chosen, what is refused, and what it does to the next digest."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, time
from html import unescape
from pathlib import Path

import pytest

from digest.errors import StateError
from digest.keywords.query import parse
from digest.subscribers.preferences import OwnKeyword, Preferences, apply_preferences
from digest.subscribers.subscriber import Keyword
from tests.factories import at_other_times, invented_paper, make_subscriber
from tests.forms import form_with, submitted
from tests.integration.web_site import ADA, BO, Town, serving_town, told
from tests.waiting import LIMIT

TEA, MILK = (keyword.query.key for keyword in ADA.keywords)
AS_IT_IS = {"weekly": "never", "at": "07:00", "length": "normal", "timezone": "UTC", "paused_until": ""}


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
    chosen = {
        "mute[]": milk,
        "weekly": "fri",
        "at": "18:05",
        "length": "short",
        "timezone": "UTC",
        "paused_until": "2026-07-01",
    }
    answer = await town.post(url, chosen)
    assert answer.status == 200
    assert '<p class="notice done" role="status">' in answer.body
    assert "Saved." in told(answer.body)
    assert town.store.preferences() == {
        ADA.email: Preferences(
            muted=(MILK,),
            weekly="fri",
            send_at=time(18, 5),
            paused_until=date(2026, 7, 1),
            length="short",
        )
    }
    page = (await town.get(url)).body
    assert f'value="{milk}" checked' in page
    assert 'value="fri" selected' in page
    assert 'value="18:05"' in page
    assert '<option value="short" selected>Short (about 600 words)</option>' in page
    assert 'value="2026-07-01"' in page


async def test_the_form_as_it_stands_chooses_nothing(town: Town) -> None:
    await town.post(manage(town), AS_IT_IS)
    assert town.store.preferences() == {}


async def test_a_weekly_subscriber_can_choose_every_day(town: Town) -> None:
    url = manage(town)
    town.subscribers[0] = at_other_times(ADA, weekly=4)
    assert 'value="fri" selected' in (await town.get(url)).body
    await town.post(url, AS_IT_IS)
    assert town.store.preferences() == {ADA.email: Preferences(weekly="never")}
    (ada, _) = apply_preferences(town.subscribers, town.store.preferences())
    assert ada.send_schedule.weekly is None


async def test_a_keyword_is_shown_by_its_name_with_the_query_beside_it(town: Town) -> None:
    names = {"tea": "T <3", "cat:math.CO": None, "milk": None}
    town.subscribers[0] = replace(
        ADA,
        keywords=tuple(Keyword(text=text, query=parse(text), name=name) for text, name in names.items()),
    )
    page = (await town.get(manage(town))).body
    assert "Mute <bdi>T &lt;3</bdi></label>" in page
    assert "Mute <bdi>Combinatorics</bdi></label>" in page
    assert "Mute <bdi>milk</bdi></label>" in page
    fields = form_with(page, "Save").fields
    assert [value for name, (value, *_) in fields.items() if name[:2] in {"k-", "n-"} and value] == [
        *("tea", "T <3", "cat:math.CO", "milk")
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", "24:00"),
        ("at", "<b>"),
        ("weekly", "someday"),
        ("length", "long"),
        ("paused_until", "2026-06-16"),
        ("paused_until", "2027-06-18"),
        ("paused_until", "soon"),
    ],
)
async def test_what_cannot_be_is_told_at_its_field_and_nothing_is_saved(
    town: Town, field: str, value: str
) -> None:
    url = manage(town)
    town.store.save_preferences(ADA.email, Preferences(muted=(MILK,)))
    answer = await town.post(url, {**AS_IT_IS, field: value})
    assert answer.status == 422
    assert ' aria-invalid="true"' in answer.body
    assert '<p class="notice failed" role="alert">' in answer.body
    assert "Nothing was saved. Correct what is marked below." in told(answer.body)
    assert town.store.preferences() == {ADA.email: Preferences(muted=(MILK,))}


async def test_a_keyword_that_came_after_the_page_was_shown_is_not_muted(town: Town) -> None:
    url = manage(town)
    milk = box_of((await town.get(url)).body, "milk")
    town.subscribers[0] = make_subscriber(ADA.email, "rice", "milk", "tea")
    await town.post(url, {**AS_IT_IS, "mute[]": milk})
    assert town.store.preferences() == {ADA.email: Preferences(muted=(MILK,))}


async def test_a_muted_keyword_brings_nothing_to_the_next_digest_and_no_backlog_later(town: Town) -> None:
    url = manage(town)
    milk = box_of((await town.get(url)).body, "milk")
    await town.post(url, {**AS_IT_IS, "mute[]": milk})
    town.found(invented_paper("2606.00002", "On milk"), keyword="milk")
    town.found(invented_paper("2606.00003", "On tea again"))
    (ada, _) = apply_preferences(town.subscribers, town.store.preferences())
    assert [entry.paper.id for entry in town.mail(ada).digest.entries] == ["2606.00003"]
    await town.post(url, AS_IT_IS)
    town.found(invented_paper("2606.00004", "On milk again"), keyword="milk")
    (ada, _) = apply_preferences(town.subscribers, town.store.preferences())
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


CHOSEN = Preferences(muted=(MILK,), weekly="fri", send_at=time(18, 5), paused_until=date(2026, 7, 1))


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"List-Unsubscribe": "One-Click"},
        {"at": "07:00"},
        {"weekly": "mon", "paused_until": ""},
        {"at": "07:00", "weekly": "never"},
        {"at": "07:00", "weekly": "never", "paused_until": ""},
        {"at": "07:00", "weekly": "never", "length": "full"},
        {"at": "07:00", "weekly": "never", "length": "full", "paused_until": ""},
        {"mute[]": "x"},
        {"return": "no"},
        [*AS_IT_IS.items(), ("at", "08:00")],
    ],
)
async def test_what_is_not_the_whole_form_changes_nothing_and_is_told(
    town: Town, sent: dict[str, str] | list[tuple[str, str]]
) -> None:
    """RFC 8058: a mail program's one-click may be sent to an address that is not for it."""
    url = manage(town)
    town.store.save_preferences(ADA.email, CHOSEN)
    state = town.state()
    answer = await town.post(url, sent)
    assert answer.status == 422
    assert "Nothing was saved" in told(answer.body)
    assert town.state() == state


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "application/json", "text/plain", ""])
async def test_a_form_of_another_kind_changes_nothing(town: Town, kind: str) -> None:
    url = manage(town)
    town.store.save_preferences(ADA.email, CHOSEN)
    state = town.state()
    body = b"at=07:00&weekly=never&length=full&timezone=UTC&paused_until="
    answer = await town.ask("POST", url, data=body, headers={"Content-Type": kind})
    assert answer.status == 415
    assert town.state() == state


@pytest.mark.parametrize("path", ["/d/", "/k/", "/f/"])
async def test_one_click_at_a_page_to_read_changes_nothing(town: Town, path: str) -> None:
    links = town.links()
    assert links.online
    assert links.keyword_pages
    url = {"/d/": links.online, "/k/": links.keyword_pages["tea"], "/f/": "/f/x/feed.atom"}[path]
    state = town.state()
    assert (await town.post(url, {"List-Unsubscribe": "One-Click"})).status == 405
    assert town.state() == state


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process is writing the state."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


async def test_while_others_write_changes_are_made_or_not_as_they_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.web.server._PATIENCE", 0.5)
    monkeypatch.setattr("digest.web.frame.LONGEST_QUEUE", 0.3)
    async with serving_town(tmp_path) as town:
        links = town.links()
        assert links.unsubscribe
        assert links.manage
        assert links.online
        changes = [town.post(links.unsubscribe), town.post(links.manage, {**AS_IT_IS, "weekly": "mon"})]
        with locked(town.path):
            async with asyncio.timeout(LIMIT):
                answers = await asyncio.gather(*changes)
            assert {answer.status for answer in answers} == {503}
            assert all("Nothing was changed" in told(answer.body) for answer in answers)
        monkeypatch.setattr("digest.web.frame.LONGEST_QUEUE", LIMIT)
        bo = town.links(BO, number="2606.00002").manage
        assert bo
        assert (await town.post(bo, {**AS_IT_IS, "weekly": "fri"})).status == 200
        assert town.store.preferences() == {BO.email: Preferences(weekly="fri")}  # none came late
        assert (await town.post(links.unsubscribe)).status == 200
        with locked(town.path):  # what is done already needs no change
            assert (await town.post(links.unsubscribe)).status == 200


async def test_while_a_change_waits_for_others_who_write_pages_are_read_and_then_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.web.server._PATIENCE", LIMIT)
    monkeypatch.setattr("digest.web.frame.LONGEST_QUEUE", LIMIT)
    async with serving_town(tmp_path) as town:
        links = town.links()
        assert links.unsubscribe
        assert links.manage
        assert links.online
        with locked(town.path):
            change = asyncio.create_task(town.post(links.manage, {**AS_IT_IS, "weekly": "mon"}))
            for url in (links.manage, links.online, links.unsubscribe, "/healthz"):
                assert (await town.get(url)).status == 200
            assert not change.done()
        answer = await change
        assert (answer.status, "Saved." in told(answer.body)) == (200, True)
        assert town.store.preferences() == {ADA.email: Preferences(weekly="mon")}


async def test_what_was_done_is_told_also_where_its_page_cannot_be_made(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = manage(town)

    def fail(*_: object, **__: object) -> None:
        raise StateError("the state", "cannot be read")

    monkeypatch.setattr("digest.web.site.Site._preferences_page", fail)
    answer = await town.post(url, {**AS_IT_IS, "weekly": "mon"})
    assert (answer.status, "Saved." in told(answer.body)) == (200, True)
    assert town.store.preferences() == {ADA.email: Preferences(weekly="mon")}


async def saved(town: Town, **changes: str) -> tuple[int, str]:
    """The answer to the form as a browser shows and sends it, with `changes` of fields by label or name."""
    url = manage(town)
    form = form_with((await town.get(url)).body, "Save")
    texts = {value: name for name, (value, *_) in form.fields.items() if name.startswith("k-") and value}
    named = {texts.get(name, name): value for name, value in changes.items()}
    answer = await town.post(url, submitted(form, "Save", **named))
    return answer.status, answer.body


async def test_keywords_are_added_changed_and_removed(town: Town) -> None:
    status, page = await saved(town, tea="", milk="ti:milk", **{"k-new-1": "rice", "k-new-2": " salt  lake "})
    assert (status, "Saved." in told(page)) == (200, True)
    chosen = town.store.preferences_of(ADA.email)
    assert chosen.removed == tuple(sorted((TEA, MILK)))
    assert [one.text for one in chosen.added] == ["ti:milk", "rice", "salt lake"]
    assert [value for name, (value, *_) in form_with(page, "Save").fields.items() if name[:2] == "k-"] == [
        *("ti:milk", "rice", "salt lake", "", "", "")
    ]
    await saved(town, **{"ti:milk": "milk", "rice": "", "salt lake": "tea"})
    assert town.store.preferences() == {}  # as in the entry again


async def test_a_keyword_has_the_subscribers_own_name(town: Town) -> None:
    form = form_with((await town.get(manage(town))).body, "Save")
    row = next(name for name, value in form.fields.items() if value == ["milk"])
    _, page = await saved(town, **{row.replace("k-", "n-"): "M"})
    assert town.store.preferences_of(ADA.email) == Preferences(added=(OwnKeyword("milk", "M"),))
    assert "Mute <bdi>M</bdi></label>" in page
    await saved(town, **{row.replace("k-", "n-"): ""})
    assert town.store.preferences() == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tea": "tea AND"}, "is expected here"),
        ({"tea": 'ti:"green tea'}, "this quote is never closed"),
        ({"k-new-1": "Milk"}, '"Milk" is the same as "milk"; list each only once'),
        ({"k-new-1": "salt", "n-new-1": "Milk"}, "would mean both"),
        ({"k-new-1": "salt", "n-new-1": "x" * 61}, "of 1 to 60 characters"),
        ({"k-new-1": "survey"}, '"survey" is also excluded'),
        ({"k-new-1": "x" * 501}, "at most 500 characters"),
        ({"tea": "", "milk": " "}, "Keep at least one keyword"),
    ],
)
async def test_what_is_wrong_with_a_keyword_is_told_in_place_and_the_input_is_kept(
    town: Town, changes: dict[str, str], reason: str
) -> None:
    town.subscribers[0] = make_subscriber(ADA.email, "tea", "milk", exclude=("survey",))
    status, page = await saved(town, **changes, at="09:15")
    assert status == 422
    assert reason in unescape(page)
    assert town.store.preferences() == {}
    fields = form_with(page, "Save").fields
    sent = [value for name, value in changes.items() if name[:2] != "n-" and value.strip()]
    assert set(sent) <= {value for (value, *_) in fields.values()}
    assert fields["at"] == ["09:15"]


async def test_a_keyword_that_came_or_went_meanwhile_is_neither_lost_nor_brought_back(town: Town) -> None:
    url = manage(town)
    form = form_with((await town.get(url)).body, "Save")
    town.subscribers[0] = make_subscriber(ADA.email, "tea", "rice")
    answer = await town.post(url, submitted(form, "Save"))
    assert answer.status == 200
    assert town.store.preferences() == {}


async def test_a_keyword_that_was_muted_or_unmuted_meanwhile_stays_so(town: Town) -> None:
    """As in another tab, or by the operator: a box that was left as it was shown says nothing about it."""
    url = manage(town)
    page = (await town.get(url)).body
    old, tea, milk = form_with(page, "Save"), box_of(page, "tea"), box_of(page, "milk")
    await saved(town, **{"mute[]": milk})
    stale = await town.post(url, submitted(old, "Save", at="09:15"))
    assert town.store.preferences_of(ADA.email) == Preferences(muted=(MILK,), send_at=time(9, 15))
    both = [*submitted(form_with(stale.body, "Save"), "Save"), ("mute[]", tea)]
    for _ in range(2):
        await town.post(url, both)
        assert set(town.store.preferences_of(ADA.email).muted) == {TEA, MILK}
    none = [pair for pair in both if pair[0] != "mute[]"]
    await town.post(url, none)
    assert town.store.preferences_of(ADA.email).muted == (TEA,)  # only milk was shown as muted


async def test_what_was_chosen_meanwhile_stays_unless_the_page_changes_it(town: Town) -> None:
    url = manage(town)
    old = form_with((await town.get(url)).body, "Save")
    chosen = Preferences(send_at=time(9, 15), length="short", paused_until=date(2026, 7, 1))
    await saved(town, at="09:15", length="short", paused_until="2026-07-01")
    assert town.store.preferences_of(ADA.email) == chosen
    for _ in range(2):
        stale = await town.post(url, submitted(old, "Save", length="full", weekly="fri"))
        assert town.store.preferences_of(ADA.email) == replace(chosen, length="full", weekly="fri")
    refused = await town.post(
        url, submitted(form_with(stale.body, "Save"), "Save", at="late", length="short")
    )
    again = form_with(refused.body, "Save")
    assert (refused.status, again.fields["length"]) == (422, ["short"])
    await town.post(url, submitted(again, "Save", at="07:00", paused_until="", timezone="Europe/Berlin"))
    assert town.store.preferences_of(ADA.email) == Preferences(
        length="short", weekly="fri", timezone="Europe/Berlin"
    )


async def test_a_box_can_be_changed_again_after_a_mistake_elsewhere(town: Town) -> None:
    url = manage(town)
    old = form_with((await town.get(url)).body, "Save")
    milk = box_of((await town.get(url)).body, "milk")
    await saved(town, **{"mute[]": milk})
    refused = await town.post(url, submitted(old, "Save", at="late"))
    assert refused.status == 422
    again = form_with(refused.body, "Save")
    assert again.fields["mute[]"] == [milk]
    await town.post(url, [pair for pair in submitted(again, "Save", at="09:15") if pair[0] != "mute[]"])
    assert town.store.preferences_of(ADA.email) == Preferences(send_at=time(9, 15))


async def test_a_form_that_is_sent_twice_is_saved_twice(town: Town) -> None:
    """As by a double click, or when the page is loaded again: the browser shows the second answer."""
    url = manage(town)
    form = form_with((await town.get(url)).body, "Save")
    tea = next(name for name, texts in form.fields.items() if texts == ["tea"])
    sent = submitted(form, "Save", **{tea: "green tea", "k-new-1": "rice", "n-new-1": "R"})
    for _ in range(2):
        answer = await town.post(url, sent)
        assert (answer.status, "Saved." in told(answer.body)) == (200, True)
        chosen = town.store.preferences_of(ADA.email)
        assert set(chosen.added) == {OwnKeyword("green tea"), OwnKeyword("rice", "R")}
        assert chosen.removed == (TEA,)
    twice = [*submitted(form, "Save", **{"k-new-1": "rice", "k-new-2": "rice"})]
    assert "list each only once" in (await town.post(url, twice)).body


async def test_who_has_very_many_keywords_mutes_some_and_changes_none(town: Town) -> None:
    words = [f"tea{number}" for number in range(120)]
    town.subscribers[0] = make_subscriber(ADA.email, *words)
    page = (await town.get(manage(town))).body
    assert 'name="k-' not in page
    status, page = await saved(town, **{"mute[]": box_of(page, "tea7")})
    assert status == 200
    assert town.store.preferences_of(ADA.email).muted == (parse("tea7").key,)
    town.subscribers[0] = make_subscriber(ADA.email, *words[:99])
    status, page = await saved(town, **{"k-new-1": "milk", "k-new-2": "rice"})
    assert (status, "At most 100 keywords: take 1 away." in told(page)) == (422, True)


async def test_a_time_zone_is_found_by_its_city(town: Town) -> None:
    status, page = await saved(town, timezone="berlin")
    assert status == 422
    form = form_with(page, "Save")
    assert form.fields["timezone"] == ["berlin"]
    assert list(form.buttons)[:3] == ["Preview", "Europe/Berlin", "Save"]
    assert (await town.post(manage(town), submitted(form, "Europe/Berlin"))).status == 200
    assert town.store.preferences_of(ADA.email) == Preferences(timezone="Europe/Berlin")
    assert (await saved(town, timezone="utc"))[0] == 200
    assert town.store.preferences() == {}
    form = form_with((await saved(town, timezone="berlin"))[1], "Save")
    again = submitted(form, "Europe/Berlin", timezone="asia/tokyo")  # written anew, then Enter
    assert (await town.post(manage(town), again)).status == 200
    assert town.store.preferences_of(ADA.email) == Preferences(timezone="Asia/Tokyo")
