"""A few random timelines of an installation; many more are in tests/long."""

from hypothesis import given, settings

from tests.timelines.life import live_by_cycle, live_by_daemon
from tests.timelines.living import assert_nothing_is_wrong, lived, mailed
from tests.timelines.plan import Timeline, timelines

few = settings(max_examples=3, derandomize=True, database=None)


@few
@given(timelines)
def test_by_the_cycle_nobody_misses_a_paper_or_gets_one_twice(timeline: Timeline) -> None:
    assert_nothing_is_wrong(lived(live_by_cycle, timeline))


@settings(few, max_examples=1)
@given(timelines)
def test_by_the_daemon_nobody_misses_a_paper_or_gets_one_twice(timeline: Timeline) -> None:
    assert_nothing_is_wrong(lived(live_by_daemon, timeline))


@settings(few, max_examples=1)
@given(timelines)
def test_the_same_papers_come_whichever_sources_are_up(timeline: Timeline) -> None:
    alone = mailed(live_by_cycle, timeline, "search API")
    assert mailed(live_by_cycle, timeline, "OAI-PMH") == alone
    assert mailed(live_by_cycle, timeline, "search API", "OAI-PMH", "daily feed") == alone
