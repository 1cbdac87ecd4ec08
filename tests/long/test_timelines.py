"""Random timelines: days, sources that fail, edits, pauses, mutes, time zones, restores and wrong clocks.

`TIMELINES=500 pytest -m long tests/long/test_timelines.py` lives so many of them, at some two seconds each.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings

from tests.timelines.arxiv import URLS
from tests.timelines.life import live_by_cycle, live_by_daemon
from tests.timelines.living import assert_nothing_is_wrong, lived, mailed
from tests.timelines.plan import Timeline, timelines

pytestmark = pytest.mark.long

NUMBER = int(os.environ.get("TIMELINES", "40"))

many = settings(
    max_examples=NUMBER,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@many
@given(timelines)
def test_by_the_cycle_nobody_misses_a_paper_or_gets_one_twice(timeline: Timeline) -> None:
    assert_nothing_is_wrong(lived(live_by_cycle, timeline))


@many
@given(timelines)
def test_by_the_daemon_nobody_misses_a_paper_or_gets_one_twice(timeline: Timeline) -> None:
    assert_nothing_is_wrong(lived(live_by_daemon, timeline))


@settings(many, max_examples=max(NUMBER // 4, 1))
@given(timelines)
def test_the_sets_that_come_are_equal_whichever_source_answers(timeline: Timeline) -> None:
    sets = [mailed(live_by_cycle, timeline, *names) for names in (("search API",), ("OAI-PMH",), tuple(URLS))]
    assert sets[0] == sets[1] == sets[2]
