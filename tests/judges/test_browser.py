"""A subscriber with a browser: from a link in a mail to what they wanted, by clicks alone."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
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
    manage = "Change keywords, days, time and length, or pause"
    asked = visit(site, opening(page), following(manage), pressing("Subscribe again"))
    assert "A mail was sent to your address" in asked.last.text
    assert site.subscriber(_email(mail))["left_at"] is not None
    visit(site, opening(site.confirmation("return")), pressing("Subscribe again"))
    assert site.subscriber(_email(mail))["left_at"] is None


def test_new_links_end_those_of_the_mail(site: Website, mail: Mail, page: str) -> None:
    manage = "Change keywords, days, time and length, or pause"
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
        following("Change keywords, days, time and length, or pause"),
        ticking(f"Mute {keyword}"),
        pressing("Save"),
    )
    assert "Saved." in saved.last.text
    assert site.subscriber(_email(mail))["muted"] == [keyword]


def test_mail_is_paused(site: Website, mail: Mail, page: str) -> None:
    until = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    pause, manage = (
        "Pause: first day with mail again",
        "Change keywords, days, time and length, or pause",
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


def test_a_keyword_is_changed_after_a_slip_of_the_pen(site: Website, mail: Mail, page: str) -> None:
    manage = "Change keywords, days, time and length, or pause"
    former = site.subscriber(_email(mail))["keywords"][0]
    steps = [opening(page), following(manage), filling("Keyword 1", "tea AND"), pressing("Save")]
    refused = visits(site, {"one": steps})["one"].last  # the console tells of the status 422
    assert (refused.status, "is expected here" in refused.text) == (422, True)
    assert site.subscriber(_email(mail))["keywords"][0] == former
    steps += [filling("Keyword 1", "tea AND milk"), pressing("Save")]
    assert "Saved." in visits(site, {"one": steps})["one"].last.text
    known = site.subscriber(_email(mail))
    assert "tea AND milk" in known["own_keywords"]
    assert former in known["removed_keywords"]
    visit(site, opening(site.confirmation("changed")), pressing("Undo"))
    assert site.subscriber(_email(mail))["removed_keywords"] == []


def test_the_address_is_changed_and_the_former_one_takes_it_back(
    site: Website, mail: Mail, page: str
) -> None:
    new, manage = "new@example.org", "Change keywords, days, time and length, or pause"
    asked = visit(
        site,
        opening(page),
        following(manage),
        following("Change your address"),
        filling("New address", new),
        pressing("Send the mail"),
    )
    assert "Look into your mailbox." in asked.last.text
    assert new not in site.entries.read_text()
    confirmed = visit(site, opening(site.confirmation("address")), pressing("Use this address"))
    assert f"Your digests go to {new}" in confirmed.last.text
    assert f'"{new}"' in site.entries.read_text()
    back = visit(site, opening(site.confirmation("moving")), pressing("Keep this address"))
    assert f"Your digests go to {_email(mail)}" in back.last.text
    assert new not in site.entries.read_text()


def test_all_that_is_stored_is_downloaded_and_erased(site: Website, mail: Mail, page: str) -> None:
    manage = "Change keywords, days, time and length, or pause"
    button = "Mail me the link to delete everything"
    asked = visit(site, opening(page), following(manage), following("Your data"), pressing(button))
    assert "Look into your mailbox." in asked.last.text
    (data,) = re.findall(r'href="([^"]*data\.json)"', asked.last.html)
    with urlopen(data.replace(BASE, site.address), timeout=10) as answer:
        assert json.load(answer)["email"] == _email(mail)
    erased = visit(site, opening(site.confirmation("erase")), pressing("Delete everything"))
    assert "All that was stored about you is deleted" in erased.last.text
    assert "ask them to remove it" in erased.last.text
    assert not any(_email(mail) in line for line in site.state())
    assert site.subscriber(_email(mail))["left_at"] is not None


def test_the_link_is_mailed_on_request(site: Website, mail: Mail) -> None:
    asked = visit(
        site,
        opening(f"{BASE}/link"),
        filling("The address that gets your digests", _email(mail)),
        pressing("Mail me the link"),
    )
    assert "Look into your mailbox." in asked.last.text
    assert site.confirmation("link")


def test_a_judgement_is_taken_back_on_the_list_of_all(site: Website, mail: Mail, page: str) -> None:
    link = next(link for link in _links(mail) if "/more/" in link)
    visit(site, opening(link), pressing("More like this"))
    manage = "Change keywords, days, time and length, or pause"
    listed = visit(site, opening(page), following(manage), following("What you like"))
    (button,) = re.findall(r'<button type="submit" name="paper".*?</button>', listed.last.html)
    name = unescape(re.sub("<[^>]*>", "", button))
    taken = visit(site, opening(page), following(manage), following("What you like"), pressing(name))
    assert "The paper counts no more." in taken.last.text
    assert site.judgements(_email(mail)) == []
