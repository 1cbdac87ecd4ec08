"""All that is stored about a person can be had, and is gone when they wish it, in every store."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config.parsing import address_key
from digest.interest.judgements import Origin, example_of
from digest.model.paper import ArxivId
from digest.storage.base import Store
from digest.storage.neutral import TABLES
from digest.storage.postgresql.tables import open_tables as open_database
from digest.storage.signups import NewSignup, SignupLimits
from digest.storage.sqlite.tables import open_tables as open_file
from digest.storage.values import UnreadMail
from digest.subscribers.preferences import OwnKeyword, Preferences, apply_preferences, left_mark
from digest.subscribers.stored import EntryChange, StoredEntry
from tests.factories import invented_paper, make_subscriber
from tests.postgresql import database_of
from tests.stores import NOW, claim, enqueue, found, key, new_for, record

ADA, BO = "Ada.Unmistakable@example.org", "bo@example.org"
ENTRIES = [make_subscriber(ADA, "tea", "milk"), make_subscriber(BO, "tea")]
LIMITS = SignupLimits(per_hour=10, per_network=10)


def live(store: Store) -> None:
    """Ada leaves traces in all tables."""
    store.take_up_entries(ENTRIES, file="one", now=NOW)
    store.enrol(ENTRIES, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), found("2606.00002", "milk"), covered=("tea", "milk"))
    for one in ENTRIES:
        enqueue(store, one)
    mailing = next(one for one in claim(store) if one.digest.email == ADA)
    store.note_bounce(
        mailing.token, recipient=None, concern="full", reply=f"552 {ADA} is full", now=NOW, retry_at=NOW
    )
    store.save_preferences_and_confirm(ADA, Preferences(added=(OwnKeyword("rice", "R"),)), now=NOW)
    store.ask_address(ADA, "new@example.org", is_free=True, now=NOW)
    store.ask_address(BO, ADA, is_free=True, now=NOW)
    store.count_as_seen(ADA, [ArxivId("2606.00009")])
    example = example_of(invented_paper("2606.00001"))
    store.judge(ADA, [example], is_liked=True, origin=Origin.WEB, now=NOW)
    store.suppress(ADA, cause=f"550 <{ADA}> is unknown", now=NOW)
    store.keep_unread(UnreadMail(number=0, received_at=NOW, sender=ADA, subject="x"), f"To: {ADA}".encode())
    store.sign_up(NewSignup(email=ADA, content=f'{{"email": "{ADA}"}}'), network="", limits=LIMITS, now=NOW)
    entry = StoredEntry(address=address_key(ADA), content=f'{{"email": "{ADA}", "keywords": ["tea"]}}')
    assert store.change_entries([EntryChange(before=None, after=entry)])


def dump(folder: Path, store: Store) -> str:
    """All values of all tables."""
    is_file = (folder / "digest.db").exists()
    opened = (
        open_file(folder / "digest.db", may_write=False)
        if is_file
        else open_database(database_of(folder), may_write=False)
    )
    with opened as tables:
        return "\n".join(repr(row) for table in TABLES for row in tables.rows(table))


def test_all_that_is_stored_is_given_out(store: Store) -> None:
    live(store)
    data = store.personal_data(ADA.upper())
    assert {name for name, rows in data.sections.items() if rows} >= {
        *("subscriber", "queries", "papers_known_from_elsewhere", "returned_mails", "suppression"),
        *("notices", "signup", "profile"),
    }
    assert data.sections["subscriber"][0]["email"] == ADA
    assert {row["query"] for row in data.sections["queries"]} == {key("tea"), key("milk")}
    assert data.sections["papers_known_from_elsewhere"] == ({"arxiv_id": "2606.00009"},)
    assert [row["recipient"] for row in data.sections["notices"]] == [None, ADA, "new@example.org"]
    (mailing,) = data.mailings
    assert {entry.paper.id for entry in mailing.digest.entries} == {"2606.00001", "2606.00002"}
    nobody = store.personal_data("nobody@example.org")
    assert not any(nobody.sections.values())
    assert nobody.mailings == ()


def test_after_an_erasure_no_value_names_the_person_and_others_have_lost_nothing(
    store: Store, tmp_path: Path
) -> None:
    live(store)
    others = store.personal_data(BO).mailings
    assert ADA.casefold() in dump(tmp_path, store).casefold()
    assert store.erase(ADA, keeps_mark=False, now=NOW)
    assert "unmistakable" not in dump(tmp_path, store).casefold()
    data = store.personal_data(ADA)
    assert not any(data.sections.values())
    assert data.mailings == ()
    assert store.judgements(ADA) == ()
    assert store.personal_data(BO).mailings == others
    assert new_for(store, BO) == set()
    assert store.restored() is None


def test_no_byte_of_the_address_is_left_in_a_state_file(store: Store, tmp_path: Path) -> None:
    if not (tmp_path / "digest.db").exists():
        pytest.skip("this store is not a file")
    live(store)
    for number in range(3):  # what was changed and deleted before is overwritten too
        store.save_preferences(ADA, Preferences(timezone="UTC", added=(OwnKeyword(f"rice{number}"),)))
    store.erase(ADA, keeps_mark=False, now=NOW)
    for file in tmp_path.glob("digest.db*"):
        assert b"unmistakable" not in file.read_bytes().lower(), file.name
    with closing(sqlite3.connect(tmp_path / "digest.db")) as state:
        assert state.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_mark_keeps_somebody_from_being_enrolled_until_they_subscribe(store: Store, tmp_path: Path) -> None:
    live(store)
    store.resume(ADA, now=NOW)
    store.erase(ADA, keeps_mark=True, now=NOW)
    chosen = store.preferences()
    assert chosen == {left_mark(ADA): Preferences(left_at=NOW)}
    assert [one.email for one in apply_preferences(ENTRIES, chosen)] == [BO]
    store.take_up_entries(ENTRIES, file="two", now=NOW)
    store.enrol(ENTRIES, now=NOW, current_since=NOW)
    assert set(store.subscriber_statuses([ADA, BO])) == {BO}
    assert "unmistakable" not in dump(tmp_path, store).casefold()
    assert store.preferences_of(ADA.lower()) == Preferences(left_at=NOW)
    assert store.rejoin(ADA)
    assert not store.rejoin(ADA)
    store.enrol(ENTRIES, now=NOW, current_since=NOW)
    assert set(store.subscriber_statuses([ADA, BO])) == {address_key(ADA), BO}


def test_a_suppressed_address_is_marked_and_another_one_is_not(store: Store) -> None:
    live(store)
    store.erase(ADA, keeps_mark=False, now=NOW)
    store.erase(BO, keeps_mark=False, now=NOW)
    assert set(store.preferences()) == {left_mark(ADA)}


def test_who_is_erased_and_subscribes_again_begins_anew(store: Store) -> None:
    live(store)
    store.resume(ADA, now=NOW)
    store.erase(ADA, keeps_mark=False, now=NOW)
    later = NOW + timedelta(days=1)
    store.enrol(ENTRIES, now=later, current_since=NOW)
    record(store, found("2606.00003", "tea"), covered=("tea", "milk"), now=later)
    assert "2606.00003" in {paper for paper, _ in new_for(store, ADA)}
    assert store.preferences_of(ADA) == Preferences()


def test_nothing_is_erased_of_a_stranger(store: Store) -> None:
    assert not store.erase(ADA, keeps_mark=False, now=NOW)
