"""Digests as Markdown files: one a day, whole or not at all, over nobody's file."""

import json
import os
from dataclasses import replace
from pathlib import Path

import cmarkgfm
import pytest

from digest.channels.base import Outcome, Post
from digest.channels.folder import Folder
from digest.channels.markdown import write_markdown
from digest.model.digest import Entry
from tests.factories import invented_paper
from tests.webhooks import make_post


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def matter(text: str) -> dict[str, str]:
    _, head, _ = text.split("---\n", 2)
    found = dict(line.split(": ", 1) for line in head.splitlines())
    return {**found, "title": json.loads(found["title"])}


async def test_a_digest_is_a_file_of_its_day(tmp_path: Path) -> None:
    folder = Folder(path=tmp_path / "new" / "notes")
    answer = await folder.send(make_post(token="t1"))
    assert (answer.outcome, answer.reply) == (Outcome.SENT, "written to 2026-06-16.md")
    assert files(folder.path) == ["2026-06-16.md"]
    text = (folder.path / "2026-06-16.md").read_text(encoding="utf-8")
    assert matter(text)["digest"] == "t1"
    assert matter(text)["title"] == "Lab, 2026-06-16"
    assert "## hot\n\n- [On tea 2606.00001](https://arxiv.org/abs/2606.00001)" in text
    assert "- [On nothing in particular](https://arxiv.org/abs/2605.00009): version 3, you had 1" in text


async def test_a_second_attempt_writes_nothing_also_over_what_somebody_changed(tmp_path: Path) -> None:
    folder = Folder(path=tmp_path)
    await folder.send(make_post(token="t1"))
    file = tmp_path / "2026-06-16.md"
    file.write_text(file.read_text() + "\nread it on Friday\n")
    before = file.read_bytes()
    assert (await folder.send(make_post(token="t1"))).outcome is Outcome.SENT
    assert files(tmp_path) == ["2026-06-16.md"]
    assert file.read_bytes() == before


async def test_a_second_digest_of_the_day_and_a_foreign_file_are_left(tmp_path: Path) -> None:
    (tmp_path / "2026-06-16.md").write_text("my own notes")
    folder = Folder(path=tmp_path)
    await folder.send(make_post(token="t1"))
    await folder.send(make_post(token="t2"))
    await folder.send(make_post(token="t1"))
    assert files(tmp_path) == ["2026-06-16-2.md", "2026-06-16-3.md", "2026-06-16.md"]
    assert (tmp_path / "2026-06-16.md").read_text() == "my own notes"


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "2026-06-16.md").symlink_to(outside)
    assert (await Folder(path=folder).send(make_post())).outcome is Outcome.SENT
    assert not outside.exists()
    assert files(folder) == ["2026-06-16-2.md", "2026-06-16.md"]


async def test_a_file_system_without_links_has_whole_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "2026-06-16.md").write_text("mine")
    assert (await Folder(path=tmp_path).send(make_post())).outcome is Outcome.SENT
    assert files(tmp_path) == ["2026-06-16-2.md", "2026-06-16.md"]


async def test_a_folder_that_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = await Folder(path=tmp_path / "file" / "notes").send(make_post())
    assert answer.outcome is Outcome.REFUSED
    assert answer.reply.startswith("cannot be written")


async def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "2026-06-16.md").write_text("mine")
    for path in (tmp_path, tmp_path / "new" / "notes"):
        answer = await Folder(path=path).check()
        assert answer.outcome is Outcome.SENT
        assert str(path) in answer.reply
        assert files(tmp_path) == ["2026-06-16.md"]
    answer = await Folder(path=tmp_path / "2026-06-16.md").check()
    assert answer.outcome is Outcome.REFUSED
    assert answer.reply.startswith("cannot be written")


async def test_a_check_that_fails_half_way_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    answer = await Folder(path=tmp_path / "notes").check()
    assert (answer.outcome, "the disk is full" in answer.reply) == (Outcome.REFUSED, True)
    assert files(tmp_path) == []


NASTY = [
    "**Bold** _claims_ about `code` & <script>alert(1)</script>",
    "[A link](https://evil.example) ![x](y) # no heading",
    "~~gone~~ | table | <!-- comment --> &amp; \\backslash",
    "@everyone see https://evil.example and www.evil.example",
    "$x_1 < y^2$ --- ***",
    "1. not a list\n- not an item\n> no quote",
    "---",
]


@pytest.mark.parametrize("title", NASTY)
def test_a_title_shows_as_it_is_and_does_nothing(title: str) -> None:
    post = make_post()
    entry = Entry(replace(invented_paper("2606.00001", title), abstract=title, authors=(title,)), ("tea",))
    nasty = Post(token="t1", title=title, digest=replace(post.digest, entries=(entry,)), sent_at=post.sent_at)
    text = write_markdown(nasty, with_abstracts=True)
    assert matter(text)["title"].endswith(", 2026-06-16")
    html = cmarkgfm.github_flavored_markdown_to_html(text.split("---\n", 2)[2])
    assert "<script" not in html
    assert "<img" not in html
    assert 'evil.example"' not in html
    assert html.count("<h2>") == 2
    assert html.count("<a ") == 2
    assert "<table" not in html
