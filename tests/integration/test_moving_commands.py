"""`digest import` of another program's file: what is written and said, and what is refused as a whole."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, SECOND_MORNING
from tests import forked

NOW = f"{SECOND_MORNING:%Y-%m-%dT%H:%M:%SZ}"
ADA = "ada@example.org"
FEEDS = """\
<opml version="1.0"><body>
<outline xmlUrl="http://export.arxiv.org/api/query?search_query=ti:%22compiler%22+OR+abs:%22compiler%22"/>
<outline xmlUrl="https://rss.arxiv.org/rss/cs.LG"/>
<outline xmlUrl="https://blog.example.org/feed"/>
</body></opml>
"""


@pytest.fixture
async def arxiv() -> AsyncIterator[LocalArxiv]:
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as server:
        yield server


async def take_over(folder: Path, arxiv: LocalArxiv, text: str, *arguments: str) -> CompletedProcess[str]:
    (folder / "feeds").write_text(text)
    environ = os.environ | {
        "DIGEST_ARXIV__API_URL": arxiv.url,
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
        "DIGEST_ARXIV__RETRY_PAUSE": "0",
        "DIGEST_STATE": str(folder / "digest.db"),
    }
    command = ("import", "feeds", "--email", ADA, "--now", NOW, *arguments)
    return await asyncio.to_thread(forked.run, *command, cwd=folder, env=environ)


async def test_feeds_become_keywords_with_their_volume(tmp_path: Path, arxiv: LocalArxiv) -> None:
    done = await take_over(tmp_path, arxiv, FEEDS)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "feeds: a feed reader (OPML): 2 keywords"
    assert lines[1].startswith("compiler: ")
    assert lines[1].endswith(" papers a day")
    assert lines[2].startswith("cat:cs.LG: ")
    assert lines[3] == "Left out, not from arXiv (1): line 4: https://blog.example.org/feed"
    assert 'keywords = ["compiler", "cat:cs.LG"]' in (tmp_path / "subscribers.toml").read_text()
    again = await take_over(tmp_path, arxiv, FEEDS)
    assert f'{ADA} already follows "compiler", "cat:cs.LG".' in again.stdout


async def test_a_dry_run_writes_nothing(tmp_path: Path, arxiv: LocalArxiv) -> None:
    done = await take_over(tmp_path, arxiv, FEEDS, "--dry-run")
    assert done.stdout.endswith("Nothing was written.\n")
    assert not (tmp_path / "subscribers.toml").exists()
    assert not (tmp_path / "digest.db").exists()


async def test_every_problem_is_named_with_its_line_and_nothing_is_written(
    tmp_path: Path, arxiv: LocalArxiv
) -> None:
    text = FEEDS.replace("cs.LG", "cs.TEA").replace("ti:%22compiler%22", "rn:12")
    done = await take_over(tmp_path, arxiv, text)
    assert done.returncode == 2
    first, second, last = done.stderr.splitlines()
    assert first.startswith("error: feeds, line 2: http://export.arxiv.org/api/query?")
    assert first.endswith("digest has no field rn:")
    assert second.startswith("error: feeds, line 3: https://rss.arxiv.org/rss/cs.TEA: cs.TEA is no category")
    assert last == "error: nothing was written"
    assert not (tmp_path / "subscribers.toml").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            FEEDS.replace("arxiv.org", "papers.example"),
            "a feed reader (OPML): nothing in it is from arXiv; Left",
        ),
        ("<opml><body>", "feeds: line 1: not well-formed XML: no element found"),
        ("nothing at all\n", "`digest import` does not know this kind of file"),
        ("", "`digest import` does not know this kind of file"),
        ("email,keywords\na@example.org,tea\n", "many subscribers: `digest subscribers --import FILE`"),
    ],
)
async def test_a_file_with_nothing_to_take_over_is_refused(
    tmp_path: Path, arxiv: LocalArxiv, text: str, expected: str
) -> None:
    done = await take_over(tmp_path, arxiv, text)
    assert done.returncode == 2
    assert expected in done.stderr
    assert not (tmp_path / "subscribers.toml").exists()


async def test_without_arxiv_the_keywords_are_taken_over_all_the_same(
    tmp_path: Path, arxiv: LocalArxiv
) -> None:
    arxiv.is_overloaded = True
    done = await take_over(tmp_path, arxiv, FEEDS)
    assert done.returncode == 0
    assert "arXiv does not say how many papers they find" in done.stderr
    assert "\ncompiler\n" in done.stdout
    assert (tmp_path / "subscribers.toml").exists()
