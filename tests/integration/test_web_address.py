"""A subscriber moves to another address: its owner confirms it, and the former one can stop it."""

import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config.settings import Defaults
from digest.mail.confirmation import write_confirmation
from digest.mail.message import SenderIdentity
from digest.storage.confirmations import PageChange
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.combined import CombinedDirectory
from digest.subscribers.file import SubscribersFile
from digest.subscribers.preferences import Preferences
from digest.subscribers.stored import EntryChange, EntryStore, StoredEntry, StoredSubscribers
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber
from tests.forms import form_with, submitted
from tests.integration.web_site import ADA, BASE, BO, NOW, Town, serving_town, told
from tests.signup_flood import flood
from tests.signups import filled

NEW = "Ada.New@example.org"
SENDER = SenderIdentity(sender="digest@example.org", contact="operator@example.org")
ENTRIES = """\
[[subscriber]]  # hers
email = "ada@example.org"
keywords = ["tea", "milk"]

[[subscriber]]
email = "bo@example.org"
keywords = ["tea"]
"""


@pytest.fixture
def entries(tmp_path: Path) -> SubscribersFile:
    path = tmp_path / "etc" / "subscribers.toml"
    path.parent.mkdir()
    path.write_text(ENTRIES)
    return SubscribersFile(path, Defaults())


@pytest.fixture
async def town(tmp_path: Path, entries: SubscribersFile) -> AsyncIterator[Town]:
    async with serving_town(tmp_path, directory=lambda store: entries) as town:
        yield town


def manage(town: Town, subscriber: Subscriber = ADA, number: str = "2606.00001") -> str:
    url = town.links(subscriber, number).manage
    assert url
    return url


def mails(town: Town) -> dict[PageChange, tuple[str, str]]:
    """The recipient and the link of each mail that waits."""
    return {one.change: (one.mailed_to, f"/b/{one.token}") for one in town.store.confirmations(now=town.now)}


async def test_the_owner_of_the_new_address_confirms_and_all_goes_on_there(
    town: Town, entries: SubscribersFile
) -> None:
    url = manage(town)
    town.store.save_preferences(ADA.email, Preferences(weekly="fri"))
    answer = await town.post(f"{url}/address", {"email": f" {NEW} "})
    assert (answer.status, "Look into your mailbox." in told(answer.body)) == (200, True)
    (recipient, link), (notified, stop) = mails(town)[PageChange.ADDRESS], mails(town)[PageChange.MOVING]
    assert (recipient, notified) == (NEW, ADA.email)
    state = town.state()
    asked = await town.get(link)
    assert (asked.status, NEW in asked.body, ADA.email in asked.body) == (200, True, False)
    assert (await town.get(stop)).status == 200
    assert (town.state(), entries.path.read_text()) == (state, ENTRIES)  # GET changes nothing
    done = await town.post(link)
    assert (done.status, f"Your digests go to {NEW}" in told(done.body)) == (200, True)
    assert entries.path.read_text() == ENTRIES.replace("ada@example.org", NEW)
    assert town.store.preferences() == {NEW.casefold(): Preferences(weekly="fri")}
    assert (await town.get(url)).status == 404  # as after `digest rename`
    town.subscribers[:] = entries.load()
    town.enrol()
    town.found(invented_paper("2606.00009"))
    assert [one.paper.id for one in town.mail(town.subscribers[0]).digest.entries] == ["2606.00009"]


async def test_who_presses_the_button_of_the_new_address_twice_reads_that_it_is_done(town: Town) -> None:
    await town.post(f"{manage(town)}/address", {"email": NEW})
    link = mails(town)[PageChange.ADDRESS][1]
    for one in town.store.confirmations(now=town.now):
        town.store.note_confirmed(one.number, now=town.now)
    for _ in range(2):
        done = await town.post(link)
        assert (done.status, f"Your digests go to {NEW}" in told(done.body)) == (200, True)
    town.store.rename(NEW, "third@example.org", now=town.now)
    assert (await town.post(link)).status == 404


async def test_the_former_address_stops_it_before_and_after(town: Town, entries: SubscribersFile) -> None:
    await town.post(f"{manage(town)}/address", {"email": NEW})
    link, stop = (mails(town)[change][1] for change in (PageChange.ADDRESS, PageChange.MOVING))
    assert "Keep this address" in (await town.get(stop)).body
    assert f"go to {ADA.email}" in told((await town.post(stop)).body)
    assert (await town.post(link)).status == 404
    assert entries.path.read_text() == ENTRIES
    town.now += timedelta(days=1, minutes=1)
    await town.post(f"{manage(town, number='2606.00003')}/address", {"email": NEW})
    link, stop = (mails(town)[change][1] for change in (PageChange.ADDRESS, PageChange.MOVING))
    for one in town.store.confirmations(now=town.now):
        town.store.note_confirmed(one.number, now=town.now)
    await town.post(link)
    assert entries.find(NEW)
    assert f"go to {ADA.email}" in told((await town.post(stop)).body)
    assert entries.path.read_text() == ENTRIES


async def test_the_answer_is_the_same_for_an_address_that_is_in_use(town: Town) -> None:
    bo = await town.post(f"{manage(town)}/address", {"email": "BO@example.org"})
    assert set(mails(town)) == {PageChange.MOVING}
    new = await town.post(f"{manage(town, number='2606.00003')}/address", {"email": NEW})
    assert set(mails(town)) == {PageChange.MOVING, PageChange.ADDRESS}
    assert re.sub(r"/p/[\w-]+", "", bo.body) == re.sub(r"/p/[\w-]+", "", new.body)


async def test_an_address_gets_one_mail_a_day_and_a_subscriber_asks_for_three(town: Town) -> None:
    url = manage(town)
    for email in (NEW, "x@example.org", NEW.lower()):
        assert (await town.post(f"{url}/address", {"email": email})).status == 200
    waiting = [one for one in town.store.confirmations(now=NOW) if one.change is PageChange.ADDRESS]
    assert [one.mailed_to for one in waiting] == [NEW]  # the last wish counts, by its first mail
    other = manage(town, BO, "2606.00004")
    await town.post(f"{other}/address", {"email": NEW})
    assert len([one for one in town.store.confirmations(now=NOW) if one.change is PageChange.ADDRESS]) == 1
    refused = await town.post(f"{url}/address", {"email": "y@example.org"})
    assert (refused.status, "Try again tomorrow" in told(refused.body)) == (422, True)


@pytest.mark.parametrize("wanted", [NEW, BO.email], ids=["free", "in use"])
async def test_who_presses_the_button_to_ask_twice_asks_once(town: Town, wanted: str) -> None:
    url = manage(town)
    for email in (wanted, wanted.upper()):
        answer = await town.post(f"{url}/address", {"email": email})
        assert (answer.status, "Look into your mailbox" in told(answer.body)) == (200, True)
    waiting = town.store.confirmations(now=NOW)
    assert [one.mailed_to for one in waiting if one.change is PageChange.MOVING] == [ADA.email]
    await town.post(mails(town)[PageChange.MOVING][1])
    await town.post(f"{url}/address", {"email": wanted})  # another wish, after the first was stopped
    waiting = town.store.confirmations(now=NOW)
    assert len([one for one in waiting if one.change is PageChange.MOVING]) == 2


async def test_strangers_get_no_more_mails_than_by_sign_up(tmp_path: Path, entries: SubscribersFile) -> None:
    """Whoever has many subscriptions must not mail three strangers a day by each."""
    many = [make_subscriber(f"a{number}@example.org", "tea") for number in range(4)]
    entries.path.write_text(
        "".join(f'[[subscriber]]\nemail = "{one.email}"\nkeywords = ["tea"]\n' for one in many)
    )
    async with serving_town(
        tmp_path, many, directory=lambda store: entries, signups_per_hour=9, signups_per_network=3
    ) as town:
        urls = [manage(town, one, f"2606.0001{number}") for number, one in enumerate(many)]
        answers = [
            await town.ask(
                "POST",
                f"{url}/address",
                data={"email": f"stranger{number}{again}@example.net"},
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            for number, url in enumerate(urls)
            for again in range(3)
        ]
        assert [one.status for one in answers] == [200] * 9 + [422] * 3
        assert "Try again in an hour" in told(answers[-1].body)
        town.now += timedelta(hours=1)
        assert (await town.post(f"{urls[3]}/address", {"email": NEW})).status == 200


async def test_a_link_ends_after_two_days(town: Town) -> None:
    await town.post(f"{manage(town)}/address", {"email": NEW})
    links = [link for _, link in mails(town).values()]
    town.now += timedelta(hours=48)
    assert [(await town.post(link)).status for link in links] == [404, 404]
    assert mails(town) == {}


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "a b@example.org", "x@y@z", "\0@example.org", "é" * 300]
)
async def test_what_is_no_address_is_told_in_place(town: Town, email: str) -> None:
    url = manage(town)
    state = town.state()
    answer = await town.post(f"{url}/address", {"email": email})
    assert (answer.status, ' aria-invalid="true"' in answer.body) == (422, True)
    assert town.state() == state


async def test_where_the_file_cannot_be_written_the_page_says_whom_to_ask_and_mails_nobody(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = manage(town)
    monkeypatch.setattr("digest.subscribers.file.os.access", lambda *_: False)
    page = await town.get(f"{url}/address")
    assert "answer one of your digests" in told(page.body)
    assert "<form" not in page.body
    assert (await town.post(f"{url}/address", {"email": NEW})).status == 422
    assert mails(town) == {}


async def test_an_entry_that_cannot_be_edited_after_all_changes_nothing(
    town: Town, entries: SubscribersFile
) -> None:
    await town.post(f"{manage(town)}/address", {"email": NEW})
    entries.path.write_text(ENTRIES + "\n[broken")
    answer = await town.post(mails(town)[PageChange.ADDRESS][1])
    assert (answer.status, "Ask the operator" in told(answer.body)) == (422, True)
    assert town.store.subscriber_statuses([ADA.email])


def test_the_mail_to_the_new_address_tells_nothing_of_the_subscriber(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([ADA], now=NOW, current_since=NOW)
        assert store.ask_address(ADA.email, NEW, is_free=True, now=NOW)
        texts = {
            one.change: write_confirmation(one, SENDER, BASE).message.decode()
            for one in store.confirmations(now=NOW)
        }
    assert ADA.email not in texts[PageChange.ADDRESS]
    assert f"To: <{NEW}>" in texts[PageChange.ADDRESS]
    assert f"To: <{ADA.email}>" in texts[PageChange.MOVING]
    assert NEW not in texts[PageChange.MOVING]


async def test_who_signed_up_moves_also_where_the_file_cannot_be_written(
    tmp_path: Path, entries: SubscribersFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(store: EntryStore) -> CombinedDirectory:
        stored = StoredSubscribers(
            Defaults(),
            reading=lambda: nullcontext(store),
            changing=lambda: nullcontext(store),
            signed_up=True,
        )
        return CombinedDirectory(entries, stored)

    entries.path.write_text(ENTRIES.replace("ada@example.org", "cy@example.org"))
    monkeypatch.setattr("digest.subscribers.file.os.access", lambda *_: False)
    monkeypatch.setattr("digest.subscribers.file.SubscribersFile.edit", None)
    async with serving_town(tmp_path, directory=both) as town:
        content = '{"email":"ada@example.org","keywords":["tea","milk"]}'
        signed_up = StoredEntry(address=ADA.email, content=content)
        assert town.store.change_entries([EntryChange(before=None, after=signed_up)])
        for new, answer in (("cy@example.org", {PageChange.MOVING}), (NEW, set(PageChange))):
            await town.post(f"{manage(town)}/address", {"email": new})
            assert set(mails(town)) <= answer
        done = await town.post(mails(town)[PageChange.ADDRESS][1])
        assert f"Your digests go to {NEW}" in told(done.body)
        found = town.store.entry_of(NEW)
        assert found
        assert found.content == content.replace("ada@example.org", NEW)


async def test_while_the_file_is_not_valid_pages_that_need_it_come_later(
    town: Town, entries: SubscribersFile, caplog: pytest.LogCaptureFixture
) -> None:
    url = manage(town)
    entries.path.write_text(ENTRIES.replace('["tea", "milk"]', "3"))
    state = town.state()
    for path in ("data", "data.json", "address"):
        assert (await town.get(f"{url}/{path}")).status in {200, 503}
    answer = await town.post(f"{url}/address", {"email": NEW})
    assert (answer.status, "Nothing was changed" in told(answer.body)) == (503, True)
    assert (await town.get(url)).status == 200
    assert town.state() == state
    assert ADA.email not in caplog.text


async def test_neither_a_flood_of_sign_ups_nor_one_subscriber_keeps_others_from_their_own_changes(
    tmp_path: Path, entries: SubscribersFile
) -> None:
    async with serving_town(
        tmp_path, directory=lambda store: entries, signup="open", signups_per_hour=4, signups_per_network=4
    ) as town:
        form = await filled(town)
        town.now += timedelta(minutes=1)
        statuses = await flood(town.session, town.address, form, signups=20, networks=10, strangers=20)
        assert statuses == {200: 4, 422: 16}
        link = form_with((await town.get("/link")).body, "Mail me the link")
        assert (await town.post("/link", submitted(link, "Mail me the link", email=ADA.email))).status == 200
        bo = manage(town, BO, "2606.00009")
        for number in range(9):
            await town.post(f"{bo}/address", {"email": f"y{number}@example.org"})
        assert (await town.post(f"{manage(town)}/address", {"email": NEW})).status == 200
        assert {"link", "address"} <= {one.change for one in town.store.confirmations(now=town.now)}
        assert NEW in [one.mailed_to for one in town.store.confirmations(now=town.now)]
