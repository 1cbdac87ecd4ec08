"""`digest check` names everything that is wrong in the files, and needs neither network nor state."""

import json
from pathlib import Path

import pytest

from digest.storage.factory import open_store
from tests.entries import add_entries
from tests.integration.command import Command, installed

FILE = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea", "milk"]\n'


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    (tmp_path / "digest.toml").write_text('[mail]\ntemplates = "own"\n')
    (tmp_path / "own").mkdir()
    return installed(tmp_path, "sqlite", FILE, monkeypatch, capsys)


def test_files_without_a_problem_are_told_in_one_line(digest: Command) -> None:
    out = digest.said("check")
    assert out == f"No problem found: {digest.folder / 'digest.toml'}, 1 subscriber, 2 keywords.\n"
    told = json.loads(digest.said("check", "--json"))
    assert (told["is_valid"], told["problems"], told["subscribers"], told["keywords"]) == (True, [], 1, 2)
    assert not (digest.folder / "digest.db").exists()


def test_every_problem_of_all_files_is_named(digest: Command) -> None:
    (digest.folder / "subscribers.toml").write_text(
        '[[subscriber]]\nemail = "ada"\nkeywords = ["a AND"]\nat = "25:00"\n'
    )
    (digest.folder / "own" / "paper.txt.j2").write_text("{{ oops")
    problems = [line for line in digest.refused("check") if line.startswith("error: ")]
    assert len(problems) == 4
    assert all(
        any(word in one for one in problems) for word in ("keywords, number 1", "mail address", "25:00")
    )
    assert "paper.txt.j2, line 1: unexpected end of template" in problems[-1]
    ended = digest("check", "--json")
    told = json.loads(ended.out)
    assert (ended.code, ended.err, told["is_valid"], len(told["problems"])) == (2, "", False, 4)


def test_with_a_wrong_setting_the_subscribers_are_checked_too(digest: Command) -> None:
    (digest.folder / "digest.toml").write_text('subscribers = "people.toml"\nsubscriber = 1\n')
    (digest.folder / "people.toml").write_text('[[subscriber]]\nemail = "bo@example.org"\nkeywords = []\n')
    digest.monkeypatch.delenv("DIGEST_SUBSCRIBERS")
    first, second = digest.refused("check")
    assert "subscriber: unknown key" in first
    assert "bo@example.org: keywords: empty" in second


def test_with_a_wrong_setting_the_channels_are_checked_too(digest: Command) -> None:
    (digest.folder / "digest.toml").write_text(
        'subscriber = 1\n[[channel]]\nname = "lab"\nkind = "webhok"\nkeywords = ["tea"]\n'
    )
    first, second = digest.refused("check")
    assert "subscriber: unknown key" in first
    assert "channel lab: kind" in second


def test_who_signed_up_is_checked_if_the_state_can_be_read(digest: Command) -> None:
    with open_store(digest.folder / "digest.db") as store:
        add_entries(store, FILE.replace('"tea", "milk"', "5").replace("ada@", "bo@") + FILE)
    assert "the state, bo@example.org: keywords, number 1: 5: must be text" in digest.refused("check")[0]
    (digest.folder / "digest.db").write_text("no database")
    ended = digest("check")
    assert (ended.code, ended.err.startswith("note: subscribers who signed up are not checked: ")) == (
        0,
        True,
    )


def test_an_address_with_two_entries_is_told(digest: Command) -> None:
    with open_store(digest.folder / "digest.db") as store:
        add_entries(store, FILE)
    ended = digest("check")
    assert (
        "note: ada@example.org has an entry in the file and one in the state; the one in the file is used\n"
        in ended.err
    )
    assert ended.code == 0
    assert "`digest move ada@example.org --to file` removes the one in" in digest.said("subscribers")
