"""What is not taken for news."""

import pytest

from digest.model.paper import Paper
from digest.sources.plausibility import OLD_PAPERS, inconsistency, missing_news
from digest.sources.window import Window
from tests.factories import invented_paper, moment

# A Tuesday noon, everything covered the day before: one announcement lies between, on Monday evening.
GROUND = Window(
    announced_since=moment("2026-06-15 12:00"),
    submitted_since=moment("2026-05-30 12:00"),
    until=moment("2026-06-16 12:00"),
)


def papers(count: int, submitted: str = "2026-06-12 10:00") -> list[Paper]:
    return [invented_paper(f"2606.{number:05}", submitted=submitted) for number in range(count)]


def judged(
    found: list[Paper], *, matched: list[Paper] | None = None, known: int = 0, is_exact: bool = True
) -> str | None:
    """Of an answer that was to hold the first `known` papers again."""
    return inconsistency(
        found,
        matched=found if matched is None else matched,
        known={paper.id for paper in papers(known)},
        is_exact=is_exact,
        window=GROUND,
    )


def test_an_answer_with_all_that_was_there_before_is_believed() -> None:
    assert judged(papers(40), known=35) is None


@pytest.mark.parametrize("missing", [3, 20, 40])
def test_papers_that_were_listed_before_do_not_vanish(missing: int) -> None:
    doubt = judged(papers(40)[missing:], known=40)
    assert doubt is not None
    assert f"{missing} of 40 known papers" in doubt


def test_a_few_papers_may_be_withdrawn() -> None:
    assert judged(papers(40)[2:], known=40) is None
    assert judged(papers(200)[10:], known=200) is None
    assert judged(papers(200)[11:], known=200) is not None


def test_nothing_for_a_keyword_that_always_has_some_is_no_answer() -> None:
    assert judged([], known=3) is not None


def test_results_that_hardly_match_are_those_of_another_question() -> None:
    assert judged(papers(40), matched=papers(20)) is None
    assert judged(papers(40), matched=papers(19)) == "only 19 of its 40 papers match the queries"
    assert judged(papers(3), matched=[]) is None
    assert judged(papers(40), matched=[], is_exact=False) is None


def test_many_old_papers_at_once_are_an_outage_and_no_news() -> None:
    recent = papers(40)
    old = [
        invented_paper(f"2001.{number:05}", submitted="2020-01-05 00:00") for number in range(OLD_PAPERS + 1)
    ]
    assert judged([*recent, *old[1:]]) is None
    assert judged([*recent, *old]) is not None
    assert judged([*recent, *old], matched=recent) is None


def test_silence_after_an_announcement_is_not_a_quiet_day() -> None:
    doubt = missing_news(news=0, usual=5, since=GROUND.announced_since, until=GROUND.until)
    assert doubt is not None
    assert "2026-06-16" in doubt


@pytest.mark.parametrize(("news", "usual"), [(1, 50.0), (0, 3.0), (0, 4.9), (0, 0.0)])
def test_a_rare_keyword_or_some_news_is_believed(news: int, usual: float) -> None:
    doubt = missing_news(news=news, usual=usual, since=GROUND.announced_since, until=GROUND.until)
    assert doubt is None


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-06-13 00:10", "2026-06-14 12:00"),  # a weekend
        ("2026-09-07 00:10", "2026-09-08 12:00"),  # the evening of Labor Day
        ("2026-06-15 12:00", "2026-06-16 02:50"),  # announced just now: arXiv's index lags
    ],
)
def test_silence_is_believed_where_nothing_was_announced(since: str, until: str) -> None:
    assert missing_news(news=0, usual=100, since=moment(since), until=moment(until)) is None
