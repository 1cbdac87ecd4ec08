"""Decides when to mail a subscriber, and when to ask arXiv. Nothing here reads the clock."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from digest.sources.arxiv.calendar import last_announcement, next_announcement, next_evening
from digest.sources.plausibility import INDEX_LAG
from digest.storage.values import LastFetch, SubscriberStatus
from digest.subscribers.subscriber import Subscriber

POLLS = (timedelta(minutes=30), timedelta(hours=3), timedelta(hours=6))
"""How long after an announcement arXiv is asked; the last time only if the one before found nothing.

The first is for early sending times: until `INDEX_LAG` has passed, the answer may be incomplete."""

RETRY_FETCH_AFTER = timedelta(minutes=30)
"""How soon a failed fetch is repeated."""

ASK_AGAIN_AFTER = timedelta(hours=6)
"""How soon arXiv is asked again for a missing announcement."""

_DAY = timedelta(days=1)


def slot_before(now: datetime, subscriber: Subscriber) -> datetime:
    """Returns the subscriber's latest sending time that is not after `now`."""
    send_schedule = subscriber.send_schedule
    return _latest_slot(now, send_schedule.send_at, send_schedule.timezone, send_schedule.weekly)


@lru_cache(maxsize=4096)
def _latest_slot(now: datetime, send_at: time, timezone: ZoneInfo, weekly: int | None) -> datetime:
    """Cached, because many subscribers have the same sending time."""
    day = now.astimezone(timezone).date() + _DAY
    while not _is_sending_day(day, weekly) or (slot := _slot_on(day, send_at, timezone)) > now:
        day -= _DAY
    return slot


def slot_after(now: datetime, subscriber: Subscriber) -> datetime:
    """Returns the subscriber's first sending time after `now`."""
    send_at, timezone = subscriber.send_schedule.send_at, subscriber.send_schedule.timezone
    weekly = subscriber.send_schedule.weekly
    day = now.astimezone(timezone).date() - _DAY
    while not _is_sending_day(day, weekly) or (slot := _slot_on(day, send_at, timezone)) <= now:
        day += _DAY
    return slot


def mailing_after(
    now: datetime, subscriber: Subscriber, subscriber_status: SubscriberStatus | None
) -> datetime:
    """Returns the first sending time after `now` at which the subscriber can have a digest.

    It is after their pause, and on a day on which they had none yet. New subscribers have no status.
    """
    slot = slot_after(now, subscriber)
    while is_paused(slot, subscriber) or (
        subscriber_status is not None and not may_have_one(slot, now, subscriber, subscriber_status)
    ):
        slot = slot_after(slot, subscriber)
    return slot


def due_at_slot(
    now: datetime, subscriber: Subscriber, subscriber_status: SubscriberStatus
) -> datetime | None:
    """Returns the sending time for which a digest is due, or `None`: the rule of the daemon.

    It is the latest sending time, however many were missed, so that one digest catches up.
    """
    slot = slot_before(now, subscriber)
    dealt_with = _past(subscriber_status.slot_at, now)
    since = _past(subscriber_status.since_at, now)
    is_new = (since is None or slot >= since) and (dealt_with is None or slot > dealt_with)
    return slot if is_new and may_have_one(slot, now, subscriber, subscriber_status) else None


def due_today(now: datetime, subscriber: Subscriber, subscriber_status: SubscriberStatus) -> datetime | None:
    """Returns `now` if a digest is due today, else `None`: the rule of `digest run`.

    For a weekly subscriber it is due on their weekday or later in the week.
    """
    zone, weekly = subscriber.send_schedule.timezone, subscriber.send_schedule.weekly
    midnight = _latest_slot(now, time(0), zone, weekly)
    since = _past(subscriber_status.since_at, now) if weekly is not None else None
    if since is not None and midnight.astimezone(zone).date() < since.astimezone(zone).date():
        return None
    return now if may_have_one(midnight, now, subscriber, subscriber_status) else None


def may_have_one(
    slot: datetime, now: datetime, subscriber: Subscriber, subscriber_status: SubscriberStatus
) -> bool:
    """Whether the subscriber had no digest yet on the day of the slot: one a day at most."""
    zone, last = subscriber.send_schedule.timezone, _past(subscriber_status.last_digest_at, now)
    return last is None or last.astimezone(zone).date() < slot.astimezone(zone).date()


def is_paused(slot: datetime, subscriber: Subscriber) -> bool:
    """Whether the subscriber pauses on that day, in their time zone."""
    until = subscriber.send_schedule.paused_until
    return until is not None and slot.astimezone(subscriber.send_schedule.timezone).date() < until


def next_fetch_at(
    fetched_at: datetime | None,
    *,
    brought_papers: bool,
    failed_at: datetime | None,
    missed_at: datetime | None = None,
) -> datetime | None:
    """Returns when to ask arXiv next, or `None` for at once.

    `fetched_at` is when all keywords were last fetched with success. `failed_at` is when a later attempt
    failed. `missed_at` is when a later attempt found that an announcement was missing. On the evening of a
    holiday arXiv is asked once: the calendar may be wrong.
    """
    if failed_at is not None:
        return failed_at + RETRY_FETCH_AFTER
    if missed_at is not None:
        usual_at = next_fetch_at(missed_at, brought_papers=False, failed_at=None)
        again_at = missed_at + ASK_AGAIN_AFTER
        return min(usual_at or again_at, again_at)
    if fetched_at is None:
        return None
    announced_at = last_announcement(fetched_at)
    polls = [announced_at + pause for pause in POLLS if announced_at + pause > fetched_at]
    is_done = brought_papers and fetched_at >= announced_at + INDEX_LAG
    if polls and not is_done:
        return polls[0]
    evening_at = next_evening(fetched_at - INDEX_LAG)
    return min(next_announcement(fetched_at) + POLLS[0], evening_at + INDEX_LAG)


def fetch_due_at(
    covered_until: datetime | None,
    last: LastFetch | None,
    *,
    queries: bytes,
    now: datetime,
    at_start: LastFetch | None,
) -> datetime | None:
    """Returns when a daemon asks arXiv next, or `None` for at once.

    `covered_until` is when the query with the oldest coverage was last covered, and `last` the last fetch.
    `last` counts only if it was for the same `queries`. If it failed and was the last one `at_start` of the
    daemon, the failure does not count: the operator may have removed its cause. An answer without news covers
    less than it asked for, but arXiv is not asked for it again: its index may not have shown an announcement
    yet.
    """
    if last is None or max(last.began_at, last.failed_at or last.began_at) > now:
        return next_fetch_at(covered_until, brought_papers=False, failed_at=None)
    failed_at = last.failed_at if last != at_start else None
    is_same = last.queries == queries
    if is_same and last.failed_at is None:
        covered_until = max(covered_until or last.began_at, last.began_at)
    return next_fetch_at(
        covered_until,
        brought_papers=last.brought_papers,
        failed_at=failed_at,
        missed_at=last.began_at if last.is_missing and is_same else None,
    )


def _is_sending_day(day: date, weekly: int | None) -> bool:
    return weekly is None or day.weekday() == weekly


def _slot_on(day: date, send_at: time, timezone: ZoneInfo) -> datetime:
    return datetime.combine(day, send_at, timezone).astimezone(UTC)


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    """Returns `moment`, or `None` if it is in the future: a wrong clock stored it."""
    return None if moment is None or moment > now else moment
