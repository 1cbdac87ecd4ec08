"""Papers near to what a subscriber likes that match none of their keywords."""

from collections.abc import Sequence
from datetime import timedelta

from digest.model.digest import Digest, Entry
from digest.model.paper import Paper
from digest.pipeline.discover import Discoveries
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment

NOW = moment("2026-06-16 07:00")
DAY = [invented_paper(f"2606.{number:05}", f"On subject {number}") for number in range(1, 101)]


def digest(*papers: Paper) -> Digest:
    return Digest(
        email="ada@example.org",
        name=None,
        planned_at=NOW,
        dated_on=NOW.date(),
        keywords=("tea",),
        entries=tuple(Entry(paper, ("tea",)) for paper in papers),
    )


def subscriber(**more: object) -> Subscriber:
    return make_subscriber("ada@example.org", "tea", discover=3, **more)  # type: ignore[arg-type]


def nearness(papers: Sequence[Paper]) -> list[float]:
    """The later the nearer: six papers of a hundred are near."""
    return [(int(paper.id[-5:]) - 70) / 12 for paper in papers]


def found(listed: Sequence[Paper], of: Subscriber, *entries: Paper, since: bool = False) -> list[str]:
    discoveries = Discoveries(lambda: dict.fromkeys(listed, NOW))
    after = NOW if since else NOW - timedelta(days=1)
    return [paper.id for paper in discoveries.near(digest(*entries), of, nearness, since=after)]


def test_the_nearest_papers_are_found_up_to_the_number_that_is_wanted() -> None:
    assert found(DAY, subscriber()) == ["2606.00100", "2606.00099", "2606.00098"]


def test_a_paper_of_the_digest_is_not_found_again() -> None:
    assert found(DAY, subscriber(), DAY[99]) == ["2606.00099", "2606.00098", "2606.00097"]


def test_what_a_keyword_matches_or_a_filter_refuses_is_not_found() -> None:
    tea = [*DAY[:98], invented_paper("2606.00099", "Tea"), DAY[99]]
    assert found(tea, subscriber())[:2] == ["2606.00100", "2606.00098"]
    assert found(DAY, subscriber(exclude=("100",)))[0] == "2606.00099"
    assert found(DAY, subscriber(categories=("math.CO",))) == []


def test_what_is_not_near_is_not_found() -> None:
    assert found(DAY[:90], subscriber()) == []
    assert found(DAY[:96], subscriber()) == ["2606.00096", "2606.00095", "2606.00094"]


def test_what_was_listed_before_the_last_digest_is_not_found() -> None:
    assert found(DAY, subscriber(), since=True) == []


def test_of_few_papers_none_is_near() -> None:
    assert found(DAY[60:], subscriber()) == []
