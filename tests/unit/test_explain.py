"""Why a keyword finds a paper, or which part of it does not."""

import pytest

from digest.pipeline.explain import explain
from tests.factories import invented_paper, make_subscriber

PAPER = invented_paper("2606.00001", "Brewing green tea with milk", categories=("cs.LG", "stat.ML"))


def missing(keyword: str) -> tuple[str, ...]:
    (verdict,) = explain(make_subscriber("ada@example.org", keyword), PAPER).verdicts
    return verdict.missing


@pytest.mark.parametrize(
    ("keyword", "lines"),
    [
        ("tea", ()),
        ("coffee", ('"coffee" is not in title or abstract',)),
        ("ti:coffee", ("ti:coffee is not in the title",)),
        ("au:nobody", ("au:nobody is not among the authors",)),
        ("cat:math.AG", ("cat:math.AG is not among its categories",)),
        ("tea AND coffee", ('"coffee" is not in title or abstract',)),
        ("tea ANDNOT milk", ('"milk" is in it, which the keyword refuses',)),
        ("coffee OR cocoa", ('none of "coffee", "cocoa" is in it',)),
        (
            "coffee AND (cocoa OR juice)",
            ('"coffee" is not in title or abstract', 'none of "cocoa", "juice" is in it'),
        ),
    ],
)
def test_the_part_that_is_not_met_is_named(keyword: str, lines: tuple[str, ...]) -> None:
    assert missing(keyword) == lines


def test_words_and_fields_of_a_match_are_told() -> None:
    (verdict,) = explain(make_subscriber("ada@example.org", "teas"), PAPER).verdicts
    assert verdict.match is not None
    assert (verdict.match.fields, verdict.match.words) == (("title",), ("tea",))


def test_filters_are_told_apart_from_keywords() -> None:
    explanation = explain(
        make_subscriber("ada@example.org", "tea", exclude=("milk",), categories=("math.*",)), PAPER
    )
    assert [match.query.text for match in explanation.excluded_by] == ["milk"]
    assert explanation.is_elsewhere
    assert not explanation.is_wanted
    assert explain(make_subscriber("ada@example.org", "tea", categories=("stat.*",)), PAPER).is_wanted
