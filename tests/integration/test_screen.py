"""What commands print fits a terminal, and elsewhere each thing has a line of its own."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, REPLACEMENT, SECOND_MORNING
from digest.storage.sqlite.store import SqliteStore
from tests.processes import started
from tests.terminals import shown_on
from tests.waiting import LIMIT

ROOT = Path(__file__).parents[2]
NOW = ("--now", f"{SECOND_MORNING:%Y-%m-%dT%H:%M:%SZ}")
LONG = "reinforcement learning OR graph neural network OR exoplanet OR honey bee OR compiler"
COMMANDS = {
    "why": ("why", REPLACEMENT.id, *NOW),
    "keywords": ("keywords", "-k", LONG, *NOW),
    "demo": ("demo", "--into", "demo"),
}


def environ(arxiv: LocalArxiv) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return own | {
        "TERM": "xterm",
        "DIGEST_ARXIV__API_URL": arxiv.url,
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
        "PYTHONPATH": str(ROOT),
    }


def on_a_terminal(folder: Path, arxiv: LocalArxiv, *arguments: str) -> list[str]:
    """What stands on a screen of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "digest", *arguments]
    with started(*command, env=environ(arxiv), cwd=folder, stdout=theirs, stderr=subprocess.DEVNULL) as child:
        os.close(theirs)
        shown = b"".join(shown_on(ours))
        os.close(ours)
        child.wait(LIMIT)
    assert child.returncode == 0
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown.decode()).replace("\r", "").split("\n")


@pytest.mark.parametrize("command", COMMANDS)
async def test_lines_end_between_words_where_the_terminal_ends(tmp_path: Path, command: str) -> None:
    (tmp_path / "subscribers.toml").write_text(
        f'[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["{LONG}"]\n'
    )
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as arxiv:
        on_screen = await asyncio.to_thread(on_a_terminal, tmp_path, arxiv, *COMMANDS[command])
    texts = [line for line in on_screen if str(tmp_path) not in line]
    assert len(texts) > 5
    assert [line for line in texts if len(line) > 80] == []


async def test_a_path_that_is_longer_than_the_terminal_is_folded_and_never_cut(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
    folder.mkdir(parents=True)
    state = folder / "digest.db"
    with SqliteStore(state):
        (folder / "digest.toml").write_text(f'state = "{state}"\n')
    (folder / "subscribers.toml").touch()
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as arxiv:
        on_screen = await asyncio.to_thread(on_a_terminal, folder, arxiv, "status")
    assert str(state) in "".join(line.strip() for line in on_screen)
    assert "…" not in "".join(on_screen)


async def test_elsewhere_no_line_is_broken(tmp_path: Path) -> None:
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as arxiv:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "digest", *COMMANDS["keywords"]],
            env=environ(arxiv),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert LONG in done.stdout.splitlines()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full, a file on a full disk")
@pytest.mark.parametrize("arguments", ["--help", "--version", "subscribers --json", "status"])
def test_an_output_that_takes_nothing_is_told_in_a_line(tmp_path: Path, arguments: str) -> None:
    (tmp_path / "subscribers.toml").write_text("")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "digest", *arguments.split()],
            env=os.environ | {"PYTHONPATH": str(ROOT), "DIGEST_STATE": str(tmp_path / "digest.db")},
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stderr == "error: cannot write the output: No space left on device\n"
    assert done.returncode == 1
