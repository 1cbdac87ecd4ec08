"""A subscriber gets another address, and is the same subscriber."""

import sys
from collections.abc import Iterator
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.preferences import Preferences
from digest.store import MailingState
from digest.store.sqlite import SqliteStore
from tests.contract.test_stores import NOW, claim, conclude, found, key, record, serve
from tests.factories import reader

OLD, NEW = "ada@example.org", "ada@new.example"
ADA, ADA_NOW = reader(OLD, "tea"), reader(NEW, "tea")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([ADA], now=NOW, current_since=NOW)
        record(store, found("2606.00001", "tea"), covered=("tea",))
        serve(store, ADA)
        yield store


def papers_of(store: SqliteStore, email: str) -> list[str]:
    return [hit.paper.id for hit in store.news(email, backlog_since=NOW - timedelta(days=16)).hits]


def mailed(store: SqliteStore) -> None:
    (mailing,) = claim(store)
    conclude(store, mailing, MailingState.SENT, "250")


def test_no_paper_comes_again_and_choices_stay(store: SqliteStore) -> None:
    mailed(store)
    chosen = Preferences(muted=(key("tea"),), send_at=time(9), paused_until=date(2027, 1, 1))
    store.prefer(OLD, chosen)
    assert store.rename(OLD, NEW, now=NOW)
    store.enrol([ADA_NOW], now=NOW, current_since=NOW)
    assert papers_of(store, NEW) == []
    assert store.preferences() == {NEW: chosen}
    record(store, found("2606.00002", "tea"), covered=("tea",))
    assert papers_of(store, NEW) == ["2606.00002"]


def test_what_waits_goes_to_the_new_address(store: SqliteStore) -> None:
    assert store.rename(OLD, NEW, now=NOW)
    store.enrol([ADA_NOW], now=NOW, current_since=NOW)
    (mailing,) = claim(store)
    assert mailing.digest.email == NEW


def test_an_address_that_was_dead_does_not_keep_the_new_one_from_its_mails(store: SqliteStore) -> None:
    store.suppress(OLD, cause="550 no such user", now=NOW)
    assert store.rename(OLD, NEW, now=NOW)
    store.enrol([ADA_NOW], now=NOW, current_since=NOW)
    assert store.suppressions() == ()
    (mailing,) = claim(store)
    assert mailing.digest.email == NEW


def test_it_may_come_after_the_edit_of_the_file(store: SqliteStore) -> None:
    mailed(store)
    store.enrol([ADA_NOW], now=NOW, current_since=NOW)
    assert store.rename(OLD, NEW, now=NOW)
    store.enrol([ADA_NOW], now=NOW, current_since=NOW)
    assert papers_of(store, NEW) == []


def test_nobody_takes_the_place_of_another(store: SqliteStore) -> None:
    mailed(store)
    bo = reader("bo@example.org", "tea")
    store.enrol([ADA, bo], now=NOW, current_since=NOW)
    serve(store, bo)
    mailed(store)
    assert not store.rename(OLD, bo.email, now=NOW)
    assert not store.rename("nobody@example.org", NEW, now=NOW)
    assert set(store.standings([OLD, bo.email])) == {OLD, bo.email}


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DIGEST_STATE", str(folder / "digest.db"))
    monkeypatch.setattr(sys, "argv", ["digest", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_changes_file_and_state(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailed(store)
    file = tmp_path / "subscribers.toml"
    file.write_text(f'[[subscriber]]\nemail = "{OLD}"  # of old\nkeywords = ["tea"]\n')
    assert run(tmp_path, monkeypatch, "rename", OLD, NEW) == 0
    assert file.read_text() == f'[[subscriber]]\nemail = "{NEW}"  # of old\nkeywords = ["tea"]\n'
    store.enrol([ADA_NOW], now=NOW, current_since=NOW)
    assert papers_of(store, NEW) == []
    # Once more, it is done already.
    assert run(tmp_path, monkeypatch, "rename", OLD, NEW) == 2


def test_a_file_that_was_edited_before_stays_as_it_is(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailed(store)
    text = f'[[subscriber]]\nemail = "{NEW}"\nkeywords = ["tea"]\n'
    (tmp_path / "subscribers.toml").write_text(text)
    assert run(tmp_path, monkeypatch, "rename", OLD, NEW) == 0
    assert (tmp_path / "subscribers.toml").read_text() == text
    store.enrol([ADA_NOW], now=NOW, current_since=NOW)
    assert papers_of(store, NEW) == []


@pytest.mark.parametrize(
    "arguments", [("nobody@example.org", NEW), (OLD, "bo@example.org"), (OLD, "not an address")]
)
def test_what_cannot_be_renamed_changes_nothing(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str]
) -> None:
    mailed(store)
    entry = '[[subscriber]]\nemail = "{}"\nkeywords = ["tea"]\n'
    text = entry.format(OLD) + entry.format("bo@example.org")
    (tmp_path / "subscribers.toml").write_text(text)
    assert run(tmp_path, monkeypatch, "rename", *arguments) == 2
    assert (tmp_path / "subscribers.toml").read_text() == text
    assert set(store.standings([OLD, NEW, "bo@example.org"])) == {OLD}
