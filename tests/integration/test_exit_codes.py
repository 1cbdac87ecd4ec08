"""Every command, as a process: what it ends with, and that it says so in lines and not in tracebacks."""

import os
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from digest import cli
from tests import forked
from tests.disk import mounted
from tests.integration.command import COMMANDS
from tests.notifications import postfix
from tests.waiting import LIMIT

READ_NO_FILES = {"init", "demo", "docs"}
INTERRUPT = """
import signal, sys
from digest import cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
bodies = {command.__code__ for commands in cli._COMMANDS.values() for command in commands}
left, has_begun = int(sys.argv.pop(1)), False
def count(frame, event, argument):
    global left, has_begun
    has_begun = has_begun or frame.f_code in bodies
    if has_begun and event == "call" and frame.f_globals.get("__name__", "").startswith("digest."):
        left -= 1
        if left == 0:
            sys.setprofile(None)
            print("interrupted", file=sys.stderr)
            signal.raise_signal(signal.SIGINT)
sys.setprofile(count)
cli.main()
"""
"""Ctrl-C at the nth call of a function of ours in a command."""


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path

    def __call__(self, *arguments: str, code: str | None = None) -> CompletedProcess[str]:
        nowhere = "http://127.0.0.1:1/"
        environ = {
            **os.environ,
            "DIGEST_STATE": str(self.folder / "digest.db"),
            **{f"DIGEST_ARXIV__{name}_URL": nowhere for name in ("API", "OAI", "FEED")},
            "DIGEST_ARXIV__RETRY_PAUSE": "0",
        }
        return forked.run(*arguments, cwd=self.folder, env=environ, given=postfix(), code=code, timeout=LIMIT)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    furnish(tmp_path)
    return Place(tmp_path)


def furnish(folder: Path) -> None:
    (folder / "digest.toml").write_text(
        '[smtp]\nbounce_address = "b@lab.example"\n'
        '[web]\nbase_url = "https://d.example.org"\nlisten = "127.0.0.1:0"\n'
    )
    (folder / "subscribers.toml").write_text(
        "".join(
            f'[[subscriber]]\nemail = "{name}@example.org"\nkeywords = ["tea"]\n' for name in ("ada", "cy")
        )
    )
    (folder / "page.md").write_text("# Papers\n")


def test_the_table_has_every_command() -> None:
    names = {command.__name__.rstrip("_") for commands in cli._COMMANDS.values() for command in commands}
    assert set(COMMANDS) == names


@pytest.mark.parametrize("calls", [1, 30])
@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_ends_each_command_with_130_and_without_a_traceback(
    place: Place, command: str, calls: int
) -> None:
    ended = place(str(calls), command, *COMMANDS[command], code=INTERRUPT)
    if "interrupted" in ended.stderr:
        assert (ended.returncode, "Traceback" in ended.stderr) == (130, False), ended.stderr
    else:
        assert calls > 1, "it called nothing"


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in READ_NO_FILES])
def test_a_mistake_in_the_configuration_is_one_line_and_ends_each_command_with_2(
    place: Place, command: str
) -> None:
    (place.folder / "digest.toml").write_text("[smtp]\nhots = 1\n")
    ended = place(command, *COMMANDS[command])
    said = ended.stdout if command == "doctor" else ended.stderr
    assert ended.returncode == (75 if command == "bounce" else 2), ended.stderr
    assert "hots" in said
    assert "Traceback" not in ended.stderr
    if command != "doctor":
        assert [line[:7] for line in ended.stderr.splitlines()] == ["error: "]


@pytest.mark.parametrize("command", ["subscribe", "unsubscribe", "init"])
def test_a_full_disk_is_none_of_the_users_mistakes_and_loses_nothing(tmp_path: Path, command: str) -> None:
    with mounted(tmp_path / "disk", size=1 << 20) as disk:
        furnish(disk.folder)
        (disk.folder / ".subscribers.toml.lock").touch()
        before = (disk.folder / "subscribers.toml").read_text()
        disk.fill(but=0)
        ended = Place(disk.folder)(command, *COMMANDS[command])
        assert (ended.returncode, ended.stdout) == (1, "")
        (line,) = ended.stderr.splitlines()
        assert "the disk is full; free some space" in line
        assert (disk.folder / "subscribers.toml").read_text() == before
        assert not list((disk.folder / "new").glob("*.toml"))
        disk.clear()
        ended = Place(disk.folder)(command, *COMMANDS[command])
        assert ended.returncode == 0, ended.stderr
