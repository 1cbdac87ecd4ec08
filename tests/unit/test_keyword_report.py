"""What a keyword brings, through which words, and what would make it narrower."""

from dataclasses import replace
from datetime import date

import pytest

from digest.keywords.index import matches
from digest.keywords.query import parse
from digest.keywords.spelling import respellings
from digest.model.paper import Paper
from digest.pipeline.keyword_report import Advice, Forms, advise
from tests.factories import invented_paper

DAYS = (date(2026, 6, 16), date(2026, 6, 17))


def papers(*titles: str, submitted: str = "2026-06-15 10:00", first: int = 1) -> list[Paper]:
    return [
        invented_paper(f"2606.{number:05}", title, submitted=submitted)
        for number, title in enumerate(titles, first)
    ]


def advice(keyword: str, found: list[Paper], *others: str, total: int | None = None) -> Advice:
    queries = {text: parse(text) for text in (keyword, *others)}
    first, *_ = advise(queries, found, days=DAYS, total=total)
    return first


def test_papers_are_counted_by_the_day_of_their_announcement() -> None:
    found = papers("Tea", "Tea two") + papers("Late tea", submitted="2026-06-15 19:00", first=9)
    found.append(invented_paper("2605.00010", "Old tea", submitted="2026-06-01 10:00"))
    assert advice("tea", found).days == ((DAYS[0], 2), (DAYS[1], 1))
    assert advice("tea", found).a_day == 1.5


def test_a_paper_that_was_held_back_counts_on_the_day_that_its_number_tells() -> None:
    found = papers("Tea", "Tea two") + papers("Late tea", submitted="2026-06-15 19:00", first=9)
    found += papers("Held tea", submitted="2026-06-01 10:00", first=10)
    assert advice("tea", found).days == ((DAYS[0], 2), (DAYS[1], 2))


def test_how_a_keyword_was_understood_and_asked_for_is_told() -> None:
    (reading,) = advice("the theory and practice of teas", []).readings
    assert reading.where == "title or abstract"
    assert reading.words == ("the", "theory", "and", "practice", "of", "teas")
    assert reading.compared == ("theori", "practic", "tea")
    assert reading.left_out == ("the", "and", "of")
    assert [one.compared for one in advice("=tea OR ti:neur* ANDNOT au:x", []).readings] == [
        ("tea|teas",),
        ("neur*",),
    ]
    assert advice("ti:teas", []).asked == 'ti:"teas"'


def spelt(keyword: str, *titles: str) -> list[tuple[str, int, str]]:
    query, found = parse(keyword), papers(*titles)
    own = [paper for paper in found if matches(query, paper)]
    tried = {query.key: respellings(query, own)}
    (told,) = advise({keyword: query}, found, days=DAYS, total=None, tried=tried)
    return [(one.written, one.papers, one.keyword) for one in told.spellings]


@pytest.mark.parametrize(
    ("keyword", "titles", "told"),
    [
        ("Schrodinger tea", ["Schrödinger tea"] * 2, ("Schrödinger", 2, "Schrödinger tea")),
        (
            "Nusbaum tea",
            ["Nusbaum tea by Nußbaum", "Nüsbaum tea", "Nüsbaum tea", "Nüsbaum and Nusbaum tea"],
            ("Nüsbaum", 2, "Nüsbaum tea"),
        ),
        ("Brew2.5", ["Brew 2.5", "Brew-2.5"], ("Brew 2.5", 2, 'Brew2.5 OR "Brew 2.5"')),
        ("Brew 2.5", ["Brew2.5"] * 2, ("Brew2.5", 2, '"Brew 2.5" OR Brew2.5')),
        ("pre-brewing", ["Prebrewing"] * 2, ("prebrewing", 2, "pre-brewing OR prebrewing")),
        (
            "prebrewing",
            ["Prebrewing", "Brewing tea by prebrewing", "Pre-brewing", "Pre brewing"],
            ("pre brewing", 2, 'prebrewing OR "pre brewing"'),
        ),
        ("e-tea", ["Etea"] * 2, ("etea", 2, "e-tea OR etea")),
        ("btt", ["b.t.t. leaves"] * 2, ("b.t.t", 2, "btt OR b.t.t")),
        (
            "Brew2.5 AND au:Example",
            ["Brew 2.5"] * 2,
            ("Brew 2.5", 2, '(Brew2.5 OR "Brew 2.5") AND au:Example'),
        ),
    ],
)
def test_spellings_that_a_keyword_does_not_find_are_told(
    keyword: str, titles: list[str], told: tuple[str, int, str]
) -> None:
    assert told in spelt(keyword, *titles)
    assert parse(told[2])


def test_a_spelling_of_few_papers_is_not_told_and_no_more_than_three_are() -> None:
    assert spelt("Brew2.5", "Brew 2.5") == []
    assert spelt("Brew2.5", *["Brew2.5"] * 200, *["Brew 2.5"] * 3) == []
    titles = ["Hölder Möbius", "Holder Möbius", "Hölder Mobius", "HolderMobius"]
    assert len(spelt("Holder Mobius", *titles * 2)) <= 3


@pytest.mark.parametrize("keyword", ["U.S.", "neur*", "au:Schrodinger", "all:Schrodinger", "cat:cs.LG"])
def test_nothing_else_is_taken_for_another_spelling(keyword: str) -> None:
    assert spelt(keyword, *["Us, neural or Schrödinger"] * 3) == []


@pytest.mark.parametrize(
    ("count", "is_dead", "is_broad"), [(0, True, False), (100, False, False), (101, False, True)]
)
def test_more_than_fifty_a_day_is_broad_and_none_is_dead(count: int, is_dead: bool, is_broad: bool) -> None:
    found = advice("tea", papers(*["Tea"] * count))
    assert (found.is_dead, found.is_broad) == (is_dead, is_broad)


def test_the_forms_through_which_papers_are_found_are_told() -> None:
    found = advice("compiler", papers("A compiler", "Compiled", "Compiling", "We compiled", "Tea"))
    assert found.forms == Forms(
        papers=4, others=3, words=("compiled", "compiling"), exact="=compiler", kept=1
    )
    assert advice("compiler", papers("A compiler")).forms is None


@pytest.mark.parametrize("keyword", ["=compiler", "compil*", "compiler AND tea"])
def test_forms_are_told_of_a_plain_phrase_alone(keyword: str) -> None:
    assert advice(keyword, papers("Compiled tea", "A compiler for tea")).forms is None


def test_what_other_keywords_find_too_is_counted() -> None:
    found = advice("tea", papers("Tea", "Tea with milk", "Milk"), "milk", "sand")
    assert found.overlaps == (("milk", 1),)


def test_a_narrower_keyword_has_a_phrase_that_its_titles_have_more_often_than_others() -> None:
    own = ["Tea in green glasses"] * 4 + ["Tea of many kinds"] * 6
    others = ["Many kinds of sand"] * 10
    found = advice("tea", papers(*own, *others), "sand")
    assert (found.proposals[0].keyword, found.proposals[0].papers) == ('tea AND "green glasses"', 4)
    assert all("kinds" not in one.keyword for one in found.proposals)


def test_the_share_is_of_all_papers_of_these_days() -> None:
    found = advice("tea", [replace(papers("Tea")[0])], total=200)
    assert (found.papers, found.total) == (1, 200)
