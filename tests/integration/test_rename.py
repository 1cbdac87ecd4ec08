"""A subscriber gets another address, and is the same subscriber."""

import logging
import sys
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.pipeline.reconcile import take_up_entries
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import MailingState
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber
from tests.factories import make_subscriber
from tests.stores import NOW, claim, enqueue, found, key, news_of, record, record_results

OLD, NEW = "ada@example.org", "ada@new.example"
ADA, ADA_NOW = make_subscriber(OLD, "tea"), make_subscriber(NEW, "tea")


@pytest.fixture
def store(store: SqliteStore) -> SqliteStore:
    store.enrol([ADA], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    enqueue(store, ADA)
    return store


def papers_of(store: SqliteStore, email: str) -> list[str]:
    return [hit.paper.id for hit in news_of(store, email, NOW - timedelta(days=16)).hits]


def mailed(store: SqliteStore) -> None:
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250")


def test_no_paper_comes_again_and_choices_stay(store: SqliteStore) -> None:
    mailed(store)
    chosen = Preferences(muted=(key("tea"),), send_at=time(9), paused_until=date(2027, 1, 1))
    store.save_preferences(OLD, chosen)
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
    bo = make_subscriber("bo@example.org", "tea")
    store.enrol([ADA, bo], now=NOW, current_since=NOW)
    enqueue(store, bo)
    mailed(store)
    assert not store.rename(OLD, bo.email, now=NOW)
    assert not store.rename("nobody@example.org", NEW, now=NOW)
    assert set(store.subscriber_statuses([OLD, bo.email])) == {OLD, bo.email}


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
    ("arguments", "told"),
    [
        (("nobody@example.org", NEW), "nobody@example.org is not a subscriber"),
        ((OLD, "bo@example.org"), "bo@example.org is a subscriber already; nothing was changed"),
        ((OLD, "not an address"), "must be a mail address"),
    ],
)
def test_what_cannot_be_renamed_changes_nothing(
    store: SqliteStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, str],
    told: str,
) -> None:
    mailed(store)
    entry = '[[subscriber]]\nemail = "{}"\nkeywords = ["tea"]\n'
    text = entry.format(OLD) + entry.format("bo@example.org")
    (tmp_path / "subscribers.toml").write_text(text)
    assert run(tmp_path, monkeypatch, "rename", *arguments) == 2
    assert told in capsys.readouterr().err
    assert (tmp_path / "subscribers.toml").read_text() == text
    assert set(store.subscriber_statuses([OLD, NEW, "bo@example.org"])) == {OLD}


BO = make_subscriber("bo@example.org", "=compiler")


def read(store: SqliteStore, *subscribers: Subscriber, file: str | None = None) -> tuple[str, ...]:
    """What is told of a file that says this, after which they are enrolled."""
    notes = take_up_entries(store, subscribers, file=file, now=NOW)
    store.enrol(subscribers, now=NOW, current_since=NOW)
    return notes


@pytest.fixture
def known(store: SqliteStore) -> SqliteStore:
    """Ada and Bo were read from the file; Ada was mailed."""
    assert read(store, ADA, BO) == ()
    mailed(store)
    return store


def test_an_edit_of_the_address_alone_is_known_as_one(
    known: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = Preferences(muted=(key("tea"),), send_at=time(9))
    known.save_preferences(OLD, chosen)
    with caplog.at_level(logging.INFO):
        (note,) = read(known, ADA_NOW, BO)
    assert f"`digest rename {NEW} {OLD} --keep-file`" in note
    assert "an address was changed in subscribers.toml" in caplog.text
    assert OLD not in caplog.text
    assert NEW not in caplog.text
    assert papers_of(known, NEW) == []
    assert known.preferences() == {NEW: chosen}
    assert known.subscriber_statuses([OLD]) == {}
    assert read(known, ADA_NOW, BO) == ()


def test_a_file_that_was_taken_up_is_not_looked_at_again(known: SqliteStore) -> None:
    assert read(known, ADA, BO, file="1") == ()
    assert take_up_entries(known, [ADA_NOW, BO], file="1", now=NOW) == ()
    assert len(take_up_entries(known, [ADA_NOW, BO], file="2", now=NOW)) == 1


def test_in_the_database_another_address_is_another_person(known: SqliteStore) -> None:
    assert take_up_entries(known, [ADA_NOW, BO], finds_renames=False, now=NOW) == ()
    known.enrol([ADA_NOW, BO], now=NOW, current_since=NOW)
    assert papers_of(known, NEW) == ["2606.00001"]


@pytest.mark.parametrize(
    "other",
    [
        make_subscriber(NEW, "tea", "coffee"),
        make_subscriber(NEW, "tea", at=time(8)),
        make_subscriber(NEW, "tea", exclude=("coffee",)),
        replace(ADA_NOW, name="Ada"),
    ],
)
def test_who_differs_in_more_than_the_address_is_somebody_else(known: SqliteStore, other: Subscriber) -> None:
    (note,) = read(known, other, BO)
    assert f"taken for two people. If they are one: `digest rename {OLD} {NEW}`" in note
    assert papers_of(known, NEW) == ["2606.00001"]


def test_of_several_nobody_is_taken_for_another(known: SqliteStore) -> None:
    (note,) = read(known, ADA_NOW, make_subscriber("cy@example.org", "tea"), BO)
    assert "gone from subscribers.toml: 1, new: 2" in note
    assert papers_of(known, NEW) == ["2606.00001"]


def test_nobody_takes_over_that_another_left(known: SqliteStore) -> None:
    known.leave(OLD, now=NOW)
    assert read(known, BO, ADA) == ()
    assert read(known, BO, ADA_NOW) == ()
    record(known, covered=("tea",))
    assert papers_of(known, NEW) == ["2606.00001"]
    assert NEW not in known.preferences()


def test_nobody_takes_the_place_of_who_got_nothing_yet(store: SqliteStore) -> None:
    never = make_subscriber("cy@example.org", "=compiler")
    assert read(store, ADA, never) == ()
    assert read(store, ADA, BO) == ()


def test_what_was_wrongly_known_is_taken_back(
    known: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subscribers.toml").write_text(f'[[subscriber]]\nemail = "{NEW}"\nkeywords = ["tea"]\n')
    chosen = Preferences(muted=(key("tea"),))
    known.save_preferences(OLD, chosen)
    read(known, ADA_NOW, BO)
    before = (tmp_path / "subscribers.toml").read_text()
    assert run(tmp_path, monkeypatch, "rename", NEW, OLD, "--keep-file") == 0
    assert (tmp_path / "subscribers.toml").read_text() == before
    assert read(known, ADA_NOW, BO) == ()
    assert papers_of(known, NEW) == ["2606.00001"]
    assert known.preferences() == {OLD: chosen}
    assert read(known, ADA, BO) == ()


def test_who_was_mailed_at_the_new_address_meanwhile_is_joined_without_a_repetition(
    known: SqliteStore,
) -> None:
    other = make_subscriber(NEW, "tea", "coffee")
    read(known, other, BO)
    record(known, found("2606.00002", "tea"), found("2606.00003", "tea"), covered=("tea", "coffee"))
    enqueue(known, other)
    mailed(known)
    record(known, found("2606.00004", "tea"), covered=("tea", "coffee"))
    assert known.rename(OLD, NEW, now=NOW)
    assert read(known, other, BO) == ()
    assert papers_of(known, NEW) == ["2606.00004"]
    assert len(known.subscriber_statuses([NEW])) == 1
