"""The commands that send mail run in uvloop, and without it in Python's own loop."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from digest.config.loader import load_settings
from digest.errors import WorkerGone
from digest.service.event_loop import run
from digest.service.mail_setup import writer_setup_for
from digest.service.worker_pool import started_worker
from digest.storage.sqlite.store import SqliteStore
from tests.stores import NOW


async def loop_in_use() -> str:
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="there uvloop is not installed")
def test_it_runs_in_uvloop() -> None:
    assert run(loop_in_use()).startswith("uvloop")


def test_without_uvloop_it_runs_in_the_usual_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run(loop_in_use()).startswith("asyncio")


def test_what_goes_wrong_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("as it was said")

    with pytest.raises(ValueError, match="as it was said"):
        run(fail())


async def _lose_the_scribe(state: Path) -> str:
    writer_setup = writer_setup_for(load_settings(None, {"DIGEST_STATE": str(state)}))
    async with started_worker(writer_setup, state) as drafting:
        await drafting(NOW, NOW, 1)
        (worker,) = [pid for pid in _children() if "digest.service.render_worker" in _command(pid)]
        os.kill(worker, signal.SIGKILL)
        for _ in range(3):  # its pipe may still take the first question
            with suppress(WorkerGone):
                await drafting(NOW, NOW, 1)
                continue
        try:
            await drafting(NOW, NOW, 1)
        except WorkerGone as gone:
            return str(gone)
    return "it answered"


def _children() -> list[int]:
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii")
    return [int(pid) for pid in found.split()]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not tell of children")
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_second_process_that_dies_is_told_of_as_gone_in_either_loop(
    tmp_path: Path, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop has another word for a pipe whose other end is gone: RuntimeError."""
    if loop == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    state = tmp_path / "digest.db"
    with SqliteStore(state):
        assert "failed: it has ended" in run(_lose_the_scribe(state))
