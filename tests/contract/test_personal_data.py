"""All that is stored about a person can be had, and is gone when they wish it, in every store."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config.parsing import address_key
from digest.model.paper import ArxivId
from digest.storage.base import Store
from digest.storage.choices import choices_as_list
from digest.storage.values import MailingState, UnreadMail
from digest.subscribers.preferences import Preferences, apply_preferences, left_mark
from digest.subscribers.stored import EntryChange, StoredEntry
from tests.contract.back_ends import BackEnd
from tests.factories import make_subscriber
from tests.persons import ADA, BO, ENTRIES, live
from tests.stores import LEASE, NOW, claim, found, key, new_for, record, record_results

MOVED = "moved@example.org"


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
    former = [row["former"] for row in data.sections["notices"]]
    assert former == [choices_as_list(Preferences()), None, None]
    assert data.sections["unread_mails"] == ({"received_at": NOW},)
    store.keep_unread(UnreadMail(number=0, received_at=NOW, sender="", subject=""), f"To: x.{ADA}".encode())
    assert len(store.personal_data(ADA).sections["unread_mails"]) == 1
    (mailing,) = data.mailings
    assert {entry.paper.id for entry in mailing.digest.entries} == {"2606.00001", "2606.00002"}
    nobody = store.personal_data("nobody@example.org")
    assert not any(nobody.sections.values())
    assert nobody.mailings == ()


def test_after_an_erasure_no_value_names_the_person_and_others_have_lost_nothing(
    store: Store, back_end: BackEnd, tmp_path: Path
) -> None:
    live(store)
    others = store.personal_data(BO).mailings
    assert ADA.casefold() in back_end.dump(tmp_path).casefold()
    assert store.erase(ADA, keeps_mark=False, now=NOW)
    assert "unmistakable" not in back_end.dump(tmp_path).casefold()
    data = store.personal_data(ADA)
    assert not any(data.sections.values())
    assert data.mailings == ()
    assert store.judgements(ADA) == ()
    assert store.personal_data(BO).mailings == others
    assert new_for(store, BO) == set()
    assert store.restored() is None


def test_who_moved_to_another_address_takes_all_along_and_is_erased_under_both(
    store: Store, back_end: BackEnd, tmp_path: Path
) -> None:
    live(store)
    store.resume(ADA, now=NOW)
    for mailing in claim(store, now=NOW + LEASE):
        record_results(store, mailing, MailingState.SENT, "250 taken")
    store.count_as_seen(MOVED, [ArxivId("2606.00009")])
    entry = store.entry_of(ADA)
    moved = StoredEntry(address=MOVED, content=f'{{"email": "{MOVED}", "keywords": ["tea"]}}')
    changes = [EntryChange(before=entry, after=None), EntryChange(before=None, after=moved)]
    assert store.change_entries(changes)
    before = store.personal_data(ADA).sections["administration"]
    assert store.rename(ADA, MOVED, now=NOW)
    store.take_up_entries([make_subscriber(MOVED, "tea", "milk"), ENTRIES[1]], file="two", now=NOW)
    assert store.personal_data(MOVED).sections["administration"] == before != ()
    assert store.personal_data(MOVED).sections["unread_mails"] == ({"received_at": NOW},)
    assert store.erase(MOVED, keeps_mark=False, now=NOW)
    assert not re.search("unmistakable|moved", back_end.dump(tmp_path).casefold())


@pytest.mark.parametrize("state", [MailingState.DEFERRED, MailingState.SENT, MailingState.SUPPRESSED])
def test_a_mail_in_hand_at_an_erasure_is_not_tried_again_and_its_reply_is_not_kept(
    store: Store, back_end: BackEnd, tmp_path: Path, state: MailingState
) -> None:
    live(store)
    store.resume(ADA, now=NOW)
    (mailing,) = (one for one in claim(store, now=NOW + LEASE) if one.digest.email == ADA)
    store.erase(ADA, keeps_mark=False, now=NOW)
    due_at = NOW if state is MailingState.DEFERRED else None
    record_results(store, mailing, state, f"<{ADA}> so be it", due_at=due_at)
    assert store.suppressions() == ()
    store.reclaim(now=NOW + 2 * LEASE, latest=NOW + 3 * LEASE)
    later = store.claim(now=NOW + 3 * LEASE, until=NOW + 4 * LEASE, limit=9)
    assert {one.digest.email for one in later} <= {BO}
    assert "unmistakable" not in back_end.dump(tmp_path).casefold()


def test_a_mark_keeps_somebody_from_being_enrolled_until_they_subscribe(
    store: Store, back_end: BackEnd, tmp_path: Path
) -> None:
    live(store)
    store.resume(ADA, now=NOW)
    store.erase(ADA, keeps_mark=True, now=NOW)
    chosen = store.preferences()
    assert chosen == {left_mark(ADA): Preferences(left_at=NOW)}
    assert [one.email for one in apply_preferences(ENTRIES, chosen)] == [BO]
    store.take_up_entries(ENTRIES, file="two", now=NOW)
    store.enrol(ENTRIES, now=NOW, current_since=NOW)
    assert set(store.subscriber_statuses([ADA, BO])) == {BO}
    assert "unmistakable" not in back_end.dump(tmp_path).casefold()
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
