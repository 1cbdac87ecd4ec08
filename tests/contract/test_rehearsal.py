"""What every store promises of a temporary copy: it has what a dry run needs, and has no effect."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from digest.pipeline.cleanup import clean_up
from digest.storage.base import Store
from digest.storage.values import MailingState
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber
from tests.contract.back_ends import BackEnd
from tests.factories import make_subscriber
from tests.stores import LEASE, LONG_AGO, NOW, claim, enqueue, found, news_of, record, record_results

ADA = make_subscriber("ada@example.org", "tea", replacements="section")
BO = make_subscriber("bo@example.org", "fig")
CY = make_subscriber("cy@example.org", "tea", "fig")
ALL: Sequence[Subscriber] = (ADA, BO, CY)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> Path:
    """A state in which Ada and Bo had a digest, one for Cy waits, and new papers and a new version came."""
    store.enrol(ALL, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), found("2606.00002", "fig"), covered=("tea", "fig"))
    for one in ALL:
        enqueue(store, one)
    for mailing in claim(store, limit=2):
        record_results(store, mailing, MailingState.SENT, "250 taken")
    papers = found("2606.00003", "tea"), found("2606.00004", "fig"), found("2606.00001", "tea", version=2)
    record(store, *papers, covered=("tea", "fig"), now=LATER)
    return tmp_path


def told(store: Store, email: str) -> tuple[object, ...]:
    news = news_of(store, email, since=LONG_AGO)
    return [(hit.paper.id, hit.paper.version) for hit in news.hits], [
        (one.paper.id, one.from_version, one.paper.version) for one in news.revisions
    ]


def test_what_is_new_is_the_same_in_a_copy(store: Store, folder: Path, back_end: BackEnd) -> None:
    expected = {one.email: told(store, one.email) for one in ALL}
    assert expected[ADA.email][1], "there is a new version of what she had"
    with back_end.rehearse(folder, None) as copy:
        assert {one.email: told(copy, one.email) for one in ALL} == expected
        assert len(claim(copy)) == 1, "what waits"
        assert copy.covered_at() == store.covered_at()
    for one in ALL:
        with back_end.rehearse(folder, [one.email]) as copy:
            assert told(copy, one.email) == expected[one.email]


def test_a_copy_takes_what_comes(store: Store, folder: Path, back_end: BackEnd) -> None:
    with back_end.rehearse(folder, None) as copy:
        record(copy, found("2606.00005", "tea"), found("2606.00003", "tea"), covered=("tea",), now=LATER)
        papers = [paper for paper, _ in told(copy, CY.email)[0]]  # type: ignore[attr-defined]
        assert papers.count("2606.00003") == papers.count("2606.00005") == 1
        assert enqueue(copy, CY, now=LATER)
    assert "2606.00005" not in str(told(store, CY.email))


def test_who_comes_back_is_in_a_copy_too_no_rename_of_who_goes(
    store: Store, tmp_path: Path, back_end: BackEnd
) -> None:
    """Both follow the same keyword, and both had mails."""
    di, eli = make_subscriber("di@example.org", "oak"), make_subscriber("eli@example.org", "oak")
    for number, one in enumerate((di, eli), start=1):
        store.take_up_entries([ADA], file=f"without {number}", now=NOW)
        store.enrol([ADA], now=NOW, current_since=NOW)
        store.take_up_entries([ADA, one], file=f"with {number}", now=NOW)
        store.enrol([ADA, one], now=NOW, current_since=NOW)
        record(store, found(f"2606.0000{number}", "oak"), covered=("oak",), now=NOW)
        assert enqueue(store, one)
        for mailing in claim(store):
            record_results(store, mailing, MailingState.SENT, "250 taken")
    with back_end.rehearse(tmp_path, None) as copy:
        in_copy = copy.take_up_entries([ADA, di], file="di again", now=LATER)
    assert in_copy == store.take_up_entries([ADA, di], file="di again", now=LATER)
    assert in_copy
    assert not in_copy.is_rename


def test_nothing_that_is_done_in_a_copy_changes_the_state(
    store: Store, folder: Path, back_end: BackEnd
) -> None:
    before = back_end.dump(folder)
    with back_end.rehearse(folder, None) as copy:
        copy.enrol((ADA, make_subscriber("di@example.org", "oak")), now=LATER, current_since=LATER)
        record(copy, found("2606.00006", "oak"), found("2606.00001", "tea", version=3), covered=("oak",))
        enqueue(copy, ADA, now=LATER)
        copy.save_preferences(ADA.email, Preferences(length="short"))
        for mailing in copy.claim(now=LATER, until=LATER + LEASE, limit=9):
            record_results(copy, mailing, MailingState.SENT, "250 taken")
        clean_up(copy, ALL, now=LATER + timedelta(days=400), lookback=timedelta(days=16))
        copy.erase(BO.email, keeps_mark=True, now=LATER)
    assert back_end.dump(folder) == before


def test_what_a_copy_sends_is_no_sign_of_a_restored_state(
    store: Store, folder: Path, back_end: BackEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    store.reclaim(now=LATER, latest=LATER)
    with back_end.rehearse(folder, None) as copy:
        assert enqueue(copy, BO, now=LATER)
        assert claim(copy, now=LATER)
        copy.reclaim(now=LATER, latest=LATER)
    assert store.restored() is None


def test_the_state_can_be_written_beside_a_copy(store: Store, folder: Path, back_end: BackEnd) -> None:
    with back_end.rehearse(folder, None) as copy:
        record(copy, found("2606.00007", "tea"), covered=("tea",), now=LATER)
        enqueue(copy, CY, now=LATER)
        record(store, found("2606.00008", "tea"), covered=("tea",), now=LATER)
        assert enqueue(store, CY, now=LATER)
        assert len(claim(store)) >= 1
