"""Files that a command reads may be pipes or standard input; a configuration file may not."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.integration.command import Command, installed

ADA = "ada@example.org"
FILE = f'[[subscriber]]\nemail = "{ADA}"\nkeywords = ["tea"]\n'
PAGE = "# milk\n| **Title** |\n| --- |\n| [On milk](https://arxiv.org/abs/2606.00009) |\n"
READING = (
    (("import", "{}", "--email", ADA, "--dry-run"), PAGE, "{}: 1 heading, 1 different paper"),
    (("interests", ADA, "--import", "{}"), "@misc{a, title={A}}", "{}: 1 reference; 1 paper liked"),
    (
        ("subscribers", "--import", "{}", "--format", "csv"),
        "email,keywords\nbo@example.org,tea\n",
        "Added 1 subscriber",
    ),
)
Piped = Callable[[str], str]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return installed(tmp_path, "sqlite", FILE, monkeypatch, capsys)


@pytest.mark.parametrize(("arguments", "content", "told"), READING)
def test_a_pipe_is_read_once(digest: Command, arguments: Sequence[str], content: str, told: str) -> None:
    reading, writing = os.pipe()
    os.write(writing, content.encode())
    os.close(writing)
    try:
        path = f"/dev/fd/{reading}"
        assert digest.said(*(one.format(path) for one in arguments)).startswith(told.format(path))
    finally:
        os.close(reading)


@pytest.mark.parametrize(("arguments", "content", "told"), READING)
def test_a_hyphen_is_standard_input(
    digest: Command, arguments: Sequence[str], content: str, told: str
) -> None:
    digest.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    assert digest.said(*(one.format("-") for one in arguments)).startswith(told.format("standard input"))


def test_a_pipe_in_the_place_of_a_configuration_file_is_refused_and_not_waited_for(digest: Command) -> None:
    os.mkfifo("people.toml")
    digest.set(SUBSCRIBERS="people.toml")
    assert digest.refused("check") == [
        "error: people.toml: is a pipe, and is read more than once: give the path of a file"
    ]
