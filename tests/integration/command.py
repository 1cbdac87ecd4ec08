"""Runs a command of `digest` in this process, as its entry point does, on a state of either kind."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from digest import cli
from digest.config.loader import load_settings
from digest.storage.base import Store
from digest.storage.factory import open_store
from tests.postgresql import database_of

COMMANDS: Mapping[str, Sequence[str]] = {
    "init": ("--folder", "new", "--email", "a@lab.example", "-k", "tea"),
    "check": (),
    "doctor": (),
    "demo": ("--into", "demonstration"),
    "docs": ("delivery",),
    "run": (),
    "daemon": (),
    "web": (),
    "status": (),
    "history": (),
    "resend": ("ada@example.org",),
    "why": ("2606.00001",),
    "keywords": (),
    "preview": ("ada@example.org",),
    "page": ("README.md",),
    "subscribe": ("bo@example.org", "-k", "tea"),
    "unsubscribe": ("ada@example.org",),
    "rename": ("ada@example.org", "new@example.org"),
    "edit": ("ada@example.org", "--at", "09:00"),
    "pause": ("ada@example.org", "--until", "2026-12-31"),
    "unpause": ("ada@example.org",),
    "mute": ("ada@example.org", "tea"),
    "unmute": ("ada@example.org", "tea"),
    "move": ("ada@example.org", "--to", "state"),
    "subscribers": (),
    "import": ("page.md", "--email", "ada@example.org"),
    "invite": (),
    "like": ("ada@example.org", "2606.00001"),
    "dislike": ("ada@example.org", "2606.00001"),
    "interests": ("ada@example.org",),
    "export": ("2606.00001",),
    "audit": (),
    "backup": ("copy.db",),
    "bounce": (),
    "suppressions": (),
    "resume": ("--all",),
}
"""Arguments that each of them can do something with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Command:
    """An installation in `folder`, whose settings are variables of the environment."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    environ: dict[str, str] = field(default_factory=dict)

    def set(self, **environ: str) -> None:
        for name, value in environ.items():
            self.environ[f"DIGEST_{name}"] = value
            self.monkeypatch.setenv(f"DIGEST_{name}", value)

    def __call__(self, *arguments: str) -> Ended:
        self.monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self.capsys.readouterr()
        code = ended.value.code
        return Ended(code=code if isinstance(code, int) else 0, out=out, err=err)

    def said(self, *arguments: str) -> str:
        """What a command prints that succeeds."""
        ended = self(*arguments)
        assert ended.code == 0, ended.err
        return ended.out

    def refused(self, *arguments: str) -> Sequence[str]:
        """The problems of a command that is refused."""
        ended = self(*arguments)
        assert ended.code == 2, ended.out
        return ended.err.splitlines()

    def store(self) -> Store:
        return open_store(load_settings(None, self.environ).state).__enter__()


def installed(
    folder: Path,
    kind: str,
    subscribers: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """An installation with a state of this kind: `sqlite` or `postgresql`."""
    (folder / "subscribers.toml").write_text(subscribers)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", "200")
    command = Command(folder, monkeypatch, capsys)
    state = folder / "digest.db" if kind == "sqlite" else database_of(folder).url
    command.set(STATE=str(state), SUBSCRIBERS=str(folder / "subscribers.toml"))
    return command
