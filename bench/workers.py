"""Two workers beside one, where the machine has cores to spare: each worker has a part of a core for itself.

On a machine with few cores, digest, the simulated arXiv and the sink take them from each other. So a worker
has a control group with a quota (cgroups(7)), so small that all others always find a free core. A single
worker is the process of the run itself. What is compared is the time from the first mail to the last one.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.figures import Figure
from bench.requests import DAILY_RUN, FIRST_RUN
from bench.sink import sink, tool
from bench.whole_run import installed
from tests.acceptance.installation import simulator

_SUBSCRIBERS = 12_000
_ROUNDS = 3
_LEAST = 1.7
_SHARE = 0.25
_PERIOD = 100_000
"""Microseconds; the length of a period of the scheduler."""

_GROUPS = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
"""Where version 1 and version 2 of control groups are."""

_WORKER = b"digest.service.worker"


@dataclass(slots=True, kw_only=True)
class _Watch:
    """Puts the workers of a run into groups, and sees when mails go out."""

    state: Path
    groups: Sequence[Path]
    before: int = 0
    began: tuple[float, int] | None = None
    ended: tuple[float, int] = field(default=(0.0, 0))

    def look(self, processes: Sequence[int]) -> None:
        found = [pid for pid in processes if _WORKER in _command(pid)] if len(self.groups) > 1 else processes
        for pid, group in zip(found, self.groups, strict=False):
            with suppress(OSError):  # it has ended
                (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
        sent = self.count()
        if sent > self.before and self.began is None:
            self.began = time.monotonic(), sent
        if sent > self.ended[1]:
            self.ended = time.monotonic(), sent

    def count(self) -> int:
        with closing(sqlite3.connect(self.state)) as db:
            return int(db.execute("SELECT count(*) FROM mailing WHERE state = 'sent'").fetchone()[0])

    @property
    def rate(self) -> float:
        """Mails a second."""
        if self.began is None:
            raise RuntimeError("no mail went out")
        (began, first), (ended, last) = self.began, self.ended
        return (last - first) / (ended - began)


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Medians of three runs of the same day with one worker and with two, in turns."""
    receiver = tool("smtp-sink", measure="workers")
    if receiver is None:
        return
    count = max(40, int(_SUBSCRIBERS * scale))
    rates: dict[int, list[float]] = {1: [], 2: []}
    for number in range(2 * _ROUNDS):
        workers = number % 2 + 1
        with _quotas(workers) as groups, sink(receiver) as port:
            if groups is None:
                sys.stderr.write("workers: left out, because this process may not make control groups\n")
                return
            rates[workers].append(_rate(count, workers, port, groups))
    one, two = (median(found) for found in rates.values())
    yield Figure(
        what=f"two workers ÷ one, {count:,} subscribers, {_SHARE:.0%} of a core for each worker",
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
        watch = _Watch(state=place / "digest.db", groups=groups)
        watch.before = watch.count()
        ran = installation.run(DAILY_RUN, look=watch.look)
        if ran.errors:
            raise RuntimeError(ran.errors[0])
        return watch.rate


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def _quotas(number: int) -> Iterator[Sequence[Path] | None]:
    """Control groups with the quota; `None` where they cannot be made."""
    parent = next((one for one in _GROUPS if one.is_dir()), None)
    groups = [parent / f"digest-bench-{place}" for place in range(number)] if parent else []
    try:
        try:
            for group in groups:
                _make(group)
        except OSError:
            groups = []
        yield groups or None
    finally:
        for group in groups:
            with suppress(OSError):
                group.rmdir()


def _make(group: Path) -> None:
    quota = int(_SHARE * _PERIOD)
    group.mkdir()
    if (group / "cpu.cfs_quota_us").exists():
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD), encoding="ascii")
        (group / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")
    else:
        (group / "cpu.max").write_text(f"{quota} {_PERIOD}", encoding="ascii")
