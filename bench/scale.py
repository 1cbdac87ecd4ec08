"""What a large installation costs on PostgreSQL: to enrol, a day's composing and writing, and its memory."""

import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import psycopg

from bench.day import Day, busy_day
from bench.delivery import matched
from bench.figures import Figure, megabytes, seconds
from bench.peak import peak_bytes
from bench.writing import LETTERHEAD
from digest.config.database_url import DatabaseUrl
from digest.config.memory import collect_rarely, keep_what_is_there, share_heap, trim_heap
from digest.config.package_data import templates_folder
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.pipeline.compose_job import Composer
from digest.pipeline.plan import Plan
from digest.storage.factory import open_store
from digest.storage.values import DeliveryResult, MailingState
from digest.subscribers.subscriber import SendSchedule, Subscriber
from tests.postgresql import Server, running

_T = TypeVar("_T")

_SUBSCRIBERS = (10_000, 100_000, 1_000_000)
_MOST_WORKER = 250e6
_AT_ONCE = 10_000
_WRITTEN_AT_ONCE = 30
_MOST_WRITTEN = 20_000
_LEASE = timedelta(minutes=10)

# As an installation has them, except for the memory, which is small here.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}


class _Enrolled(NamedTuple):
    """Seconds to enrol and to find that nothing has changed, and the memory of the process then."""

    seconds: float
    again: float
    peak: int


class _Worked(NamedTuple):
    """The seconds of a worker, those of its processor, and its greatest memory."""

    composed: int
    composing: float
    composing_cpu: float
    written: int
    writing: float
    writing_cpu: float
    peak: int


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """One worker, on the same machine as the server."""
    enrolled: list[_Enrolled] = []
    announced = busy_day()
    with running(**SETTINGS) as server:
        for wanted in _SUBSCRIBERS:
            count = max(100, int(wanted * scale))
            url = server.new_database()
            enrolled.append(_alone(_enrol, url.url, count, announced))
            before = _cpu_of(server)
            worked = _alone(_work, url.url, count, announced)
            on_server = (_cpu_of(server) - before) / count
            yield from _figures(count, enrolled[-1], worked, on_server, _size_of(url))
    growth = [math.log10(after.seconds / before.seconds) for before, after in pairwise(enrolled)]
    yield Figure(
        what="growth of the time to enrol with ten times the subscribers",
        ours=", ".join(f"exponent {one:.2f}" for one in growth),
    )


def _figures(
    count: int, enrolled: _Enrolled, worked: _Worked, on_server: float, size: int
) -> Iterator[Figure]:
    yield Figure(
        what=f"PostgreSQL, {count:,} subscribers: enrol them, and again with nothing changed",
        ours=f"{seconds(enrolled.seconds)}, {seconds(enrolled.again)};"
        f" {megabytes(enrolled.peak)} in the process that knows all subscribers",
    )
    each = worked.composing / worked.composed
    yield Figure(
        what=f"PostgreSQL, {count:,} subscribers: one worker composes {worked.composed:,} digests",
        ours=f"{seconds(worked.composing)}: {each * 1e6:,.0f} µs each,"
        f" {worked.composing_cpu / worked.composed * 1e6:,.0f} of them its processor's"
        f" (the server's for all: {on_server * 1e6:,.0f} a subscriber); database {megabytes(size)}",
    )
    each = worked.writing / worked.written
    yield Figure(
        what=f"PostgreSQL, {count:,} subscribers: it claims, writes and records {worked.written:,} mails",
        ours=f"{each * 1e6:,.0f} µs each, {worked.writing_cpu / worked.written * 1e6:,.0f} its processor's;"
        f" {megabytes(worked.peak)} at most",
        must=f"≤ {_MOST_WORKER / 1e6:.0f} MB",
        is_held=worked.peak <= _MOST_WORKER,
    )


def _alone(work: Callable[[str, int, Day], _T], url: str, count: int, announced: Day) -> _T:
    """In a process of its own, whose memory is nobody else's."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, url, count, announced).result()


def _now() -> datetime:
    return datetime(2026, 6, 17, 7, tzinfo=UTC)


def _enrol(url: str, count: int, announced: Day) -> _Enrolled:
    now = _now()
    subscribers = tuple(_subscribers(announced, count))
    covered = {keyword.query.key: now for keyword in announced.keywords}
    with open_store(DatabaseUrl(url)) as store:
        times = []
        for _ in range(2):
            began = time.monotonic()
            store.enrol(subscribers, now=now - timedelta(days=2), current_since=now)
            times.append(time.monotonic() - began)
        store.record((), covered=covered, now=now - timedelta(days=1))
        store.record(matched(announced), covered=covered, now=now)
    return _Enrolled(times[0], times[1], peak_bytes())


def _work(url: str, count: int, announced: Day) -> _Worked:
    """As a worker does: it gets the subscribers some at a time, and never knows all of them."""
    share_heap()
    now = _now()
    write = Writer(Renderer(templates_folder()), LETTERHEAD).write
    collect_rarely()
    keep_what_is_there()
    with open_store(DatabaseUrl(url)) as store:
        composer = Composer(store, backlog_since=now)
        left = _subscribers(announced, count)
        composed, began, cpu = 0, time.monotonic(), time.process_time()
        while some := tuple(islice(left, _AT_ONCE)):
            plan = Plan(store, some, lambda *_: now)
            while due := plan.take(100):
                composed += composer.compose_batch(due).composed
            trim_heap()
        composing, composing_cpu = time.monotonic() - began, time.process_time() - cpu
        written, began, cpu = 0, time.monotonic(), time.process_time()
        while written < min(count, _MOST_WRITTEN):
            mailings = store.claim(now=now, until=now + _LEASE, limit=_WRITTEN_AT_ONCE)
            for mailing in mailings:
                write(mailing)
            results = [
                DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250 taken")
                for mailing in mailings
            ]
            store.record_results(results, now=now)
            written += len(mailings)
        writing, writing_cpu = time.monotonic() - began, time.process_time() - cpu
    return _Worked(composed, composing, composing_cpu, written, writing, writing_cpu, peak_bytes())


def _subscribers(announced: Day, count: int) -> Iterator[Subscriber]:
    schedule = SendSchedule(send_at=_now().time(), timezone=ZoneInfo("UTC"))
    for number, some in enumerate(announced.followed(count)):
        yield Subscriber(
            email=f"reader{number}@example.org", name=None, keywords=some, send_schedule=schedule
        )


def _size_of(url: DatabaseUrl) -> int:
    with psycopg.connect(url.url) as db:
        return int(db.execute("SELECT pg_database_size(current_database())").fetchall()[0][0])


def _cpu_of(server: Server) -> float:
    """Seconds of processor time of the server and its processes, those that have ended included."""
    stats = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            int(folder.name)
            stats.append((folder / "stat").read_text(encoding="ascii").rpartition(")")[2].split())
    pid = str(server.pid)
    ours = [fields for fields in stats if fields[1] == pid]
    own = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = sum(map(int, own[11:15])) + sum(int(field) for fields in ours for field in fields[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")
