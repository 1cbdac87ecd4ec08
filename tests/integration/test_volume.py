"""`-v` and `-q` may stand before or after each command."""

import json
import logging
from pathlib import Path

import pytest

from digest.cli.volume import level_of
from tests.integration.command import COMMANDS, Command, installed

FILE = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return installed(tmp_path, "sqlite", FILE, monkeypatch, capsys)


@pytest.mark.parametrize("command", [*COMMANDS, "state copy", "channels", "channels test", "channels secret"])
def test_each_command_takes_both_after_its_name(digest: Command, command: str) -> None:
    assert "--quiet" in digest.said(*command.split(), "-v", "--quiet", "-qv", "--help")


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        (("subscribers",), logging.WARNING),
        (("subscribers", "-v"), logging.INFO),
        (("-v", "subscribers"), logging.INFO),
        (("-v", "subscribers", "--verbose"), logging.DEBUG),
        (("subscribers", "-vvv"), logging.DEBUG),
        (("-q", "subscribers"), logging.ERROR),
        (("subscribers", "-qq"), logging.ERROR),
        (("-q", "subscribers", "-v"), logging.WARNING),
    ],
)
def test_they_count_together(
    digest: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], level: int
) -> None:
    begun: list[int] = []
    monkeypatch.setattr("digest.cli.begin_log", lambda level, environ: begun.append(level))
    logging.getLogger().setLevel(logging.NOTSET)
    digest.said(*arguments)
    assert (logging.getLogger().level or begun[0]) == level


def test_more_than_both_ends_is_no_other_level() -> None:
    assert (level_of(-9), level_of(9)) == (logging.ERROR, logging.DEBUG)


def test_a_quiet_command_prints_only_what_is_asked_for_and_what_failed(digest: Command) -> None:
    assert digest.said("edit", "ada@example.org", "--at", "07:30", "-q") == ""
    assert digest.said("-q", "check") == ""
    assert "07:30" in digest.said("subscribers", "-q")
    assert json.loads(digest.said("check", "--json", "-q"))["is_valid"]
    (digest.folder / "people.toml").write_text(FILE)
    assert digest.said("subscribers", "--import", "people.toml", "-q") == ""
    assert digest.said("subscribers", "--export", "-", "-q").startswith("[[subscriber]]")
    assert "did you mean" in digest.refused("edit", "eda@example.org", "--at", "07:30", "-q")[0]
