"""How many digests one core composes, renders and builds in a second."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from datetime import time as time_of_day
from email.message import EmailMessage
from email.utils import format_datetime
from multiprocessing import get_context
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bench.day import day
from bench.figures import Figure
from digest.config.memory import collect_rarely, keep_what_is_there
from digest.config.package_data import templates_folder
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest, Hit
from digest.pipeline.compose import compose
from digest.storage.values import Mailing
from digest.subscribers.subscriber import Keyword, SendSchedule, Subscriber

_SUBSCRIBERS = 5_000
_REPEATS = 3
_NAIVE_SHARE = 20
_MUST = 3_000

_PLANNED_AT = datetime(2026, 6, 17, 7, tzinfo=UTC)
LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")


class _Reader(NamedTuple):
    subscriber: Subscriber
    hits: tuple[Hit, ...]


class _Costs(NamedTuple):
    """Seconds of one core, and what was written in them."""

    total: float
    composing: float
    naive: float
    mails: int
    papers: int
    size: int


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Digests a second, no paper rendered before: the best of three, each in a process of its own."""
    costs = min(_in_a_new_process(scale) for _ in range(_REPEATS))
    mails, rate = costs.mails, costs.mails / costs.total
    writing = costs.total - costs.composing
    yield Figure(
        what=f"digests composed and built in a second ({mails:,} readers, {costs.papers / mails:.0f} papers"
        f" and {costs.size / mails / 1000:.0f} KB each)",
        must=f"≥ {_MUST:,}",
        ours=f"{rate:,.0f} ({costs.composing / mails * 1e6:.0f} + {writing / mails * 1e6:.0f} µs),"
        f" {rate * costs.naive:.1f} × the naive loop",
        naive=f"{1 / costs.naive:,.0f}",
        is_held=rate >= _MUST,
    )


def _in_a_new_process(scale: float) -> _Costs:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_costs, scale).result()


def _costs(scale: float) -> _Costs:
    subscribers = _subscribers(max(20, int(_SUBSCRIBERS * scale)))
    renderer = Renderer(templates_folder())
    write = Writer(renderer, LETTERHEAD).write
    collect_rarely()  # as the processes do that compose and write
    keep_what_is_there()
    composing, size, shown = 0.0, 0, 0
    began = time.process_time()
    for number, subscriber in enumerate(subscribers):
        before = time.process_time()
        digest = _composed(subscriber)
        composing += time.process_time() - before
        mailing = Mailing(number=number, token=f"bench-{number}", attempts=0, digest=digest)
        size += len(write(mailing).message)
        shown += len(digest.entries)
    total = time.process_time() - began
    return _Costs(total, composing, _naive(renderer, subscribers), len(subscribers), shown, size)


def _subscribers(count: int) -> list[_Reader]:
    """Each with some keywords of all, which bring the same papers to whoever follows them."""
    announced = day()
    subscribers = []
    for number, followed in enumerate(announced.followed(count)):
        pairs = [(keyword, paper) for keyword in followed for paper in announced.brought[keyword.query.key]]
        hits = tuple(
            Hit(number=place, query_key=keyword.query.key, paper=paper, is_backlog=False)
            for place, (keyword, paper) in enumerate(pairs)
        )
        subscribers.append(_Reader(_subscriber(number, followed), hits))
    return subscribers


def _subscriber(number: int, followed: tuple[Keyword, ...]) -> Subscriber:
    return Subscriber(
        email=f"reader{number}@example.org",
        name=f"Reader {number}",
        keywords=followed,
        send_schedule=SendSchedule(send_at=time_of_day(7), timezone=ZoneInfo("UTC")),
    )


def _composed(subscriber: _Reader) -> Digest:
    digest = compose(subscriber.subscriber, subscriber.hits, planned_at=_PLANNED_AT, is_first=False)
    if digest is None:
        raise AssertionError("every reader has papers")
    return digest


def _naive(renderer: Renderer, subscribers: Sequence[_Reader]) -> float:
    """Seconds for one mail, of a part of the subscribers."""
    some = subscribers[::_NAIVE_SHARE]
    began = time.process_time()
    for subscriber in some:
        naive_message(renderer, _composed(subscriber)).as_bytes()
    return (time.process_time() - began) / len(some)


def naive_message(renderer: Renderer, digest: Digest) -> EmailMessage:
    """All templates for each subscriber, and the standard library's message of what they gave."""
    rendered = Writer(renderer, LETTERHEAD).rendered(digest)  # by a writer that remembers nothing
    message = EmailMessage()
    message["From"] = f"{LETTERHEAD.sender_name} <{LETTERHEAD.sender}>"
    message["To"] = f"{digest.name} <{digest.email}>"
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(digest.planned_at)
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    return message
