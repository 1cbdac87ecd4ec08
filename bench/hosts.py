"""Two hosts with one PostgreSQL database beside one host: each has a part of a core for itself.

A host is a `digest run` in a folder of its own. Two of them begin at the same time. What is compared is the
time from the first mail to the last one; what arrived is counted by the mail server.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psycopg

from bench.figures import Figure
from bench.installation import Installation, Ran
from bench.pace import Pace
from bench.quotas import SHARE, put, quotas
from bench.requests import DAILY_RUN, FIRST_RUN
from bench.scale import SETTINGS
from bench.sink import mails_in, sink, tool
from bench.whole_run import installed
from digest.config.database_url import DatabaseUrl
from tests.acceptance.installation import simulator
from tests.postgresql import Server, name_of, running

_SUBSCRIBERS = 12_000
_ROUNDS = 3
_KEPT = "kept"


class _Day(NamedTuple):
    """The day's mails by one host, or by two: how many a second, and how many in all, as each counts them."""

    rate: float
    by_hosts: tuple[int, ...]
    by_server: int
    subscribers: int
    errors: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether each subscriber got one mail."""
        return sum(self.by_hosts) == self.by_server == self.subscribers and not self.errors


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """The median of three rounds, each of one host and of two."""
    receiver = tool("smtp-sink", measure="hosts")
    if receiver is None:
        return
    count = max(40, int(_SUBSCRIBERS * scale))
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator("--min-interval", "0") as arxiv,
        sink(receiver, counts := Path(folder, "counts")) as port,
        running(**SETTINGS) as server,
        quotas(2) as groups,
    ):
        if groups is None:
            sys.stderr.write("hosts: left out, because this process may not make control groups\n")
            return
        url = server.new_database()
        hosts = [
            installed(
                Path(folder, name), count, arxiv.url, port, "normal", state=url.url, delivery__workers="1"
            )
            for name in ("one", "other")
        ]
        arxiv.tell(now=FIRST_RUN)
        hosts[0].run(FIRST_RUN)
        server.execute(f"ALTER DATABASE {name_of(url)} RENAME TO {_KEPT}")
        arxiv.tell(now=DAILY_RUN)
        day = partial(_day, server, url, counts, groups)
        rounds = [(day(hosts[:1]), day(hosts)) for _ in range(_ROUNDS)]
    yield _figure(count, rounds)


def _figure(count: int, rounds: Sequence[tuple[_Day, _Day]]) -> Figure:
    ratio = median(two.rate / one.rate for one, two in rounds)
    one, two = (median(days) for days in zip(*((one.rate, two.rate) for one, two in rounds), strict=True))
    parts = ", ".join(" + ".join(f"{part:,}" for part in two.by_hosts) for _, two in rounds)
    wrong = [day for days in rounds for day in days if not day.is_whole]
    said = f"; NOT WHOLE: {wrong[0]}" if wrong else ", each subscriber got one"
    return Figure(
        what=f"two hosts, one database, {count:,} subscribers ÷ one host, {SHARE:.0%} of a core for each",
        must="≥ 1, no mail lost or twice",
        ours=f"{ratio:.2f} ({one:,.0f} and {two:,.0f} mails a second); mails of both: {parts}{said}",
        is_held=ratio >= 1 and not wrong,
    )


def _day(
    server: Server, url: DatabaseUrl, counts: Path, groups: Sequence[Path], hosts: Sequence[Installation]
) -> _Day:
    """The day's run of all `hosts` at the same time, from the state after the first day's."""
    name = name_of(url)
    server.execute(f"CREATE DATABASE {name} TEMPLATE {_KEPT}")
    try:
        before, last = mails_in(counts), _one(url, "SELECT max(number) FROM mailing")
        pace = Pace(count=partial(_one, url, "SELECT count(*) FROM mailing WHERE state = 'sent'"))
        with ThreadPoolExecutor() as threads:
            running_there = [
                threads.submit(_run, host, group, pace) for host, group in zip(hosts, groups, strict=False)
            ]
        ran = [one.result() for one in running_there]
        served = f"SELECT count(DISTINCT subscriber) FROM mailing WHERE state = 'sent' AND number > {last}"  # noqa: S608
        return _Day(
            rate=pace.rate,
            by_hosts=tuple(one.sent for one in ran),
            by_server=mails_in(counts) - before,
            subscribers=_one(url, served),
            errors=tuple(error for one in ran for error in one.errors),
        )
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _run(host: Installation, group: Path, pace: Pace) -> Ran:
    def look(processes: Sequence[int]) -> None:
        for process in processes:
            put(process, group)
        pace.look()

    return host.run(DAILY_RUN, look=look)


def _one(url: DatabaseUrl, statement: str) -> int:
    with psycopg.connect(url.url) as db:
        row = db.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0
