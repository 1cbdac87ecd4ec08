import re
from datetime import UTC, datetime
from html import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.errors import BadDocument, Refused
from digest.model.paper import Paper, one_line
from digest.sources.arxiv.search_api_parser import error_reason, parse_search_answer
from tests.integration.arxiv_server import entry, error_entry, feed


def read(document: str) -> tuple[Paper, ...]:
    return parse_search_answer(document.encode()).papers


def read_one(document: str) -> Paper:
    (paper,) = read(document)
    return paper


def test_every_field_of_a_paper_is_read() -> None:
    extra = (
        "<arxiv:comment>12 pages,\n  3 gnomes</arxiv:comment>"
        "<arxiv:journal_ref>J. Gnomes 1</arxiv:journal_ref><arxiv:doi>10.1000/1</arxiv:doi>"
    )
    document = feed(
        entry(
            "2606.01234v3",
            title="Two\n  lines",
            abstract="  An\nabstract.\n",
            authors=("Ada Example", "Bo Ünïçøde"),
            categories=("math.CO", "cs.DM"),
            submitted_at=datetime(2026, 6, 2, 3, 4, 5, tzinfo=UTC),
            extra=extra,
        ),
        total=7,
    )
    answer = parse_search_answer(document.encode())
    assert answer.total == 7
    assert answer.papers == (
        Paper(
            id=read_one(document).id,
            version=3,
            title="Two lines",
            abstract="An abstract.",
            authors=("Ada Example", "Bo Ünïçøde"),
            categories=("math.CO", "cs.DM"),
            submitted_at=datetime(2026, 6, 2, 3, 4, 5, tzinfo=UTC),
            updated_at=datetime(2026, 6, 2, 3, 4, 5, tzinfo=UTC),
            comment="12 pages, 3 gnomes",
            journal_ref="J. Gnomes 1",
            doi="10.1000/1",
        ),
    )
    assert answer.papers[0].id == "2606.01234"


def test_submission_and_update_are_told_apart() -> None:
    document = feed(entry()).replace("<updated>2026-06-01T12", "<updated>2026-06-05T08")
    paper = read_one(document)
    assert paper.submitted_at == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert paper.updated_at == datetime(2026, 6, 5, 8, tzinfo=UTC)


def test_times_are_in_utc_whatever_zone_is_written() -> None:
    document = feed(entry()).replace("12:00:00Z</published>", "12:00:00-04:00</published>")
    submitted_at = read_one(document).submitted_at
    assert submitted_at == datetime(2026, 6, 1, 16, tzinfo=UTC)
    assert submitted_at.tzinfo is UTC


def test_what_is_missing_or_blank_is_none() -> None:
    paper = read_one(feed(entry(extra="<arxiv:comment> \n </arxiv:comment><arxiv:doi/>")))
    assert (paper.comment, paper.journal_ref, paper.doi) == (None, None, None)


def test_an_empty_result_is_an_answer() -> None:
    answer = parse_search_answer(feed().encode())
    assert (answer.total, answer.papers) == (0, ())


@pytest.mark.parametrize(
    ("named", "identifier", "version"),
    [
        ("2606.01234", "2606.01234", 1),
        ("2606.01234v12", "2606.01234", 12),
        ("math/0309136v2", "math/0309136", 2),
        ("math.GT/0309136v2", "math/0309136", 2),
    ],
)
def test_the_identity_is_the_id_without_its_version(named: str, identifier: str, version: int) -> None:
    paper = read_one(feed(entry(named)))
    assert (paper.id, paper.version) == (identifier, version)


def test_the_primary_category_stands_first_and_none_twice() -> None:
    document = feed(entry(categories=("cs.DM", "math.CO", "cs.DM"))).replace(
        '<arxiv:primary_category term="cs.DM"/>', '<arxiv:primary_category term="math.CO"/>'
    )
    assert read_one(document).categories == ("math.CO", "cs.DM")


def test_an_authors_affiliations_are_no_authors() -> None:
    author = (
        "<author><name>Cy Third</name><arxiv:affiliation>Here</arxiv:affiliation>"
        "<arxiv:affiliation>There</arxiv:affiliation></author>"
    )
    assert read_one(feed(entry(extra=author))).authors == ("Ada Example", "Cy Third")


def test_the_namespace_may_be_declared_at_each_element() -> None:
    space = 'xmlns:arxiv="http://arxiv.org/schemas/atom"'
    document = feed(entry(extra=f"<arxiv:comment {space}>one</arxiv:comment>")).replace(space, "", 1)
    document = document.replace("<arxiv:primary_category", f"<arxiv:primary_category {space}")
    assert read_one(document).comment == "one"


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "Error",
        "If $a<b$ and $c>d$",
        "AT&T &amp; co",
        "<script>alert(1)</script>",
        "<p>a</p> &lt;",
        "120 Å³",
        "a\u00a0b",
    ],
)
def test_a_text_that_looks_like_markup_stays_as_it_is(text: str) -> None:
    paper = read_one(feed(entry(title=text, abstract=text, authors=(text,))))
    assert (paper.title, paper.abstract, paper.authors) == (one_line(text), one_line(text), (one_line(text),))


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))
)
@example("a<b>c</b>&nbsp;]]>")
def test_texts_come_out_character_for_character(text: str) -> None:
    text = "x" + text
    paper = read_one(
        feed(entry(title=text, abstract=text, extra=f"<arxiv:comment>{escape(text)}</arxiv:comment>"))
    )
    assert (paper.title, paper.abstract, paper.comment) == (one_line(text),) * 3


def test_a_document_cut_off_anywhere_is_refused() -> None:
    document = feed(entry(), entry("2606.00002v1")).encode()
    for length in range(len(document)):
        with pytest.raises(BadDocument):
            parse_search_answer(document[:length])


BOMB = "".join(f'<!ENTITY g{n} "{f"&g{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    "document",
    [
        "",
        "Rate exceeded.",
        "<html><body><h1>502 Bad Gateway</h1></body></html>",
        "<rss version='2.0'><channel><title>gnomes</title></channel></rss>",
        feed(entry()).replace("<summary>", "<summary>&nbsp;"),
        feed(entry()) + "more",
        feed(entry()).replace("?>", f"?><!DOCTYPE feed [<!ENTITY g0 'gnome'>{BOMB}]>").replace("We", "&g11;"),
        feed(entry()).replace("?>", '?><!DOCTYPE feed [<!ENTITY g SYSTEM "file:///etc/hostname">]>', 1),
        feed(entry()).replace("UTF-8", "gnomish"),
    ],
)
def test_what_is_no_whole_atom_feed_without_entities_is_refused(document: str) -> None:
    with pytest.raises(BadDocument, match="not a complete Atom feed"):
        parse_search_answer(document.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(BadDocument):
        parse_search_answer(feed(entry(title="gnome")).encode().replace(b"gnome", b"\xff\xfe"))


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("<id>http://arxiv.org/abs/2606.00001v1</id>", ""),
        ("abs/2606.00001v1</id>", "abs/gnome</id>"),
        ("<published>2026-06-01T12:00:00Z</published>", ""),
        ("<updated>2026-06-01T12:00:00Z</updated>", ""),
        ("2026-06-01T12:00:00Z</published>", "yesterday</published>"),
        ("2026-06-01T12:00:00Z</published>", "2026-06-01T12:00:00</published>"),
        ('term="math.CO"', ""),
    ],
)
def test_an_entry_that_cannot_be_a_paper_is_left_out_counted_and_told(
    there: str, instead: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert there in entry()
    answer = parse_search_answer(feed(entry().replace(there, instead), entry("2606.00002v1")).encode())
    assert [paper.id for paper in answer.papers] == ["2606.00002"]
    assert (answer.total, answer.unreadable, answer.came) == (2, 1, 2)
    (told,) = caplog.messages
    assert told.startswith("entry left out id=")
    assert "cause=" in told


def test_more_than_two_strange_entries_that_are_more_than_half_are_another_format() -> None:
    strange = [entry(f"2606.{number:05}v1", categories=("",)) for number in range(3)]
    good = [entry(f"2606.1{number:04}v1") for number in range(3)]
    assert parse_search_answer(feed(*strange, *good).encode()).unreadable == 3
    with pytest.raises(BadDocument, match="3 of 5 entries"):
        parse_search_answer(feed(*strange, *good[1:]).encode())


def test_what_a_paper_can_be_without_is_empty() -> None:
    paper = read_one(feed(re.sub(r"<(title|summary|name)>.*?</\1>", "", entry(), flags=re.DOTALL)))
    assert (paper.title, paper.abstract, paper.authors) == ("", "", ())


def test_a_name_without_a_letter_is_no_author() -> None:
    assert read_one(feed(entry(authors=("Gnome Collaboration", ":", "", "Ada Example")))).authors == (
        "Gnome Collaboration",
        "Ada Example",
    )


def test_tex_that_arxiv_left_in_a_name_is_converted() -> None:
    assert read_one(feed(entry(authors=(r"J. Ex{ý}mpl", r"B. S\v ample")))).authors == (
        "J. Exýmpl",
        "B. Sǎmple",
    )


@pytest.mark.parametrize("instead", ["", "<opensearch:totalResults>many</opensearch:totalResults>"])
def test_an_answer_without_its_total_is_refused(instead: str) -> None:
    document = feed(entry())
    total = "<opensearch:totalResults>1</opensearch:totalResults>"
    assert total in document
    with pytest.raises(BadDocument, match="incomplete"):
        parse_search_answer(document.replace(total, instead).encode())


def test_an_error_entry_is_a_refusal_with_its_reason() -> None:
    with pytest.raises(Refused, match="start must be an integer") as refused:
        parse_search_answer(error_entry("start must be\n an integer").encode(), url="http://here")
    assert refused.value.url == "http://here"


def test_the_reason_is_found_in_error_entries_and_in_the_subtitle_of_a_feed_without_entries() -> None:
    assert error_reason(error_entry("no such field").encode()) == "no such field"
    subtitled = feed(made_at="2026-06-16T12:00:00Z").replace(
        "<updated>", "<subtitle>Bad archive 'x'.</subtitle><updated>"
    )
    assert error_reason(subtitled.encode()) == "Bad archive 'x'."
    for other in (feed(entry()), feed(), "Service Unavailable", ""):
        assert error_reason(other.encode()) is None
