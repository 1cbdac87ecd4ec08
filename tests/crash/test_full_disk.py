"""A state that cannot be written for a while (full disk, read-only, locked): a clear word, and later all.

No digest is lost and none comes twice: a process that is not killed knows what it sent.
"""

import asyncio
import random
import sqlite3
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from digest.storage.sqlite.store import SqliteStore
from tests.crash.lab import Lab, laboratory
from tests.disk import Disk, mounted
from tests.waiting import LIMIT

pytestmark = pytest.mark.long

SUBSCRIBERS = 60
DISK = 16 << 20
ROOMS = range(0, 240_000, 16_000)
LOCKED_SECONDS = 50
"""A bit more than the busy timeout of the state file."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", size=DISK) as disk:
        yield disk


async def test_a_disk_that_fills_up_in_mid_run_loses_no_digest_and_repeats_none(
    tmp_path: Path, disk: Disk
) -> None:
    """The less room is left when arXiv answers, the earlier in the rest of the run it is used up."""
    met: Counter[str] = Counter()
    state = disk.folder / "digest.db"
    async with laboratory(tmp_path, random.Random(1), subscribers=SUBSCRIBERS, state=state) as lab:
        await lab.run_well()
        for room in ROOMS:
            lab.next_day()
            process = await lab.start()
            await _until(process, _is_asked(lab))
            disk.fill(but=room)
            said = await _said_of_the_disk(process)
            disk.clear()
            said += (await process.communicate())[1].decode()
            assert "the disk is full; free some space" in said
            phase = _phase(lab)
            met[phase] += 1
            assert process.returncode in ({0, 1} if phase == "delivery" else {1}), said
            await lab.run_well()
    print(f"the disk was full in {dict(met)}")  # noqa: T201
    assert set(met) == {"fetch", "compose", "delivery"}
    _all_came_once(lab)


async def test_a_state_that_is_read_only_is_told_and_the_next_run_does_the_work(
    tmp_path: Path, disk: Disk
) -> None:
    state = disk.folder / "digest.db"
    async with laboratory(tmp_path, random.Random(2), subscribers=SUBSCRIBERS, state=state) as lab:
        await lab.run_well()
        lab.next_day()
        disk.remount("ro")
        code, said = await lab.run()
        disk.remount("rw")
        assert code == 2
        assert "Read-only file system; mount that file system writable, or choose another path" in said
        await lab.run_well()
    _all_came_once(lab)


async def test_a_state_that_is_locked_for_long_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """Before it mails the run gives up, and the next one does the work; a run that mails waits."""
    moments: dict[str, Callable[[Lab], Callable[[], bool]]] = {
        "start": lambda lab: lambda: True,
        "fetch": _is_asked,
        "delivery": _is_half_mailed,
    }
    ended = await asyncio.gather(*(_locked(tmp_path / name, at) for name, at in moments.items()))
    for name, (code, said) in zip(moments, ended, strict=True):
        assert "digest.db: is locked by another program; close that and run again" in said, name
        assert code == (0 if name == "delivery" else 1), said


async def _locked(folder: Path, moment: Callable[[Lab], Callable[[], bool]]) -> tuple[int | None, str]:
    async with laboratory(_made(folder), random.Random(3), subscribers=SUBSCRIBERS) as lab:
        await lab.run_well()
        lab.next_day()
        has_come = moment(lab)
        with closing(sqlite3.connect(lab.state_file, isolation_level=None, timeout=30)) as other:
            if has_come():
                other.execute("BEGIN IMMEDIATE")
            process = await lab.start()
            await _until(process, has_come)
            if not other.in_transaction:
                other.execute("BEGIN IMMEDIATE")
            with suppress(TimeoutError):  # a run that mails does not end
                await asyncio.wait_for(process.wait(), LOCKED_SECONDS)
            other.execute("ROLLBACK")
        _, said = await process.communicate()
        await lab.run_well()
    _all_came_once(lab)
    return process.returncode, said.decode()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _is_asked(lab: Lab) -> Callable[[], bool]:
    asked = len(lab.arxiv.asked)
    return lambda: len(lab.arxiv.asked) > asked


def _is_half_mailed(lab: Lab) -> Callable[[], bool]:
    before = len(lab.inbox.delivered)
    return lambda: len(lab.inbox.delivered) > before + SUBSCRIBERS // 2


async def _until(process: Process, has_come: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not has_come():
            assert process.returncode is None
            await asyncio.sleep(0.001)


async def _said_of_the_disk(process: Process) -> str:
    """What the process said until it ended, or until it began to wait for the disk."""
    assert process.stderr is not None
    said = ""
    while line := (await process.stderr.readline()).decode():
        said += line
        if "waiting" in line:
            break
    return said


def _phase(lab: Lab) -> str:
    """How far the run of today came."""
    if lab.inbox.latest() or _waiting(lab):
        return "delivery"
    with SqliteStore(lab.state_file) as store:
        return "compose" if max(store.covered_at().values()) == lab.days.now else "fetch"


def _waiting(lab: Lab) -> int:
    with SqliteStore(lab.state_file) as store:
        return store.waiting()


def _all_came_once(lab: Lab) -> None:
    lab.everybody_has_all_and_once()
    assert {len(copies) for copies in lab.digests().values()} == {1}
