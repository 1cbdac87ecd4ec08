"""A subscriber sees what is stored about them, downloads it, takes judgements back, and has it all erased."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config.settings import Defaults
from digest.storage.confirmations import PageChange
from digest.subscribers.file import SubscribersFile
from digest.subscribers.interest.judgements import Origin, example_by_title, example_of
from digest.subscribers.preferences import OwnKeyword, Preferences, apply_preferences
from digest.subscribers.stored import EntryChange, StoredEntry
from tests.factories import invented_paper
from tests.forms import form_with, submitted
from tests.integration.web_site import ADA, Town, serving_town, told

ENTRY = '{"email": "ada@example.org", "keywords": ["tea", "milk"]}'


def manage(town: Town, number: str = "2606.00001") -> str:
    url = town.links(number=number).manage
    assert url
    return url


def erase_link(town: Town) -> str:
    (one,) = (one for one in town.store.confirmations(now=town.now) if one.change is PageChange.ERASE)
    return f"/b/{one.token}"


async def test_one_file_has_all_that_is_stored(town: Town) -> None:
    url = manage(town)
    town.store.save_preferences(ADA.email, Preferences(weekly="mon"))
    chosen = Preferences(added=(OwnKeyword("rice", "R"),), weekly="fri")
    town.store.save_preferences_and_confirm(ADA.email, chosen, now=town.now)
    paper = invented_paper("2606.00001", "On tea")
    town.store.judge(ADA.email, [example_of(paper)], is_liked=True, origin=Origin.WEB, now=town.now)
    town.store.change_entries([EntryChange(before=None, after=StoredEntry(address=ADA.email, content=ENTRY))])
    state = town.state()
    answer = await town.get(f"{url}/data.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="arxiv-digest-2026-06-16.json"'
    data = json.loads(answer.body)
    assert (data["version"], data["email"], data["entry_is_in"]) == (1, ADA.email, "state")
    assert data["entry"] == json.loads(ENTRY)
    assert data["preferences"]["added"] == [{"query": "rice", "name": "R"}]
    assert (data["preferences"]["weekly"], data["preferences"]["at"]) == ("fri", None)
    assert [one["former"]["weekly"] for one in data["notices"]] == ["mon"]
    assert [one["paper"] for one in data["judgements"]] == ["2606.00001"]
    (mail,) = data["digests"]
    assert (mail["date"], mail["papers"]) == (
        "2026-06-16",
        [{"id": "2606.00001", "version": 1, "keywords": ["tea"]}],
    )
    assert {one["is_followed"] for one in data["queries"]} == {True}
    assert town.state() == state
    assert "/p/" not in answer.body


async def test_judgements_are_listed_and_taken_back_one_by_one_or_all_at_once(town: Town) -> None:
    url = manage(town)
    empty = await town.get(f"{url}/interests")
    assert "has judged no paper" in told(empty.body)
    papers = [invented_paper(f"2606.{number:05}", f"On <b>tea</b> {number}") for number in range(1, 251)]
    for number, paper in enumerate(papers):
        at = town.now + timedelta(minutes=number)
        town.store.judge(ADA.email, [example_of(paper)], is_liked=number % 2 == 0, origin=Origin.WEB, now=at)
    town.store.judge(
        ADA.email,
        [example_by_title("Proof search", "We search proofs.")],
        is_liked=True,
        origin=Origin.IMPORT,
        now=town.now,
    )
    page = (await town.get(f"{url}/interests")).body
    assert page.count("<article>") == 100
    assert "On &lt;b&gt;tea&lt;/b&gt; 250" in page
    assert "Learned, for" in page
    last = (await town.get(f"{url}/interests/3")).body
    assert "from your library" in last
    assert (await town.get(f"{url}/interests/999999")).body == last
    state = town.state()
    answer = await town.post(f"{url}/interests/3", {"paper": "2606.00002"})
    assert "Taken back." in told(answer.body)
    assert "On <b>tea</b> 2<" not in answer.body
    assert len(town.store.judgements(ADA.email)) == 250
    assert town.state() != state
    assert (await town.post(f"{url}/interests", {"forget": "no"})).status == 200
    assert len(town.store.judgements(ADA.email)) == 250
    page = (await town.post(f"{url}/interests", {"forget": "yes"})).body
    assert "All judgements are deleted." in told(page)
    assert town.store.judgements(ADA.email) == ()


async def test_everything_is_erased_by_a_mailed_link_and_a_button(town: Town) -> None:
    url = manage(town)
    page = (await town.get(f"{url}/data")).body
    form = form_with(page, "Mail me the link to delete everything")
    for _ in range(2):  # one mail a day
        assert "Look into your mailbox." in told(
            (await town.post(form.action, submitted(form, *form.buttons))).body
        )
    link = erase_link(town)
    state = town.state()
    assert "Nothing has changed yet" in told((await town.get(link)).body)
    assert town.state() == state
    for _ in range(2):  # a double click shows the second answer
        answer = await town.post(link)
        assert (answer.status, "All that was stored about you is deleted" in told(answer.body)) == (200, True)
    assert not any(ADA.email in line for line in town.state())
    for gone in (url, link, f"{url}/data.json"):
        assert (await town.get(gone)).status == 404


async def test_an_incomplete_form_asks_nobody(town: Town) -> None:
    url = manage(town)
    state = town.state()
    for sent in ({}, {"List-Unsubscribe": "One-Click"}, {"erase": "no"}):
        assert (await town.post(f"{url}/data", sent)).status == 200
        assert (await town.post(f"{url}/interests", sent)).status == 200
    assert town.state() == state


@pytest.fixture
async def with_file(tmp_path: Path) -> AsyncIterator[Town]:
    path = tmp_path / "subscribers.toml"
    path.write_text('[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea", "milk"]\n')
    file = SubscribersFile(path, Defaults())
    async with serving_town(tmp_path, directory=lambda store: file) as town:
        yield town


async def test_who_is_in_a_file_is_told_whom_to_ask_and_gets_no_mail_any_more(with_file: Town) -> None:
    town = with_file
    url = manage(town)
    assert "also in a file of the operator" in told((await town.get(f"{url}/data")).body)
    await town.post(f"{url}/data", {"erase": "yes"})
    answer = await town.post(erase_link(town))
    assert "ask them to remove it" in told(answer.body)
    assert not any(ADA.email in line for line in town.state())
    known = apply_preferences(town.subscribers, town.store.preferences())
    assert ADA.email not in {one.email for one in known}
    town.enrol()
    assert not town.store.subscriber_statuses([ADA.email])
    data = json.dumps(town.state())
    assert not re.search("ada@", data, re.IGNORECASE)


@pytest.mark.parametrize("path", ["data", "data.json", "interests", "interests/2", "address"])
async def test_a_wrong_token_opens_nothing(town: Town, path: str) -> None:
    url = manage(town)
    assert (await town.get(f"{url[:-2]}xx/{path}")).status == 404
    if path != "data.json":
        assert (await town.post(f"{url[:-2]}xx/{path}", {"erase": "yes", "forget": "yes"})).status == 404
