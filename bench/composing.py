"""How long it takes to compose the digests of many subscribers who share keywords, up to the commit."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from zoneinfo import ZoneInfo

from bench.day import Day, busy_day
from bench.delivery import matched
from bench.figures import Figure
from digest.pipeline.compose_job import compose_due
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.subscriber import SendSchedule, Subscriber

_SUBSCRIBERS = 12_000
_MOST = 200e-6
_FORMER = 500e-6
"""When each was asked for in SQL of their own, on the same machine as the table of docs/benchmarks.md."""


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Processor time for one subscriber: statuses, facts, decisions, digests, and their rows with commit."""
    count = max(200, int(_SUBSCRIBERS * scale))
    announced = busy_day()
    subscribers = tuple(_subscribers(announced, count))
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder, "digest.db")) as store:
        now = _prepare(store, announced, subscribers)
        began = time.process_time()
        composed = compose_due(store, subscribers, lambda *_: now, backlog_since=now).composed
        cpu = (time.process_time() - began) / count
        mailings = store.claim(now=now, until=now, limit=100)
    if composed != count:
        raise AssertionError(f"{composed} digests were composed for {count} subscribers")
    size = mean(len(mailing.digest.entries) for mailing in mailings)
    followed = f"three of {len(announced.keywords)} keywords"
    yield Figure(
        what=f"composing for one of {count:,} subscribers, {followed}, {size:.0f} papers",
        must=f"≤ {_MOST * 1e3:.1f} ms",
        ours=f"{cpu * 1e3:.3f} ms",
        naive=f"each subscriber in SQL of their own: {_FORMER * 1e3:.2f} ms",
        is_held=cpu <= _MOST,
    )


def _subscribers(announced: Day, count: int) -> Iterator[Subscriber]:
    schedule = SendSchedule(send_at=datetime(2026, 1, 1, 7).time(), timezone=ZoneInfo("UTC"))  # noqa: DTZ001
    for number, some in enumerate(announced.followed(count)):
        yield Subscriber(
            email=f"reader{number}@example.org", name=None, keywords=some, send_schedule=schedule
        )


def _prepare(store: SqliteStore, announced: Day, subscribers: Sequence[Subscriber]) -> datetime:
    """Everybody had the digest of the day before; the papers of this day are new."""
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    covered = {keyword.query.key: now for keyword in announced.keywords}
    store.enrol(subscribers, now=now - timedelta(days=2), current_since=now)
    store.record((), covered=covered, now=now - timedelta(days=1))
    store.record(matched(announced), covered=covered, now=now)
    return now
