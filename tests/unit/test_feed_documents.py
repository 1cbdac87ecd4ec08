import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import BadDocument, Refused
from digest.model.paper import Paper, one_line
from digest.sources.arxiv.daily_feed_parser import Announced, AnnounceType, parse_feed_page
from tests.integration.arxiv_harvest_server import daily_feed, feed_entry


def read_one(entry: str) -> Announced:
    (found,) = parse_feed_page(daily_feed(entry).encode()).entries
    return found


def test_every_field_of_an_entry_is_read() -> None:
    found = read_one(
        feed_entry(
            "2606.01234v3",
            kind="replace-cross",
            title="Two\n  lines",
            abstract="An\nabstract: with $a<b$ &\n120 Å³.",
            authors=r" Andr\'e Example, Bo Sample",
            categories=("math.CO", "cs.DM", "math.CO"),
        )
    )
    assert found == Announced(
        kind=AnnounceType.REPLACE_CROSS,
        paper=Paper(
            id=found.paper.id,
            version=3,
            title="Two lines",
            abstract="An abstract: with $a<b$ & 120 Å³.",
            authors=("André Example", "Bo Sample"),
            categories=("math.CO", "cs.DM"),
        ),
    )
    assert found.paper.id == "2606.01234"


@pytest.mark.parametrize("kind", list(AnnounceType))
def test_the_announcements_own_word_is_read(kind: AnnounceType) -> None:
    assert read_one(feed_entry(kind=kind)).kind is kind


def test_an_old_style_identifier_is_read() -> None:
    found = read_one(feed_entry("math/0309136v2", kind="replace"))
    assert (found.paper.id, found.paper.version) == ("math/0309136", 2)
    assert found.paper.abstract == "We follow gnomes."


def test_a_summary_that_is_only_the_abstract_stays_whole() -> None:
    bare = feed_entry().replace("arXiv:2606.00001v1 Announce Type: new \nAbstract: ", "")
    assert read_one(bare).paper.abstract == "We follow gnomes."


def test_an_abstract_may_quote_the_words_before_an_abstract() -> None:
    text = "arXiv:2606.00001v1 Announce Type: new Abstract: Twice."
    assert read_one(feed_entry(abstract=text)).paper.abstract == text


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))
)
def test_texts_come_out_character_for_character(text: str) -> None:
    paper = read_one(feed_entry(title=text, abstract=text)).paper
    assert (paper.title, paper.abstract) == (one_line(text), one_line(text))


def test_the_day_of_the_list_and_when_it_was_made_are_told_in_eastern_time() -> None:
    page = parse_feed_page(daily_feed(feed_entry(), made_at="2026-06-17T03:59:59Z").encode())
    assert (page.listed_on, page.made_on) == (date(2026, 6, 16), date(2026, 6, 16))
    page = parse_feed_page(daily_feed(made_at="2026-06-17T04:00:00+00:00").encode())
    assert (page.listed_on, page.made_on) == (None, date(2026, 6, 17))


def test_a_feed_without_entries_is_an_answer() -> None:
    assert parse_feed_page(daily_feed().encode()).entries == ()


def test_entries_of_two_days_are_refused() -> None:
    document = daily_feed(feed_entry(), feed_entry("2606.00002v1", day="2026-06-15"))
    with pytest.raises(BadDocument, match="2026-06-15 and of 2026-06-16"):
        parse_feed_page(document.encode())


def test_a_feed_that_is_an_error_message_is_a_refusal_with_its_reason() -> None:
    document = daily_feed(
        title="Feed error for query: http://rss.arxiv.org/atom/x", subtitle="Bad archive\n 'x'."
    )
    with pytest.raises(Refused, match="Bad archive 'x'") as refused:
        parse_feed_page(document.encode(), url="http://here")
    assert refused.value.url == "http://here"


def test_a_document_cut_off_anywhere_is_refused() -> None:
    document = daily_feed(feed_entry(), feed_entry("2606.00002v1")).encode()
    for length in range(len(document)):
        with pytest.raises(BadDocument):
            parse_feed_page(document[:length])


BOMB = "".join(f'<!ENTITY g{n} "{f"&g{n - 1};" * 10}">' for n in range(1, 12))
WHOLE = daily_feed(feed_entry())


@pytest.mark.parametrize(
    "document",
    [
        "",
        "Rate exceeded.",
        "<rss version='2.0'><channel><title>gnomes</title></channel></rss>",
        WHOLE + "more",
        WHOLE.replace("?>", f"?><!DOCTYPE feed [<!ENTITY g0 'gnome'>{BOMB}]>").replace("We follow", "&g11;"),
        WHOLE.replace("?>", '?><!DOCTYPE feed [<!ENTITY g SYSTEM "file:///etc/hostname">]>', 1),
        WHOLE.replace("UTF-8", "gnomish"),
        WHOLE.replace("<dc:creator>", "<dc:creator>" + "<b/>" * 1_000_000),
    ],
)
def test_what_is_no_whole_atom_feed_without_entities_is_refused(document: str) -> None:
    with pytest.raises(BadDocument, match="not a complete Atom feed"):
        parse_feed_page(document.encode())


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("<id>oai:arXiv.org:2606.00001v1</id>", ""),
        ("<id>oai:arXiv.org:2606.00001v1</id>", "<id>gnome</id>"),
        ('<category term="math.CO"/><category term="cs.DM"/>', "<category/>"),
        ("<arxiv:announce_type>new</arxiv:announce_type>", ""),
        (">new</arxiv:announce_type>", ">rumoured</arxiv:announce_type>"),
        ("<published>2026-06-16T00:00:00-04:00</published>", ""),
        ("<published>2026-06-16T00:00:00-04:00<", "<published>2026-06-16T00:00:00<"),
        ("<published>2026-06-16T00:00:00-04:00<", "<published>0001-01-01T00:00:00Z<"),
    ],
)
def test_an_entry_that_cannot_be_a_paper_is_left_out_counted_and_told(
    there: str, instead: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert there in feed_entry()
    document = daily_feed(feed_entry().replace(there, instead), feed_entry("2606.00002v1"))
    page = parse_feed_page(document.encode())
    assert [one.paper.id for one in page.entries] == ["2606.00002"]
    assert (page.unreadable, page.came, page.listed_on) == (1, 2, date(2026, 6, 16))
    (told,) = caplog.messages
    named = re.search("<id>(.*)</id>", feed_entry().replace(there, instead))
    assert told.startswith(f"entry left out id={named[1] if named else 'unknown'} cause=")


def test_more_than_two_strange_entries_that_are_more_than_half_are_another_format() -> None:
    strange = [feed_entry(f"2606.{number:05}v1", categories=()) for number in range(3)]
    good = [feed_entry(f"2606.1{number:04}v1") for number in range(3)]
    assert parse_feed_page(daily_feed(*strange, *good).encode()).unreadable == 3
    with pytest.raises(BadDocument, match="3 of 5 entries"):
        parse_feed_page(daily_feed(*strange, *good[1:]).encode())


def test_what_a_paper_can_be_without_is_empty() -> None:
    entry = re.sub(r"<(title|summary|dc:creator)>.*?</\1>", "", feed_entry(), flags=re.DOTALL)
    paper = read_one(entry).paper
    assert (paper.title, paper.abstract, paper.authors) == ("", "", ())


def test_a_feed_that_does_not_say_when_it_was_made_is_refused() -> None:
    document = WHOLE.replace("<updated>2026-06-16T04:00:19.866337+00:00</updated>", "")
    assert document != WHOLE
    with pytest.raises(BadDocument, match="not a complete Atom feed"):
        parse_feed_page(document.encode())
