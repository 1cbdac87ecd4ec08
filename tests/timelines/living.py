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
    first fetch begins when that succeeds. Papers are left out to which a later edit brings a keyword. Where
    they were submitted before the look-back of that keyword, the search API has seen all others of that time
    and takes them for news; OAI-PMH not. No look-back is raised: where nobody follows a keyword at that time,
    and somebody soon after, OAI-PMH then looks further back for it, and the search API does not.
    """
    days = tuple(
        replace(
            day,
            runs=tuple(_calm(run) for run in day.runs),
            actions=tuple(one for one in day.actions if one.kind != "lookback"),
            is_restored=False,
        )
        for day in timeline.days
    )
    record = lived(live, replace(timeline, days=days, sources=sources, left_out=frozenset()))
    assert_nothing_is_wrong(record)
    items = timeline.world().by_id.values()
    odd = {one.id for one in items if any(after.words - one.editions[0].words for after in one.editions)}
    found: dict[str, set[str]] = {}
    for mail in record.posted:
        found.setdefault(mail.email, set()).update(set(mail.papers) - odd)
    return found


def _calm(run: Run) -> Run:
    """From 06:00 UTC on, all that was announced in the evening is shown everywhere."""
    return Run(minute=360 + run.minute * 17 // 24, refusal=run.refusal)
