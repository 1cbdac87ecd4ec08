"""How many digests one core composes, renders and builds in a second."""

import random
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

from bench.figures import Figure
from bench.papers import keywords, papers
from digest.composing import compose
from digest.digests import Digest, Hit
from digest.mail.message import Letterhead
from digest.mail.rendering import Renderer
from digest.mail.writing import Writer
from digest.query import parse
from digest.resources import templates_folder
from digest.store import Mailing
from digest.subscribers import Keyword, Subscriber

_READERS = 5_000
_PAPERS = 600
_KEYWORDS = 500
_KEYWORDS_OF_ONE = 3
_PAPERS_OF_ONE = 7
_REPEATS = 3
_NAIVE_SHARE = 20
_MUST = 3_000

_PLANNED_AT = datetime(2026, 6, 17, 7, tzinfo=UTC)
_LETTERHEAD = Letterhead(sender="digest@example.org", contact="library@example.org")


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
    readers = _readers(max(20, int(_READERS * scale)))
    renderer = Renderer(templates_folder())
    write = Writer(renderer, _LETTERHEAD).write
    composing, size, shown = 0.0, 0, 0
    began = time.process_time()
    for number, reader in enumerate(readers):
        before = time.process_time()
        digest = _composed(reader)
        composing += time.process_time() - before
        mailing = Mailing(number=number, token=f"bench-{number}", attempts=0, digest=digest)
        size += len(write(mailing).message)
        shown += len(digest.entries)
    total = time.process_time() - began
    return _Costs(total, composing, _naive(renderer, readers), len(readers), shown, size)


def _readers(count: int) -> list[_Reader]:
    """Each with some keywords of all, which bring the same papers to whoever follows them."""
    chance = random.Random(1)  # noqa: S311 (the same readers each time)
    day = papers(_PAPERS)
    known = [Keyword(text=text, query=parse(text)) for text in keywords(day, _KEYWORDS)]
    brought = {keyword.text: chance.sample(day, _PAPERS_OF_ONE) for keyword in known}
    readers = []
    for number in range(count):
        followed = chance.sample(known, _KEYWORDS_OF_ONE)
        pairs = [(keyword, paper) for keyword in followed for paper in brought[keyword.text]]
        hits = tuple(
            Hit(number=place, query_key=keyword.query.key, paper=paper, is_backlog=False)
            for place, (keyword, paper) in enumerate(pairs)
        )
        readers.append(_Reader(_subscriber(number, followed), hits))
    return readers


def _subscriber(number: int, followed: Sequence[Keyword]) -> Subscriber:
    return Subscriber(
        email=f"reader{number}@example.org",
        name=f"Reader {number}",
        keywords=tuple(followed),
        send_at=time_of_day(7),
        timezone=ZoneInfo("UTC"),
        weekly=None,
    )


def _composed(reader: _Reader) -> Digest:
    digest = compose(reader.subscriber, reader.hits, planned_at=_PLANNED_AT, is_first=False)
    if digest is None:
        raise AssertionError("every reader has papers")
    return digest


def _naive(renderer: Renderer, readers: Sequence[_Reader]) -> float:
    """Seconds for one mail: all templates for each reader, then `EmailMessage`; of a part of the readers."""
    some = readers[::_NAIVE_SHARE]
    began = time.process_time()
    for number, reader in enumerate(some):
        digest = _composed(reader)
        mailing = Mailing(number=number, token=f"naive-{number}", attempts=0, digest=digest)
        rendered = Writer(renderer, _LETTERHEAD).rendered(mailing)  # one that remembers nothing
        message = EmailMessage()
        message["From"] = f"{_LETTERHEAD.sender_name} <{_LETTERHEAD.sender}>"
        message["To"] = f"{digest.name} <{digest.email}>"
        message["Subject"] = rendered.subject
        message["Date"] = format_datetime(digest.planned_at)
        message.set_content(rendered.text, cte="quoted-printable")
        message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
        message.as_bytes()
    return (time.process_time() - began) / len(some)
