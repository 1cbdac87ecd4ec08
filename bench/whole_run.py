"""A whole `digest run` of a real day, beside a bare sender: fetch, compose, render and send."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from bench.day import busy_day
from bench.delivery import bare
from bench.figures import Figure, megabytes
from bench.installation import Installation, Ran
from bench.papers import papers
from bench.requests import DAILY_RUN, FIRST_RUN
from bench.sink import sink, tool
from bench.writing import LETTERHEAD
from digest.config.package_data import templates_folder
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.storage.sqlite.store import SqliteStore
from tests.acceptance.installation import simulator

_SUBSCRIBERS = 12_000
_CONNECTIONS = 20
_ROUNDS = 3
_ALL_PAPERS = 9_000
_SOME = 200
_LEAST_OF_BARE = {"full": 0.7, "normal": 0.4}
_MOST_CPU = {"full": 1.2e-3, "normal": 0.7e-3}


class _Round(NamedTuple):
    """One run, and the mails a second of a bare sender directly after it, of the same mean size."""

    ran: Ran
    bare: float
    size: int
    papers: float


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Medians of three rounds for each length of a digest. Each run is of the same day."""
    receiver = tool("smtp-sink", measure="run")
    sender = tool("smtp-source", measure="run")
    if receiver is None or sender is None:
        return
    count = max(40, int(_SUBSCRIBERS * scale))
    for length in _LEAST_OF_BARE:
        with (
            tempfile.TemporaryDirectory() as folder,
            simulator("--min-interval", "0") as arxiv,
            sink(receiver) as port,
        ):
            installation = installed(Path(folder, "installation"), count, arxiv.url, port, length)
            state, prepared = Path(folder, "installation", "digest.db"), Path(folder, "prepared.db")
            arxiv.tell(now=FIRST_RUN)
            installation.run(FIRST_RUN)
            shutil.copy(state, prepared)
            arxiv.tell(now=DAILY_RUN)
            rounds = []
            for _ in range(_ROUNDS):
                shutil.copy(prepared, state)
                ran = installation.run(DAILY_RUN)
                size, some = _sent(state)
                rounds.append(_Round(ran, bare(sender, ran.sent, size, port), size, some))
        yield from _figures(count, length, rounds)


def _figures(count: int, length: str, rounds: list[_Round]) -> Iterator[Figure]:
    of_bare = median(one.ran.sent / one.ran.seconds / one.bare for one in rounds)
    rate = median(one.ran.sent / one.ran.seconds for one in rounds)
    cpu = median(one.ran.cpu / one.ran.sent for one in rounds)
    last = rounds[-1]
    what = f'`length = "{length}"`, {last.papers:.0f} papers, {last.size / 1000:.0f} KB'
    peak = megabytes(max(one.ran.peak for one in rounds))
    wrong = "".join(f"; {error}" for one in rounds for error in one.ran.errors[:1])
    yield Figure(
        what=f"a whole run of a day that mails {last.ran.sent:,} of {count:,} subscribers ({what})",
        must=f"≥ {_LEAST_OF_BARE[length]} × smtp-source",
        ours=f"{rate:,.0f} a second, {of_bare:.2f} ×; {peak}{wrong}",
        naive=f"smtp-source -s {_CONNECTIONS}, the same size: {median(one.bare for one in rounds):,.0f}",
        is_held=of_bare >= _LEAST_OF_BARE[length] and not wrong,
    )
    yield Figure(
        what="processor time of all processes in it, for a digest",
        must=f"≤ {_MOST_CPU[length] * 1e3:.1f} ms",
        ours=f"{cpu * 1e3:.2f} ms",
        is_held=cpu <= _MOST_CPU[length],
    )


def installed(
    folder: Path, count: int, arxiv_url: str, port: int, length: str, **settings: str
) -> Installation:
    """An installation whose subscribers follow keywords of a real day, and get their mails by SMTP."""
    day = datetime.fromisoformat(DAILY_RUN).date()
    announced = [
        paper for paper in papers(_ALL_PAPERS) if paper.submitted_at and paper.submitted_at.date() == day
    ]
    entries = (
        f'[[subscriber]]\nemail = "reader{number}@example.org"\n'
        f"keywords = {json.dumps([keyword.text for keyword in some], ensure_ascii=False)}\n"
        for number, some in enumerate(busy_day(announced).followed(count))
    )
    return Installation(
        folder,
        "\n".join(entries),
        arxiv_url,
        interval=0,
        arxiv__retry_pause="0",
        defaults__length=length,
        delivery__transport="smtp",
        smtp__host="127.0.0.1",
        smtp__port=str(port),
        smtp__security="none",
        smtp__connections=str(_CONNECTIONS),
        **settings,
    )


def _sent(state: Path) -> tuple[int, float]:
    """The mean size in bytes of the newest mails, and their papers. Changes the state."""
    now = datetime.now(UTC)
    with SqliteStore(state) as store:
        store._connection._db.execute(
            "UPDATE mailing SET state = 'pending', due_at = planned_at WHERE number IN"
            " (SELECT number FROM mailing ORDER BY number DESC LIMIT ?)",
            [_SOME],
        )
        some = tuple(islice(store.claim(now=now, until=now, limit=_SOME), _SOME))
    write = Writer(Renderer(templates_folder()), LETTERHEAD).write
    return round(mean(len(write(one).message) for one in some)), mean(len(one.digest.entries) for one in some)
