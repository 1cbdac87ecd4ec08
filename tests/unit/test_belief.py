"""What is not taken for news."""

import pytest

from digest.arxiv.belief import OLD_PAPERS, lie, silence
from digest.arxiv.ground import Ground
from digest.papers import Paper
from tests.factories import invented_paper, moment

# A Tuesday noon, everything covered the day before: one announcement lies between, on Monday evening.
GROUND = Ground(
    announced_since=moment("2026-06-15 12:00"),
    submitted_since=moment("2026-05-30 12:00"),
    until=moment("2026-06-16 12:00"),
)


def papers(count: int, submitted: str = "2026-06-12 10:00") -> list[Paper]:
    return [invented_paper(f"2606.{number:05}", submitted=submitted) for number in range(count)]


def test_an_answer_with_all_that_was_there_before_is_believed() -> None:
    found = papers(40)
    assert lie(found, matching=40, known={paper.id for paper in found[5:]}, ground=GROUND) is None


@pytest.mark.parametrize("missing", [3, 20, 40])
def test_papers_that_were_listed_before_do_not_vanish(missing: int) -> None:
    known = {paper.id for paper in papers(40)}
    doubt = lie(papers(40)[missing:], matching=40 - missing, known=known, ground=GROUND)
    assert doubt is not None
    assert f"{missing} of 40 papers" in doubt


def test_a_few_papers_may_be_withdrawn() -> None:
    known = {paper.id for paper in papers(40)}
    assert lie(papers(40)[2:], matching=38, known=known, ground=GROUND) is None
    known = {paper.id for paper in papers(200)}
    assert lie(papers(200)[10:], matching=190, known=known, ground=GROUND) is None
    assert lie(papers(200)[11:], matching=189, known=known, ground=GROUND) is not None


def test_nothing_for_a_keyword_that_always_has_some_is_no_answer() -> None:
    assert lie([], matching=0, known={paper.id for paper in papers(3)}, ground=GROUND) is not None


def test_results_that_hardly_match_are_those_of_another_question() -> None:
    assert lie(papers(40), matching=20, known=(), ground=GROUND) is None
    doubt = lie(papers(40), matching=19, known=(), ground=GROUND)
    assert doubt == "only 19 of its 40 papers match what was asked for"
    assert lie(papers(3), matching=0, known=(), ground=GROUND) is None
    assert lie(papers(40), matching=None, known=(), ground=GROUND) is None


def test_many_old_papers_at_once_are_an_outage_and_no_news() -> None:
    recent = papers(40)
    old = [
        invented_paper(f"2001.{number:05}", submitted="2020-01-05 00:00") for number in range(OLD_PAPERS + 1)
    ]
    assert lie([*recent, *old[1:]], matching=50, known=(), ground=GROUND) is None
    assert lie([*recent, *old], matching=51, known=(), ground=GROUND) is not None


def test_silence_after_an_announcement_is_not_a_quiet_day() -> None:
    doubt = silence(news=0, usual=12, ground=GROUND)
    assert doubt is not None
    assert "2026-06-16" in doubt


@pytest.mark.parametrize(("news", "usual"), [(1, 50.0), (0, 3.0), (0, 0.0)])
def test_a_rare_keyword_or_some_news_is_believed(news: int, usual: float) -> None:
    assert silence(news=news, usual=usual, ground=GROUND) is None


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-06-13 00:10", "2026-06-14 12:00"),  # a weekend
        ("2026-09-07 00:10", "2026-09-08 12:00"),  # the evening of Labor Day
        ("2026-06-15 12:00", "2026-06-16 02:50"),  # announced just now: arXiv's index lags
    ],
)
def test_silence_is_believed_where_nothing_was_announced(since: str, until: str) -> None:
    ground = Ground(
        announced_since=moment(since), submitted_since=moment("2026-05-01 00:00"), until=moment(until)
    )
    assert silence(news=0, usual=100, ground=ground) is None
