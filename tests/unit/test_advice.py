"""What a keyword brings, through which words, and what would make it narrower."""

from dataclasses import replace
from datetime import date

import pytest

from digest.advice import Advice, Forms, advise
from digest.papers import Paper
from digest.query import parse
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
    found += papers("Old tea", submitted="2026-06-01 10:00", first=10)
    assert advice("tea", found).days == ((DAYS[0], 2), (DAYS[1], 1))
    assert advice("tea", found).a_day == 1.5


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
