"""Every example of the docs that shows a prompt is run, and prints what stands there.

Of each page one shell runs all blocks of the language `console`, one after the other, in an empty home that
the docs call /home/you. `…` stands for any text in a line, or alone in a line for any lines. A block of TOML
that begins with the comment `# digest.toml` is written to that file first. What needs systemd is left out.
"""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, FIRST_MORNING
from tests.acceptance.installation import mail_server
from tests.documents import PAGES, ROOT, Block, blocks
from tests.reference import commands

HOME = "/home/you"
NOT_HERE = ("sudo ", "systemctl ", "journalctl ")
WITH_NOW = [
    one.name for one in commands() if "--now" in {name for option in one.options for name in option.names}
]
SERVER = '[smtp]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\nsender = "digest@localhost"\n'


def daily_papers(*headings: str) -> str:
    """A page whose headings all have the same twenty papers, as after a wrong question to arXiv."""
    titles = ["On the tides of tea", *["Reinforcement learning of tides"] * 3, "A compiler", *["On tea"] * 15]
    rows = [
        f"| **[{title}](https://arxiv.org/abs/2606.{number:05}v1)** | 2026-06-01 | Show Nothing. | |"
        for number, title in enumerate(titles, 1)
    ]
    table = "\n".join(
        ["| **Title** | **Date** | **Abstract** | **Comment** |", "| --- | --- | --- | --- |", *rows]
    )
    return (
        "Last update: 2026-06-01\n\n" + "\n\n".join(f"## {heading}\n{table}" for heading in headings) + "\n"
    )


THERE_BEFORE: Mapping[str, Mapping[str, str]] = {
    "daily-papers.md": {"README.md": daily_papers("reinforcement learning", "compiler")},
    "moving.md": {
        "feeds.txt": "0: [*] learning (http://rss.arxiv.org/rss/cs.LG -> you@example.org)\n"
        "1: [*] blog (https://blog.example.org/feed -> you@example.org)\n"
    },
    "troubleshooting.md": {
        "digest.toml": SERVER.replace("127.0.0.1", "localhost").format(port=1),
        "subscribers.toml": '[[subscriber]]\nemail = "you@example.org"\nkeywords = ["tea"]\n',
    },
}
"""What a page takes for granted: the files of its subscriber's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is typed, and what the page shows for it."""

    command: str
    shown: str


def steps(page: Path) -> Iterator[Step]:
    for block in blocks("toml", "console"):
        if block.page == page and block.language == "toml" and block.text.startswith("# digest.toml"):
            yield Step(command=f"cat > digest.toml <<'END'\n{block.text}END", shown="")
        elif block.page == page and block.language == "console" and not needs_systemd(block):
            for typed in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, shown = re.sub(r"\\\n", "", typed).partition("\n")
                yield Step(command=command, shown=shown)


def needs_systemd(block: Block) -> bool:
    return any(line.removeprefix("$ ").startswith(NOT_HERE) for line in block.lines)


RUN = [page for page in PAGES if any(not step.command.startswith("cat >") for step in steps(page))]


@pytest.fixture
async def arxiv() -> AsyncIterator[LocalArxiv]:
    async with LocalArxiv(ANNOUNCEMENTS, FIRST_MORNING) as server:
        yield server


def install(home: Path) -> None:
    """`digest` as a command that takes the day of the local arXiv for today."""
    command = home.parent / "bin" / "digest"
    command.parent.mkdir()
    now = f"--now {FIRST_MORNING:%Y-%m-%dT%H:%M:%SZ}"
    command.write_text(
        f'#!/bin/sh\ncase "$1" in {"|".join(WITH_NOW)}) set -- "$@" {now};; esac\n'
        f'exec {shlex.quote(sys.executable)} -m digest "$@"\n'
    )
    command.chmod(0o755)


def session(home: Path, arxiv: LocalArxiv, typed: list[str]) -> list[tuple[str, int]]:
    """What each command prints, and what it ends with, in one shell."""
    install(home)
    script = "\n".join(
        f"{{ {command}\n}} > ../{at}.out 2>&1; echo $? > ../{at}.code".replace("../", f"{home.parent}/")
        for at, command in enumerate(typed)
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "XDG_"))}
    environ |= {
        "HOME": str(home),
        "PATH": f"{home.parent / 'bin'}{os.pathsep}{environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
        "TZ": "Europe/Berlin",
        "DIGEST_ARXIV__API_URL": arxiv.url,
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
    }
    subprocess.run(["bash", "-c", script], cwd=home, env=environ, check=True, timeout=120)
    return [
        ((home.parent / f"{at}.out").read_text(), int((home.parent / f"{at}.code").read_text()))
        for at in range(len(typed))
    ]


def shows(shown: str, printed: str) -> bool:
    """Whether what a page shows is what was printed; blanks at the ends of lines do not count."""
    lines = shown.rstrip("\n").split("\n") if shown else []
    patterns = ["(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + " *\n" for line in lines]
    return re.fullmatch("".join(patterns), printed) is not None


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
async def test_every_example_prints_what_the_docs_show(page: Path, tmp_path: Path, arxiv: LocalArxiv) -> None:
    (home := tmp_path / "home").mkdir()
    for name, text in THERE_BEFORE.get(page.name, {}).items():
        (home / name).write_text(text)
    with mail_server() as (port, _):
        found = list(steps(page))
        typed = [re.sub(r"\[smtp\]\n(.+\n)+", SERVER.format(port=port), step.command) for step in found]
        printed = await asyncio.to_thread(session, home, arxiv, typed)
    for step, (output, code) in zip(found, printed, strict=True):
        output = output.replace(str(home), HOME)
        assert shows(step.shown, output), f"$ {step.command}\n{output}"
        assert code == 0 or "failed" in step.shown, f"$ {step.command}: exit code {code}"


def test_an_example_that_shows_something_else_is_found() -> None:
    assert shows("2 papers in …\n…\nend\n", "2 papers in x.html\nmore\nmore\nend\n")
    assert not shows("2 papers in …\n", "2 papers in x.html\nmore\n")
    assert not shows("2 papers\n", "3 papers\n")


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_an_example_begins_with_a_prompt(block: Block) -> None:
    assert block.text.startswith("$ "), "a block without a prompt is of the language sh"
