"""A digest's papers stand in groups: each once, under the rarest keyword of the day."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.keywords.display_names import keyword_names, readable_name
from digest.model.categories import ARCHIVES, NAMES
from digest.model.digest import Digest, Entry, Outlook, groups
from tests.factories import invented_paper

KEYWORDS = ("alpha", "beta", "gamma", "delta")


def digest_of(*matched: tuple[str, ...], keywords: tuple[str, ...] = KEYWORDS) -> Digest:
    return Digest(
        email="reader@home.example",
        name=None,
        planned_at=datetime(2026, 7, 1, 7, tzinfo=UTC),
        dated_on=date(2026, 7, 1),
        keywords=keywords,
        entries=tuple(Entry(invented_paper(f"2606.{n:05}"), keywords) for n, keywords in enumerate(matched)),
    )


def test_the_rarest_keyword_of_the_day_comes_first() -> None:
    digest = digest_of(("alpha",), ("alpha", "beta"), ("gamma",), ("alpha",), ("gamma",))
    assert [(group.keyword, group.papers, len(group.entries)) for group in groups(digest)] == [
        ("beta", 1, 1),
        ("gamma", 2, 2),
        ("alpha", 3, 2),
    ]


def test_equally_rare_keywords_stand_in_the_order_of_the_subscriber() -> None:
    digest = digest_of(("delta",), ("beta", "alpha"), keywords=("delta", "beta", "alpha"))
    assert [group.keyword for group in groups(digest)] == ["delta", "beta"]


@given(st.lists(st.sets(st.sampled_from(KEYWORDS)).map(lambda some: tuple(sorted(some))), max_size=20))
def test_each_paper_stands_once_in_its_order_under_a_keyword_of_its_own(
    matched: list[tuple[str, ...]],
) -> None:
    digest = digest_of(*matched)
    found = groups(digest)
    assert sorted(entry.paper.id for group in found for entry in group.entries) == sorted(
        entry.paper.id for entry in digest.entries
    )
    place = {entry.paper.id: number for number, entry in enumerate(digest.entries)}
    for group in found:
        assert group.entries
        assert group.papers >= len(group.entries)
        assert [place[entry.paper.id] for entry in group.entries] == sorted(
            place[entry.paper.id] for entry in group.entries
        )
        assert all(group.keyword in entry.keywords or not entry.keywords for entry in group.entries)


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("graph neural network", "graph neural network"),
        ('"graph neural network"', "graph neural network"),
        ("=compiler", "compiler"),
        ("optimiz*", "optimiz*"),
        ("cat:math.CO", "Combinatorics"),
        ("cat:math.co", "Combinatorics"),
        ("cat:cs.*", "Computer Science"),
        ("cat:quant-ph", "Quantum Physics"),
        ('au:"Ada Doe"', "by Ada Doe"),
        ("au:doe_a", "by doe a"),
        ("ti:compiler", "compiler in the title"),
        ('"loop fusion" AND cat:cs.PL', "loop fusion in Programming Languages"),
        ("cat:cs.PL AND au:doe AND compiler", "compiler by doe in Programming Languages"),
        ("(alpha OR beta) AND gamma ANDNOT survey", "(alpha or beta) and gamma, without survey"),
        ("id:2606.00001", "arXiv:2606.00001"),
    ],
)
def test_a_query_has_a_readable_name(keyword: str, name: str) -> None:
    assert readable_name(keyword) == name


def test_two_keywords_never_share_a_name_by_accident() -> None:
    assert keyword_names(["cat:cs.IT", "cat:math.IT", "compiler"]) == {
        "cat:cs.IT": "cat:cs.IT",
        "cat:math.IT": "cat:math.IT",
        "compiler": "compiler",
    }


def test_an_own_name_stands_before_the_readable_one() -> None:
    assert keyword_names(["cat:cs.LG", "compiler"], {"cat:cs.LG": "ML"}) == {
        "cat:cs.LG": "ML",
        "compiler": "compiler",
    }


def test_each_archive_with_categories_has_a_name() -> None:
    assert {code.partition(".")[0] for code in NAMES if "." in code} == ARCHIVES


def test_the_busiest_keyword_of_all_days_is_last_of_equals() -> None:
    """Of a first digest, which has as many papers of each keyword."""
    outlook = Outlook(papers_a_day=50, busiest="alpha", busiest_a_day=40, narrower=())
    digest = replace(digest_of(("alpha",), ("beta",)), outlook=outlook)
    assert [group.keyword for group in groups(digest)] == ["beta", "alpha"]
