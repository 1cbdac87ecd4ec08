"""On 32-bit ARM there are no wheels of numpy and uvloop. Only interests need one of them."""

import subprocess
import sys
from pathlib import Path

_WITHOUT = "import sys; sys.modules.update(numpy=None, uvloop=None); from digest.cli import main; main()"


def digest(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    command = [sys.executable, "-c", _WITHOUT, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=100
    )


def test_the_demo_shows_its_two_days(tmp_path: Path) -> None:
    done = digest(tmp_path, "demo", "--into", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "demo").rglob("Maildir/new/*"))


def test_interests_say_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "subscribers.toml").write_text(
        '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'
    )
    (tmp_path / "liked.bib").write_text(
        "@misc{one, title={On steeping leaves in water}, abstract={We steep leaves.}, eprint={2606.00001}}"
    )
    done = digest(tmp_path, "interests", "ada@example.org", "--import", "liked.bib")
    assert done.returncode == 2
    assert done.stderr.startswith("error: interests need numpy")
