"""A command that cannot be understood says what is wrong with it, and what to write instead."""

from pathlib import Path

import pytest

from tests.integration.command import Command, installed

FILE = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return installed(tmp_path, "sqlite", FILE, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("subscribe",), "Missing argument 'EMAIL'. The subscriber's mail address."),
        (("pause", "ada@example.org"), "Missing option '--until'. The day of their next mail"),
        (
            ("move", "ada@example.org"),
            "Where to put the entry: into the file, or into the state. Choose",
        ),
        (("status", "--config", "x.toml"), "before the command: digest --config PATH status"),
        (("--dry-run", "run"), "--dry-run must be after the command: digest run --dry-run"),
        (("channels", "--until", "x", "test"), "No such option: --until"),
        (("--config", ".", "check"), ".: is a folder, not a file, named by --config"),
        (("state", "copy", "a", "b", "c"), "unexpected argument: c"),
        (("channels", "secret", "now"), "unexpected argument: now"),
        (("channels", "test", "lab"), "add a table [[channel]]"),
        (("keywords", "green tea"), "to try a keyword: -k 'green tea'"),
        (("preview", "tea"), "to try a keyword: -k tea"),
        (("why", "2606"), "write it as 2606.01234"),
        (
            ("init", "--folder", "new", "--email", "a@lab.example"),
            "required: without a terminal, and with --json",
        ),
        (("subscribe", "ada@example.org", "--category", "cs.ML"), 'did you mean "stat.ML"'),
    ],
)
def test_it_says_what_to_write(digest: Command, arguments: tuple[str, ...], told: str) -> None:
    lines = digest.refused(*arguments)
    assert told in " ".join(line.strip(" │") for line in lines)


def test_without_any_file_it_names_the_command_that_writes_both(digest: Command) -> None:
    (digest.folder / "subscribers.toml").unlink()
    assert "`digest init` writes it and digest.toml" in digest.refused("status")[0]
    (digest.folder / "digest.toml").touch()
    assert "init" not in digest.refused("status")[0]


def test_a_flag_shows_no_value(digest: Command) -> None:
    for command in ((), ("bounce",), ("channels",), ("state", "copy")):
        assert "<bool>" not in digest.said(*command, "--help")


def test_a_paragraph_of_help_is_broken_at_the_width_of_the_terminal_only(
    digest: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = digest.said("move", "--help")
    lines = [line.strip() for line in said.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("The state has"))
    paragraph = lines[start : lines.index("", start)]
    assert min(map(len, paragraph[:-1])) > 60
