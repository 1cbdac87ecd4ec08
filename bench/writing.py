"""How many digests one core composes, renders and builds in a second."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from datetime import time as time_of_day
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bench.day import Day, busy_day, day
from bench.figures import Figure
from digest.config.memory import collect_rarely, keep_what_is_there
from digest.config.package_data import templates_folder
from digest.mail.links import LinkBuilder
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest, Hit, Length
from digest.pipeline.compose import compose
from digest.storage.tokens import Kind, seal
from digest.storage.values import Mailing, Pages
from digest.subscribers.subscriber import Keyword, SendSchedule, Subscriber

_SUBSCRIBERS = 5_000
_BUSY_SUBSCRIBERS = 12_000
_REPEATS = 3
_NAIVE_SHARE = 20
_BUSY_NAIVE_SHARE = 200
_MUST = 3_000
_BUSY_MUST: dict[Length, int] = {"normal": 250, "full": 500}
"""Microseconds of a mail to 30-90 papers."""

_PLANNED_AT = datetime(2026, 6, 17, 7, tzinfo=UTC)
_BASE_URL = "https://digest.example.org"
LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")


class _Reader(NamedTuple):
    subscriber: Subscriber
    hits: tuple[Hit, ...]


class _Tokens:
    """The tokens of keyword pages, without a state."""

    def keyword_tokens(self, keys: Mapping[str, str], *, make: bool = True) -> Mapping[str, str]:
        return {text: seal("bench", Kind.KEYWORD, 1, key) for text, key in keys.items()}


class _Costs(NamedTuple):
    """Seconds of one core, and what was written in them."""

    total: float
    composing: float
    naive: float
    mails: int
    papers: int
    size: int

    @property
    def writing(self) -> float:
        """Microseconds of one mail."""
        return (self.total - self.composing) / self.mails * 1e6

    @property
    def what(self) -> str:
        return f"{self.papers / self.mails:.0f} papers and {self.size / self.mails / 1000:.0f} KB each"


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """No paper rendered before: the best of three, each in a process of its own."""
    costs = _best(partial(_costs, scale))
    mails, rate = costs.mails, costs.mails / costs.total
    yield Figure(
        what=f"digests composed and built in a second ({mails:,} readers, {costs.what})",
        must=f"≥ {_MUST:,}",
        ours=f"{rate:,.0f} ({costs.composing / mails * 1e6:.0f} + {costs.writing:.0f} µs),"
        f" {rate * costs.naive:.1f} × the naive loop",
        naive=f"{1 / costs.naive:,.0f}",
        is_held=rate >= _MUST,
    )
    for length, must in _BUSY_MUST.items():
        costs = _best(partial(_busy_costs, scale, length))
        yield Figure(
            what=f"processor time of a mail with web pages, {length} ({costs.mails:,} readers, {costs.what})",
            must=f"≤ {must} µs",
            ours=f"{costs.writing:,.0f} µs, {costs.naive * 1e6 / costs.writing:.1f} × the naive loop",
            naive=f"{costs.naive * 1e6:,.0f} µs",
            is_held=costs.writing <= must,
        )


def _best(costs: Callable[[], _Costs]) -> _Costs:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        return min(pool.submit(costs).result() for _ in range(_REPEATS))


def _costs(scale: float) -> _Costs:
    """Of readers who each follow three of 500 keywords, without web pages."""
    subscribers = _subscribers(day(), max(20, int(_SUBSCRIBERS * scale)), "normal")
    renderer = Renderer(templates_folder())
    return _written(Writer(renderer, LETTERHEAD), subscribers)._replace(
        naive=_naive(renderer, subscribers[::_NAIVE_SHARE])
    )


def _busy_costs(scale: float, length: Length) -> _Costs:
    """Of readers who each follow three of twelve keywords, with web pages."""
    subscribers = _subscribers(busy_day(), max(20, int(_BUSY_SUBSCRIBERS * scale)), length)
    renderer = Renderer(templates_folder())
    links = LinkBuilder(_BASE_URL, _Tokens()).links
    return _written(Writer(renderer, LETTERHEAD, links), subscribers)._replace(
        naive=_naive(renderer, subscribers[::_BUSY_NAIVE_SHARE])
    )


def _written(writer: Writer, subscribers: Sequence[_Reader]) -> _Costs:
    """Without the naive loop, which must not render a paper before."""
    collect_rarely()  # as the processes do that compose and write
    keep_what_is_there()
    composing, size, shown = 0.0, 0, 0
    began = time.process_time()
    for number, subscriber in enumerate(subscribers):
        before = time.process_time()
        mailing = _mailing(number, _composed(subscriber))
        composing += time.process_time() - before
        size += len(writer.write(mailing).message)
        shown += len(mailing.digest.entries)
    total = time.process_time() - began
    return _Costs(total, composing, 0, len(subscribers), shown, size)


def _mailing(number: int, digest: Digest) -> Mailing:
    leave, page, online, interest = (
        seal("bench", kind, number, digest.email)
        for kind in (Kind.LEAVING, Kind.SUBSCRIBER, Kind.DIGEST, Kind.INTEREST)
    )
    pages = Pages(leave=leave, subscriber=page, digest=online, interest=interest)
    return Mailing(number=number, token=f"bench-{number}", attempts=0, digest=digest, pages=pages)


def _subscribers(announced: Day, count: int, length: Length) -> list[_Reader]:
    """Each with some keywords of all, which bring the same papers to whoever follows them.

    As in a run, those with the same keywords come one after another (`digest.pipeline.plan`).
    """
    subscribers = []
    in_order = sorted(announced.followed(count), key=lambda some: [one.query.key for one in some])
    for number, followed in enumerate(in_order):
        pairs = [(keyword, paper) for keyword in followed for paper in announced.brought[keyword.query.key]]
        hits = tuple(
            Hit(number=place, query_key=keyword.query.key, paper=paper, is_backlog=False)
            for place, (keyword, paper) in enumerate(pairs)
        )
        subscribers.append(_Reader(_subscriber(number, followed, length), hits))
    return subscribers


def _subscriber(number: int, followed: tuple[Keyword, ...], length: Length) -> Subscriber:
    return Subscriber(
        length=length,
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
    """Seconds for one mail."""
    began = time.process_time()
    for subscriber in subscribers:
        naive_message(renderer, _composed(subscriber)).as_bytes()
    return (time.process_time() - began) / len(subscribers)


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
