"""Digests and keywords on the web, and as feeds: what they show, and that nothing in them is markup."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import feedparser
import pytest

from digest.keywords.display_names import readable_name
from digest.mail.links import links_for
from digest.model.paper import Paper, one_line
from digest.storage.values import DeliveryResult, MailingState
from digest.web.feeds import dated_at
from tests.factories import invented_paper, make_subscriber, moment
from tests.integration.web_site import ADA, BASE, BO, NOW, Town, serving_town, told, written

_TAGS = ("img", "svg", "body", "iframe", "video", "details", "input", "object", "math", "a", "style", "base")
_EVENTS = ("onerror", "onload", "onfocus", "ontoggle", "onmouseover", "onanimationstart", "onbegin")
ATTACKS = (
    *(f"<{tag} src=x {event}=alert(1)>" for tag in _TAGS for event in _EVENTS),
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</article></main></div><h1>mine</h1>",
    "<!-- <script>alert(1)</script> -->",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&amp;lt;b&amp;gt;",
    "\\u003cscript\\u003ealert(1)",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "<scr\x00ipt>alert(1)</script>",
    "<script\n>alert(1)</script\t>",
    "<SCRIPT/XSS SRC=//example.org/x.js></SCRIPT>",
    "<<script>alert(1);//<</script>",
    "` onmouseover=alert(1) `",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "' style=background:url(javascript:alert(1)) '",
    "<meta http-equiv=refresh content=0;url=//example.org>",
    "<link rel=stylesheet href=//example.org/x.css>",
    "<form action=//example.org><button>Unsubscribe</button></form>",
    "{{ 7 * 7 }}{% include 'leave.html.j2' %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "\u202e<b>reversed</b>\u2066",
    "\ud7ff\ufffd<b>\U0010fffd",
    "<b",
    "&",
)


class Structure(HTMLParser):
    """The elements and attributes of a page, its text, and what is in its fields."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.fields: list[str] = []
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.fields += [value or "" for name, value in attrs if (tag, name) == ("input", "value")]

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", ()))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def attacked(text: str) -> Paper:
    return replace(
        invented_paper("2606.00001"),
        title=text,
        abstract=text,
        authors=(text, text),
        categories=(text, text),
        comment=text,
        journal_ref=text,
        doi=text,
    )


def test_there_are_a_hundred_attacks_and_no_two_are_the_same() -> None:
    assert len(set(ATTACKS)) == len(ATTACKS) >= 100


async def test_whatever_a_paper_says_is_text_on_pages_and_in_feeds(tmp_path: Path) -> None:
    harmless: list[tuple[str, tuple[str, ...]]] = []
    async with serving_town(tmp_path) as town:
        for number, text in enumerate(("plain", *ATTACKS), start=1):
            paper = replace(attacked(text), id=invented_paper(f"2606.{number:05}").id)
            town.now = NOW + timedelta(days=number)
            links = town_links(town, paper)
            page = Structure((await town.get(links["/d/"])).body)
            harmless = harmless or page.elements
            assert page.elements == harmless
            assert shown_whole(page, text)
            assert feed_titles((await town.get(f"{links['/d/']}/feed.atom")).body) == [one_line(text)]
        latest = ATTACKS[-100:]
        page = Structure((await town.get(links["/k/"])).body)
        # But for the keyword's chip, which its own page has not, each paper is made of the same elements.
        assert {*page.elements} <= {*harmless}
        assert all(shown_whole(page, text) for text in latest)
        feed = (await town.get(f"{links['/k/']}/feed.atom")).body
        assert feed_titles(feed) == [one_line(text) for text in reversed(latest)]


def shown_whole(page: Structure, text: str) -> bool:
    """As title, abstract, comment, journal reference and two authors; categories are cut at 30 characters."""
    return "".join(page.texts).count(one_line(text)) >= 6


def feed_titles(body: str) -> list[str]:
    atom = "{http://www.w3.org/2005/Atom}"
    entries = ElementTree.fromstring(body).iter(f"{atom}entry")
    return [entry.findtext(f"{atom}title", "") for entry in entries]


def town_links(town: Town, paper: Paper) -> dict[str, str]:
    town.found(paper)
    mailing = town.mail()
    sent = DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250 taken")
    town.store.record_results([sent], now=town.now)
    assert mailing.pages
    tokens = town.store.keyword_tokens({"tea": ADA.keywords[0].query.key})
    return {"/d/": f"/d/{mailing.pages.digest}", "/k/": f"/k/{tokens['tea']}"}


async def test_a_keyword_is_text_wherever_it_is_shown(tmp_path: Path) -> None:
    ada = make_subscriber("ada@example.org", '"<b>tea</b>" OR "&lt;i&gt;"')
    async with serving_town(tmp_path, [ada]) as town:
        text = ada.keywords[0].text
        town.found(invented_paper("2606.00001"), keyword=text)
        mailing = town.mail(ada)
        assert mailing.pages
        token = town.store.keyword_tokens({text: ada.keywords[0].query.key})[text]
        for url in (f"/d/{mailing.pages.digest}", f"/k/{token}", f"/p/{mailing.pages.subscriber}"):
            page = Structure((await town.get(url)).body)
            assert not {tag for tag, _ in page.elements} & {"b", "i"}
            wanted = readable_name(text) if url.startswith("/d/") else text
            assert wanted in "".join([*page.texts, *page.fields])


async def test_a_digest_online_has_all_its_papers_and_says_nothing_of_its_subscriber(town: Town) -> None:
    town.found(*(invented_paper(f"2606.{number:05}", f"On tea, part {number}") for number in range(1, 11)))
    mailing = town.mail()
    assert mailing.pages
    page = await town.get(f"/d/{mailing.pages.digest}")
    assert all(f"On tea, part {number}" in told(page.body) for number in range(1, 11))
    assert "10 new papers" in told(page.body)
    assert "16 June 2026" in told(page.body)
    for personal in ("ada@example.org", mailing.pages.subscriber, mailing.token, "milk"):
        assert personal not in page.body


async def test_a_digest_online_has_its_papers_by_keyword_with_a_list_to_jump_by(tmp_path: Path) -> None:
    ada = make_subscriber("ada@example.org", "tea", "milk", "salt")
    async with serving_town(tmp_path, [ada]) as town:
        for number in range(1, 5):
            town.found(invented_paper(f"2606.{number:05}", f"On tea {number}"))
        both = replace(invented_paper("2606.00005", "On both"), abstract="We add milk to tea.")
        town.found(both)
        town.found(both, keyword="milk")
        mailing = town.mail(ada)
        assert mailing.pages
        page = (await town.get(f"/d/{mailing.pages.digest}")).body
    milk, tea = page.split('<section class="group"')[1:]
    assert re.search(r'<nav.*href="#g1"><bdi>milk</bdi></a> <strong>1</strong>.*"#g2".*</nav>', page, re.S)
    assert ('id="g1"' in milk, 'id="g2"' in tea, "salt" in page) == (True, True, False)
    assert "We add <b>milk</b> to <b>tea</b>." in milk
    assert re.findall(r'class="chip"[^>]*><bdi>(.*?)</bdi>', page) == ["tea"]
    assert "and 1 above, under rarer keywords" in tea
    assert [tea.count(f"On tea {number}</a>") for number in range(1, 5)] == [1, 1, 1, 1]


async def test_addresses_in_texts_are_links_without_a_style(town: Town) -> None:
    paper = replace(
        invented_paper("2606.00001", "On tea"),
        abstract="Tea is at https://tea.example.org/a.",
        comment="Cups at https://cups.example.org",
    )
    page = (await town.get(town_links(town, paper)["/d/"])).body
    assert 'at <a href="https://tea.example.org/a">https://tea.example.org/a</a>.' in page
    assert '<a href="https://cups.example.org">' in page
    assert "style=" not in page


async def test_papers_of_one_keyword_have_no_heading_above_them(town: Town) -> None:
    town.found(invented_paper("2606.00001", "On tea"))
    mailing = town.mail()
    assert mailing.pages
    page = (await town.get(f"/d/{mailing.pages.digest}")).body
    assert re.findall(r"<h(\d)", page) == ["1", "2"]
    assert '"#g1"' not in page


async def test_a_digest_can_be_read_online_after_its_subscriber_left(town: Town) -> None:
    links = town.links()
    assert links.online
    before = await town.get(links.online)
    town.subscribers = [BO]
    town.enrol()
    assert (await town.get(links.online)).body == before.body


async def test_new_versions_are_on_the_page_too(tmp_path: Path) -> None:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    async with serving_town(tmp_path, [ada]) as town:
        town.found(invented_paper("2606.00001", "On tea"))
        town.mail(ada)
        town.now += timedelta(days=1)
        town.found(invented_paper("2606.00001", "On tea, again", version=3))
        mailing = town.mail(ada)
        assert mailing.pages
        page = await town.get(f"/d/{mailing.pages.digest}")
        assert "On tea, again v1 → v3" in told(page.body)
        assert "https://arxiv.org/abs/2606.00001v3" in page.body


async def test_pages_tell_of_a_paper_what_its_mail_tells(town: Town) -> None:
    paper = replace(
        invented_paper("2606.00001", "On tea"),
        comment="Accepted at the Invented Meeting 2026; 9 pages",
        doi="10.5555/tea",
        authors=tuple(f"Author {number}" for number in range(1, 13)),
    )
    page = (await town.get(town_links(town, paper)["/d/"])).body
    assert "Machine Learning (cs.LG), also stat.ML · submitted 15 June 2026" in told(page)
    assert "<strong>Accepted at the Invented Meeting 2026</strong>" in page
    assert ">9 pages</p>" in page
    assert "Author 9, 2 more and Author 12" in told(page)
    for url in ("https://doi.org/10.5555/tea", "https://arxiv.org/html/2606.00001"):
        assert f'href="{url}"' in page


async def test_a_keyword_page_has_its_newest_hundred_papers(town: Town) -> None:
    for number in range(1, 121):
        town.found(invented_paper(f"2606.{number:05}", f"Part {number}."))
    links = town.links(number="2606.00121")
    assert links.keyword_pages
    url = links.keyword_pages["tea"]
    page = told((await town.get(url)).body)
    assert page.count("Abstract page") == 100
    assert "Part 22." in page
    assert "Part 21." not in page
    assert page.index("Part 120.") < page.index("Part 119.")
    town.found(replace(invented_paper("2606.00122"), abstract="We boil tea."))
    assert "We boil <b>tea</b>." in (await town.get(url)).body
    feed = feedparser.parse((await town.get(f"{url}/feed.atom")).body)
    assert len(feed.entries) == 100


async def test_papers_that_were_put_away_are_shown_as_before(town: Town) -> None:
    for number in range(1, 1100):
        old = invented_paper(f"2506.{number:05}", f"Part {number}.", submitted="2025-06-01 10:00")
        if number <= 20:
            town.found(old)
        else:
            town.found(old, keyword="milk")
    town.found(invented_paper("2606.00001"), keyword="milk")
    mailing, other = town.mail(), town.mail(BO)
    assert mailing.pages
    assert other.pages
    links = {"/d/": f"/d/{other.pages.digest}"}
    tokens = town.store.keyword_tokens({"tea": ADA.keywords[0].query.key})
    links["/k/"] = f"/k/{tokens['tea']}"
    before = {url: (await town.get(url)).body for url in links.values()}
    assert "Part 20." in before[links["/k/"]]
    assert town.store.archive(now=NOW, lookback=timedelta(days=16)) > 0
    for url, body in before.items():
        assert (await town.get(url)).body == body
        assert (await town.get(url)).body == body


async def test_subscribers_who_write_a_keyword_otherwise_have_pages_of_their_own(tmp_path: Path) -> None:
    ada, bo = make_subscriber("ada@example.org", "green tea"), make_subscriber("bo@example.org", "GREEN teas")
    assert ada.keywords[0].query.key == bo.keywords[0].query.key
    async with serving_town(tmp_path, [ada, bo]) as town:
        town.found(invented_paper("2606.00001", "On tea"), keyword="green tea")
        keys = {one.keywords[0].text: one.keywords[0].query.key for one in (ada, bo)}
        tokens = town.store.keyword_tokens(keys)
        assert len(set(tokens.values())) == 2
        page = await town.get(f"/k/{tokens['green tea']}")
        assert "green tea" in page.body
        assert "GREEN" not in page.body
        assert tokens == town.store.keyword_tokens(keys)
        assert town.store.keyword_tokens({"coffee": "no such key"}) == {}


async def test_the_feeds_are_atom_that_a_subscriber_can_follow(town: Town) -> None:
    links = town.links()
    assert links.online
    assert links.manage
    assert links.keyword_pages
    page = (await town.get(links.manage)).body
    own = page.partition(f'href="{BASE}/f/')[2].partition('"')[0]
    for url in (f"{links.online}/feed.atom", f"{links.keyword_pages['tea']}/feed.atom", f"{BASE}/f/{own}"):
        answer = await town.get(url)
        assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
        feed = feedparser.parse(answer.body)
        assert (feed.bozo, feed.version) == (False, "atom10")
        assert feed.feed.id == url
        assert feed.feed.updated_parsed
        assert feed.feed.title
        (entry,) = feed.entries
        assert entry.id == entry.link
        assert entry.updated_parsed
        assert "On tea" in entry.summary + entry.title
    assert entry.link == links.online


async def test_a_feed_leaves_out_what_xml_has_no_place_for(town: Town) -> None:
    town.found(replace(invented_paper("2606.00001"), title="On\ufffetea\uffff", authors=("\x0bAda",)))
    mailing = town.mail()
    assert mailing.pages
    feed = (await town.get(f"/d/{mailing.pages.digest}/feed.atom")).body
    assert feed_titles(feed) == ["On tea "]


async def test_the_feed_of_a_subscribers_digests_opens_nothing_else(town: Town) -> None:
    manage = town.links().manage
    assert manage
    own = (await town.get(manage)).body.partition(f'href="{BASE}/f/')[2].partition("/")[0]
    for path in ("/u/", "/p/", "/d/", "/k/"):
        assert (await town.ask("POST" if path == "/u/" else "GET", f"{path}{own}")).status == 404
    assert town.store.preferences() == {}


async def test_a_keyword_without_papers_has_a_page_and_a_feed(town: Town) -> None:
    links = town.links()
    assert links.keyword_pages
    url = links.keyword_pages["milk"]
    assert "No papers found yet." in told((await town.get(url)).body)
    assert feedparser.parse((await town.get(f"{url}/feed.atom")).body).feed.updated == "2026-06-16T07:00:00Z"


@pytest.mark.parametrize(
    ("arxiv_id", "dated"),
    [("2606.00001", "2026-06-01"), ("0704.0001", "2007-04-01"), ("hep-th/9901001", "1999-01-01")],
)
def test_a_paper_whose_source_gave_no_date_has_that_of_its_id(arxiv_id: str, dated: str) -> None:
    paper = replace(invented_paper(arxiv_id), submitted_at=None, updated_at=None)
    assert dated_at(paper) == moment(f"{dated} 00:00")


async def test_tex_reads_on_pages_and_in_feeds_as_it_does_in_mails(town: Town) -> None:
    town.found(written(r"Tea in $O(n^2)$ cups, by Erd\H{o}s"))
    online = links_for(BASE, town.store)(town.mail()).online
    assert online is not None
    page, feed = await town.get(online), await town.get(f"{online}/feed.atom")
    assert "<i>O</i>(<i>n</i><sup>2</sup>) cups, by Erdős" in page.body
    assert "O(n²) cups, by Erdős" in feed.body
