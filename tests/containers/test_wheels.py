"""Every library of the image comes from a wheel, for each machine that docs/containers.md names.

Asks the package index, and downloads nothing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).parents[2]
OF_THE_PROGRAM = ("constraints.txt", "constraints-postgresql.txt", "constraints-extras.txt")
OF_THE_BUILD = ("constraints-build.txt",)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("locks", [OF_THE_PROGRAM, OF_THE_BUILD], ids=["program", "build"])
def test_all_libraries_have_wheels(locks: tuple[str, ...], python: str, machine: str, tmp_path: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("no uv beside this Python")
    platform = (f"--python-platform={machine}-manylinux_2_36", f"--python-version={python}")
    strict = ("--only-binary=:all:", "--require-hashes", f"--target={tmp_path}")
    command = [uv, "pip", "install", "--dry-run", "--quiet", *platform, *strict]
    command += [f"--requirement={CHECKOUT / lock}" for lock in locks]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    if "dns error" in done.stderr or "Could not connect" in done.stderr:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
