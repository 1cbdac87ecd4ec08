"""The page of the administrators: what it shows, what its buttons do, and who is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Event

import pytest

from digest.storage.confirmations import PageChange
from digest.storage.values import MailingState
from digest.subscribers.preferences import Preferences
from digest.subscribers.stored import EntryChange, StoredEntry
from digest.web.admin_area import ReportWatch
from digest.web.admin_site import Report
from tests.factories import make_subscriber, moment
from tests.integration.admin_town import GRACE, HERE, Administrators, form_of, looked_after
from tests.integration.web_requests import REQUESTS, filled, nothing_is_told, token_of
from tests.integration.web_site import ADA, BASE, BO, NOW, serving_town, told, written
from tests.stores import claim, record_results
from tests.waiting import LIMIT

EVIL = "https://evil.example"


@pytest.fixture
async def admins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Administrators]:
    async with looked_after(tmp_path, caplog) as admins:
        yield admins


async def test_without_settings_there_is_no_page(tmp_path: Path) -> None:
    async with serving_town(tmp_path) as town:
        for path in ("/admin", "/admin/", "/admin/do", "/admin/login", "/admin/subscribers"):
            assert (await town.ask("GET", path, headers=GRACE)).status == 404


async def test_the_page_tells_how_it_goes(admins: Administrators) -> None:
    town = admins.town
    town.found(written("On tea"), written("On more tea", 2))
    town.store.note_fetch("search", now=NOW)
    town.mail(ADA)
    (mailing,) = claim(town.store)
    record_results(town.store, mailing, MailingState.SENT, "250 taken")
    town.store.suppress(BO.email, cause="550 nobody <here>", now=NOW)
    entry = StoredEntry(address=ADA.email, content='{"email": "ada@example.org"}', joined_at=NOW)
    town.store.change_entries([EntryChange(before=None, after=entry)])
    town.now += timedelta(minutes=1)
    page = await admins.get()
    assert page.status == 200
    said = told(page.body)
    for words in (
        "ada@example.org 2 keywords active; signed up on 2026-06-16. Last mail: sent, 2026-06-16 07:00 UTC",
        "bo@example.org 1 keyword suppressed on 2026-06-16: 550 nobody &lt;here&gt;",
        "Subscribers 2; 1 suppressed Waiting 0 digests",
        "Sent : at most 1",
        "New papers of each announcement at most 2",
        "Half of the mails",
        "bo@example.org gets no more mail (new in the last 24 hours)",
        "Signed up Tue 2026-06-16 07:00 UTC ada@example.org",
        "search: Tue 2026-06-16 07:00 UTC",
        "tea 2",
    ):
        assert words in said, words
    assert '<svg class="bars"' in page.body
    assert "<script" not in page.body


async def test_several_requests_share_a_report(admins: Administrators) -> None:
    pages = await asyncio.gather(*(admins.get() for _ in range(4)))
    assert [(page.status, "Next mails" in page.body) for page in pages] == [(200, True)] * 4


async def test_a_page_does_not_wait_for_a_report_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.web.admin_area._REPORT_PATIENCE", 0.01)
    begun, go = Event(), Event()
    now = NOW

    def slowly() -> Report:
        begun.set()
        assert go.wait(LIMIT)
        return Report(at=now, lines=(), problems=(), volumes=(), silent=(), keywords=0)

    watch = ReportWatch(slowly, lambda: now)
    assert await watch.latest() is None
    assert begun.wait(LIMIT)
    go.set()
    async with asyncio.timeout(LIMIT):
        while (found := await watch.latest()) is None:
            await asyncio.sleep(0.01)
    assert await watch.latest() is found
    now += timedelta(minutes=5)
    go.clear()
    assert await watch.latest() is found
    go.set()


async def test_the_page_of_an_empty_installation_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with looked_after(tmp_path, caplog, ()) as admins:
        page = await admins.get()
        assert page.status == 200
        assert "No address is suppressed." in page.body


async def test_buttons_stop_and_resume_mail_and_the_log_has_it(admins: Administrators) -> None:
    store = admins.town.store
    done = await admins.press("suppress", ADA.email, reason="asked  by\nphone\x1b\x00")
    assert (done.status, "ada@example.org gets no more mail." in told(done.body)) == (200, True)
    assert [(one.email, one.cause) for one in store.suppressions()] == [
        (ADA.email, "stopped by grace: asked by phone")
    ]
    again = form_of((await admins.get()).body, "resume", ADA.email)
    for text in ("gets mail again", "Nothing to do."):
        assert text in told((await admins.post("/admin/do", again)).body)
    assert store.suppressions() == ()
    assert [(one.who, one.action, one.address, one.details) for one in store.actions(limit=9)] == [
        ("grace", "resume", ADA.email, ""),
        ("grace", "suppress", ADA.email, "asked by phone"),
    ]


async def test_buttons_pause_and_end_a_pause_and_the_subscriber_is_told(admins: Administrators) -> None:
    store = admins.town.store
    store.save_preferences(ADA.email, Preferences(weekly="fri"))
    for wrong in ("", "2026-06-16", "2027-06-18", "soon"):
        refused = await admins.press("pause", ADA.email, until=wrong)
        assert (refused.status, "within a year" in told(refused.body)) == (422, True)
    assert store.actions(limit=9) == ()
    assert "until 2026-07-01" in told((await admins.press("pause", ADA.email, until="2026-07-01")).body)
    assert store.preferences_of(ADA.email) == Preferences(weekly="fri", paused_until=date(2026, 7, 1))
    assert len(store.confirmations(now=NOW)) == 1
    assert "paused until 2026-07-01" in told((await admins.get()).body)
    await admins.press("unpause", ADA.email)
    assert store.preferences_of(ADA.email) == Preferences(weekly="fri")
    assert [one.action for one in store.actions(limit=9)] == ["unpause", "pause"]


async def test_buttons_unsubscribe_and_subscribe_again(admins: Administrators) -> None:
    store = admins.town.store
    form = form_of((await admins.get()).body, "remove", ADA.email)
    for text in ("is unsubscribed", "Nothing to do."):
        assert text in told((await admins.post("/admin/do", form)).body)
    assert store.preferences_of(ADA.email).left_at == NOW
    assert "unsubscribed on 2026-06-16" in told((await admins.get()).body)
    await admins.press("return", ADA.email)
    assert store.preferences_of(ADA.email).left_at is None
    assert [one.action for one in store.actions(limit=9)] == ["return", "remove"]


async def test_who_is_not_enrolled_yet_cannot_be_changed(admins: Administrators) -> None:
    admins.town.subscribers.append(make_subscriber("cy@example.org", "tea"))
    assert "new: nothing was sent yet" in told((await admins.get()).body)
    refused = await admins.press("remove", "cy@example.org")
    assert (refused.status, "is no subscriber yet" in told(refused.body)) == (422, True)


async def test_a_button_mails_the_link_once_a_day(admins: Administrators) -> None:
    store = admins.town.store
    for _ in range(2):
        assert "gets a mail with the link" in told((await admins.press("link", ADA.email)).body)
    (mail,) = store.confirmations(now=NOW)
    assert (mail.email, mail.change) == (ADA.email, PageChange.LINK)
    assert [one.action for one in store.actions(limit=9)] == ["link", "link"]


async def test_invites_are_made_and_ended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with looked_after(tmp_path, caplog, signup="invite") as admins:
        store = admins.town.store
        for wrong in (
            {"until": ""},
            {"until": "2026-06-15"},
            {"until": "2028-01-01"},
            {"until": "2026-07-01", "uses": "0"},
            {"until": "2026-07-01", "uses": "x"},
            {"until": "2026-07-01", "uses": "9" * 5_000},
            {"until": "2026-07-01", "uses": "0" * 8 + "1" + "9" * 12},
        ):
            assert (await admins.press("invite", "", **wrong)).status == 422
        assert store.invites() == ()
        made = await admins.press("invite", "", until="2026-07-01", uses="3")
        (invite,) = store.invites()
        assert (invite.uses, invite.until_at) == (3, moment("2026-07-02 00:00"))
        assert f"{BASE}/join/{invite.token}" in made.body
        assert "Invite 1: 0 joined of 3" in told(made.body)
        for text in ("Nobody can join with the link of invite 1 any more.", "Nothing to do."):
            form = form_of(made.body, "revoke", "")
            assert text in told((await admins.post("/admin/do", {**form, "number": "1"})).body)
        assert [(one.action, one.details) for one in store.actions(limit=9)] == [
            ("revoke", "invite 1"),
            ("invite", "3 uses, until 2026-07-01"),
        ]
        assert invite.token not in caplog.text


async def test_without_invites_there_is_no_button(admins: Administrators) -> None:
    assert "Invites" not in (await admins.get()).body


# Who is refused.


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Remote-User": "mallory"},
        {"X-Remote-User": ""},
        {"X-Remote-User": "Grace"},
        {"X-Remote-User": "grace\u00a0"},
        {"X-Remote-User": "\u2003grace"},
        {"X-Remote-User": "gr\u0430ce"},
        {"X-Remote-User": "mallory, grace"},
        {"X_Remote_User": "grace"},
    ],
)
async def test_whom_the_proxy_does_not_name_is_refused(
    admins: Administrators, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/admin", "/admin/subscribers", "/admin/suppressed", "/admin/actions"):
        answer = await admins.get(path, headers)
        assert answer.status == 403
        assert ADA.email not in answer.body
    assert "was refused" in caplog.text
    assert "mallory" not in caplog.text


async def test_a_second_header_is_refused(admins: Administrators) -> None:
    """A proxy that adds its header to that of the client, instead of replacing it."""
    async with admins.town.session.get(
        f"{admins.address}/admin", headers=[("X-Remote-User", "grace"), ("X-Remote-User", "nobody")]
    ) as answer:
        assert answer.status == 403


async def test_the_header_counts_only_at_the_address_of_the_proxy(
    admins: Administrators, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy of all other pages passes on what its clients send."""
    for headers in (GRACE, {**GRACE, "X-Forwarded-For": "127.0.0.1"}):
        answer = await admins.town.ask("GET", "/admin", headers=headers)
        assert (answer.status, ADA.email in answer.body) == (403, False)
    assert (await admins.town.get("/admin")).status == 404
    assert caplog.text.count("a header that only admin.listen takes came to web.listen") == 1
    assert "grace" not in caplog.text


async def test_the_header_counts_only_from_the_proxy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with looked_after(tmp_path, caplog, proxies=["192.0.2.1"]) as admins:
        assert (await admins.get()).status == 403
    assert "not in admin.proxies" in caplog.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": EVIL},
        {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": f"{BASE}.evil.example"},
        {"Origin": "http://digest.example.org"},
    ],
)
async def test_a_form_of_another_site_does_nothing(admins: Administrators, headers: dict[str, str]) -> None:
    form = form_of((await admins.get()).body, "remove", ADA.email)
    state = admins.town.state()
    assert (await admins.post("/admin/do", form, headers)).status == 403
    assert admins.town.state() == state


@pytest.mark.parametrize(
    "headers", [HERE, {"Origin": BASE}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}]
)
async def test_a_form_of_ours_is_taken_as_browsers_send_it(
    admins: Administrators, headers: dict[str, str]
) -> None:
    form = form_of((await admins.get()).body, "remove", ADA.email)
    assert (await admins.post("/admin/do", form, headers)).status == 200


async def test_a_token_is_good_for_one_action_on_one_subscriber_by_one_administrator(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with looked_after(tmp_path, caplog, users=["grace", "linus"]) as admins:
        form = form_of((await admins.get()).body, "suppress", ADA.email)
        state = admins.town.state()
        for change in (
            {"action": "remove"},
            {"email": BO.email},
            {"token": ""},
            {"token": "x"},
            {"token": form["token"][:-1]},
            {"token": "9" + form["token"]},
            {"token": form["token"].replace("1", "2")},
            {"token": "99999999999.x"},
            {"token": "²." + "x" * 43},
        ):
            assert (await admins.post("/admin/do", {**form, **change})).status == 403, change
        other = {**HERE, "X-Remote-User": "linus"}
        assert (await admins.post("/admin/do", form, other)).status == 403
        admins.town.now += timedelta(hours=13)
        assert (await admins.post("/admin/do", form)).status == 403
        assert admins.town.state() == state


async def test_what_is_no_form_does_nothing(admins: Administrators) -> None:
    state = admins.town.state()
    for data in ({}, {"action": "suppress"}, {"action": "<b>", "email": "x", "token": "1.x"}):
        assert (await admins.post("/admin/do", data)).status == 403
    async with admins.town.session.post(
        f"{admins.address}/admin/do", json={"action": "suppress"}, headers={**GRACE, **HERE}
    ) as answer:
        assert answer.status == 415
    assert (await admins.get("/admin/do")).status == 405
    assert admins.town.state() == state


async def test_looking_changes_nothing(admins: Administrators) -> None:
    state = admins.town.state()
    for path in ("/admin", "/admin/subscribers", "/admin/suppressed", "/admin/actions"):
        assert (await admins.get(path)).status == 200
    assert (await admins.post("/admin/subscribers", {"search": "ada"})).status == 200
    assert admins.town.state() == state


async def test_no_page_sends_a_referrer_or_is_framed_or_kept(admins: Administrators) -> None:
    for answer in (await admins.get(), await admins.get(headers={}), await admins.town.get("/admin")):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_nothing_of_a_request_is_logged_whatever_it_is(
    admins: Administrators, caplog: pytest.LogCaptureFixture
) -> None:
    """Also not the token of somebody's own page, which the browser came from."""
    token = token_of(admins.town)
    state = admins.town.state()
    port = int(admins.address.rpartition(":")[2])
    for request in REQUESTS.values():
        sent = filled(request.replace("/p/{}", "/admin/do?{}"), token)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent.replace(b"Host: x\r\n", b"Host: x\r\nX-Remote-User: grace\r\n"))
        async with asyncio.timeout(LIMIT):
            with suppress(ConnectionError):
                await reader.read()
        writer.close()
    for headers in ({"Referer": f"{BASE}/p/{token}"}, {**GRACE, "Referer": f"{BASE}/p/{token}"}):
        assert token not in (await admins.get(headers=headers)).body
    nothing_is_told(caplog, token)
    assert admins.town.state() == state


# Long lists.


async def test_subscribers_are_found_and_shown_by_pages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many = [make_subscriber(f"reader{number:03}@lab.example", "tea") for number in range(60)]
    many.append(replace(make_subscriber("ada@example.org", "tea"), name="Ada Lovelace"))
    async with looked_after(tmp_path, caplog, many) as admins:
        first = await admins.get("/admin/subscribers")
        assert "61 found, page 1 of 3." in told(first.body)
        assert first.body.count("<details>") == 25
        third = await admins.post("/admin/subscribers", {"page": "3", "search": ""})
        assert "reader059@lab.example" in third.body
        assert "Next page" not in third.body
        for page in ("0", "-1", "99", "x", "", "9" * 50, "²"):
            assert (await admins.post("/admin/subscribers", {"page": page})).status == 200
        for search in ("LOVE", "ada@", "  ada@example.org "):
            found = await admins.post("/admin/subscribers", {"search": search})
            assert "1 found, page 1 of 1." in told(found.body)
        nobody = await admins.post("/admin/subscribers", {"search": '<script>"'})
        assert "0 found" in told(nobody.body)
        assert "<script>" not in nobody.body
        assert "All 61 subscribers" in told((await admins.get()).body)


async def test_other_lists_have_pages_too(admins: Administrators) -> None:
    for number in range(30):
        admins.town.store.suppress(f"gone{number}@example.org", cause="550", now=NOW)
    form = form_of((await admins.get()).body, "resume", "gone9@example.org")
    assert "gets mail again" in told((await admins.post("/admin/do", form)).body)
    first = await admins.get("/admin/suppressed")
    second = await admins.post("/admin/suppressed", {"page": "2"})
    assert [told(page.body).count("UTC: 550") for page in (first, second)] == [25, 4]
    assert "Mail again gone9@example.org" in told((await admins.get("/admin/actions")).body)
