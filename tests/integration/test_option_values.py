"""Numbers, days and times of every command that are out of range: one line says what is allowed."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digest import cli
from tests.reference import commands

_NONSENSE = {
    "N": ("-1", "1.5", "x", "", "٣", "9" * 30),
    "NUMBER": ("-1", "1.5", "x", "", "9" * 30),
    "PORT": ("0", "-1", "65536", "smtp", "9" * 30),
    "DATE": ("x", "", "2026-02-30", "tomorrow", "0001-01-01", "9999-12-31"),
    "TIME": ("x", "", "2026-06-16T25:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
}
_OPTIONS = sorted(
    (command.name, option.names[-1], option.value)
    for command in commands()
    for option in command.options
    if option.value in _NONSENSE
)

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must end with 2, and returns its error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2, arguments
        return capsys.readouterr().err

    return run


def test_each_kind_of_option_is_found() -> None:
    assert {value for *_, value in _OPTIONS} == _NONSENSE.keys()
    assert len(_OPTIONS) > 10


@pytest.mark.parametrize(("command", "option", "kind"), _OPTIONS)
def test_nonsense_is_refused_in_our_own_words(refused: Refused, command: str, option: str, kind: str) -> None:
    for text in _NONSENSE[kind]:
        error = refused(*command.split(), f"{option}={text}")
        assert f"Invalid value for '{option}': " in error
        assert " must be " in error
        assert "Input" not in error
        assert "Value error" not in error


def test_a_choice_is_refused_with_those_that_there_are(refused: Refused) -> None:
    error = refused("subscribers", "--format", "xls")
    assert "Invalid value for '--format': 'xls' is not one of 'toml', 'csv'." in error
