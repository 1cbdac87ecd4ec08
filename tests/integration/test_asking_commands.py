"""`digest keywords` and `digest why` against a local arXiv: they ask little and mark nothing."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from digest.config.settings import Defaults
from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, SECOND_MORNING
from digest.keywords.query import parse
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.entry_parser import load_subscribers
from digest.subscribers.preferences import Preferences
from tests import forked

NOW = f"{SECOND_MORNING:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
async def arxiv() -> AsyncIterator[LocalArxiv]:
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as server:
        yield server


async def digest(folder: Path, arxiv: LocalArxiv, *arguments: str) -> CompletedProcess[str]:
    environ = os.environ | {
        "DIGEST_ARXIV__API_URL": arxiv.url,
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
        "DIGEST_STATE": str(folder / "digest.db"),
    }
    return await asyncio.to_thread(forked.run, *arguments, "--now", NOW, cwd=folder, env=environ)


async def answer(folder: Path, arxiv: LocalArxiv, *arguments: str) -> Any:
    done = await digest(folder, arxiv, *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


async def test_a_keyword_can_be_tried_without_a_state(tmp_path: Path, arxiv: LocalArxiv) -> None:
    ran = await answer(tmp_path, arxiv, "keywords", "-k", "learning", "-k", "zebra")
    by_name = {one["keyword"]: one for one in ran}
    assert by_name["learning"]["papers"] == sum(by_name["learning"]["days"].values()) > 0
    assert by_name["zebra"]["is_dead"]
    assert not (tmp_path / "digest.db").exists()


async def test_a_subscribers_keywords_are_those_of_the_file(tmp_path: Path, arxiv: LocalArxiv) -> None:
    entry = '[[subscriber]]\nemail = "{}@example.org"\nkeywords = ["{}"]\n'
    (tmp_path / "subscribers.toml").write_text(entry.format("ada", "learning") + entry.format("bo", "tea"))
    ran = await answer(tmp_path, arxiv, "keywords", "bo@example.org")
    assert [one["keyword"] for one in ran] == ["tea"]
    ran = await answer(tmp_path, arxiv, "keywords")
    assert [one["keyword"] for one in ran] == ["learning", "tea"]


async def test_a_subscribers_own_names_stand_before_their_keywords(tmp_path: Path, arxiv: LocalArxiv) -> None:
    keywords = '[{ query = "reinforcement learning", name = "RL" }, "learning"]'
    (tmp_path / "subscribers.toml").write_text(
        f'[[subscriber]]\nemail = "ada@example.org"\nkeywords = {keywords}\n'
    )
    ran = await answer(tmp_path, arxiv, "keywords", "ada@example.org")
    assert [(one["keyword"], one["name"]) for one in ran] == [
        ("reinforcement learning", "RL"),
        ("learning", None),
    ]
    told = (await digest(tmp_path, arxiv, "keywords", "ada@example.org")).stdout
    assert told.startswith("RL (reinforcement learning)\n")
    assert "also found by RL (reinforcement learning)" in told
    assert "RL" not in (await digest(tmp_path, arxiv, "keywords")).stdout


async def test_a_terminal_without_these_letters_shows_the_others(
    tmp_path: Path, arxiv: LocalArxiv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = await digest(tmp_path, arxiv, "keywords", "-k", "learning")
    assert (done.returncode, done.stderr) == (0, "")
    assert "papers per day" in done.stdout


async def test_without_any_keyword_it_says_how_to_try_one(tmp_path: Path, arxiv: LocalArxiv) -> None:
    (tmp_path / "subscribers.toml").write_text("")
    done = await digest(tmp_path, arxiv, "keywords")
    assert done.returncode == 2
    assert "give one with -k KEYWORD" in done.stderr


async def test_when_arxiv_does_not_answer_it_ends_with_three(tmp_path: Path, arxiv: LocalArxiv) -> None:
    arxiv.is_overloaded = True
    os.environ["DIGEST_ARXIV__RETRY_PAUSE"] = "0.01"
    try:
        done = await digest(tmp_path, arxiv, "keywords", "-k", "learning")
    finally:
        del os.environ["DIGEST_ARXIV__RETRY_PAUSE"]
    assert done.returncode == 3
    assert "error: " in done.stderr


async def test_why_asks_for_a_paper_that_was_never_fetched(tmp_path: Path, arxiv: LocalArxiv) -> None:
    entry = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["learning"]\n'
    (tmp_path / "subscribers.toml").write_text(entry)
    wanted = ANNOUNCEMENTS[0].paper
    found = await answer(tmp_path, arxiv, "why", wanted.id)
    assert (found["title"], found["seen_at"]) == (wanted.title, None)
    done = await digest(tmp_path, arxiv, "why", "2601.99999")
    assert done.returncode == 2
    assert "arXiv has no paper 2601.99999" in done.stderr


@pytest.mark.parametrize("command", [("preview", "-k", "learning"), ("run",)])
async def test_a_broken_template_of_ones_own_is_found_before_arxiv_is_asked(
    tmp_path: Path, arxiv: LocalArxiv, command: tuple[str, ...]
) -> None:
    arxiv.is_overloaded = True
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "paper.html.j2").write_text("{{ card.no_such_thing }}")
    (tmp_path / "digest.toml").write_text('[mail]\ntemplates = "own"\n')
    (tmp_path / "subscribers.toml").write_text("")
    done = await digest(tmp_path, arxiv, *command)
    assert done.returncode == 2
    assert "paper.html.j2" in done.stderr
    assert "no_such_thing" in done.stderr


async def test_a_preview_is_written_over_no_file_of_another_kind(tmp_path: Path, arxiv: LocalArxiv) -> None:
    (tmp_path / "digest.toml").write_text("# mine\n")
    done = await digest(tmp_path, arxiv, "preview", "-k", "learning", "-o", "digest.toml")
    assert done.returncode == 2
    assert (tmp_path / "digest.toml").read_text() == "# mine\n"


async def test_what_a_keyword_really_finds_is_said_before_it_is_previewed(
    tmp_path: Path, arxiv: LocalArxiv
) -> None:
    done = await digest(tmp_path, arxiv, "preview", "-k", "R")
    assert 'note: R finds every paper with the word "r"' in done.stderr
    (one,) = await answer(tmp_path, arxiv, "keywords", "-k", "R")
    assert one["cautions"][0].startswith("R finds every paper")


async def test_arxiv_is_asked_for_spellings_that_a_keyword_does_not_find(
    tmp_path: Path, arxiv: LocalArxiv
) -> None:
    (one,) = await answer(tmp_path, arxiv, "keywords", "-k", "rein-forcement")
    assert one["papers"] == 0
    (other,) = one["spellings"]
    assert (other["written"], other["keyword"]) == ("reinforcement", "rein-forcement OR reinforcement")
    assert other["papers"] >= 2
    (one,) = await answer(tmp_path, arxiv, "keywords", "-k", "the reinforcement")
    assert one["understood"] == [
        {
            "where": "title or abstract",
            "words": ["the", "reinforcement"],
            "compared": ["reinforc"],
            "left_out": ["the"],
        }
    ]
    assert one["asked"] == '(ti:"reinforcement" OR abs:"reinforcement")'


async def test_a_preview_says_what_its_subscriber_chose_online(tmp_path: Path, arxiv: LocalArxiv) -> None:
    (tmp_path / "subscribers.toml").write_text(
        '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["learning", "tea"]\n'
    )
    found = load_subscribers(tmp_path / "subscribers.toml", Defaults())
    now = datetime.fromisoformat(NOW)
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol(found, now=now, current_since=now)
        store.save_preferences(
            "ada@example.org", Preferences(muted=(parse("tea").key,), paused_until=date(2026, 6, 1))
        )
        store.leave("ada@example.org", now=now)
    done = await digest(tmp_path, arxiv, "preview", "ada@example.org")
    assert done.returncode == 0, done.stderr
    assert "ada@example.org unsubscribed 2026-06-" in done.stderr
    assert 'muted keywords: "tea" (in the entry: none). `digest edit ada@example.org --forget' in done.stderr
