"""What a preview says: rates, bars, narrower keywords, mistakes in place, and all keywords together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from digest.errors import QueryError
from digest.keywords.query import parse
from digest.model.paper import Paper
from digest.web.preview import MOST_KEYWORDS, Mistake, Preview, Waiting, mistake_of, parsed, preview_of, rate
from digest.web.preview_findings import (
    Findings,
    Found,
    TooCostly,
    days_of,
    findings_of,
    found_for,
    keys_in,
)
from tests.factories import invented_paper, moment

NOW = moment("2026-06-17 08:00")  # a Wednesday; arXiv announced at 00:00 UTC


def never() -> bool:
    return False


def papers(*titles: str, first: int = 1, day: str = "2026-06-15") -> tuple[Paper, ...]:
    return tuple(
        invented_paper(f"2606.{number:05}", title, submitted=f"{day} 10:00")
        for number, title in enumerate(titles, first)
    )


def known(*found: Paper, since: str = "2026-05-25 00:00", until: str = "2026-06-17 08:00") -> Found:
    return Found(papers=found, searched_since=moment(since), covered_at=moment(until))


def findings(text: str, found: Found) -> Findings:
    return findings_of(parse(text), found, NOW, never)


def previewed(texts: Sequence[str], found: Found, *, most: int = 100) -> Preview:
    keywords = parsed(texts)
    each = {one.key: findings_of(one, found, NOW, never) for one in keywords.queries.values()}
    return preview_of(keywords, each, {}, texts=texts, most=most)


def test_papers_are_counted_by_the_days_that_are_known_as_a_whole() -> None:
    found = findings(
        "tea", known(*papers("Tea", "More tea", "Milk"), *papers("Tea", first=9, day="2026-06-16"))
    )
    assert len(found.days) == 10
    assert found.by_day[-2:] == (2, 1)
    assert found.a_day == 0.3
    assert [paper.title for paper in found.newest] == ["Tea", "More tea", "Tea"]
    assert not found.is_estimate


def test_only_announcements_of_two_weeks_that_were_fetched_count() -> None:
    assert len(days_of(known(), NOW)) == 10
    assert len(days_of(known(since="2026-06-10 12:00"), NOW)) == 4
    assert len(days_of(known(until="2026-06-10 12:00"), NOW)) == 5
    assert len(days_of(known(until="2026-09-10 12:00"), NOW)) == 10


def test_with_less_than_a_week_arxiv_must_be_asked() -> None:
    query = parse("tea")
    assert found_for(query, {query.key: known(since="2026-06-09 12:00")}, NOW)
    assert found_for(query, {query.key: known(since="2026-06-10 12:00")}, NOW) is None
    assert found_for(query, {}, NOW) is None
    cut = replace(known(since="2026-06-16 12:00"), about=700.0)
    assert found_for(query, {query.key: cut}, NOW) == cut


@pytest.mark.parametrize(
    ("keyword", "followed", "is_enough"),
    [
        ("tea AND milk", ("tea",), True),
        ("(tea AND milk) ANDNOT sugar", ("milk",), True),
        ("tea AND (milk OR sugar)", ("milk", "sugar"), True),
        ("tea OR milk", ("tea", "milk"), True),
        ("tea OR milk", ("tea",), False),
        ("tea ANDNOT milk", ("milk",), False),
        ("tea", ("tea AND milk",), False),
    ],
)
def test_what_is_known_of_parts_is_enough_where_it_has_all_papers(
    keyword: str, followed: tuple[str, ...], is_enough: bool
) -> None:
    both = papers("Tea with milk", "Tea", "Milk", "Sugar")
    everything = {parse(text).key: known(*both) for text in followed}
    assert set(everything) <= {*keys_in(parse(keyword)), *everything}
    assert (found_for(parse(keyword), everything, NOW) is not None) == is_enough


def test_papers_of_a_part_are_matched_with_the_whole() -> None:
    query = parse("tea AND milk")
    found = found_for(query, {parse("tea").key: known(*papers("Tea with milk", "Tea"))}, NOW)
    assert found
    assert [paper.title for paper in findings_of(query, found, NOW, never).newest] == ["Tea with milk"]


def test_an_estimate_of_too_many_papers_is_said_as_such() -> None:
    cut = replace(known(*papers("Tea"), since="2026-06-16 12:00"), about=310.4)
    preview = previewed(["tea"], cut)
    assert preview.keywords[0].is_broad
    assert preview.keywords[0].findings == replace(findings("tea", cut), is_estimate=True)
    assert preview.a_day == 310.4
    assert preview.is_over


def test_who_finds_too_much_sees_narrower_keywords_that_are_valid() -> None:
    titles = [f"Tea of the {word} garden" for word in ("green", "black", "white", "early") for _ in range(50)]
    (one,) = previewed(["tea"], known(*papers(*titles)), most=15).keywords
    assert one.is_broad
    assert one.findings
    assert one.findings.narrower
    for keyword, a_day in one.findings.narrower:
        assert parse(keyword)
        assert 0 < a_day < one.findings.a_day
    (same,) = previewed(["tea"], known(*papers(*titles)), most=25).keywords
    assert not same.is_broad


def test_narrower_keywords_are_no_longer_than_a_keyword_may_be() -> None:
    """`digest keywords` failed for it."""
    text = " OR ".join(["tea", *(f'"the word {number} of tea"' for number in range(10, 30))])
    assert len(text) > 480
    titles = [
        f"Tea of {words}" for words in ("green garden", "black kettle", "white porcelain") for _ in range(80)
    ]
    found = findings(text, known(*papers(*titles)))
    assert len(found.announced) == 240
    assert all(parse(keyword) for keyword, _ in found.narrower)


def test_a_search_that_takes_too_long_ends() -> None:
    answers = iter([False, False, True])
    with pytest.raises(TooCostly):
        findings_of(parse("tea"), known(*papers("Tea", "Tea", "Tea")), NOW, lambda: next(answers))


def test_spellings_are_told_where_they_were_searched() -> None:
    found = known(*papers("The Kahler cone", "A Kähler cone", "More Kähler cones", "Kähler"))
    asked = findings("Kahler cone", replace(found, has_spellings=True))
    assert [one.written for one in asked.spellings] == ["Kähler"]
    assert findings("Kahler cone", found).spellings == ()
    preview = previewed(["Kahler cone"], replace(found, has_spellings=True))
    assert any('papers write "Kähler"' in note for note in preview.keywords[0].notes)


def test_together_each_paper_counts_once() -> None:
    preview = previewed(["tea", "milk"], known(*papers("Tea with milk", "Tea", "Milk")))
    assert preview.by_day[-2:] == (3, 0)
    assert preview.a_day == 0.3
    assert preview.said == "Preview: 2 papers a week together."


def test_the_same_keyword_is_shown_once() -> None:
    preview = previewed(["teas", "tea", "teas", "Tea"], known())
    assert [one.text for one in preview.keywords] == ["teas"]


def test_more_keywords_than_a_preview_has_are_counted() -> None:
    texts = [f"word {number} green" for number in range(MOST_KEYWORDS + 3)]
    assert parsed(texts).left_out == 3
    assert len(previewed(texts, known()).keywords) == MOST_KEYWORDS


@pytest.mark.parametrize(
    ("text", "before", "marked", "after"),
    [
        ("tea AN D milk OR (sugar", "tea AN D milk OR ", "(sugar", ""),
        ("graph or tree", "graph ", "or", " tree"),
        ("tit:tea time", "", "tit:tea", " time"),
        ("tea AND", "tea ", "AND", ""),
        ("cs.LG", "", "cs.LG", ""),
    ],
)
def test_a_mistake_is_marked_in_its_place(text: str, before: str, marked: str, after: str) -> None:
    (mistake,) = parsed([text]).mistakes.values()
    assert (mistake.before, mistake.marked, mistake.after) == (before, marked, after)
    assert mistake.expected


def test_a_mistake_says_what_the_command_says() -> None:
    error = QueryError("tea", 0, "no tea", "drink", remedies=("milk", "water"))
    assert mistake_of(error) == Mistake(
        before="", marked="tea", after="", expected="no tea", hint="drink", remedies=("milk", "water")
    )


def test_waits_and_mistakes_are_counted_in_the_sentence() -> None:
    texts = ["tea", "graph or tree", "milk"]
    waiting = {parse("milk").key: Waiting(minutes=2)}
    tea = {parse("tea").key: findings("tea", known(*papers("Tea")))}
    preview = preview_of(parsed(texts), tea, waiting, texts=texts, most=9)
    assert preview.is_waiting
    assert preview.said == (
        "Preview: less than 1 paper a week together, 1 keyword with a mistake, 1 keyword not known yet."
    )
    assert preview_of(parsed([]), {}, {}, texts=[], most=9).said == "Preview: no keywords."


def test_a_single_letter_has_its_caution() -> None:
    (one,) = previewed(['"C"'], known()).keywords
    assert any("single letters" in note for note in one.notes)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "no papers"),
        (0.03, "less than 1 paper a week"),
        (0.2, "1 paper a week"),
        (0.96, "5 papers a week"),
        (3.25, "3.2 papers a day"),
        (1234.4, "1,234 papers a day"),
    ],
)
def test_a_rate_is_rounded(number: float, said: str) -> None:
    assert rate(number) == said


def test_nothing_is_asked_of_the_future() -> None:
    late = known(*papers("Tea"), until="2027-01-01 00:00")
    assert max(days_of(late, NOW)) <= NOW.date()
    assert days_of(late, NOW - timedelta(days=60)) == ()
