"""The same `digest run` with the state in a file and in PostgreSQL, and by two hosts, all on one machine."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.figures import Figure
from bench.installation import Ran
from bench.requests import DAILY_RUN, FIRST_RUN
from bench.scale import SETTINGS
from bench.sink import sink, tool
from bench.whole_run import installed
from tests.acceptance.installation import simulator
from tests.postgresql import name_of, running

_SUBSCRIBERS = 12_000
_ROUNDS = 3
_LEAST = 0.7


class _Round(NamedTuple):
    """Runs of the same day, one directly after the other, the last one by two hosts at the same time."""

    sqlite: Ran
    postgresql: Ran
    hosts: tuple[Ran, Ran]


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """The median of ratios within a round."""
    receiver = tool("smtp-sink", measure="databases")
    if receiver is None:
        return
    count = max(40, int(_SUBSCRIBERS * scale))
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator("--min-interval", "0") as arxiv,
        sink(receiver) as port,
        running(**SETTINGS) as server,
    ):
        state, kept = Path(folder, "sqlite", "digest.db"), Path(folder, "kept.db")
        url = server.new_database()
        name = name_of(url)
        sqlite = installed(Path(folder, "sqlite"), count, arxiv.url, port, "normal")
        one, other = (
            installed(Path(folder, host), count, arxiv.url, port, "normal", state=url.url)
            for host in ("one", "other")
        )
        arxiv.tell(now=FIRST_RUN)
        sqlite.run(FIRST_RUN)
        one.run(FIRST_RUN)
        shutil.copy(state, kept)
        server.execute(f"ALTER DATABASE {name} RENAME TO kept")
        arxiv.tell(now=DAILY_RUN)
        rounds = []
        for _ in range(_ROUNDS):
            shutil.copy(kept, state)
            server.execute(f"CREATE DATABASE {name} TEMPLATE kept")
            alone = sqlite.run(DAILY_RUN), one.run(DAILY_RUN)
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            server.execute(f"CREATE DATABASE {name} TEMPLATE kept")
            with ThreadPoolExecutor() as threads:
                both = [threads.submit(host.run, DAILY_RUN) for host in (one, other)]
            rounds.append(_Round(*alone, (both[0].result(), both[1].result())))
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    yield _figure(count, rounds)
    yield _of_hosts(count, rounds)


def _of_hosts(count: int, rounds: list[_Round]) -> Figure:
    """Both hosts have the same two cores, so that a second one can only be in the way."""
    rates = [
        sum(ran.sent for ran in one.hosts) / max(ran.seconds for ran in one.hosts) / _rate(one.postgresql)
        for one in rounds
    ]
    sent = {sum(ran.sent for ran in one.hosts) - one.postgresql.sent for one in rounds}
    parts = ", ".join(" + ".join(f"{ran.sent:,}" for ran in one.hosts) for one in rounds)
    return Figure(
        what=f"two hosts, one database, {count:,} subscribers ÷ one host, all on the same cores",
        must="no mail lost or twice",
        ours=f"{median(rates):.2f}; mails sent: {parts}",
        is_held=sent == {0},
    )


def _figure(count: int, rounds: list[_Round]) -> Figure:
    ratio = median(_rate(one.postgresql) / _rate(one.sqlite) for one in rounds)
    cpu = median(one.postgresql.cpu / one.postgresql.sent for one in rounds)
    other = median(one.sqlite.cpu / one.sqlite.sent for one in rounds)
    are_equal = all(one.postgresql.sent == one.sqlite.sent for one in rounds)
    return Figure(
        what=f"the same run of {count:,} subscribers on PostgreSQL ÷ on SQLite",
        must=f"≥ {_LEAST}",
        ours=f"{ratio:.2f}; {median(_rate(one.postgresql) for one in rounds):,.0f} a second,"
        f" {cpu * 1e3:.2f} ms of processor time for each beside the server",
        naive=f"SQLite: {median(_rate(one.sqlite) for one in rounds):,.0f} a second, {other * 1e3:.2f} ms",
        is_held=ratio >= _LEAST and are_equal,
    )


def _rate(ran: Ran) -> float:
    return ran.sent / ran.seconds
