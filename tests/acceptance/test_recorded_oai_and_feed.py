"""Every recorded answer of arXiv's OAI-PMH and of its daily feeds is read whole, or to the right error."""

import re
from datetime import date
from html import unescape
from pathlib import Path

import pytest

from digest.errors import BadDocument, Refused
from digest.model.paper import Paper
from digest.sources.arxiv.daily_feed_parser import AnnounceType, parse_feed_page
from digest.sources.arxiv.oai_pmh_parser import TokenExpired, parse_record_page
from digest.sources.arxiv.search_api_parser import error_reason

RECORDED = Path(__file__).parents[3] / "shared" / "arxiv" / "recorded"
OAI = sorted(RECORDED.glob("oai/*.xml"))
FEEDS = sorted(RECORDED.glob("feed/*.xml"))

pytestmark = pytest.mark.skipif(not OAI or not FEEDS, reason="arXiv's recorded answers are not at hand")

RECORDS = {
    "listrecords_arXivRaw_paged_1": 25,
    "listrecords_arXivRaw_paged_2": 25,
    "listrecords_arXivRaw_paged_3": 25,
    "listrecords_arXivRaw_paged_4": 25,
    "listrecords_arXivRaw_paged_last": 14,
    "error_noRecordsMatch": 0,
}
ENTRIES = {
    "atom_astro-ph.GA+astro-ph.CO_2026-06-18": 38,
    "atom_cs.AI_2025-08-20_trimmed": 7,
    "atom_math.CO_2026-06-17": 61,
    "atom_empty_weekend_cs.LG_2026-06-20": 0,
}


def refusal_of(name: str) -> type[Exception]:
    if name == "error_badResumptionToken":
        return TokenExpired
    return Refused if name.startswith(("error_", "atom_error_")) else BadDocument


@pytest.mark.parametrize("path", OAI, ids=lambda path: path.name)
def test_an_answer_of_oai_pmh_is_read_whole_or_refused(path: Path) -> None:
    if path.stem not in RECORDS:
        with pytest.raises(refusal_of(path.stem)):
            parse_record_page(path.read_bytes())
        return
    page = parse_record_page(path.read_bytes())
    assert len(page.records) == RECORDS[path.stem]
    assert (page.token is None) == (path.stem[-1] not in "1234")
    for record in page.records:
        assert date(2011, 2, 3) <= record.datestamp_on <= date(2011, 2, 10)
        _is_complete(record.paper)
        assert record.paper.submitted_at is not None
        assert record.paper.updated_at is not None
        assert (record.paper.submitted_at < record.paper.updated_at) == (record.paper.version > 1)


def _is_complete(paper: Paper) -> None:
    assert paper.title
    assert paper.abstract
    assert paper.categories
    assert paper.authors
    assert not re.search(r"[\n(){}]", "".join(paper.authors)), paper.authors


def test_the_recorded_pages_are_one_list() -> None:
    pages = [parse_record_page(path.read_bytes()) for path in OAI if path.stem in RECORDS]
    ids = [record.paper.id for page in pages for record in page.records]
    assert len(ids) == 114
    assert len(set(ids)) == 114


def test_recorded_authors_come_out_as_people_write_them() -> None:
    pages = [parse_record_page(path.read_bytes()) for path in OAI if path.stem in RECORDS]
    authors = {author for page in pages for record in page.records for author in record.paper.authors}
    assert {
        "José Zamora", "Stanisława Kanas", "Søren K. Boldsen", "V. V. França", "T. Lelièvre", "Joël Goossens",
        "Gábor Székelyhidi", "Patrick Plötz", "José A. Muñoz", "A. A. Abdumalikov Jr.", "I. D'Amico",
        "Chi-kwan Chan",
    } <= authors  # fmt: skip
    assert not [author for author in authors if "\\" in author]


@pytest.mark.parametrize("path", FEEDS, ids=lambda path: path.name)
def test_a_feed_is_read_whole_or_refused(path: Path) -> None:
    document = path.read_bytes()
    if path.stem not in ENTRIES:
        with pytest.raises(refusal_of(path.stem)):
            parse_feed_page(document)
        return
    page = parse_feed_page(document)
    assert len(page.entries) == ENTRIES[path.stem]
    listed_on = re.search(r"\d{4}-\d\d-\d\d", path.stem)
    assert listed_on
    assert page.listed_on == (date.fromisoformat(listed_on[0]) if page.entries else None)
    for kind in AnnounceType:
        written = document.count(f"<arxiv:announce_type>{kind}</arxiv:announce_type>".encode())
        assert [one.kind for one in page.entries].count(kind) == written
    summaries = re.findall(r"\nAbstract: (.*?)</summary>", document.decode(), re.DOTALL)
    assert [one.paper.abstract for one in page.entries] == [
        " ".join(unescape(text).split()) for text in summaries
    ]
    for one in page.entries:
        _is_complete(one.paper)
        assert one.paper.submitted_at is None


def test_a_feed_that_refuses_says_why() -> None:
    (path,) = RECORDED.glob("feed/atom_error_bad_subject.xml")
    with pytest.raises(Refused, match="Bad subject class 'XX'"):
        parse_feed_page(path.read_bytes())
    assert "Bad subject class 'XX'" in (error_reason(path.read_bytes()) or "")
