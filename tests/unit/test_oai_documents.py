from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import BadDocument, Refused
from digest.model.paper import Paper, one_line
from digest.sources.arxiv.oai_pmh_parser import Record, TokenExpired, parse_record_page
from tests.integration.arxiv_harvest_server import (
    deleted_record,
    oai_error,
    raw_record,
    record_page,
    versions_of,
)

FIRST, SECOND = "Mon, 01 Jun 2026 12:00:00 GMT", "Tue, 9 Jun 2026 02:03:04 GMT"


def read_one(record: str) -> Record:
    (found,) = parse_record_page(record_page(record).encode()).records
    return found


@pytest.mark.parametrize("character", [b"\x0b", b"\x00", b"&#11;", b"&#x1F;", b"&#xffffff;", b"\xef\xbf\xbf"])
def test_a_character_that_xml_forbids_hides_no_paper(character: bytes) -> None:
    page = record_page(raw_record("2606.01234", abstract="We MARK follow"), raw_record("2606.01235")).encode()
    records = parse_record_page(page.replace(b"MARK", character)).records
    assert [record.paper.id for record in records] == ["2606.01234", "2606.01235"]
    assert records[0].paper.abstract == "We follow"


def test_an_answer_that_is_cut_off_is_refused_whatever_its_characters() -> None:
    page = record_page(raw_record("2606.01234", abstract="We MARK follow")).encode()
    with pytest.raises(BadDocument):
        parse_record_page(page.replace(b"MARK", b"\x0b")[:-20])


def test_every_field_of_a_record_is_read() -> None:
    extra = (
        "<comments>12 pages,\n  3 gnomes</comments><report-no>G-1</report-no><proxy>gnome</proxy>"
        "<journal-ref>J. Gnomes 1</journal-ref><doi>10.1000/1</doi><msc-class>05C81</msc-class>"
    )
    record = read_one(
        raw_record(
            "2606.01234",
            title="Two\n  lines",
            abstract="  An\nabstract with $a<b$.\n",
            authors=r"Andr\'e Example (1) and Bo Sample ((1) Gnomes)",
            categories="math.CO cs.DM",
            versions=versions_of(FIRST, SECOND),
            datestamp="2026-06-10",
            extra=extra,
        )
    )
    assert record == Record(
        datestamp_on=date(2026, 6, 10),
        paper=Paper(
            id=record.paper.id,
            version=2,
            title="Two lines",
            abstract="An abstract with $a<b$.",
            authors=("André Example", "Bo Sample"),
            categories=("math.CO", "cs.DM"),
            submitted_at=datetime(2026, 6, 1, 12, tzinfo=UTC),
            updated_at=datetime(2026, 6, 9, 2, 3, 4, tzinfo=UTC),
            comment="12 pages, 3 gnomes",
            journal_ref="J. Gnomes 1",
            doi="10.1000/1",
        ),
    )
    assert record.paper.id == "2606.01234"


def test_the_submission_is_that_of_the_first_version_wherever_it_stands() -> None:
    first, second = versions_of(FIRST), versions_of(SECOND).replace("v1", "v2")
    assert read_one(raw_record(versions=second + first)) == read_one(raw_record(versions=first + second))


def test_times_are_in_utc_whatever_zone_is_written() -> None:
    paper = read_one(raw_record(versions=versions_of("Mon, 01 Jun 2026 12:00:00 -0400"))).paper
    assert paper.submitted_at == datetime(2026, 6, 1, 16, tzinfo=UTC)
    assert paper.submitted_at.tzinfo is UTC


def test_an_old_style_identifier_is_read() -> None:
    assert read_one(raw_record("math.GT/0309136")).paper.id == "math/0309136"


def test_what_is_missing_or_blank_is_none() -> None:
    paper = read_one(raw_record(extra="<comments> \n </comments><doi/>")).paper
    assert (paper.comment, paper.journal_ref, paper.doi) == (None, None, None)


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff\\{")
    )
)
def test_texts_without_tex_come_out_character_for_character(text: str) -> None:
    paper = read_one(raw_record(title=text, abstract=text)).paper
    assert (paper.title, paper.abstract) == (one_line(text), one_line(text))


def test_a_deleted_record_is_no_paper_but_counts() -> None:
    page = parse_record_page(record_page(raw_record(), deleted_record(), token="", size=2).encode())
    assert (len(page.records), page.deleted, page.complete_size) == (1, 1, 2)


@pytest.mark.parametrize(("token", "read"), [(None, None), ("", None), (" \n", None), ("a%3Db&c", "a%3Db&c")])
def test_only_a_token_with_a_text_asks_for_more(token: str | None, read: str | None) -> None:
    assert parse_record_page(record_page(raw_record(), token=token).encode()).token == read


def test_the_servers_time_is_read() -> None:
    page = parse_record_page(record_page(raw_record()).encode())
    assert page.responded_at == datetime(2026, 6, 16, 12, tzinfo=UTC)


def test_that_nothing_matches_is_an_answer() -> None:
    page = parse_record_page(oai_error("noRecordsMatch").encode())
    assert (page.records, page.token) == ((), None)


@pytest.mark.parametrize("code", ["badArgument", "badVerb", "cannotDisseminateFormat", "idDoesNotExist"])
def test_any_other_error_is_a_refusal_with_its_reason(code: str) -> None:
    with pytest.raises(Refused, match=rf"\({code}\): no such gnome") as refused:
        parse_record_page(oai_error(code, "no such\n gnome").encode(), url="http://here")
    assert refused.value.url == "http://here"


def test_an_error_beside_the_one_that_is_none_is_not_overlooked() -> None:
    two = "<error code='noRecordsMatch'/><error code='badArgument'>x</error></OAI-PMH>"
    with pytest.raises(Refused, match="badArgument"):
        parse_record_page(oai_error("noRecordsMatch").replace("</OAI-PMH>", two).encode())


def test_an_expired_token_is_told_from_other_refusals() -> None:
    with pytest.raises(TokenExpired):
        parse_record_page(oai_error("badResumptionToken").encode())


def test_a_document_cut_off_anywhere_is_refused() -> None:
    document = record_page(raw_record(), deleted_record(), token="x").encode()
    for length in range(len(document)):
        with pytest.raises(BadDocument):
            parse_record_page(document[:length])


BOMB = "".join(f'<!ENTITY g{n} "{f"&g{n - 1};" * 10}">' for n in range(1, 12))
WHOLE = record_page(raw_record())


@pytest.mark.parametrize(
    "document",
    [
        "",
        "Rate exceeded.",
        "<feed xmlns='http://www.w3.org/2005/Atom'/>",
        WHOLE.replace("<title>", "<title>&nbsp;"),
        WHOLE + "more",
        WHOLE.replace("?>", f"?><!DOCTYPE feed [<!ENTITY g0 'gnome'>{BOMB}]>").replace("We follow", "&g11;"),
        WHOLE.replace("?>", '?><!DOCTYPE feed [<!ENTITY g SYSTEM "file:///etc/hostname">]>', 1),
        WHOLE.replace("UTF-8", "gnomish"),
        WHOLE.replace("<title>", "<title>" + "<b/>" * 1_000_000),
    ],
)
def test_what_is_no_whole_answer_without_entities_is_refused(document: str) -> None:
    with pytest.raises(BadDocument, match="not a complete OAI-PMH document"):
        parse_record_page(document.encode())


STRANGE = [
    ("<id>2606.00001</id>", ""),
    ("<id>2606.00001</id>", "<id>gnome</id>"),
    (versions_of(FIRST), ""),
    ('version="v1"', 'version="v2"'),
    ('version="v1"', 'version="first"'),
    (FIRST, "yesterday"),
    (FIRST, "Mon, 01 Jun 2026 12:00:00 -0000"),
    (FIRST, "Fri, 31 Dec 9999 23:00:00 -2300"),
    (FIRST, "Mon, 41 Jun 2026 12:00:00 GMT"),
    ("math.CO cs.DM", " "),
    ("<datestamp>2026-06-16</datestamp>", ""),
    ("<datestamp>2026-06-16<", "<datestamp>today<"),
    ("metadata>", "about>"),
    ("OAI/arXivRaw/", "OAI/arXiv/"),
    ("We follow gnomes.", "gnome " * 200_000),
]


@pytest.mark.parametrize(("there", "instead"), STRANGE)
def test_a_record_that_cannot_be_a_paper_is_left_out_counted_and_told(
    there: str, instead: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert there in raw_record()
    strange = raw_record().replace(there, instead)
    page = parse_record_page(record_page(strange, raw_record("2606.00002"), deleted_record()).encode())
    assert [record.paper.id for record in page.records] == ["2606.00002"]
    assert (page.unreadable, page.deleted, page.came) == (1, 1, 3)
    (told,) = caplog.messages
    assert told.startswith("entry left out id=oai:arXiv.org:2606.00001 cause=")
    assert len(told) < 300


def test_a_missing_title_or_missing_authors_are_empty() -> None:
    record = raw_record().replace("<title>On the walks of lost gnomes</title>", "")
    paper = read_one(record.replace("<authors>Ada Example and Bo Sample</authors>", "")).paper
    assert (paper.title, paper.authors, paper.abstract) == ("", (), "We follow gnomes.")


@pytest.mark.parametrize(
    ("strange", "count", "is_refused"),
    [
        (1, 1, False),
        (2, 2, False),
        (3, 3, True),
        (3, 5, True),
        (3, 6, False),
        (50, 100, False),
        (51, 100, True),
    ],
)
def test_more_than_two_strange_records_that_are_more_than_half_are_another_format(
    strange: int, count: int, is_refused: bool
) -> None:
    records = [raw_record(f"2606.{n:05}", categories="" if n < strange else "math.CO") for n in range(count)]
    document = record_page(*records).encode()
    if is_refused:
        with pytest.raises(BadDocument, match=f"{strange} of {count} entries cannot be read: .* no category"):
            parse_record_page(document)
    else:
        assert parse_record_page(document).unreadable == strange


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("<responseDate>2026-06-16T12:00:00Z</responseDate>", ""),
        ("2026-06-16T12:00:00Z</responseDate>", "2026-06-16T12:00:00</responseDate>"),
        ("2026-06-16T12:00:00Z</responseDate>", "0001-01-01T00:00:00+14:00</responseDate>"),
        ("ListRecords", "ListIdentifiers"),
        (raw_record(), ""),
    ],
)
def test_a_list_without_what_it_must_have_is_refused(there: str, instead: str) -> None:
    assert there in WHOLE
    with pytest.raises(BadDocument, match="not a complete OAI-PMH document"):
        parse_record_page(WHOLE.replace(there, instead).encode())
