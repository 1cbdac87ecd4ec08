"""One machine for all tests, with the service installed in it as docs/service.md says."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.systemd.machine import CannotRun, Machine, booted, build_root, copy_root
from tests.systemd.service import Service, documented
from tests.systemd.town import PASSWORD, USERNAME

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file system of a machine that nobody has started yet."""
    root = tmp_path_factory.mktemp("machine") / "root"
    try:
        build_root(root)
        yield root
    except CannotRun as reason:
        pytest.skip(str(reason))
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def machine(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    own = root.with_name("one")
    # Two such machines at a time would be in one control group.
    lock = FileLock(tmp_path_factory.getbasetemp().parent / "arxiv-digest-machine.lock")
    try:
        copy_root(root, own)
        with lock, booted(own) as running:
            yield running
    except CannotRun as reason:
        pytest.skip(str(reason))
    finally:
        shutil.rmtree(own, ignore_errors=True)


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, its locks, and what they name, for the machine's Python 3.11."""
    folder = tmp_path_factory.mktemp("downloads")
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(CHECKOUT))
    binary = ("--only-binary=:all:", "--python-version=3.11")
    locks = [
        shutil.copy(CHECKOUT / name, folder) for name in ("constraints.txt", "constraints-postgresql.txt")
    ]
    named = [f"--requirement={lock}" for lock in locks]
    _pip("download", *binary, "--require-hashes", f"--dest={folder}", *named)
    return folder


@pytest.fixture(scope="session")
def installed(machine: Machine, downloads: Path) -> Machine:
    """The machine after somebody followed the documentation; there are no subscribers yet."""
    home = machine.path("/root")
    (home / "digest.toml").write_text(f'[smtp]\nhost = "127.0.0.1"\nusername = "{USERNAME}"\n')
    (home / "subscribers.toml").write_text("")
    (home / "smtp-password").write_text(f"{PASSWORD}\n")
    shutil.copytree(downloads, home, dirs_exist_ok=True)
    machine.shell(documented("install"), PIP_NO_INDEX="1", PIP_FIND_LINKS="/root")
    return machine


@pytest.fixture
def service(installed: Machine) -> Iterator[Service]:
    """The service without state and not running; its files are to be written by the test."""
    service = Service(machine=installed)
    service.reset()
    yield service
    service.stop()


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
