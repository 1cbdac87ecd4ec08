"""When subscribers are mailed, and arXiv is asked."""

from dataclasses import replace
from datetime import date, time

import pytest

from digest.pipeline.schedule import (
    due_at_slot,
    due_today,
    fetch_due_at,
    mailing_after,
    next_fetch_at,
    slot_after,
    slot_before,
)
from digest.storage.values import LastFetch, SubscriberStatus
from tests.factories import at_other_times, make_subscriber, moment

FRIDAY = 4


def subscriber_status(
    since: str = "2026-06-01 00:00",
    last_digest: str | None = None,
    slot: str | None = None,
) -> SubscriberStatus:
    return SubscriberStatus(
        since_at=moment(since),
        last_digest_at=moment(last_digest) if last_digest else None,
        slot_at=moment(slot) if slot else None,
        has_news=True,
        is_suppressed=False,
    )


@pytest.mark.parametrize(
    ("zone", "now", "before", "after"),
    [
        ("UTC", "2026-06-16 07:00", "2026-06-16 07:00", "2026-06-17 07:00"),
        ("UTC", "2026-06-16 06:59", "2026-06-15 07:00", "2026-06-16 07:00"),
        ("Asia/Tokyo", "2026-06-16 21:59", "2026-06-15 22:00", "2026-06-16 22:00"),
        ("Pacific/Kiritimati", "2026-06-16 16:59", "2026-06-15 17:00", "2026-06-16 17:00"),
        ("America/New_York", "2026-06-16 11:00", "2026-06-16 11:00", "2026-06-17 11:00"),
        # The clocks of Berlin go forward on 29 March: seven o'clock comes an hour earlier in UTC.
        ("Europe/Berlin", "2026-03-29 04:59", "2026-03-28 06:00", "2026-03-29 05:00"),
    ],
)
def test_a_subscriber_is_mailed_at_their_time_in_their_zone(
    zone: str, now: str, before: str, after: str
) -> None:
    subscriber = make_subscriber(timezone=zone)
    assert slot_before(moment(now), subscriber) == moment(before)
    assert slot_after(moment(now), subscriber) == moment(after)


def test_an_hour_that_the_clocks_skip_still_has_its_digest() -> None:
    subscriber = make_subscriber(timezone="Europe/Berlin", at=time(2, 30))
    slot = slot_after(moment("2026-03-28 12:00"), subscriber)
    assert moment("2026-03-29 00:30") <= slot <= moment("2026-03-29 01:30")


def test_a_weekly_subscriber_is_mailed_on_their_weekday_where_they_live() -> None:
    subscriber = make_subscriber(timezone="Asia/Tokyo", weekly=FRIDAY)
    assert slot_after(moment("2026-06-16 00:00"), subscriber) == moment("2026-06-18 22:00")
    assert slot_before(moment("2026-06-16 00:00"), subscriber) == moment("2026-06-11 22:00")


def test_the_next_mail_comes_after_a_pause() -> None:
    pausing = make_subscriber("a@example.org", "tea", weekly=FRIDAY, paused_until=date(2026, 6, 20))
    now = moment("2026-06-16 12:00")
    assert mailing_after(now, pausing, None) == moment("2026-06-26 07:00")
    assert mailing_after(now, at_other_times(pausing, paused_until=date(2026, 6, 19)), None) == moment(
        "2026-06-19 07:00"
    )
    assert mailing_after(now, at_other_times(pausing, weekly=None), None) == moment("2026-06-20 07:00")


def test_the_next_mail_comes_on_a_day_that_had_none() -> None:
    now = moment("2026-06-19 05:00")
    had_one = subscriber_status(last_digest="2026-06-19 04:45")
    assert mailing_after(now, make_subscriber(), had_one) == moment("2026-06-20 07:00")
    assert mailing_after(now, make_subscriber(weekly=FRIDAY), had_one) == moment("2026-06-26 07:00")
    yesterday = subscriber_status(last_digest="2026-06-18 23:59")
    assert mailing_after(now, make_subscriber(), yesterday) == moment("2026-06-19 07:00")


def test_missed_sending_times_want_one_digest() -> None:
    now = moment("2026-06-16 12:00")
    assert due_at_slot(now, make_subscriber(), subscriber_status(slot="2026-06-12 07:00")) == moment(
        "2026-06-16 07:00"
    )


@pytest.mark.parametrize(
    "stands",
    [
        subscriber_status(slot="2026-06-16 07:00"),
        subscriber_status(last_digest="2026-06-16 06:00"),
        subscriber_status(since="2026-06-16 07:01"),
    ],
    ids=["dealt with", "had one today", "came after it"],
)
def test_a_sending_time_is_over_when(stands: SubscriberStatus) -> None:
    assert due_at_slot(moment("2026-06-16 12:00"), make_subscriber(), stands) is None


def test_a_cycle_serves_a_new_subscriber_at_any_hour() -> None:
    now = moment("2026-06-16 03:00")
    assert due_today(now, make_subscriber(), subscriber_status(since="2026-06-16 03:00")) == now


def test_a_cycle_serves_a_subscriber_once_a_day_of_their_own() -> None:
    tokyo = make_subscriber(timezone="Asia/Tokyo")
    had_one = subscriber_status(last_digest="2026-06-16 14:59")
    assert due_today(moment("2026-06-16 14:59"), tokyo, had_one) is None
    assert due_today(moment("2026-06-16 15:00"), tokyo, had_one) == moment("2026-06-16 15:00")


def test_a_cycle_serves_a_weekly_subscriber_on_their_day_or_once_after_it() -> None:
    subscriber = make_subscriber(weekly=FRIDAY)
    thursday, friday, saturday = (moment(f"2026-06-{day} 12:00") for day in (18, 19, 20))
    new = subscriber_status(since="2026-06-15 00:00")
    assert due_today(thursday, subscriber, new) is None
    assert due_today(friday, subscriber, new) == friday
    assert due_today(saturday, subscriber, subscriber_status(last_digest="2026-06-12 12:00")) == saturday
    assert due_today(saturday, subscriber, subscriber_status(last_digest="2026-06-19 12:00")) is None


def test_what_a_wrong_clock_wrote_down_as_to_come_silences_nobody() -> None:
    now = moment("2026-06-16 12:00")
    ahead = subscriber_status(last_digest="2026-07-20 12:00", slot="2026-07-20 07:00")
    assert due_today(now, make_subscriber(), ahead) == now
    assert due_at_slot(now, make_subscriber(), ahead) == moment("2026-06-16 07:00")


def test_a_weekly_subscriber_who_came_when_the_clock_was_ahead_is_due_on_their_day() -> None:
    friday = moment("2026-06-19 12:00")
    assert (
        due_today(friday, make_subscriber(weekly=FRIDAY), subscriber_status(since="2026-08-01 12:00"))
        == friday
    )


@pytest.mark.parametrize(
    ("fetched", "brought", "expected"),
    [
        # Announced on Monday, 15 June at 20:00 Eastern: midnight UTC.
        ("2026-06-15 12:00", True, "2026-06-16 00:30"),
        ("2026-06-16 00:10", True, "2026-06-16 00:30"),
        ("2026-06-16 00:30", False, "2026-06-16 03:00"),
        ("2026-06-16 03:00", False, "2026-06-16 06:00"),
        ("2026-06-16 06:00", False, "2026-06-17 00:30"),
        # Half an hour after the announcement what comes may be a part of it.
        ("2026-06-16 00:30", True, "2026-06-16 03:00"),
        ("2026-06-16 03:00", True, "2026-06-17 00:30"),
        # Nothing is announced on a Friday or Saturday evening.
        ("2026-06-12 03:00", True, "2026-06-15 00:30"),
        # The calendar may be wrong: on the evening of a holiday arXiv is asked once.
        ("2026-06-19 03:00", True, "2026-06-22 03:00"),
        ("2026-06-22 03:00", False, "2026-06-23 00:30"),
        ("2026-06-22 03:00", True, "2026-06-23 00:30"),
        ("2026-09-07 03:00", True, "2026-09-08 03:00"),
        ("2026-09-08 02:59", True, "2026-09-08 03:00"),
        ("2026-09-08 03:00", False, "2026-09-09 00:30"),
    ],
)
def test_arxiv_is_asked_after_each_announcement_and_again_when_nothing_came(
    fetched: str, brought: bool, expected: str
) -> None:
    assert next_fetch_at(moment(fetched), brought_papers=brought, failed_at=None) == moment(expected)


def test_a_keyword_that_was_never_fetched_is_fetched_at_once() -> None:
    assert next_fetch_at(None, brought_papers=True, failed_at=None) is None


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("2026-06-16 03:00", "2026-06-16 06:00"),
        ("2026-06-16 06:00", "2026-06-16 12:00"),
        ("2026-06-16 21:00", "2026-06-17 00:30"),
        # Announced late on Thursday evening: not only on Sunday.
        ("2026-06-12 06:00", "2026-06-12 12:00"),
    ],
)
def test_what_was_not_announced_is_asked_for_again_some_times_a_day(missed: str, expected: str) -> None:
    for fetched_at in (moment("2026-06-10 03:00"), None):
        asked_at = next_fetch_at(fetched_at, brought_papers=False, failed_at=None, missed_at=moment(missed))
        assert asked_at == moment(expected)


def test_a_fetch_that_failed_is_made_again_soon() -> None:
    failed_at = moment("2026-06-16 00:31")
    assert next_fetch_at(None, brought_papers=False, failed_at=failed_at) == moment("2026-06-16 01:01")


LAST = LastFetch(began_at=moment("2026-06-16 03:00"), queries=b"tea", brought_papers=True)
COVERED = moment("2026-06-15 03:00")
AT_START = replace(LAST, failed_at=moment("2026-06-16 05:20"), brought_papers=False)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        # Nothing is known of a fetch: arXiv is asked for what is not covered since the announcement.
        (None, "2026-06-15 06:00"),
        # Another host asked, or this one before its restart.
        (LAST, "2026-06-17 00:30"),
        (replace(LAST, brought_papers=False), "2026-06-16 06:00"),
        # For other keywords: it says nothing of these.
        (replace(LAST, queries=b"milk", brought_papers=False), "2026-06-15 06:00"),
        (replace(LAST, is_missing=True), "2026-06-16 06:00"),
        # A failure counts until the restart, which may have removed its cause.
        (replace(LAST, failed_at=moment("2026-06-16 05:10")), "2026-06-16 05:40"),
        (AT_START, "2026-06-15 06:00"),
        # The clock was ahead.
        (replace(LAST, began_at=moment("2026-07-01 03:00")), "2026-06-15 06:00"),
    ],
)
def test_the_last_fetch_of_any_daemon_says_when_arxiv_is_asked_next(
    last: LastFetch | None, expected: str
) -> None:
    due_at = fetch_due_at(COVERED, last, queries=b"tea", now=moment("2026-06-16 05:30"), at_start=AT_START)
    assert due_at == moment(expected)
