"""The pages on which subscribers say which papers they like: who may, and what it does."""

import re

import pytest

from digest.mail.links import Links, links_for
from digest.model.paper import ArxivId
from tests.factories import invented_paper
from tests.integration.web_site import ADA, BASE, BO, Town, told

TEA, OTHER = ArxivId("2606.00001"), ArxivId("2606.00009")


def verdicts(town: Town, email: str = ADA.email) -> list[tuple[str, bool]]:
    return [(one.example.name, one.is_liked) for one in town.store.judgements(email)]


def url(links: Links, verdict: str = "more", paper: str = TEA) -> str:
    return f"{links.judging}/{verdict}/{paper}"


def actions(body: str) -> list[str]:
    return re.findall(r'action="([^"]+)"', body)


async def test_opening_the_link_changes_nothing_and_shows_one_button(town: Town) -> None:
    links = town.links()
    assert links.more_like(TEA) == url(links, "more")
    assert links.less_like(TEA) == url(links, "less")
    state = town.state()
    for verdict in ("more", "less", "undo"):
        answer = await town.get(url(links, verdict))
        assert answer.status == 200
        assert answer.body.count("<button") == 1
        assert actions(answer.body) == [url(links, verdict)]
        assert "Nothing has changed yet" in told(answer.body)
        assert "On tea" in told(answer.body)
    assert town.state() == state


@pytest.mark.parametrize(("verdict", "is_liked"), [("more", True), ("less", False)])
async def test_the_button_counts_once_however_often_it_is_pressed(
    town: Town, verdict: str, is_liked: bool
) -> None:
    links = town.links()
    for _ in range(2):
        answer = await town.post(url(links, verdict))
        assert answer.status == 200
        assert '<p class="notice done" role="status">' in answer.body
        assert verdicts(town) == [(TEA, is_liked)]
    (one,) = town.store.judgements(ADA.email)
    assert (one.example.title, one.judged_at, one.origin) == ("On tea", town.now, "web")


async def test_it_can_be_taken_back_from_the_page_that_follows(town: Town) -> None:
    links = town.links()
    page = await town.post(url(links))
    (undo,) = actions(page.body)
    assert undo == url(links, "undo")
    answer = await town.post(undo)
    assert "Taken back" in told(answer.body)
    assert verdicts(town) == []
    assert (await town.post(undo)).status == 200


async def test_another_verdict_replaces_the_former_one(town: Town) -> None:
    links = town.links()
    await town.post(url(links, "more"))
    await town.post(url(links, "less"))
    assert verdicts(town) == [(TEA, False)]


async def test_the_own_page_of_a_digest_has_the_buttons_beside_each_paper(town: Town) -> None:
    town.found(invented_paper(OTHER, "On more <i>tea</i>"))
    links = town.links()
    assert links.judging
    before = (await town.get(links.judging)).body
    assert {url(links, verdict, paper) for verdict in ("more", "less") for paper in (TEA, OTHER)} <= set(
        actions(before)
    )
    assert ADA.email in before
    assert 'name="robots" content="noindex' in before
    assert "feed.atom" not in before
    await town.post(url(links, "more"))
    after = (await town.get(links.judging)).body
    assert "You like this." in told(after)
    assert url(links, "undo") in actions(after)
    assert "You like this." not in told(before)


async def test_the_page_that_can_be_passed_on_judges_nothing(town: Town) -> None:
    links = town.links()
    assert links.online
    page = await town.get(links.online)
    assert page.status == 200
    assert "<button" not in page.body
    assert "/i/" not in page.body
    token = links.online.rpartition("/")[2]
    assert (await town.post(f"{BASE}/i/{token}/more/{TEA}")).status == 404
    assert verdicts(town) == []


@pytest.mark.parametrize(
    ("verdict", "paper"),
    [("more", "2606.00002"), ("more", "x"), ("most", TEA), ("undo", "2606.00002"), ("more", f"{TEA}/x")],
)
async def test_only_papers_of_the_digest_can_be_judged(town: Town, verdict: str, paper: str) -> None:
    links = town.links()
    state = town.state()
    assert (await town.get(url(links, verdict, paper))).status == 404
    assert (await town.post(url(links, verdict, paper))).status == 404
    assert town.state() == state


async def test_each_subscriber_judges_for_themselves(town: Town) -> None:
    ada = town.links()
    bo = town.links(BO, number="2606.00001")
    await town.post(url(ada, "more"))
    await town.post(url(bo, "less"))
    assert verdicts(town) == [(TEA, True)]
    assert verdicts(town, BO.email) == [(TEA, False)]
    assert "like this." not in told((await town.get(url(bo, "more"))).body)


async def test_new_links_end_the_former_ones(town: Town) -> None:
    links = town.links()
    town.store.renew_links(ADA.email)
    assert (await town.post(url(links))).status == 404
    assert verdicts(town) == []


async def test_a_former_address_judges_nothing(town: Town) -> None:
    links = town.links()
    assert town.store.rename(ADA.email, "eve@example.org", now=town.now)
    assert (await town.post(url(links))).status == 404


async def test_nothing_is_kept_of_who_is_no_subscriber_any_more(town: Town) -> None:
    links = town.links()
    del town.subscribers[0]
    assert (await town.get(url(links))).status == 404
    assert (await town.post(url(links))).status == 404
    assert verdicts(town) == []


async def test_wrong_tokens_are_limited(town: Town) -> None:
    town.own_headers["X-Forwarded-For"] = "203.0.113.7"
    statuses = [(await town.get(f"{BASE}/i/{'A' * 24}/more/{TEA}")).status for _ in range(12)]
    assert statuses[0] == 404
    assert statuses[-1] == 429


async def test_near_papers_are_on_the_own_page_alone_and_can_be_judged(town: Town) -> None:
    near = invented_paper("2606.00077", "On singing kettles")
    town.store.keep_listed([near], now=town.now)
    town.found(invented_paper(TEA, "On tea"))
    mailing = town.mail(near=(near,))
    links = links_for(BASE, town.store)(mailing)
    assert links.judging
    assert links.online
    page = told((await town.get(links.judging)).body)
    assert "Also near These match none of your keywords" in page
    assert "On singing kettles" in page
    assert "singing" not in (await town.get(links.online)).body
    assert (await town.post(url(links, "more", near.id))).status == 200
    assert verdicts(town) == [(near.id, True)]


async def test_the_texts_of_papers_that_nobody_judges_any_more_are_gone(town: Town) -> None:
    ada, bo = town.links(), town.links(BO, number="2606.00001")
    await town.post(url(ada, "more"))
    await town.post(url(bo, "more"))
    await town.post(url(ada, "undo"))
    assert any('INTO "example"' in line for line in town.state())
    await town.post(url(bo, "undo"))
    assert not any('INTO "example"' in line for line in town.state())
