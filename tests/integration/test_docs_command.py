"""`digest docs`: the pages come with the program, and can be read without anything else."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import forked

ROOT = Path(__file__).parents[2]


def docs(folder: Path, *arguments: str) -> CompletedProcess[str]:
    return forked.run("docs", *arguments, cwd=folder, env=os.environ)


def test_the_list_names_each_page_and_what_is_in_it(tmp_path: Path) -> None:
    ended = docs(tmp_path)
    assert ended.returncode == 0
    assert "\n  keywords" in ended.stdout
    assert "\n  decisions/restored-state" in ended.stdout
    assert "how to write a keyword, and what it finds." in ended.stdout


@pytest.mark.parametrize("name", ["service", "service.md", "docs/service.md"])
def test_a_page_is_printed_as_it_is_written(tmp_path: Path, name: str) -> None:
    ended = docs(tmp_path, name)
    assert ended.returncode == 0
    assert ended.stdout.startswith("# Running as a service\n")
    assert "systemctl enable --now arxiv-digest\n" in ended.stdout
    assert "<!--" not in ended.stdout


@pytest.mark.parametrize("name", ["changelog", "decisions/restored-state"])
def test_pages_beside_the_folder_and_below_it_are_printed(tmp_path: Path, name: str) -> None:
    assert docs(tmp_path, name).stdout.startswith("# ")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("keyword", "did you mean keywords?"),
        ("confguration", "did you mean configuration?"),
        ("zzz", "`digest docs` lists them"),
        ("../README", "did you mean README?"),
    ],
)
def test_an_unknown_page_is_told_in_one_line_with_names_like_it(
    tmp_path: Path, name: str, advice: str
) -> None:
    ended = docs(tmp_path, name)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == f"error: there is no page {name!r}: {advice}\n"


def test_at_a_terminal_a_page_goes_through_the_pager(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environ = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PAGER": "cat >paged"}
    try:
        subprocess.run(
            [sys.executable, "-m", "digest", "docs", "tex"],
            cwd=tmp_path,
            env=environ,
            stdin=theirs,
            stdout=theirs,
            check=True,
            timeout=60,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert (tmp_path / "paged").read_text(encoding="utf-8").startswith("# TeX in titles")
