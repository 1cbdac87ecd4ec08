"""Unsubscribing by one click, and by a page with a button."""

import re
import sqlite3
from contextlib import closing
from datetime import time, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from aiohttp import FormData

from digest.mail.message import SenderIdentity
from digest.pipeline.confirm import confirm_changes
from digest.storage.confirmations import Confirmation, PageChange
from digest.subscribers.preferences import Preferences
from tests.fakes import FakeTransport
from tests.integration.web_site import ADA, BASE, BO, Town, told


def one_click(*, multipart: bool) -> FormData:
    form = FormData(default_to_multipart=multipart)
    form.add_field("List-Unsubscribe", "One-Click")
    return form


@pytest.mark.parametrize("multipart", [True, False], ids=["form-data", "urlencoded"])
async def test_one_click_unsubscribes_at_once_without_cookie_or_redirect(town: Town, multipart: bool) -> None:
    """RFC 8058, section 3.2."""
    url = town.links().unsubscribe
    assert url
    answer = await town.post(url, one_click(multipart=multipart))
    assert answer.status == 200
    assert not {"Set-Cookie", "Location"} & set(answer.headers)
    assert set(town.store.preferences()) == {"ada@example.org"}
    assert town.store.waiting() == 0


async def test_a_second_click_finds_it_done(town: Town) -> None:
    url = town.links().unsubscribe
    assert url
    first = await town.post(url, one_click(multipart=False))
    state = town.state()
    town.now += timedelta(hours=1)
    assert await town.post(url, one_click(multipart=False)) == first or town.state() == state
    assert town.state() == state


async def test_looking_changes_nothing(town: Town) -> None:
    links = town.links()
    assert links.keyword_pages
    urls = [links.unsubscribe, links.manage, links.online, *links.keyword_pages.values()]
    state = town.state()
    for url in urls:
        assert url
        for method in ("GET", "HEAD"):
            assert (await town.ask(method, url)).status == 200
    assert town.state() == state


async def test_the_page_has_a_button_that_posts_to_itself(town: Town) -> None:
    url = town.links().unsubscribe
    assert url
    page = await town.get(url)
    assert f'<form method="post" action="{url}">' in page.body
    assert "Nothing has changed yet" in told(page.body)
    await town.post(url)
    assert "The mail about it has a link to subscribe again" in told((await town.get(url)).body)


def written(town: Town) -> Confirmation:
    """The last mail about a change that waits to be sent."""
    return town.store.confirmations(now=town.now)[-1]


async def test_who_left_comes_back_by_a_mail_that_only_they_get(town: Town) -> None:
    links = town.links()
    assert links.unsubscribe
    assert links.manage
    await town.post(links.unsubscribe)
    assert 'name="return"' in (await town.get(links.manage)).body
    answer = await town.post(links.manage, {"return": "yes"})
    assert "A mail was sent to your address" in told(answer.body)
    assert town.store.preferences_of(ADA.email).left_at
    mail = written(town)
    assert (mail.email, mail.change) == (ADA.email, PageChange.RETURN)
    assert mail.token not in answer.body
    page = f"/b/{mail.token}"
    assert "Nothing has changed yet" in told((await town.get(page)).body)
    assert town.store.preferences_of(ADA.email).left_at
    assert "You are subscribed again." in told((await town.post(page)).body)
    assert town.store.preferences() == {}
    assert (await town.post(page)).status == 200
    town.enrol()
    assert set(town.store.subscriber_statuses([ADA.email, BO.email])) == {ADA.email, BO.email}


async def test_who_has_left_is_told_and_can_take_it_back(town: Town) -> None:
    links = town.links()
    assert links.unsubscribe
    for _ in range(3):
        await town.post(links.unsubscribe, one_click(multipart=False))
    (mail,) = town.store.confirmations(now=town.now)
    assert (mail.email, mail.change) == (ADA.email, PageChange.LEFT)
    await town.post(f"/b/{mail.token}")
    assert town.store.preferences() == {}


CHOSEN = {"weekly": "fri", "at": "18:05", "length": "full", "timezone": "UTC", "paused_until": "2026-07-01"}
AS_BEFORE = {"weekly": "never", "at": "07:00", "length": "normal", "timezone": "UTC", "paused_until": ""}


async def texts_sent(town: Town) -> list[str]:
    """What the mails say that are sent now."""
    transport = FakeTransport()
    sender_identity = SenderIdentity(sender="digest@lab.example", contact="help@lab.example")
    await confirm_changes(town.store, transport, sender_identity, BASE, town.subscribers, now=town.now)
    mails = (message_from_bytes(one.message, policy=default) for one in transport.taken)
    return [str(mail.get_content()).replace("\r\n", "\n") for mail in mails]


async def test_who_chooses_is_told_what_and_can_take_it_back(town: Town) -> None:
    links = town.links()
    assert links.manage
    former = Preferences(send_at=time(9), length="short")
    town.store.save_preferences(ADA.email, former)
    page = (await town.get(links.manage)).body
    (name,) = re.findall(r'name="mute\[\]" value="(\w+)"', page)[:1]
    for _ in range(2):
        await town.post(links.manage, {**CHOSEN, "mute[]": name})
    (mail,) = town.store.confirmations(now=town.now)
    assert (mail.email, mail.change) == (ADA.email, PageChange.CHANGED)
    (text,) = await texts_sent(town)
    for line in (
        '- muted keywords: "tea" (before: none)',
        "- day: Fri (before: every day)",
        "- time: 18:05 UTC (before: 09:00 UTC)",
        "- length: full (before: short)",
        "- pause: until 2026-07-01 (before: none)",
        f"{BASE}/b/{mail.token}",
    ):
        assert f"{line}\n" in text
    undoing = told((await town.get(f"/b/{mail.token}")).body)
    assert "time: 09:00 UTC (now: 18:05 UTC)" in undoing
    assert town.store.preferences_of(ADA.email).weekly == "fri"
    assert "earlier preferences are restored" in told((await town.post(f"/b/{mail.token}")).body)
    assert town.store.preferences() == {ADA.email: former}


async def test_choices_that_an_earlier_version_wrote_down_are_restored(town: Town) -> None:
    links = town.links()
    assert links.manage
    await town.post(links.manage, CHOSEN)
    (mail,) = town.store.confirmations(now=town.now)
    with closing(sqlite3.connect(town.path)) as connection, connection:
        connection.execute("""UPDATE confirmation SET former = '[[], "09:00:00", null, null]'""")
    await town.post(f"/b/{mail.token}")
    assert town.store.preferences() == {ADA.email: Preferences(send_at=time(9))}


async def test_of_many_changes_one_mail_an_hour_tells_and_the_last_one_is_told_too(town: Town) -> None:
    links = town.links()
    assert links.manage
    await town.post(links.manage, CHOSEN)
    assert len(await texts_sent(town)) == 1
    for at in ("06:00", "05:00", "04:00"):
        await town.post(links.manage, {**CHOSEN, "at": at})
    town.now += timedelta(minutes=59)
    assert await texts_sent(town) == []
    town.now += timedelta(minutes=2)
    (text,) = await texts_sent(town)
    assert "- time: 04:00 UTC (before: 18:05 UTC)" in text
    assert "pause" not in text.partition("If that was not you")[0]
    assert await texts_sent(town) == []


async def test_of_what_is_as_before_nobody_is_told(town: Town) -> None:
    links = town.links()
    assert links.manage
    await town.post(links.manage, CHOSEN)
    await town.post(links.manage, AS_BEFORE)
    assert town.store.preferences() == {}
    assert await texts_sent(town) == []


async def test_who_came_back_and_left_again_is_told_again(town: Town) -> None:
    links = town.links()
    assert links.unsubscribe
    for _ in range(2):
        await town.post(links.unsubscribe)
        (mail,) = town.store.confirmations(now=town.now)
        assert mail.change is PageChange.LEFT
        assert len(await texts_sent(town)) == 1
        await town.post(f"/b/{mail.token}")
        town.enrol()


async def test_nobody_fills_a_mailbox_from_a_page(town: Town) -> None:
    links = town.links()
    assert links.manage
    assert links.unsubscribe
    await town.post(links.unsubscribe)
    for _ in range(5):
        await town.post(links.manage, {"return": "yes"})
    assert len(town.store.confirmations(now=town.now)) == 2
    for one in town.store.confirmations(now=town.now):
        town.store.note_confirmed(one.number, now=town.now)
    await town.post(links.manage, {"return": "yes"})
    assert town.store.confirmations(now=town.now) == ()
    town.now += timedelta(days=2)
    await town.post(links.manage, {"return": "yes"})
    assert len(town.store.confirmations(now=town.now)) == 1
    assert town.store.confirmations(now=town.now + timedelta(days=8)) == ()


async def test_a_mail_about_a_change_is_not_sent_to_an_address_that_is_dead_and_ends_its_link_in_time(
    town: Town,
) -> None:
    links = town.links()
    assert links.unsubscribe
    await town.post(links.unsubscribe)
    token = written(town).token
    town.store.suppress(ADA.email, cause="550 5.1.1", now=town.now)
    assert town.store.confirmations(now=town.now) == ()
    assert (await town.get(f"/b/{token}")).status == 200
    town.now += timedelta(days=91)
    assert [(await town.ask(method, f"/b/{token}")).status for method in ("GET", "POST")] == [404, 404]
    assert (await town.get("/b/" + "A" * 24)).status == 404


async def test_leaving_does_not_forget_what_was_chosen(town: Town) -> None:
    links = town.links()
    assert links.unsubscribe
    town.store.save_preferences(ADA.email, Preferences(weekly="fri"))
    await town.post(links.unsubscribe)
    town.store.rejoin(ADA.email)
    assert town.store.preferences() == {ADA.email: Preferences(weekly="fri")}


async def test_whom_the_operator_removed_is_told_and_cannot_come_back(town: Town) -> None:
    links = town.links()
    assert links.unsubscribe
    assert links.manage
    town.subscribers = [BO]
    town.enrol()
    for url in (links.unsubscribe, links.manage):
        page = await town.get(url)
        assert "is not subscribed" in told(page.body)
        assert "<form" not in page.body
    assert (await town.post(links.unsubscribe)).status == 200


async def test_a_token_says_who_it_is_for_and_nobody_else(town: Town) -> None:
    ada = town.links()
    assert ada.manage
    page = await town.get(ada.manage)
    assert "ada@example.org" in page.body
    assert "bo@example.org" not in page.body


async def test_the_link_to_leave_opens_nothing_else(town: Town) -> None:
    links = town.links()
    assert links.unsubscribe
    assert links.manage
    token, own = (url.rpartition("/")[2] for url in (links.unsubscribe, links.manage))
    for path in (f"/p/{token}", f"/f/{token}/feed.atom", f"/d/{token}", f"/k/{token}"):
        assert (await town.get(path)).status == 404
    assert (await town.post(f"/p/{token}", {"return": "yes"})).status == 404
    for page in (await town.get(links.unsubscribe), await town.post(links.unsubscribe)):
        assert page.status == 200
        assert own not in page.body
        assert "/p/" not in page.body
        assert "/f/" not in page.body
        assert 'name="return"' not in page.body


async def test_a_link_to_leave_of_a_mail_of_before_leads_to_its_page(town: Town) -> None:
    links = town.links()
    assert links.manage
    earlier = links.manage.replace("/p/", "/u/")
    assert "Nothing has changed yet" in told((await town.get(earlier)).body)
    assert (await town.post(earlier, one_click(multipart=False))).status == 200
    assert set(town.store.preferences()) == {ADA.email}


async def test_new_links_end_all_that_were_sent_and_are_told_by_mail_alone(town: Town) -> None:
    links = town.links()
    assert links.unsubscribe
    assert links.manage
    assert links.online
    feed = re.findall(r"/f/[^/]+/feed.atom", (await town.get(links.manage)).body)[0]
    answer = await town.post(links.manage, {"links": "new"})
    assert (answer.status, "Your next digest has the new links." in told(answer.body)) == (200, True)
    own = (links.unsubscribe, links.manage, links.manage.replace("/p/", "/u/"), feed)
    assert [(await town.get(url)).status for url in own] == [404] * 4
    assert (await town.get(links.online)).status == 200
    new = town.links(number="2606.00009")
    assert new.unsubscribe
    assert new.manage
    assert not {new.unsubscribe, new.manage} & {*own}
    assert new.manage not in answer.body
    assert "Nothing has changed yet" in told((await town.get(new.unsubscribe)).body)
    assert (await town.get(new.manage)).status == 200
    await town.post(new.manage, {"links": "new"})
    assert (await town.get(new.manage)).status == 404
    assert (await town.get(links.manage)).status == 404


async def test_new_links_of_one_subscriber_are_nothing_to_others(town: Town) -> None:
    ada, bo = town.links(), town.links(BO, "2606.00002")
    assert ada.manage
    assert bo.manage
    await town.post(ada.manage, {"links": "new"})
    assert (await town.get(bo.manage)).status == 200
