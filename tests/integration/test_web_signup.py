"""People sign up on the pages: what they type, what they are told, and what only their mailbox is told."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import ServerUnavailable
from digest.keywords.query import parse
from digest.mail.transport import Outcome, Receipt
from digest.service.bootstrap import Setup
from digest.service.signup_sender import SignupSender
from digest.storage.values import Matched
from digest.subscribers.subscriber import Keyword
from digest.web.preview_site import Busy, Previews
from tests.factories import invented_paper, make_subscriber
from tests.fakes import FakeTransport
from tests.forms import form_with, forms_of, submitted
from tests.integration.web_site import ADA, BASE, NOW, Answer, Town, serving_town, told
from tests.signups import NEW, filled, link_in, mailed, read, send, texts_of


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with serving_town(tmp_path, signup="open") as town:
        yield town


async def press(town: Town, link: str, button: str = "Subscribe") -> Answer:
    form = form_with((await town.get(link)).body, button)
    return await town.post(form.action, submitted(form, button))


def entries(town: Town) -> list[dict[str, object]]:
    return [json.loads(one.content) for one in town.store.entries(after=0, limit=99)]


def kept(town: Town) -> list[str]:
    """All that the state holds, but for the queue of previews."""
    return [line for line in town.state() if '"preview_' not in line]


async def test_without_the_setting_there_is_no_sign_up(tmp_path: Path) -> None:
    async with serving_town(tmp_path) as town:
        for path in ("/join", "/join/x", "/c/x"):
            assert (await town.get(path)).status == 404
            assert (await town.post(path, {})).status == 404


async def test_who_confirms_has_the_entry_that_they_asked_for(town: Town) -> None:
    answer = await send(
        town,
        {
            "k-new-2": 'ti:"green tea"',
            "at": "18:30",
            "timezone": "europe/berlin",
            "weekly": "fri",
            "length": "short",
        },
    )
    assert answer.status == 200
    assert "Look into your mailbox" in told(answer.body)
    (mail,) = await mailed(town)
    assert mail.recipient == NEW
    link = link_in(mail)
    assert link.startswith(f"{BASE}/c/")
    page = told((await town.get(link)).body)
    assert "on Fridays at 18:30 (Europe/Berlin): black tea ti:&#34;green tea&#34;" in page
    assert entries(town) == []
    assert "cy@example.org is subscribed." in told((await press(town, link)).body)
    (entry,) = entries(town)
    assert entry == {
        "email": NEW,
        "keywords": ["black tea", 'ti:"green tea"'],
        "at": "18:30",
        "timezone": "Europe/Berlin",
        "weekly": "fri",
        "length": "short",
    }


async def test_reading_the_pages_changes_nothing_however_often(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    before = kept(town)
    for url in ("/join", link_in(mail)) * 3:
        assert (await town.get(url)).status == 200
    assert kept(town) == before


async def test_a_confirmation_is_done_once_and_says_so_afterwards(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    form = form_with((await town.get(link_in(mail))).body, "Subscribe")
    for _ in range(3):
        answer = await town.post(form.action, submitted(form, "Subscribe"))
        assert "You are subscribed" in told(answer.body)
        assert "The first digest comes at the next time that you chose" in told(answer.body)
    assert len(entries(town)) == 1
    assert "You are subscribed" in told((await town.get(link_in(mail))).body)


async def test_known_and_unknown_addresses_get_the_same_answer(town: Town) -> None:
    answers = [
        await send(town, {"email": email}) for email in (NEW, ADA.email, "Ada@Example.org", "bo@example.org")
    ]
    pages = {
        one.body.replace(email, "EMAIL")
        for one, email in zip(answers, (NEW, ADA.email, "Ada@Example.org", "bo@example.org"), strict=True)
    }
    assert len(pages) == 1
    assert {one.status for one in answers} == {200}
    assert {frozenset(one.headers.keys()) for one in answers} == {frozenset(answers[0].headers.keys())}


async def test_an_address_that_is_subscribed_gets_the_link_to_its_preferences(town: Town) -> None:
    await send(town, {"email": "ADA@example.org"})
    (mail,) = await mailed(town)
    page = await town.get(link_in(mail))
    assert "Your preferences" in told(page.body)
    assert "ada@example.org" in page.body
    assert "subscribed already" in texts_of(mail)[0]


async def test_the_link_to_preferences_goes_where_the_digests_go(town: Town) -> None:
    """Another mailbox may have an address that counts as the same."""
    town.subscribers[:] = [make_subscriber("sue@example.org", "tea")]
    town.enrol()
    await send(town, {"email": "\u017fue@example.org"})
    (mail,) = await mailed(town)
    assert (mail.recipient, read(mail)["To"]) == ("sue@example.org", "sue@example.org")
    assert "subscribed already" in texts_of(mail)[0]


async def test_the_link_goes_where_the_digests_of_who_signed_up_go(town: Town) -> None:
    await send(town, {"email": "sue@example.org"})
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    town.now += timedelta(days=1)
    await send(town, {"email": "\u017fue@example.org"})
    (mail,) = await mailed(town)
    assert mail.recipient == "sue@example.org"
    assert "subscribed already" in texts_of(mail)[0]


async def test_who_confirms_can_subscribe_only_the_mailbox_that_got_the_mail(town: Town) -> None:
    """Another mailbox may have an address that counts as the same: its owner must be asked too."""
    await send(town, {"email": "\u017fue@example.org"})
    (mail,) = await mailed(town)
    await send(town, {"email": "sue@example.org", "k-new-1": "oat milk"})
    assert await mailed(town) == []
    page = await town.get(link_in(mail))
    assert "\u017fue@example.org" in page.body
    assert "oat milk" in told(page.body)
    await press(town, link_in(mail))
    (entry,) = entries(town)
    assert (entry["email"], entry["keywords"]) == ("\u017fue@example.org", ["oat milk"])


async def test_a_used_link_does_not_call_somebody_subscribed_who_left(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    town.subscribers.append(make_subscriber(NEW, "black tea"))
    town.enrol()
    town.store.leave(NEW, now=town.now)
    for answer in (await town.get(link_in(mail)), await town.post(link_in(mail), {})):
        assert "You are unsubscribed" in told(answer.body)
    assert town.store.preferences_of(NEW).left_at == town.now


async def test_who_comes_back_on_the_same_day_is_told_to_take_the_mail_that_they_have(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    town.subscribers.append(make_subscriber(NEW, "black tea"))
    town.enrol()
    town.store.leave(NEW, now=town.now)
    answer = await send(town, {"k-new-1": "white tea"})
    assert "if you have one of today, its link leads to these choices too" in told(answer.body)
    assert await mailed(town) == []
    assert "white tea" in (await town.get(link_in(mail))).body
    assert "You are subscribed" in told((await press(town, link_in(mail))).body)


async def test_a_sign_up_cannot_change_who_is_subscribed(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    await send(town, {"k-new-1": "milk"})
    page = told((await town.get(link_in(mail))).body)
    assert "You are subscribed already" in page
    assert entries(town)[0]["keywords"] == ["black tea"]


async def test_the_later_of_two_sign_ups_counts_and_is_shown_before(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    form = form_with((await town.get(link_in(mail))).body, "Subscribe")
    await send(town, {"email": "CY@example.org", "k-new-1": "oat milk"})
    assert await mailed(town) == []
    answer = await town.post(form.action, submitted(form, "Subscribe"))
    assert answer.status == 422
    assert "This sign-up was changed" in told(answer.body)
    assert entries(town) == []
    await press(town, link_in(mail))
    assert [(one["email"], one["keywords"]) for one in entries(town)] == [("cy@example.org", ["oat milk"])]


@pytest.mark.parametrize(
    "email",
    ["cy+tea@example.org", "cy.o'neil@example.org", "cy@bücher.example", "zoë@example.org", "Cy@EXAMPLE.org"],
)
async def test_unusual_addresses_are_one_subscriber_each(town: Town, email: str) -> None:
    for written in (email, email.upper(), email):
        assert (await send(town, {"email": written})).status == 200
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    (entry,) = entries(town)
    assert entry["email"] == email


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"email": ""}, "email", "Write your mail address."),
        ({"email": "cy"}, "email", "must be a mail address"),
        ({"email": '"c y"@example.org'}, "email", "must be a mail address"),
        ({"email": "cy@example.org\nBcc: bo@example.org"}, "email", "must be a mail address"),
        ({"k-new-1": ""}, "", "Write at least one keyword."),
        ({"k-new-1": "tea AND (milk"}, "k-new-1", "this bracket is not closed"),
        ({"k-new-1": "tea", "k-new-2": "TEA"}, "k-new-2", "is the same as"),
        ({"k-new-1": "x" * 301}, "k-new-1", "at most 300 characters"),
        ({f"k-new-{n}": f"tea {n}x" for n in range(1, 22)}, "", "At most 20 keywords: take 1 away."),
        ({"at": "25:00"}, "at", "Choose a time"),
        ({"timezone": "Berln"}, "timezone", "Did you mean"),
        ({"weekly": "someday"}, "weekly", "Choose one of the days"),
        ({"length": "endless"}, "length", "Choose one of the lengths"),
    ],
)
async def test_what_is_wrong_is_marked_in_its_place_and_nothing_is_lost(
    town: Town, changes: dict[str, str], field: str, said: str
) -> None:
    form = await filled(town)
    answer = await send(town, form=form, changes=changes)
    assert answer.status == 422
    assert said in told(answer.body)
    if field:
        (tag,) = [part for part in answer.body.split("<") if f' name="{field}"' in part]
        assert ' aria-invalid="true"' in tag
    again = form_with(answer.body, "Sign up").fields
    assert again["stamp"] == form.fields["stamp"]
    kept = {"email": NEW, "k-new-1": "black tea", **changes}
    assert {name: again[name] for name in kept if name not in {"weekly", "length", "at"}} == {
        name: [value] for name, value in kept.items() if name not in {"weekly", "length", "at"}
    }
    assert await mailed(town) == []


@pytest.mark.parametrize(
    ("text", "rows", "shown"), [("x{} AND y", 1_000, 100), ("x{} AND y", 21, 21), ("x{}" + "y" * 300, 2, 2)]
)
async def test_keywords_beyond_the_limits_take_no_time(
    town: Town, monkeypatch: pytest.MonkeyPatch, text: str, rows: int, shown: int
) -> None:
    """A stranger sends 64 kB of them as often as they like, and every page waits meanwhile."""

    def parse(text: str) -> Keyword:
        raise AssertionError("it takes long")

    monkeypatch.setattr("digest.web.keyword_rows.parse_keyword", parse)
    answer = await send(town, {f"k-new-{number + 1}": text.format(number) for number in range(rows)})
    assert answer.status == 422
    assert re.search(r"At most 20 keywords|at most 300 characters", told(answer.body))
    assert "y" in form_with(answer.body, "Sign up").fields["k-new-1"][0]
    assert answer.body.count(" data-keyword") == shown + 3 * (shown < 100)


async def test_a_preview_needs_no_address_and_stores_nothing(town: Town) -> None:
    before = kept(town)
    answer = await send(town, {"email": ""}, button="Preview")
    assert form_with(answer.body, "Sign up").fields["k-new-1"] == ["black tea"]
    wrong = await send(town, {"k-new-1": "tea AND ("}, button="Preview")
    assert "aria-invalid" in wrong.body
    assert kept(town) == before


@pytest.mark.parametrize(
    ("seconds", "changes"),
    [(2, {}), (30, {"website": "https://spam.example"}), (30, {"stamp": "1.2"}), (30, {"stamp": ""})],
)
async def test_a_form_that_a_machine_filled_is_dropped_with_the_same_answer(
    town: Town, seconds: float, changes: dict[str, str]
) -> None:
    usual = await send(town, {"email": "dee@example.org"})
    before = kept(town)
    answer = await send(town, changes, seconds=seconds)
    assert answer.body.replace(NEW, "dee@example.org") == usual.body
    assert answer.status == usual.status
    assert kept(town) == before


async def test_a_page_that_was_open_for_a_day_is_sent_once_more(town: Town) -> None:
    answer = await send(town, seconds=timedelta(days=1).total_seconds())
    assert answer.status == 422
    assert "open for long" in told(answer.body)
    again = form_with(answer.body, "Sign up")
    assert (await send(town, form=again)).status == 200
    assert len(await mailed(town)) == 1


async def test_a_form_that_is_not_whole_changes_nothing(town: Town) -> None:
    for data in ({}, {"email": NEW, "do": "join"}, {"List-Unsubscribe": "One-Click"}):
        assert (await town.post("/join", data)).status == 422
    assert (await town.ask("POST", "/join", data=b"{}", headers={"Content-Type": "text/json"})).status == 415
    assert await mailed(town) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://digest.example.org"}, 403),
        ({"Origin": "https://digest.example.org"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_a_form_of_another_site_is_refused(town: Town, headers: dict[str, str], status: int) -> None:
    form = await filled(town)
    town.now += timedelta(minutes=1)
    data = submitted(form, "Sign up", email=NEW, **{"k-new-1": "tea"})
    assert (await town.ask("POST", "/join", data=data, headers=headers)).status == status
    assert len(await mailed(town)) == (status == 200)


async def test_the_limits_are_told_and_keep_what_was_typed(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="open", signups_per_hour=3, signups_per_network=2) as town:
        answers = [await send(town, {"email": f"{n}@example.org"}) for n in range(3)]
        assert [one.status for one in answers] == [200, 200, 422]
        assert "of your network" in told(answers[-1].body)
        assert form_with(answers[-1].body, "Sign up").fields["k-new-1"] == ["black tea"]
        others = [
            await send(town, {"email": f"{n}@example.net"}, network=f"192.0.2.{n + 7}") for n in range(3)
        ]
        assert [one.status for one in others] == [200, 422, 422]
        assert "Too many people signed up lately" in told(others[-1].body)
        assert len(await mailed(town)) == 3
        town.now += timedelta(hours=1)
        assert (await send(town, {"email": "4@example.org"})).status == 200


async def test_an_address_gets_one_mail_a_day(town: Town) -> None:
    sent = []
    for hours in (0, 5, 5, 5, 5):
        town.now += timedelta(hours=hours)
        await send(town)
        sent.append(len(await mailed(town)))
    assert sent == [1, 0, 0, 0, 0]
    town.now += timedelta(hours=5)
    await send(town)
    assert len(await mailed(town)) == 1


async def test_a_link_is_valid_for_48_hours(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    town.now += timedelta(hours=47)
    assert (await town.get(link_in(mail))).status == 200
    town.now += timedelta(hours=1)
    assert (await town.get(link_in(mail))).status == 404
    assert (await town.post(link_in(mail), {"mark": ""})).status == 404


async def test_what_nobody_confirms_leaves_the_state_though_nothing_else_is_done(
    town: Town,
) -> None:
    def no_setup() -> Setup:
        raise AssertionError("there is no mail to send")

    await send(town)
    await mailed(town)
    sender = SignupSender(town.store, no_setup, lambda: town.now)
    for hours, is_kept in ((0, True), (47, True), (1, False)):
        town.now += timedelta(hours=hours)
        await sender.step()
        assert (hours, any(NEW in line for line in kept(town))) == (hours, is_kept)


async def test_only_addresses_of_the_domains_can_sign_up(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="domains", domains=["uni.example", "bücher.example"]) as town:
        for email in ("cy@UNI.example", "cy@bücher.example", "cy@xn--bcher-kva.example"):
            assert (await send(town, {"email": email})).status == 200
        for email in (
            *("cy@cs.uni.example", "cy@uni.example.org", "cy@other.example", "cy@un\u0456.example"),
            *("cy%other.example@uni.example", "other.example!cy@uni.example"),
        ):
            answer = await send(town, {"email": email})
            assert answer.status == 422
            assert "Only addresses of uni.example or xn--bcher-kva.example" in told(answer.body)
        assert len(await mailed(town)) == 2


@pytest.mark.parametrize(
    "email", ["root@localhost", "cy@mail.local", "cy@LAN.lan", "cy@mail.internal", "cy@ftp.localdomain"]
)
async def test_strangers_do_not_have_the_machine_and_its_network_mailed(tmp_path: Path, email: str) -> None:
    async with serving_town(tmp_path, signup="open") as town:
        answer = await send(town, {"email": email})
        assert (answer.status, "gets mail from everywhere" in told(answer.body)) == (422, True)
        assert not await mailed(town)


async def test_a_private_domain_that_the_operator_lists_can_sign_up(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="domains", domains=["localhost"]) as town:
        assert (await send(town, {"email": "cy@localhost"})).status == 200
        assert len(await mailed(town)) == 1


async def test_an_invite_lets_in_as_many_as_it_says(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="invite") as town:
        assert "you need an invite link" in told((await town.get("/join")).body)
        assert "you need an invite link" in told((await town.post("/join", {})).body)
        invite = town.store.add_invite(uses=1, until_at=NOW + timedelta(days=9), now=NOW)
        url = f"/join/{invite.token}"
        for email in (NEW, "dee@example.org"):
            assert (await send(town, {"email": email}, form=await filled(town, url))).status == 200
        first, second = await mailed(town)
        assert "is subscribed" in told((await press(town, link_in(first))).body)
        assert "no longer valid" in told((await press(town, link_in(second))).body)
        assert [one["email"] for one in entries(town)] == [NEW]
        assert "no longer valid" in told((await town.get(url)).body)
        for wrong in (url[:-1], f"{url}x", f"/join/{'a' * 24}"):
            assert (await town.get(wrong)).status == 404
            assert (await town.post(wrong, {})).status == 404


async def test_a_revoked_invite_lets_nobody_in(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="invite") as town:
        invite = town.store.add_invite(uses=None, until_at=None, now=NOW)
        form = await filled(town, f"/join/{invite.token}")
        town.store.revoke_invite(invite.number, now=NOW)
        assert "no longer valid" in told((await send(town, form=form)).body)
        assert await mailed(town) == []


async def test_a_subscriber_of_the_file_who_left_comes_back_by_signing_up(town: Town) -> None:
    town.store.leave(ADA.email, now=NOW)
    await send(town, {"email": ADA.email})
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    assert town.store.preferences_of(ADA.email).left_at is None
    assert entries(town) == []


async def test_a_former_subscriber_of_the_state_gets_their_new_wishes(town: Town) -> None:
    await send(town)
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    town.subscribers.append(make_subscriber(NEW, "black tea"))
    town.enrol()
    town.store.leave(NEW, now=town.now)
    town.now += timedelta(days=3)
    await send(town, {"k-new-1": "oat milk"})
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    assert entries(town)[0]["keywords"] == ["oat milk"]
    assert town.store.preferences_of(NEW).left_at is None


async def test_the_mail_has_nothing_that_the_visitor_wrote(town: Town) -> None:
    await send(town, {"email": "buy.pills@example.org", "k-new-1": "ti:casino", "timezone": "Asia/Tokyo"})
    (mail,) = await mailed(town)
    message = read(mail)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == "buy.pills@example.org"
    for text in texts_of(mail):
        for word in ("casino", "pills", "buy", "Tokyo"):
            assert word not in text
    assert link_in(mail) in texts_of(mail)[1]


async def test_a_mail_that_is_put_off_is_the_same_later(town: Town) -> None:
    await send(town)
    transport = FakeTransport()
    seen = []

    def later(mail: object) -> Receipt:
        seen.append(mail)
        return Receipt(outcome=Outcome.DEFERRED, reply=f"450 {NEW} greylisted")

    transport.answer = later
    assert await mailed(town, transport) == []
    town.now += timedelta(minutes=4)
    await mailed(town, transport)
    assert len(seen) == 1
    town.now += timedelta(minutes=1)
    (mail,) = await mailed(town)
    assert mail == seen[0]


async def test_a_mail_that_is_refused_is_not_tried_again(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    await send(town)
    transport = FakeTransport()
    transport.answer = lambda mail: Receipt(outcome=Outcome.DEAD, reply=f"550 <{NEW}> unknown")
    assert await mailed(town, transport) == []
    assert "cause=550 <the recipient> unknown" in caplog.text
    assert NEW not in caplog.text
    town.now += timedelta(hours=5)
    assert await mailed(town) == []


async def test_a_mail_server_that_is_down_loses_no_mail(town: Town) -> None:
    await send(town)
    transport = FakeTransport()
    transport.refusing = ServerUnavailable("mail.example.org", "no route", "wait")
    with pytest.raises(ServerUnavailable):
        await mailed(town, transport)
    assert len(await mailed(town)) == 1


def flood(town: Town, number: int, keyword: str = "tea") -> None:
    """So many papers of a keyword that somebody follows, over two weeks."""
    town.store.record(
        [
            Matched(
                paper=replace(
                    invented_paper(f"2606.{1_000 + n:05}", "On tea"),
                    submitted_at=NOW - timedelta(days=1 + n % 14),
                ),
                query_keys=(parse(keyword).key,),
            )
            for n in range(number)
        ],
        covered={parse(keyword).key: NOW - timedelta(days=90)},
        now=NOW,
    )


async def test_a_preview_tells_what_a_known_keyword_brings(town: Town) -> None:
    flood(town, 30)
    answer = await send(town, {"email": "", "k-new-1": "tea"}, button="Preview")
    assert answer.status == 200
    assert "papers a day" in told(answer.body)
    assert "<svg" in answer.body
    assert "On tea" in answer.body


async def test_keywords_that_find_too_much_are_refused_in_place(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="open", most_papers_a_day=3) as town:
        flood(town, 140)
        for button in ("Preview", "Sign up"):
            answer = await send(town, {"k-new-1": "tea"}, button=button)
            assert answer.status == 422
            assert "more than 3 papers a day" in told(answer.body)
        assert await mailed(town) == []
        assert (await send(town, {"k-new-1": "milk"})).status == 200


async def test_what_turns_out_to_be_too_much_meanwhile_is_not_subscribed(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="open", most_papers_a_day=3) as town:
        await send(town, {"k-new-1": "tea"})
        (mail,) = await mailed(town)
        form = form_with((await town.get(link_in(mail))).body, "Subscribe")
        flood(town, 140)
        page = await town.get(link_in(mail))
        assert "more than 3 papers a day" in told(page.body)
        assert forms_of(page.body) == []
        await town.post(form.action, submitted(form, "Subscribe"))
        assert entries(town) == []


async def test_a_keyword_that_no_table_can_have_is_told_in_place(town: Town) -> None:
    answer = await send(town, {"k-new-1": "black tea;oat milk"})
    assert answer.status == 422
    assert "Write each keyword into its own field" in told(answer.body)
    assert await mailed(town) == []


async def test_who_is_quick_does_not_get_round_the_bound(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="open", most_papers_a_day=3) as town:
        await send(town, {"k-new-1": "milk"})  # a single word, of which the state knows nothing
        (mail,) = await mailed(town)
        answer = await press(town, link_in(mail))
        assert answer.status == 422
        assert "Press the button again in 1 minute" in told(answer.body)
        assert entries(town) == []


async def test_members_of_a_domain_wait_for_no_bound(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signup="domains", domains=("example.org",)) as town:
        await send(town, {"k-new-1": "milk"})
        (mail,) = await mailed(town)
        await press(town, link_in(mail))
        assert entries(town)[0]["keywords"] == ["milk"]


@pytest.mark.parametrize("signup", ["open", "invite"])
async def test_previews_by_themselves_are_for_who_may_sign_up(tmp_path: Path, signup: str) -> None:
    async with serving_town(tmp_path, signup=signup) as town:
        flood(town, 30)
        invite = town.store.add_invite(uses=None, until_at=None, now=NOW)
        allowed, other = (f"/join/{invite.token}/preview", "/join/preview")
        if signup == "open":
            allowed, other = other, allowed
        page = await town.get(f"{allowed}?k=tea")
        assert (page.status, "On tea" in page.body) == (200, True)
        assert (await town.get(f"{other}?k=tea")).status == 404


async def test_a_sign_up_goes_on_without_a_preview_where_too_many_are_made(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise Busy

    monkeypatch.setattr(Previews, "of", busy)
    assert (await send(town, button="Preview")).status == 200
    assert (await send(town)).status == 200
    (mail,) = await mailed(town)
    await press(town, link_in(mail))
    assert len(entries(town)) == 1
