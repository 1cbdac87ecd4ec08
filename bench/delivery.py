"""How many digests `digest run` renders and sends in a second, beside a bare sender and a naive loop."""

import json
import shutil
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from bench.day import Day, day
from bench.figures import Figure
from bench.installation import Installation
from bench.sink import sink, tool
from bench.writing import LETTERHEAD, naive_message
from digest.config.package_data import templates_folder
from digest.config.settings import Defaults
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest
from digest.pipeline.compose_job import compose_due
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing, Matched
from digest.subscribers.entry_parser import load_subscribers
from digest.subscribers.subscriber import Subscriber

_SUBSCRIBERS = 5_000
_CONNECTIONS = 20
_REPEATS = 5
_NAIVE_SHARE = 20
_LEAST_OF_BARE = 0.5
_LEAST_OF_NAIVE = 5
# Nobody listens there: the papers are in the state already, and no arXiv is needed.
_NO_ARXIV = "http://127.0.0.1:9"


class Paired(NamedTuple):
    """Mails a second, measured one after another: of ours, of a bare sender, and of the naive loop.

    `cpu` are the seconds of processor time that one of ours took.
    """

    ours: float
    bare: float
    naive: float
    cpu: float


class _Written(NamedTuple):
    """Some of the mailings: their digests, how many papers each has, and their mean size in bytes."""

    digests: tuple[Digest, ...]
    papers: float
    size: int


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Medians of five rounds, in each of which all three send to the same server."""
    receiver = tool("smtp-sink", measure="delivery")
    sender = tool("smtp-source", measure="delivery")
    if receiver is None or sender is None:
        return
    count = max(40, int(_SUBSCRIBERS * scale))
    with tempfile.TemporaryDirectory() as folder, sink(receiver) as port:
        installation = _installation(Path(folder, "installation"), count, port)
        state, prepared = Path(folder, "installation", "digest.db"), Path(folder, "prepared.db")
        installation.run()  # Python finds its modules compiled from the next run on
        _prepare(prepared, Path(folder, "installation", "subscribers.toml"), day())
        shutil.copy(prepared, state)
        written = _some(state, count)
        rounds: list[Paired] = []
        for _ in range(_REPEATS):
            shutil.copy(prepared, state)
            ours, cpu = _ours(installation, count)
            bare_rate = bare(sender, count, written.size, port)
            rounds.append(Paired(ours, bare_rate, _naive(written.digests, port), cpu))
    yield from figures(
        rounds, f"{count:,} readers, {written.papers:.0f} papers, {written.size / 1000:.0f} KB"
    )


def figures(rounds: Sequence[Paired], what: str) -> Iterator[Figure]:
    """Ratios are taken within a round: on a machine that others use, the rounds differ."""
    of_bare = median(one.ours / one.bare for one in rounds)
    of_naive = median(one.ours / one.naive for one in rounds)
    rate, bare, naive, cpu = (median(one) for one in zip(*rounds, strict=True))
    yield Figure(
        what=f"digests rendered and sent in a second ({what})",
        must=f"≥ {_LEAST_OF_BARE} × smtp-source",
        ours=f"{rate:,.0f}, {of_bare:.2f} × ({cpu * 1e6:,.0f} µs of processor time each)",
        naive=f"smtp-source, the same bytes over and over: {bare:,.0f}",
        is_held=of_bare >= _LEAST_OF_BARE,
    )
    yield Figure(
        what="the same beside jinja2, EmailMessage and smtplib, a connection each",
        must=f"≥ {_LEAST_OF_NAIVE} ×",
        ours=f"{of_naive:.1f} ×",
        naive=f"{naive:,.0f}",
        is_held=of_naive >= _LEAST_OF_NAIVE,
    )


def _installation(folder: Path, count: int, port: int) -> Installation:
    followed = enumerate(day().followed(count))
    entries = (
        f'[[subscriber]]\nemail = "reader{number}@example.org"\nname = "Reader {number}"\n'
        f"keywords = {json.dumps([keyword.text for keyword in some], ensure_ascii=False)}\n"
        for number, some in followed
    )
    return Installation(
        folder,
        "\n".join(entries),
        _NO_ARXIV,
        interval=0,
        arxiv__retry_pause="0",
        delivery__transport="smtp",
        smtp__host="127.0.0.1",
        smtp__port=str(port),
        smtp__security="none",
        smtp__connections=str(_CONNECTIONS),
    )


def _prepare(path: Path, subscribers: Path, announced: Day) -> None:
    """A state with a digest for each subscriber, written down and not sent."""
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    all_subscribers = load_subscribers(subscribers, Defaults())
    covered = {keyword.query.key: now for keyword in announced.keywords}
    with SqliteStore(path) as store:
        store.enrol(all_subscribers, now=now - timedelta(days=2), current_since=now)
        store.record((), covered=covered, now=now - timedelta(days=1))
        store.record(matched(announced), covered=covered, now=now)
        composed = compose_due(store, all_subscribers, lambda *_: now, backlog_since=now).composed
    _expect(composed, all_subscribers)


def matched(announced: Day) -> tuple[Matched, ...]:
    papers = {paper.id: paper for some in announced.brought.values() for paper in some}
    keys: dict[str, list[str]] = {}
    for key, some in announced.brought.items():
        for paper in some:
            keys.setdefault(paper.id, []).append(key)
    return tuple(Matched(paper=paper, query_keys=tuple(keys[id_])) for id_, paper in papers.items())


def _expect(count: int, subscribers: Sequence[Subscriber]) -> None:
    if count != len(subscribers):
        raise AssertionError(f"{count} digests were written down for {len(subscribers)} readers")


def _some(state: Path, count: int) -> _Written:
    """A part of what waits in `state`, which is of no use afterwards."""
    now = datetime.now(UTC)
    with SqliteStore(state) as store:
        mailings: tuple[Mailing, ...] = store.claim(now=now, until=now, limit=max(20, count // _NAIVE_SHARE))
    write = Writer(Renderer(templates_folder()), LETTERHEAD).write
    return _Written(
        digests=tuple(one.digest for one in mailings),
        papers=mean(len(one.digest.entries) for one in mailings),
        size=round(mean(len(write(one).message) for one in mailings)),
    )


def _ours(installation: Installation, count: int) -> tuple[float, float]:
    """Mails a second, and processor time for one: of a run that sends, less one with nothing to send."""
    sending, idle = installation.run(), installation.run()
    if (sending.sent, idle.sent) != (count, 0):
        raise RuntimeError(f"{sending.sent} and {idle.sent} mails were sent, not {count} and 0")
    return count / (sending.seconds - idle.seconds), (sending.cpu - idle.cpu) / count


def bare(command: str, count: int, size: int, port: int) -> float:
    load = ["-s", str(_CONNECTIONS), "-l", str(size), "-m", str(count)]
    began = time.monotonic()
    subprocess.run(  # noqa: S603 (found above)
        [command, *load, "-f", "a@example.org", "-t", "b@example.org", f"127.0.0.1:{port}"], check=True
    )
    return count / (time.monotonic() - began)


def _naive(digests: Sequence[Digest], port: int) -> float:
    """One mail after another, and nothing remembered from one to the next."""
    renderer = Renderer(templates_folder())
    began = time.monotonic()
    for digest in digests:
        with smtplib.SMTP("127.0.0.1", port) as server:
            server.send_message(naive_message(renderer, digest))
    return len(digests) / (time.monotonic() - began)
