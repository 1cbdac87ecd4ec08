"""What a run costs as the subscribers grow in number: one that mails nobody, and one that mails everybody."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from bench.figures import Figure, megabytes, seconds
from bench.installation import Installation, Ran
from bench.requests import DAILY_RUN, FIRST_RUN
from bench.sink import sink, tool
from bench.subscribers import text_of
from tests.acceptance.installation import simulator

_SUBSCRIBERS = (1_000, 10_000, 100_000)
_IDLE_SUBSCRIBERS = 10_000
_MOST_IDLE = 0.9
_MOST_PEAK = 220e6
_MOST_GROWTH = 30e6
_STEEPEST = 1.05


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Runs of `digest run` over the simulated arXiv and the smtp-sink of Postfix, which takes all mails."""
    receiver = tool("smtp-sink", measure="growth")
    if receiver is None:
        return
    runs: list[Ran] = []
    for wanted in _SUBSCRIBERS:
        count = max(10, int(wanted * scale))
        first, idle = _runs(receiver, count, is_idle_too=wanted == _IDLE_SUBSCRIBERS)
        runs.append(first)
        if idle:
            yield _idle(count, idle)
        yield mailing(count, runs)


def _runs(receiver: str, count: int, *, is_idle_too: bool) -> tuple[Ran, Ran | None]:
    """The first run, and after that of another day the same once more."""
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator("--min-interval", "0") as arxiv,
        sink(receiver) as port,
    ):
        installation = Installation(
            Path(folder, "installation"),
            text_of(count),
            arxiv.url,
            interval=0,
            delivery__transport="smtp",
            smtp__host="127.0.0.1",
            smtp__port=str(port),
            smtp__security="none",
        )
        arxiv.tell(now=FIRST_RUN)
        first = installation.run(FIRST_RUN)
        if not is_idle_too:
            return first, None
        arxiv.tell(now=DAILY_RUN)
        installation.run(DAILY_RUN)
        return first, installation.run(DAILY_RUN)


def _idle(count: int, ran: Ran) -> Figure:
    wrong = [*ran.errors, *(["mails were sent"] if ran.sent else [])]
    return Figure(
        what=f"a run with nothing new, {count:,} subscribers",
        must="≤ 0.9 s of processor time",
        ours=f"{seconds(ran.cpu)}{_said(wrong)}",
        is_held=ran.cpu <= _MOST_IDLE and not wrong,
    )


def mailing(count: int, runs: Sequence[Ran]) -> Figure:
    """The last of `runs`, each of ten times as many subscribers as the one before."""
    ran = runs[-1]
    is_last = len(runs) == len(_SUBSCRIBERS)
    steps = [math.log10(after.cpu / before.cpu) for before, after in pairwise(runs)]
    growth = ran.peak - runs[-2].peak if steps else 0
    exponent = f", exponent {steps[-1]:.2f}" if steps else ""
    more = f" ({growth / 1e6:+,.1f} MB)" if steps else ""
    is_flat = ran.peak <= _MOST_PEAK and growth <= _MOST_GROWTH
    return Figure(
        what=f"a first run that mails {ran.sent:,} of {count:,} subscribers",
        must="≤ 220 MB, ≤ 30 MB more than for 10,000; exponent ≤ 1.05" if is_last else "",
        ours=f"{megabytes(ran.peak)}{more}, {seconds(ran.cpu)} of processor time{exponent},"
        f" {seconds(ran.seconds)} in all{_said(ran.errors)}",
        is_held=is_flat and max(steps) <= _STEEPEST and not ran.errors if is_last else None,
    )


def _said(errors: Sequence[str]) -> str:
    return "".join(f"; {error}" for error in errors[:1])
