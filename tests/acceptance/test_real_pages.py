"""Pages of the real papers of ../shared: each text shows as its author wrote it, and is read as that."""

import gzip
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from digest.cli.daily_papers.matching import alike, judge
from digest.cli.daily_papers.page import Page, Section, build_section
from digest.cli.daily_papers.parser import parse_page
from digest.cli.daily_papers.writer import write_html, write_markdown
from digest.keywords.index import matches
from digest.keywords.query import parse
from digest.model.paper import ArxivId, Paper, one_line
from digest.subscribers.subscriber import Keyword
from tests.acceptance.installation import SHARED
from tests.pages import shown_github, shown_html, shown_markdown

CORPUS = SHARED / "arxiv" / "corpus.jsonl.gz"
TODAY = date(2026, 6, 18)

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the real papers of ../shared are not here")


@pytest.fixture(scope="module")
def papers() -> tuple[Paper, ...]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        return tuple(_paper(json.loads(line)) for line in lines)


def _paper(row: dict[str, Any]) -> Paper:
    return Paper(
        id=ArxivId(row["id"]),
        version=1,
        title=row["title"],
        abstract=row["abstract"],
        authors=tuple(row["authors"]),
        categories=tuple(row["categories"]),
        submitted_at=datetime(2026, 6, 1, tzinfo=UTC),
        comment=row.get("comment"),
    )


def keyword(text: str) -> Keyword:
    return Keyword(text=text, query=parse(text))


@pytest.mark.long
def test_every_real_title_abstract_and_comment_shows_as_it_is_written(papers: tuple[Paper, ...]) -> None:
    page = Page(sections=(Section(keyword=keyword("tea"), papers=papers),), updated_on=TODAY)
    expected = [
        [one_line(paper.title), "2026-06-01", one_line(paper.abstract), one_line(paper.comment or "")]
        for paper in papers
    ]
    addresses = [f"{paper.abs_url}v1" for paper in papers]
    text = write_markdown(page)
    for seen in (shown_markdown(text), shown_github(text), shown_html(write_html(page))):
        assert seen.tables[0][1:] == expected
        papers_linked = [link for link in seen.links if link in set(addresses)]
        assert papers_linked == addresses
    (listing,) = parse_page(text).listings
    assert [[one.title, one.abstract, one.comment] for one in listing.papers] == [
        [title, abstract, comment] for title, _, abstract, comment in expected
    ]


@pytest.mark.long
def test_a_page_of_real_papers_has_what_matches_and_says_so_when_it_is_read(
    papers: tuple[Paper, ...],
) -> None:
    words = ("reinforcement learning", "compiler", "performance")
    sections = tuple(build_section(keyword(word), papers) for word in words)
    assert [len(one.papers) for one in sections] == [
        min(100, sum(matches(parse(word), paper) for paper in papers)) for word in words
    ]
    listings = parse_page(write_markdown(Page(sections=sections, updated_on=TODAY))).listings
    verdicts = tuple(map(judge, listings))
    for verdict, section in zip(verdicts, sections, strict=True):
        assert (len(verdict.matching), verdict.strays, verdict.unclear) == (len(section.papers), (), ())
    assert alike(verdicts) == ()


def test_the_same_papers_under_each_heading_are_told_as_such(papers: tuple[Paper, ...]) -> None:
    """As on a page whose program asked arXiv for `… AND ti:"K" OR abs:"K"`."""
    words = ("reinforcement learning", "compiler", "performance")
    same = tuple(Section(keyword=keyword(word), papers=papers[:20]) for word in words)
    verdicts = tuple(map(judge, parse_page(write_markdown(Page(sections=same, updated_on=TODAY))).listings))
    assert [[one.listing.heading for one in group] for group in alike(verdicts)] == [list(words)]
    for word, verdict in zip(words, verdicts, strict=True):
        strays = {paper.id for paper in papers[:20] if not matches(parse(word), paper)}
        assert {one.id for one in verdict.strays} == strays
        assert len(strays) > 10
