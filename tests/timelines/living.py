"""Runs a timeline in a folder of its own, and says what was wrong with it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.timelines.life import Record
from tests.timelines.oracle import Judge
from tests.timelines.plan import Run, Timeline

Live = Callable[[Timeline, Path], Awaitable[Record]]


def lived(live: Live, timeline: Timeline) -> Record:
    async def run(folder: str) -> Record:
        return await live(timeline, Path(folder))

    with TemporaryDirectory() as folder:
        return asyncio.run(run(folder))


def assert_nothing_is_wrong(record: Record) -> None:
    """Nobody misses a paper, nobody gets one twice, and nobody gets what they did not ask for."""
    judge = Judge(record)
    faults = {"lost": judge.lost(), "twice": judge.twice(), "unasked": judge.unasked()}
    told = "\n".join([*(f"{name}: {some}" for name, some in faults.items()), *record.log])
    assert not any(faults.values()), told


def mailed(live: Live, timeline: Timeline, *sources: str) -> dict[str, set[str]]:
    """What came to whom with these sources, of which none fails and none is early with its answers.

    No evening is left out by arXiv: each source doubts that in its own time, and the look-back of a keyword's
    first fetch begins when that succeeds.
    """
    days = tuple(
        replace(day, runs=tuple(_calm(run) for run in day.runs), is_restored=False) for day in timeline.days
    )
    record = lived(live, replace(timeline, days=days, sources=sources, left_out=frozenset()))
    assert_nothing_is_wrong(record)
    found: dict[str, set[str]] = {}
    for mail in record.posted:
        found.setdefault(mail.email, set()).update(mail.papers)
    return found


def _calm(run: Run) -> Run:
    """From 06:00 UTC on, all that was announced in the evening is shown everywhere."""
    return Run(minute=360 + run.minute * 17 // 24, refusal=run.refusal)
