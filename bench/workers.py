"""Two workers beside one, where the machine has cores to spare: each worker has a part of a core for itself.

A single worker is the process of the run itself. What is compared is the time from the first mail to the last
one.
"""

import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

from bench.figures import Figure
from bench.pace import Pace
from bench.quotas import SHARE, put, quotas
from bench.requests import DAILY_RUN, FIRST_RUN
from bench.sink import sink, tool
from bench.whole_run import installed
from tests.acceptance.installation import simulator

_SUBSCRIBERS = 12_000
_ROUNDS = 3
_LEAST = 1.7

_WORKER = b"digest.service.worker"


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Medians of three runs of the same day with one worker and with two, in turns."""
    receiver = tool("smtp-sink", measure="workers")
    if receiver is None:
        return
    count = max(40, int(_SUBSCRIBERS * scale))
    rates: dict[int, list[float]] = {1: [], 2: []}
    for number in range(2 * _ROUNDS):
        workers = number % 2 + 1
        with quotas(workers) as groups, sink(receiver) as port:
            if groups is None:
                sys.stderr.write("workers: left out, because this process may not make control groups\n")
                return
            rates[workers].append(_rate(count, workers, port, groups))
    one, two = (median(found) for found in rates.values())
    yield Figure(
        what=f"two workers ÷ one, {count:,} subscribers, {SHARE:.0%} of a core for each worker",
        must=f"≥ {_LEAST}",
        ours=f"{two / one:.2f} ({one:,.0f} and {two:,.0f} mails a second)",
        is_held=two / one >= _LEAST,
    )


def _rate(count: int, workers: int, port: int, groups: Sequence[Path]) -> float:
    with tempfile.TemporaryDirectory() as folder, simulator("--min-interval", "0") as arxiv:
        place = Path(folder, "installation")
        installation = installed(place, count, arxiv.url, port, "normal", delivery__workers=str(workers))
        arxiv.tell(now=FIRST_RUN)
        installation.run(FIRST_RUN)
        arxiv.tell(now=DAILY_RUN)
        pace = Pace(count=partial(_sent, place / "digest.db"))

        def look(processes: Sequence[int]) -> None:
            found = [one for one in processes if _WORKER in _command(one)] if workers > 1 else processes
            for process, group in zip(found, groups, strict=False):
                put(process, group)
            pace.look()

        ran = installation.run(DAILY_RUN, look=look)
        if ran.errors:
            raise RuntimeError(ran.errors[0])
        return pace.rate


def _sent(state: Path) -> int:
    with closing(sqlite3.connect(state)) as db:
        return int(db.execute("SELECT count(*) FROM mailing WHERE state = 'sent'").fetchone()[0])


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
