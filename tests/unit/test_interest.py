"""What is learned from liked papers, and the order that follows from it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.keywords.index import mention_count
from digest.keywords.query import parse
from digest.model.digest import Digest, Entry, groups
from digest.model.paper import Paper
from digest.pipeline.compose import best_first
from digest.subscribers.interest.judgements import Judgement, Origin, example_by_title, example_of
from digest.subscribers.interest.profile import learn, nearness
from digest.subscribers.interest.reasons import reason_for, written_terms
from digest.subscribers.interest.terms import weigh
from tests.factories import invented_paper, make_subscriber, moment

NOW = moment("2026-06-16 07:00")
KETTLES = "Kettles that whistle in two voices"
TEAPOTS = "Whistling kettles and the pitch of steam"
GOATS = "How goats find their way over snow"


def judged(title: str, *, is_liked: bool = True, minutes: int = 0) -> Judgement:
    return Judgement(
        example=example_by_title(title, f"{title}, with figures."),
        is_liked=is_liked,
        judged_at=NOW + timedelta(minutes=minutes),
        origin=Origin.COMMAND,
    )


def papers(*titles: str) -> list[Paper]:
    return [invented_paper(f"2606.{number:05}", title) for number, title in enumerate(titles, 1)]


def near(judgements: Sequence[Judgement], *titles: str) -> list[float]:
    profile = learn(judgements)
    assert profile is not None
    return nearness(profile, papers(*titles))


def test_a_word_that_few_papers_have_weighs_more_than_one_of_many() -> None:
    weights = weigh("A model of kettles", "We model.")
    assert weights["kettl"] > weights.get("model", 0)
    assert "of" not in weights
    assert sum(weight * weight for weight in weights.values()) > 0.999


def test_a_paper_like_a_liked_one_is_nearest() -> None:
    kettle, goat, other = near([judged(KETTLES)], TEAPOTS, GOATS, "On nothing")
    assert kettle > max(goat, other)


def test_a_paper_like_a_disliked_one_is_farthest() -> None:
    judgements = [judged("On nothing"), judged(GOATS, is_liked=False)]
    goat, kettle = near(judgements, "Goats in snow", TEAPOTS)
    assert goat < kettle


def test_without_a_liked_paper_nothing_is_learned() -> None:
    assert learn([]) is None
    assert learn([judged(GOATS, is_liked=False)]) is None


def test_nothing_is_near_where_nothing_can_be_compared() -> None:
    assert near([judged(KETTLES)]) == []
    assert near([judged(KETTLES)], "") == [0.0]
    assert near([judged("")], TEAPOTS, GOATS) == near([judged("")], TEAPOTS, GOATS)


@given(st.permutations([judged(KETTLES), judged(GOATS, is_liked=False, minutes=1), judged("Tea", minutes=2)]))
def test_what_is_learned_does_not_depend_on_the_order(judgements: list[Judgement]) -> None:
    ordered = sorted(judgements, key=lambda one: one.judged_at)
    assert learn(judgements) == learn(ordered)


@given(
    st.lists(st.tuples(st.sampled_from(["tea", "milk", "tea milk"]), st.floats(-9, 9)), max_size=12),
)
def test_no_ranking_changes_which_papers_a_digest_has(drawn: list[tuple[str, float]]) -> None:
    entries = tuple(
        Entry(invented_paper(f"2606.{number:05}", words), tuple(words.split()))
        for number, (words, _) in enumerate(drawn)
    )
    digest = Digest(
        email="ada@example.org",
        name=None,
        planned_at=NOW,
        dated_on=NOW.date(),
        keywords=("tea", "milk"),
        entries=entries,
    )
    subscriber = make_subscriber("ada@example.org", "tea", "milk")
    ranked = best_first(digest, subscriber, lambda papers: [score for _, score in drawn])
    assert Counter(ranked.entries) == Counter(entries)
    assert [(one.keyword, one.papers, set(one.entries)) for one in groups(ranked)] == [
        (one.keyword, one.papers, set(one.entries)) for one in groups(digest)
    ]


def order(scores: dict[str, float], **more: str) -> list[str]:
    """The titles of a digest of papers on tea, with these scores."""
    digest = Digest(
        email="ada@example.org",
        name=None,
        planned_at=NOW,
        dated_on=NOW.date(),
        keywords=("tea",),
        entries=tuple(Entry(paper, ("tea",)) for paper in papers(*scores)),
    )
    ranked = best_first(digest, make_subscriber("ada@example.org", "tea"), lambda _: list(scores.values()))
    return [entry.paper.title for entry in ranked.entries]


def test_the_nearest_paper_is_first_unless_another_matches_much_better() -> None:
    assert order({"On one": 0.1, "On two": 0.9, "On three": -2.0}) == ["On two", "On one", "On three"]
    assert order({"On one": 0.3, "Tea": 0.1, "On three": 1.0}) == ["On three", "Tea", "On one"]


def test_of_equally_near_papers_the_one_that_has_the_keyword_more_often_is_first() -> None:
    some = [
        replace(one, abstract=abstract)
        for one, abstract in zip(papers("On one", "On two"), ("Tea and teas, for tea.", "Tea."), strict=True)
    ]
    digest = Digest(
        email="ada@example.org",
        name=None,
        planned_at=NOW,
        dated_on=NOW.date(),
        keywords=("tea",),
        entries=tuple(Entry(paper, ("tea",)) for paper in some),
    )
    for entries in (digest.entries, digest.entries[::-1]):
        ranked = best_first(
            replace(digest, entries=entries), make_subscriber("ada@example.org", "tea"), lambda _: [0.0, 0.0]
        )
        assert [entry.paper.title for entry in ranked.entries] == ["On one", "On two"]


@pytest.mark.parametrize(
    ("keyword", "count"),
    [("tea", 3), ("milk", 0), ("milk OR tea", 3), ("green tea", 1), ("te*", 0), ("cat:cs.LG", 0)],
)
def test_mentions_are_counted_by_stems(keyword: str, count: int) -> None:
    paper = replace(papers("Teas")[0], abstract="Tea, the green tea.")
    assert mention_count(parse(keyword))(paper) == count


def test_equally_near_papers_keep_their_order() -> None:
    assert order({"On one": 0.0, "Tea": 0.0, "On three": 0.0}) == ["Tea", "On three", "On one"]


def test_the_reason_names_the_most_similar_liked_paper_and_the_shared_terms_as_written() -> None:
    (paper,) = papers("Sim-to-Real walking of LLM kettles")
    judgements = [judged("Sim to real walks of an LLM"), judged(GOATS), judged("Kettles", is_liked=False)]
    reason = reason_for(paper, judgements)
    assert reason
    assert reason.example.title == "Sim to real walks of an LLM"
    assert set(reason.terms) == {"sim-to-real", "walking", "LLM"}


def test_terms_are_written_without_a_possessive_and_names_keep_their_capitals() -> None:
    paper = replace(papers("A Robot's Gait")[0], abstract="Robot's gait by Bayesian rules. Kettles walk.")
    terms = dict.fromkeys(("robot", "gait", "bayesian", "kettl"), 1.0)
    assert written_terms(terms, paper, limit=9) == ("Bayesian", "gait", "kettles", "robot")


def test_there_is_no_reason_where_nothing_is_shared() -> None:
    (paper,) = papers("Qubits")
    assert reason_for(paper, [judged(GOATS)]) is None
    assert (
        reason_for(
            paper, [Judgement(example=example_of(paper), is_liked=True, judged_at=NOW, origin=Origin.WEB)]
        )
        is None
    )
