"""A subscriber with a browser: from a link in a mail to what they wanted, by clicks alone."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.judges.browser import filling, following, opening, pressing, ticking, visit, visits
from tests.judges.correspondence import BASE, Correspondence, Mail
from tests.judges.website import Website, website

pytestmark = pytest.mark.long


@pytest.fixture
def site(correspondence: Correspondence, tmp_path: Path) -> Iterator[Website]:
    with website(correspondence, tmp_path) as running:
        yield running


@pytest.fixture
def mail(correspondence: Correspondence, tmp_path: Path) -> Mail:
    """The longest one."""
    (tmp_path / "mail.html").write_text(correspondence.longest.part("html"), encoding="utf-8")
    return correspondence.longest


@pytest.fixture
def page(mail: Mail, tmp_path: Path) -> str:
    """Where a browser shows that mail."""
    return (tmp_path / "mail.html").as_uri()


def _email(mail: Mail) -> str:
    email: str = mail.message["To"].addresses[0].addr_spec
    return email


def _links(mail: Mail) -> list[str]:
    """Where the mail leads on our own pages."""
    return sorted(set(re.findall(rf'"({re.escape(BASE)}[^"]*)"', mail.part("html"))))


def _pages(mail: Mail) -> list[str]:
    """Those that a browser shows, and of those about single papers the first ones."""
    links = [link for link in _links(mail) if not link.endswith((".bib", ".ris"))]
    judging = [link for link in links if link.startswith(f"{BASE}/i/")]
    return [link for link in links if link not in judging[3:]]


def test_get_changes_nothing_whatever_is_followed(site: Website, mail: Mail) -> None:
    before = site.state()
    links = _pages(mail)
    assert {link.removeprefix(BASE)[:3] for link in links} == {"/u/", "/p/", "/d/", "/k/", "/i/"}
    found = visits(site, {link: [opening(link)] for link in links})
    assert {one.last.status for one in found.values()} == {200}
    assert site.state() == before


def test_the_button_of_the_page_unsubscribes_and_mails_take_it_back(
    site: Website, mail: Mail, page: str
) -> None:
    asked = visit(site, opening(page), following("Unsubscribe"))
    assert "Nothing has changed yet" in asked.last.text
    assert site.subscriber(_email(mail))["left_at"] is None
    left = visit(site, opening(page), following("Unsubscribe"), pressing("Unsubscribe"))
    assert "is not subscribed" in left.last.text
    assert site.subscriber(_email(mail))["left_at"] is not None
    manage = "Mute keywords, choose days, time and length, or pause"
    asked = visit(site, opening(page), following(manage), pressing("Subscribe again"))
    assert "A mail was sent to your address" in asked.last.text
    assert site.subscriber(_email(mail))["left_at"] is not None
    visit(site, opening(site.confirmation("return")), pressing("Subscribe again"))
    assert site.subscriber(_email(mail))["left_at"] is None


def test_new_links_end_those_of_the_mail(site: Website, mail: Mail, page: str) -> None:
    manage = "Mute keywords, choose days, time and length, or pause"
    made = visit(site, opening(page), following(manage), pressing("Make new links"))
    assert "Your next digest has the new links" in made.last.text
    found = visits(site, {link: [opening(link)] for link in _pages(mail)})
    assert {link.removeprefix(BASE)[:3]: one.last.status for link, one in found.items()} == {
        "/i/": 404,
        "/u/": 404,
        "/p/": 404,
        "/d/": 200,
        "/k/": 200,
    }


def test_the_button_says_more_like_this_and_the_page_takes_it_back(site: Website, mail: Mail) -> None:
    link = next(link for link in _links(mail) if "/more/" in link)
    said = visit(site, opening(link), pressing("More like this"))
    assert "Your next digests are ordered by it." in said.last.text
    assert site.judgements(_email(mail)) == [(link.partition("/more/")[2], True)]
    taken = visit(site, opening(link), pressing("More like this"), pressing("Take back"))
    assert "This paper counts no more." in taken.last.text
    assert site.judgements(_email(mail)) == []


def test_one_click_unsubscribes_without_a_page(site: Website, mail: Mail) -> None:
    message = mail.message
    address = re.findall(r"<(https:[^>]+)>", message["List-Unsubscribe"])[0]
    request = Request(
        address.replace(BASE, site.address),
        data=message["List-Unsubscribe-Post"].encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    for _ in range(2):
        with urlopen(request, timeout=10) as answer:
            assert (answer.status, answer.url) == (200, request.full_url)
    assert site.subscriber(_email(mail))["left_at"] is not None


def test_a_keyword_is_muted(site: Website, mail: Mail, page: str) -> None:
    keyword = site.subscriber(_email(mail))["keywords"][0]
    saved = visit(
        site,
        opening(page),
        following("Mute keywords, choose days, time and length, or pause"),
        ticking(f"Mute {keyword}"),
        pressing("Save"),
    )
    assert "Saved." in saved.last.text
    assert site.subscriber(_email(mail))["muted"] == [keyword]


def test_mail_is_paused(site: Website, mail: Mail, page: str) -> None:
    until = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    pause, manage = (
        "Pause: first day with mail again",
        "Mute keywords, choose days, time and length, or pause",
    )
    visit(site, opening(page), following(manage), filling(pause, until), pressing("Save"))
    assert site.subscriber(_email(mail))["paused_until"] == until


def test_the_digest_is_read_online_with_all_its_papers_and_as_a_feed(
    site: Website, correspondence: Correspondence, mail: Mail, page: str
) -> None:
    papers = set(re.findall(r"https://arxiv\.org/abs/([\w./-]+?)$", mail.part("plain"), re.MULTILINE))
    online = visit(site, opening(page), following("Read on the web"))
    assert papers <= set(re.findall(r"https://arxiv\.org/abs/([\w./-]+?)\"", online.last.html))
    feed = visit(site, opening(online.last.address), following("a feed"))
    assert feed.last.address.endswith("/feed.atom")
    assert feed.last.status == 200


def test_a_keyword_leads_to_its_page(site: Website, mail: Mail, page: str) -> None:
    keyword = site.subscriber(_email(mail))["keywords"][0]
    assert keyword in visit(site, opening(page), following(keyword)).last.title
