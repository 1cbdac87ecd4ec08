"""What a disk, another process or another user keeps from us: named, and waited for where it may pass."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Timer

import pytest

from digest.config import os_errors
from digest.config.file_lock import LockFile, make_private_folder
from digest.config.loader import load_settings
from digest.errors import AlreadyRunning, StateError
from digest.service.bootstrap import rate_limiter_file
from digest.sources.rate_limiter import RateLimiter
from digest.storage.lock import hold_state
from digest.storage.sqlite import errors
from digest.storage.sqlite.backup import copy_state
from digest.storage.sqlite.inspection import look_into
from digest.storage.sqlite.store import SqliteStore
from tests.disk import Disk, mounted
from tests.processes import started, started_here
from tests.waiting import LIMIT, until

ROOT = Path(__file__).parents[2]
HAS_PROC_LOCKS = Path("/proc/locks").exists()
HOLD = """
import sys, time
from pathlib import Path
from digest.config.file_lock import LockFile
lock = LockFile(Path(sys.argv[1]))
assert lock.acquire()
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", size=1 << 20) as disk:
        yield disk


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Another process holds the lock at `path`: its pid."""
    command = (sys.executable, "-c", HOLD, str(path))
    with started(*command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process.pid


@pytest.mark.parametrize("room", [0, 4096, 8192, 32_768, 100_000])
def test_a_full_disk_is_named_wherever_sqlite_meets_it(disk: Disk, room: int) -> None:
    """A state to be made, one to be opened (whose -wal and -shm have no room), and a copy of it."""
    path = disk.folder / "digest.db"
    with SqliteStore(path):
        pass
    disk.fill(but=room)
    for name in ["other.db", *(["digest.db"] if room < 32_768 else [])]:
        with pytest.raises(StateError, match="the disk is full; free some space") as caught:
            SqliteStore(disk.folder / name)
        assert caught.value.is_passing
    disk.clear()
    with SqliteStore(path):
        pass


def test_a_full_disk_is_named_by_those_who_only_copy_or_look(disk: Disk) -> None:
    path = disk.folder / "digest.db"
    with SqliteStore(path):
        pass
    disk.fill(but=0)
    for attempt in (
        lambda: copy_state(path, disk.folder / "copy.db"),
        lambda: look_into(path, busy=timedelta(seconds=1), within=timedelta(seconds=5)),
    ):
        with pytest.raises(StateError, match="the disk is full") as caught:
            attempt()
        assert caught.value.is_passing


def test_a_read_only_disk_is_for_a_person_to_mend(disk: Disk) -> None:
    path = disk.folder / "digest.db"
    with SqliteStore(path):
        pass
    disk.remount("ro")
    with pytest.raises(StateError, match="mount that file system writable") as caught, hold_state(path):
        pass
    assert not caught.value.is_passing


def failing(code: int, name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN])
def test_the_reason_that_sqlite_keeps_is_had_from_the_system(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = OSError(122, "Disk quota exceeded")
    monkeypatch.setattr(os_errors, "probe", lambda folder: found)
    told = errors.state_error(tmp_path / "digest.db", failing(code, "SQLITE_SOMETHING"))
    assert "the disk quota of this user is used up; free some space" in str(told)
    assert told.is_passing


def test_a_disk_that_fails_is_named_and_tried_again(tmp_path: Path) -> None:
    error = failing(sqlite3.SQLITE_IOERR_READ, "SQLITE_IOERR_READ")
    told = errors.state_error(tmp_path / "digest.db", error)
    assert "SQLITE_IOERR_READ" in str(told)
    assert "the disk or its file server fails" in str(told)
    assert told.is_passing


def test_a_damaged_state_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    with SqliteStore(path) as store:
        store.covered_at()
    with path.open("r+b") as file:
        file.seek(16)
        file.write(b"\xff" * 4000)
    with pytest.raises(StateError, match=r"is damaged .* put back a backup"):
        SqliteStore(path)
    path.write_bytes(bytes(8192))
    with pytest.raises(StateError, match=r"is damaged .* put back a backup"):
        SqliteStore(path)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_whatever_the_umask_nobody_else_can_open_a_lock_or_the_state(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "state" / "digest.db"
    before = os.umask(umask)
    try:
        with hold_state(path), SqliteStore(path):
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {"digest.db", "digest.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_lock_file_of_an_earlier_version_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(mode=0o644)
    path.chmod(0o644)
    lock = LockFile(path)
    assert lock.acquire()
    lock.release()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave files to others")
def test_what_root_makes_in_a_users_folder_belongs_to_that_user(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    os.chown(tmp_path, 65534, 65534)
    with hold_state(path), SqliteStore(path):
        assert {file.stat().st_uid for file in tmp_path.iterdir()} == {65534}


@pytest.mark.skipif(not HAS_PROC_LOCKS, reason="this system does not tell who holds a lock")
def test_who_holds_the_state_is_named(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    with held(tmp_path / "digest.db.lock") as pid:
        user = os_errors.this_user()
        told = rf"another digest process uses .*digest.db \(process {pid} of user {user}\)"
        with pytest.raises(AlreadyRunning, match=told), hold_state(path, patience=0):
            pass


def test_a_lock_that_is_held_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """As `digest status` holds it, to see whether it is free."""
    path = tmp_path / "digest.db"
    lock = LockFile(tmp_path / "digest.db.lock")
    assert lock.acquire()
    released: list[bool] = []

    def release() -> None:
        released.append(True)
        lock.release()

    timer = Timer(0.2, release)
    timer.start()
    with hold_state(path, patience=LIMIT):
        assert released
    timer.join()


@pytest.mark.skipif(not HAS_PROC_LOCKS, reason="this system does not tell who holds a lock")
async def test_a_long_wait_for_a_turn_names_who_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "arxiv-requests"
    told: list[str] = []
    rate_limiter = RateLimiter(path, timedelta(0), report_after=timedelta(seconds=0.1))
    rate_limiter.notify = told.append
    with held(path) as pid:
        waiting = asyncio.create_task(_turn(rate_limiter))
        await until(lambda: len(told) >= 2)
    await asyncio.wait_for(waiting, LIMIT)
    assert f"process {pid} of user {os_errors.this_user()} holds {path}" in told[0]


async def _turn(rate_limiter: RateLimiter) -> None:
    async with rate_limiter.turn():
        pass


@pytest.mark.parametrize(
    ("command", "word"), [("daemon", "ready subscribers=0"), ("web", "web pages served")]
)
async def test_services_wait_for_a_full_disk_and_go_on_by_themselves(
    disk: Disk, tmp_path: Path, command: str, word: str
) -> None:
    """Ending would not do: systemd starts a service again ten times, and then no more."""
    folder = tmp_path / "here"
    make_private_folder(folder)
    (folder / "subscribers.toml").touch()
    state = disk.folder / "state" / "digest.db"
    disk.fill(but=0)
    code = (
        "import digest.service.wait_for_state as patience, digest.cli as cli;"
        "patience._LOOK_SECONDS = 0.2; cli.main()"
    )  # fmt: skip
    environ = {**os.environ, "DIGEST_STATE": str(state), "PYTHONPATH": str(ROOT)}
    if command == "web":
        environ |= {"DIGEST_WEB__BASE_URL": "https://d.example.org", "DIGEST_WEB__LISTEN": "127.0.0.1:0"}
    async with (
        started_here(
            *(sys.executable, "-c", code, command), cwd=folder, env=environ, stderr=asyncio.subprocess.PIPE
        ) as process,
        asyncio.timeout(LIMIT),
    ):
        assert process.stderr is not None
        first = (await process.stderr.readline()).decode()
        assert "waiting, trying again every_seconds=" in first
        assert "No space left on device" in first or "the disk is full" in first
        disk.clear()
        second = (await process.stderr.readline()).decode()
        assert word in second
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize("command", ["daemon", "web"])
async def test_services_that_wait_for_a_full_disk_end_with_zero(
    disk: Disk, tmp_path: Path, command: str
) -> None:
    """Also as process 1 of a container, for which the system ignores a signal without a handler."""
    make_private_folder(tmp_path / "here")
    (tmp_path / "here" / "subscribers.toml").touch()
    disk.fill(but=0)
    environ = {**os.environ, "DIGEST_STATE": str(disk.folder / "state" / "digest.db")}
    environ |= {"DIGEST_WEB__BASE_URL": "https://d.example.org", "DIGEST_WEB__LISTEN": "127.0.0.1:0"}
    service = (sys.executable, "-m", "digest", command)
    async with (
        started_here(*service, cwd=tmp_path / "here", env=environ, stderr=asyncio.subprocess.PIPE) as process,
        asyncio.timeout(LIMIT),
    ):
        assert process.stderr is not None
        assert b"waiting, trying again" in await process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def test_two_states_of_one_user_share_a_turnstile(tmp_path: Path) -> None:
    """arXiv's pace is over all processes of a user, whatever state they work on."""
    environ = {"STATE_DIRECTORY": str(tmp_path / "own")}
    files = {
        rate_limiter_file(load_settings(None, {"DIGEST_STATE": str(tmp_path / name / "digest.db")}), environ)
        for name in ("one", "two")
    }
    assert files == {tmp_path / "own" / "arxiv-requests"}
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"DIGEST_ARXIV__API_URL": "http://127.0.0.1:9/api"}, id="an arXiv on this machine"),
        pytest.param({"own": "file/folder"}, id="no folder of this user's own"),
    ],
)
def test_else_the_turnstile_is_beside_the_state(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "file").touch()
    environ = {"STATE_DIRECTORY": str(tmp_path / variables.pop("own", "own"))}
    variables["DIGEST_STATE"] = str(tmp_path / "one" / "digest.db")
    assert rate_limiter_file(load_settings(None, variables), environ) == tmp_path / "one" / "arxiv-requests"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work on the state of another user")
def test_who_works_on_another_users_state_keeps_apart_from_that_one(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    settings = load_settings(None, {"DIGEST_STATE": str(tmp_path / "theirs" / "digest.db")})
    found = rate_limiter_file(settings, {"STATE_DIRECTORY": str(tmp_path / "own")})
    assert found == tmp_path / "theirs" / "arxiv-requests"
