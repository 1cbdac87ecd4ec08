"""What the system, or a strange file, keeps from the command: one line that says what to do."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534

only_root = pytest.mark.skipif(
    os.geteuid() != 0 or which("setpriv") is None, reason="only root can have a folder of somebody else"
)


def digest(
    folder: Path, *arguments: str | bytes, is_plain: bool = False, **environ: str
) -> subprocess.CompletedProcess[str]:
    """`is_plain`: without root's right to everything, so that modes count."""
    plain = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if is_plain else []
    return subprocess.run(
        [*plain, sys.executable, "-m", "digest", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder of somebody else's."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "subscribers.toml").touch()
    (tmp_path / "closed").mkdir(mode=0o700)
    os.chown(tmp_path / "closed", NOBODY, NOBODY)
    return tmp_path / "closed"


@only_root
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("DIGEST_CONFIG", "digest.toml"),
        ("DIGEST_STATE", "digest.db"),
        ("DIGEST_SUBSCRIBERS", "subscribers.toml"),
        ("DIGEST_MAIL__TEMPLATES", ""),
        ("CREDENTIALS_DIRECTORY", ""),
    ],
)
def test_a_folder_that_the_user_may_not_enter_is_named(closed: Path, name: str, file: str) -> None:
    folder = closed.parent / "open"
    places = {"DIGEST_STATE": str(folder / "digest.db"), name: str(closed / file)}
    done = digest(folder, "status", is_plain=True, **places)
    line = one_line(done)
    assert done.returncode == 2
    assert str(closed) in line
    assert f"user root has no permission for {closed}: run as " in line


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("a = " + "[" * 900 + "]" * 900, "nested too deep"), ("a = " + "9" * 5000, "too many digits")],
    ids=["nested", "long number"],
)
@pytest.mark.parametrize("name", ["digest.toml", "subscribers.toml"])
def test_a_strange_file_gets_one_line(tmp_path: Path, name: str, text: str, remedy: str) -> None:
    (tmp_path / name).write_text(text)
    done = digest(tmp_path, "subscribers", DIGEST_STATE=str(tmp_path / "digest.db"))
    assert done.returncode == 2
    assert remedy in one_line(done)


def test_of_very_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    (tmp_path / "subscribers.toml").write_text("[[subscriber]]\nemail = 1\n" * 2_000)
    done = digest(tmp_path, "subscribers", DIGEST_STATE=str(tmp_path / "digest.db"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 51
    assert "more; correct these first" in done.stderr.splitlines()[-1]


def test_an_argument_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    done = digest(tmp_path, "subscribe", "ann@example.org", "-k", b"Schr\xf6dinger")
    assert done.returncode == 2
    assert "is not UTF-8 text; set a UTF-8 locale" in one_line(done)


def test_a_subscriber_that_has_enough_ends_the_output_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "subscribers.toml").touch()
    dead = {f"DIGEST_ARXIV__{name}_URL": "http://127.0.0.1:9/" for name in ("API", "OAI", "FEED")}
    for command in ("--help", "doctor"):
        done = subprocess.run(
            f"{sys.executable} -m digest {command} | head -1",
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DIGEST_STATE": str(tmp_path / "digest.db"), **dead},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
