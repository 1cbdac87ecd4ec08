"""Both parts of a digest show the same papers, whatever is in them, and say what the subscriber wants to
know.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.package_data import systemd_folder, templates_folder
from digest.errors import ConfigurationError
from digest.mail.links import Links
from digest.mail.rendering.headlines import KeywordCount, subject_line
from digest.mail.rendering.renderer import Renderer
from digest.model.digest import Length, Outlook, Revision
from tests.examples import examples
from tests.factories import moment
from tests.unit.rendered import (
    RENDERED_STYLE,
    REVISIONS,
    WRITER,
    Page,
    digest,
    entry,
    paper,
    render,
    revision,
)

ABS_URL = re.compile(r"https://arxiv\.org/abs/([^\s\"<]+)")


def ids_in_text(text: str) -> list[str]:
    lines = map(str.strip, text.splitlines())
    return [line.removeprefix("https://arxiv.org/abs/") for line in lines if ABS_URL.fullmatch(line)]


def ids_in_html(html: str) -> list[str]:
    return list(dict.fromkeys(ABS_URL.findall(html)))


def test_text_and_html_show_the_same_papers_in_the_same_order() -> None:
    ids = [3, 1, 4, 2]
    result = render(*(entry(number) for number in ids))
    expected = [f"2606.{number:05d}" for number in ids]
    assert ids_in_text(result.text) == expected
    assert ids_in_html(result.html) == expected


def test_each_paper_is_shown_with_all_that_is_known_of_it() -> None:
    result = render(entry(1, ("compilers", "waiting")), keywords=("compilers", "waiting"))
    page = Page(result.html)
    for told in (
        "On the Patience of Compilers, Part 1",
        "Ada Marlow",
        "Tomás Iribarne",
        "Programming Languages (cs.PL), also cs.LG, stat.ML",
        "14 June 2026",
        "12 pages, 3 figures",
        "We wait. Then we measure",
        "waiting",
        "Tuesday, 16 June 2026",
        "reader@example.org",
        "library@example.org",
    ):
        assert told in page.text.replace("’", "'")
        assert told in result.text
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == [
        "https://arxiv.org/abs/2606.00001",
        "https://arxiv.org/abs/2606.00001",
        "https://arxiv.org/pdf/2606.00001",
        "https://arxiv.org/html/2606.00001",
    ]


def test_a_mail_says_whose_its_links_are_and_how_to_pass_the_digest_on_without_them() -> None:
    base = "https://digest.example.org"
    links = Links(unsubscribe=f"{base}/u/1", manage=f"{base}/p/2", online=f"{base}/d/3")
    for one, passed_on in ((links, True), (replace(links, online=None), False)):
        result = WRITER.rendered(digest(entry()), one)
        for said in (Page(result.html).text.replace("’", "'"), result.text):
            words = " ".join(said.split())
            assert "to unsubscribe are reader@example.org's own: whoever gets them can" in words
            assert ("send the address of its web page instead" in words) == passed_on
    assert "own:" not in render(entry()).text


def test_of_many_authors_the_first_nine_and_the_last_are_named() -> None:
    authors = tuple(f"Author {number:04d}" for number in range(3000))
    result = render(entry(authors=authors))
    for shown in (Page(result.html).text, " ".join(result.text.split())):
        assert "Author 0008, 2990 more and Author 2999" in shown
        assert "Author 0009" not in shown
    assert "more" not in Page(render(entry(authors=authors[:11])).html).text


def test_what_is_not_known_is_not_mentioned() -> None:
    result = render(entry(authors=(), comment=None, submitted_at=None, categories=("cs.PL",), abstract=""))
    for shown in (Page(result.html).text, result.text):
        assert "None" not in shown
        assert "submitted" not in shown
        assert "also" not in shown
        assert "Comment" not in shown


def test_the_digest_tells_what_each_keyword_brought_and_which_brought_nothing() -> None:
    keywords = ("silence", "compilers", "waiting", "rust")
    both = entry(1, ("waiting", "compilers"))
    result = render(both, entry(2), entry(3, ("waiting",)), entry(4, ("waiting",)), keywords=keywords)
    assert "     2  compilers\n     2  waiting\n" in result.text
    assert "compilers 2 · waiting 2" in Page(result.html).text.replace("\xa0", " ")
    for shown in (result.text, Page(result.html).text):
        assert "Nothing new for silence, rust." in shown
    assert "Nothing new" not in render(entry()).text


def test_only_the_first_digest_welcomes() -> None:
    first, later = render(entry(), is_first=True), render(entry())
    assert "the newest papers so far" in Page(first.html).text
    assert "the newest papers so far" in " ".join(first.text.split())
    assert "two weeks" not in later.text + later.html


def test_new_versions_stand_below_the_papers_in_both_parts_and_lead_to_that_version() -> None:
    result = render(entry(1), revisions=REVISIONS)
    page = Page(result.html)
    for shown in (page.text, " ".join(result.text.split())):
        assert shown.count("1 new paper") == 1
        places = [
            shown.index(part)
            for part in (
                "Compilers, Part 1",
                "New versions of papers you had",
                "Compilers, Part 8",
                "v1 → v3",
                "Rust & <b>",
                "v2 → v4",
                "You get this because",
            )
        ]
        assert places == sorted(places)
    urls = ["https://arxiv.org/abs/2606.00008v3", "https://arxiv.org/abs/2606.00009v4"]
    assert ids_in_text(result.text) == ids_in_html(result.html)
    assert [line for line in result.text.splitlines() if line in urls] == urls
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"][-2:] == urls
    assert page.open == []
    assert "\n\n\n" not in result.text


def test_papers_that_match_no_keyword_stand_last_in_both_parts_and_say_so() -> None:
    near = (paper(8), paper(9, title="Rust & <b>", authors=()))
    links = Links(judging="https://digest.example.org/i/T")
    result = WRITER.rendered(digest(entry(1), revisions=(revision(7, 1, 2),), near=near), links)
    page = Page(result.html)
    for shown in (page.text.replace("\xa0", " "), " ".join(result.text.split())):
        assert shown.count("1 new paper") == 1
        places = [
            shown.index(part)
            for part in (
                "Compilers, Part 1",
                "New versions of papers you had",
                "Also near",
                "none of your keywords",
                "Compilers, Part 8",
                "Rust & <b>",
                "You get this because",
            )
        ]
        assert places == sorted(places)
    assert ids_in_text(result.text)[-2:] == ids_in_html(result.html)[-2:] == ["2606.00008", "2606.00009"]
    hrefs = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert hrefs[-2:] == [f"{links.judging}/{verdict}/2606.00009" for verdict in ("more", "less")]
    assert page.open == []
    assert "\n\n\n" not in result.text
    assert "Also near" not in render(entry()).html + render(entry()).text


def test_new_versions_are_not_counted_as_papers() -> None:
    result = render(*map(entry, range(4)), revisions=REVISIONS)
    assert result.subject == "16 June: 4 papers: compilers 4"
    assert Page(result.html).text.startswith("On the Patience of Compilers, Part 0; On the Patience")


@pytest.mark.parametrize(
    ("revisions", "subject", "headline"),
    [
        (
            REVISIONS,
            "New versions: On the Patience of Compilers, Part 8 · Rust & <b>",
            "2 new versions of papers you had",
        ),
        (
            REVISIONS[:1],
            "New version: On the Patience of Compilers, Part 8",
            "1 new version of a paper you had",
        ),
        (
            tuple(revision(number, 1, 2) for number in range(4)),
            "16 June: 4 new versions of papers you had",
            "4 new versions of papers you had",
        ),
    ],
)
def test_a_digest_of_new_versions_alone_says_so(
    revisions: tuple[Revision, ...], subject: str, headline: str
) -> None:
    result = render(keywords=("compilers", "rust"), revisions=revisions)
    page = Page(result.html)
    assert result.subject == subject
    assert [tag for tag, _ in page.tags if tag in {"h1", "h2"}] == ["h1"]
    for shown in (page.text, result.text):
        assert shown.count(headline) == 1
        assert "No new papers for compilers, rust." in shown
        assert "v1 → v" in shown
    assert "\n\n\n" not in result.text


@pytest.mark.parametrize(("length", "named"), [("short", 5), ("normal", 20), ("full", 60)])
def test_the_text_names_the_new_versions_that_the_html_only_counts(length: Length, named: int) -> None:
    many = tuple(revision(number, 1, 2) for number in range(70))
    mail = WRITER.rendered(replace(digest(entry(), revisions=many), length=length))
    page = Page(mail.html)
    assert page.text.count("v1 → v2") == named
    assert f"And {70 - named} more: the plain-text part" in page.text
    assert mail.text.count("v1 → v2") == 70


def test_the_text_counts_the_new_versions_that_the_web_page_has() -> None:
    many = tuple(revision(number, 1, 2) for number in range(70))
    page = Links(online="https://digest.example.org/d/1")
    mail = WRITER.rendered(replace(digest(entry(), revisions=many), length="short"), links=page)
    assert mail.text.count("v1 → v2") == Page(mail.html).text.count("v1 → v2") == 5
    assert "And 65 more, on the web:\nhttps://digest.example.org/d/1\n" in mail.text
    assert "\n\n\n" not in mail.text


def test_without_new_versions_nothing_is_said_of_them() -> None:
    result = render(entry(1))
    assert "version" not in result.text + Page(result.html).text


def counts(**papers: int) -> list[KeywordCount]:
    return [KeywordCount(name=name, papers=number) for name, number in papers.items()]


def subject(titles: Sequence[str], counted: Sequence[KeywordCount] = ()) -> str:
    titled = digest(*(entry(number, title=title) for number, title in enumerate(titles)))
    return subject_line(titled, counted, [one.paper for one in titled.entries])


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (["Tea"], "Tea"),
        (["Tea", "Milk", "$k$-Kettles"], "Tea · Milk · k-Kettles"),
        (["x" * 500], "x" * 119 + "…"),
        (["x" * 500, "y" * 500], "x" * 57 + "… · " + "y" * 57 + "…"),
    ],
)
def test_the_subject_of_up_to_three_papers_has_their_titles(titles: list[str], expected: str) -> None:
    assert subject(titles) == expected


def test_the_subject_and_the_inbox_line_name_papers_in_the_order_of_the_mail() -> None:
    first, *others = (entry(1, title="Tea"), entry(2, title="Milk"), entry(3, title="Cups"))
    rare = entry(4, ("rust",), title="Kettles")
    few = render(first, others[0], rare, keywords=("compilers", "rust"))
    assert few.subject == "Kettles · Tea · Milk"
    many = render(first, *others, rare, keywords=("compilers", "rust"))
    assert "Kettles; Tea; Milk" in many.html


def test_the_subject_of_more_papers_has_the_date_and_the_counts() -> None:
    assert subject("ABCD", counts(learning=1, compilers=3)) == "16 June: 4 papers: learning 1, compilers 3"
    assert subject("ABCD") == "16 June: 4 papers"


def test_a_long_subject_names_the_first_keywords_whole_and_counts_the_others() -> None:
    many = [KeywordCount(name=f"a rather long keyword {number}", papers=1) for number in range(50)]
    line = subject("abcd", many)
    assert len(line) <= 120
    assert line.endswith("a rather long keyword 2 1 and 47 more")
    assert len(subject("abcd", [KeywordCount(name="x" * 500, papers=1)])) == 120


def test_the_rarest_keyword_leads_the_subject_the_counts_and_the_papers() -> None:
    keywords = ("compilers", "rust")
    result = render(entry(1), entry(2), entry(4), entry(3, ("rust",)), keywords=keywords)
    assert result.subject == "16 June: 4 papers: rust 1, compilers 3"
    assert ids_in_text(result.text) == [f"2606.{number:05}" for number in (3, 1, 2, 4)]
    assert ids_in_html(result.html) == ids_in_text(result.text)
    assert re.findall(r"(?m)^ +(\d+)\. ", result.text) == ["1", "2", "3", "4"]


def test_the_counts_lead_to_the_groups() -> None:
    page = Page(render(entry(1), entry(2, ("rust",)), keywords=("compilers", "rust")).html)
    targets = [
        str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a" and "href" in attributes
    ]
    assert targets[:2] == [
        attributes["id"] for tag, attributes in page.tags if tag == "a" and "id" in attributes
    ]


def test_the_counts_of_groups_without_room_lead_to_the_line_that_counts_their_papers() -> None:
    long = ("compilers that wait " * 20).strip()
    keywords = tuple(f"keyword {number:02}" for number in range(30))
    many = digest(*(entry(n, (keywords[n % 30],), title=long) for n in range(60)), keywords=keywords)
    page = Page(WRITER.rendered(replace(many, length="short")).html)
    headings = sum(attributes.get("class") == "group" for _, attributes in page.tags)
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    targets = [str(attributes.get("href"))[1:] for tag, attributes in page.tags if tag == "a"][:20]
    assert 0 < headings < 20
    assert len(set(ids)) == len(ids)
    assert set(targets) <= set(ids)


def test_a_paper_under_a_rarer_keyword_is_counted_where_it_does_not_stand() -> None:
    result = render(entry(1), entry(2), entry(3, ("compilers", "rust")), keywords=("compilers", "rust"))
    assert "and 1 above, under rarer keywords" in Page(result.html).text
    assert "rust: 1 paper\n" in result.text
    assert "compilers: 2 papers, and 1 above, under rarer keywords\n" in result.text


def test_of_many_keywords_the_first_are_counted_and_the_silent_are_cut_short() -> None:
    keywords = tuple(f"keyword {letter}{other}" for letter in "abcdefgh" for other in "abcdefgh")
    result = render(*(entry(n, (keywords[n],)) for n in range(32)), keywords=keywords)
    for shown in (" ".join(result.text.split()), Page(result.html).text):
        assert "12 more" in shown
        assert "and 20 more." in shown


def test_a_keyword_whose_papers_all_stand_under_rarer_ones_is_told_at_the_top() -> None:
    keywords = ("compilers", "rust", "waiting")
    entries = (entry(1, ("compilers", "waiting")), entry(2, ("rust", "waiting")), entry(3, ("rust",)))
    mail = render(*entries, keywords=keywords)
    for shown in (" ".join(mail.text.split()), Page(mail.html).text):
        assert "All papers for waiting stand under rarer keywords." in shown
    assert "All papers for" not in render(*entries[2:], keywords=keywords).text


@pytest.mark.parametrize("papers", [2, 20])
@pytest.mark.parametrize(("length", "most"), [("short", 650), ("normal", 1_600)])
def test_long_names_versions_and_near_papers_leave_room_for_papers(
    papers: int, length: Length, most: int
) -> None:
    keywords = tuple(" OR ".join(f"term{letter}{n}" for letter in "abcdefghijklm") for n in range(60))
    titles = "On the patience of compilers that wait for other compilers and measure how long"
    full = digest(
        *(entry(n, (keywords[n], *keywords[20:40]), title=titles) for n in range(papers)),
        keywords=keywords,
        revisions=tuple(revision(n, 1, 2, title=titles) for n in range(100, 140)),
        near=tuple(paper(n, title=titles) for n in range(200, 210)),
        is_first=True,
    )
    pages = "https://digest.example.org/"
    links = Links(
        judging=pages + "i/1", online=pages + "d/1", manage=pages + "p/1", unsubscribe=pages + "u/1"
    )
    mail = WRITER.rendered(replace(full, length=length), links)
    assert len(Page(mail.html).text.split()) <= most
    assert "2606.00000" in ids_in_html(mail.html)
    assert {f"2606.{n:05}" for n in range(200, 210)} <= set(ids_in_text(mail.text))


def test_without_any_keyword_the_text_has_no_gaps() -> None:
    assert "\n\n\n" not in render(*(entry(n, ()) for n in range(5)), keywords=()).text


def test_a_long_day_offers_ways_to_get_less() -> None:
    manage = "https://digest.example.org/p/2"
    for links, way in (
        (Links(manage=manage, unsubscribe=manage), "your preferences"),
        (Links(), "write to library@"),
    ):
        mail = WRITER.rendered(digest(*map(entry, range(61))), links)
        for shown in (" ".join(mail.text.split()), Page(mail.html).text):
            assert "61 papers are a lot to read" in shown
            assert way in shown
    assert "a lot to read" not in render(*map(entry, range(60))).text


def test_each_paper_can_be_judged_where_there_are_pages() -> None:
    many = digest(*map(entry, range(40)))
    links = Links(judging="https://digest.example.org/i/abc")
    mail = WRITER.rendered(many, links)
    hrefs = [str(attributes.get("href")) for tag, attributes in Page(mail.html).tags if tag == "a"]
    for number in range(40):
        for way in ("more", "less"):
            assert hrefs.count(f"https://digest.example.org/i/abc/{way}/2606.{number:05}") == 1
    assert "/i/abc/" not in mail.text
    assert mail.text.count("https://digest.example.org/i/abc\n") == 1
    assert len(Page(mail.html).text.split()) <= 1_500
    assert "More like this" not in WRITER.rendered(many).html


def test_a_first_digest_says_what_is_to_come() -> None:
    outlook = Outlook(
        papers_a_day=54, busiest="compilers", busiest_a_day=44, narrower=(("compilers AND cat:cs.PL", 9),)
    )
    first = replace(digest(entry(), is_first=True), outlook=outlook)
    told = (
        "Your keywords bring about 54 papers a day, compilers alone 44."
        " Narrower keywords are: compilers AND cat:cs.PL (9 a day)."
        " To change your keywords, write to library@example.org."
    )
    mail = WRITER.rendered(first)
    for shown in (Page(mail.html).text, " ".join(mail.text.split())):
        assert told in shown
    online = WRITER.rendered(first, links=Links(manage="https://digest.example.org/p/2"))
    assert "To change your keywords, open your preferences" in Page(online.html).text
    assert "To change your keywords, see your preferences below." in " ".join(online.text.split())
    few = Outlook(papers_a_day=0, busiest=None, busiest_a_day=0, narrower=())
    mail = WRITER.rendered(replace(first, outlook=few))
    assert "bring less than one paper in two days." in Page(mail.html).text


def test_the_papers_can_be_taken_to_a_reference_manager() -> None:
    base = "https://digest.example.org/d/3"
    links = Links(unsubscribe=base, online=base, bibtex=f"{base}.bib", ris=f"{base}.ris")
    mail = WRITER.rendered(digest(entry()), links)
    for url in (f"{base}.bib", f"{base}.ris"):
        assert f'href="{url}"' in mail.html
        assert f"\n{url}\n" in mail.text


def test_the_announcement_is_named_where_it_is_of_another_day() -> None:
    told = "up to arXiv's announcement of 12 June 2026"
    sunday = replace(
        digest(entry()), planned_at=datetime(2026, 6, 14, 7, tzinfo=UTC), dated_on=date(2026, 6, 14)
    )
    for day, is_told in ((sunday, True), (digest(entry()), False)):
        mail = WRITER.rendered(day)
        for shown in (mail.text, Page(mail.html).text.replace("’", "'")):
            assert (told in shown) == is_told
            assert ("announcement" in shown) == is_told


@pytest.mark.parametrize(
    ("covered_at", "newest", "day"),
    [
        # In New York, arXiv announces at 20:00, for the next day: what came in until 14:00.
        ("2026-06-17 07:00", "2026-06-15 17:00", 17),
        ("2026-06-17 07:00", "2026-06-16 17:00", 17),
        ("2026-06-17 03:00", "2026-06-15 17:00", 17),
        # Until its index has the announcement, only a paper shows that it was there.
        ("2026-06-17 02:59", "2026-06-15 17:00", 16),
        ("2026-06-17 02:59", "2026-06-16 17:00", 17),
        ("2026-06-17 00:30", "2026-06-16 17:00", 17),
        # One keyword found nothing in these hours.
        ("2026-06-16 23:59", "2026-06-16 17:00", 17),
        # One keyword was not asked for, for days.
        ("2026-06-12 20:00", "2026-06-16 17:00", 12),
        ("2026-06-12 20:00", None, 12),
    ],
)
def test_the_announcement_is_the_last_one_that_was_fetched_for_all_keywords(
    covered_at: str, newest: str | None, day: int
) -> None:
    papers = [
        entry(number, submitted_at=moment(at)) for number, at in enumerate(("2026-06-11 10:00", newest)) if at
    ]
    day_of = replace(digest(*papers), dated_on=date(2026, 6, 20))
    at = moment(covered_at)
    for told in (replace(day_of, covered_at=at), replace(day_of, planned_at=at)):
        mail = WRITER.rendered(told)
        line = f"up to arXiv's announcement of {day} June 2026"
        assert line in mail.text
        assert line in Page(mail.html).text.replace("’", "'")


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% include 'x' %}",
    "line\r\nBcc: all@example.org\r\n\r\n.\r\n",
    "nul\x00 bell\x07 escape\x1b[31m c1\x9b",
    "\u202eevil\u202c \u2066isolate",
    "lone \ud800 surrogate",
    "&lt;b&gt; & <b",
    "x" * 2000,
    "深度学习 שלום محمد 🚀 e\u0301",
    "--",
    "",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(text: str) -> None:
    usual = render(entry(2), keywords=("k",))
    hostile = entry(2, (text,), title=text, abstract=text, authors=(text,), categories=(text,), comment=text)
    result = render(hostile, keywords=("k",))
    known = {tag for tag, _ in Page(usual.html).tags} | {"b", "bdi"}
    page = Page(result.html)
    assert {tag for tag, _ in page.tags} <= known
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    for part in (result.subject, result.text, result.html):
        part.encode()
        unseen = [c for c in part if unicodedata.category(c) == "Cc" and c != "\n"]
        assert not unseen
        assert "\u202e" not in part
        assert "49" not in part
    assert "\n" not in result.subject
    assert len(result.subject) <= 120
    assert not re.search(r"(?m)^Bcc:", result.text)
    assert ids_in_text(result.text) == ids_in_html(result.html) == ["2606.00002"]


FIELD = st.text(max_size=80)


@examples(60)
@given(title=FIELD, abstract=FIELD, author=FIELD, comment=FIELD, keyword=FIELD)
def test_any_text_gives_a_whole_page_and_the_same_ids(
    title: str, abstract: str, author: str, comment: str, keyword: str
) -> None:
    strange = entry(1, (keyword,), title=title, abstract=abstract, authors=(author,), comment=comment)
    result = render(strange, entry(2), keywords=(keyword,))
    assert Page(result.html).open == []
    assert ids_in_text(result.text) == ids_in_html(result.html) == ["2606.00001", "2606.00002"]
    result.html.encode()


def test_the_text_is_wrapped_and_its_addresses_are_whole() -> None:
    address = "https://example.org/" + "code/" * 20
    result = render(
        entry(1, ("word " * 30,), title="long " * 60, abstract="y" * 300, comment=f"see {address}")
    )
    lines = result.text.splitlines()
    assert [line for line in lines if len(line) > 72] == [f"     {address}"]
    assert "     https://arxiv.org/abs/2606.00001" in lines
    assert result.text.count("https://arxiv.org/") == 1
    assert "\n\n\n" not in result.text


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    page = Page(render(entry(), is_first=True).html)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {
        "img",
        "link",
        "script",
        "iframe",
        "form",
        "input",
        "svg",
        "video",
        "object",
        "details",
    }
    assert not [
        attributes for _, attributes in page.tags if {"src", "background", "srcset"} & attributes.keys()
    ]
    assert "url(" not in str(page.tags) + RENDERED_STYLE
    assert "@import" not in RENDERED_STYLE
    assert len(RENDERED_STYLE) < 16_000


def test_the_page_tells_its_language_and_marks_its_tables_as_layout() -> None:
    page = Page(render(entry(), entry(2)).html)
    assert dict(page.tags)["html"]["lang"] == "en"
    assert {attributes.get("role") for tag, attributes in page.tags if tag == "table"} == {"presentation"}
    assert [tag for tag, _ in page.tags if tag in {"h1", "h2", "h3"}] == ["h1", "h2", "h2"]
    grouped = Page(render(entry(), entry(2, ("rust",))).html)
    assert [tag for tag, _ in grouped.tags if tag in {"h1", "h2", "h3"}] == ["h1", "h2", "h3", "h2", "h3"]


def test_the_inbox_line_adds_to_the_subject() -> None:
    assert Page(render(entry(7)).html).text.startswith("We wait. Then we measure how long")
    assert Page(render(entry(7, abstract="")).html).text.startswith("On the Patience of Compilers, Part 7")
    many = Page(render(*map(entry, range(9))).html).text
    assert many.startswith("On the Patience of Compilers, Part 0; On the Patience of Compilers, Part 1; ")


def test_a_paper_without_a_title_is_called_by_its_identifier() -> None:
    result = render(entry(7, title="", authors=(), abstract=""))
    assert re.search(rf"<h2[^>]*><a [^>]*>{paper(7).id}</a></h2>", result.html)
    assert f"\n  1. {paper(7).id}\n" in result.text


def test_a_paper_looks_the_same_whatever_else_is_in_the_digest() -> None:
    """So that its block can be made once for all subscribers who share it."""
    alone, among = render(entry(1)), render(entry(2), entry(1), entry(3), is_first=True)
    block = re.search(r'<h2 dir="auto".*?HTML</a></p>\n', alone.html, re.DOTALL)
    assert block
    assert block[0] in among.html


def test_a_missing_or_broken_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"keywords\.txt\.j2 is missing"):
        Renderer(tmp_path)
    for template in templates_folder().glob("*.j2"):
        (tmp_path / template.name).write_text(template.read_text())
    (tmp_path / "digest.txt.j2").write_text("one\n{% for %}\n")
    with pytest.raises(ConfigurationError, match=r"digest\.txt\.j2, line 2"):
        Renderer(tmp_path)


def test_templates_are_found_in_a_checkout() -> None:
    assert (templates_folder() / "digest.html.j2").is_file()
    assert systemd_folder().name == "systemd"
