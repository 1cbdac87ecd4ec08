"""What is put away takes less room, and counts as before."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from digest.model.paper import ArxivId
from digest.storage.sqlite import editions as module
from digest.storage.sqlite.migrations import migrations
from digest.storage.sqlite.row_mapping import code_of, id_of
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Matched
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment
from tests.stores import LONG_AGO, claim, enqueue, found, ids, key, lines, new_for, news_of, record, served

DAY = timedelta(days=1)
LOOKBACK = 16 * DAY
SPRING = moment("2026-03-02 07:00")
SUMMER = moment("2026-06-16 07:00")
EARLY = "2026-03-01 10:00"
LATE = "2026-06-15 10:00"

_places = count(90_001)

ADA = make_subscriber("ada@example.org", "tea")
ASKING = make_subscriber("ada@example.org", "tea", replacements="section")


@pytest.fixture(autouse=True)
def _two_places_to_a_shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLACES", 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digest.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(path) as store:
        yield store


def enrol(store: SqliteStore, *subscribers: Subscriber, now: datetime = SPRING) -> None:
    """These, and one whom what comes last is for."""
    store.enrol([*subscribers, make_subscriber("zoe@example.org", "last")], now=now, current_since=now - DAY)


def old(*places: int, keywords: Sequence[str] = ("tea",), version: int = 1) -> list[Matched]:
    return [found(f"2603.0000{place}", *keywords, version=version, submitted=EARLY) for place in places]


def archive(store: SqliteStore, *, now: datetime = SUMMER) -> int:
    """With a recent paper after all others: the last one always stays."""
    last = found(f"2606.{next(_places):05}", "last", submitted=LATE)
    record(store, last, covered=("last",))
    return store.archive(now=now, lookback=LOOKBACK)


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def test_old_papers_leave_the_tables_that_every_run_reads(store: SqliteStore, path: Path) -> None:
    enrol(store, ADA)
    record(store, *old(1, 2, 3), covered=("tea",))
    enqueue(store, ADA)
    assert archive(store) == 2
    assert rows(path, "SELECT number FROM edition") == [(4,)]
    assert rows(path, "SELECT edition FROM hit") == [(4,)]
    assert rows(path, "SELECT edition FROM past_hit ORDER BY 1") == [(1,), (2,), (3,)]
    assert store.archive(now=SUMMER, lookback=LOOKBACK) == 0


def test_what_was_put_away_can_be_read_to_the_letter(path: Path) -> None:
    full = replace(
        invented_paper("2603.00001", "„Tea“ \\& $x_1$ 𝒪", submitted=EARLY),
        comment='"Milk"\n',
        journal_ref="",
        doi="10.0/none",
    )
    bare = replace(invented_paper("math/0309136"), submitted_at=None, updated_at=None)
    with SqliteStore(path) as store:
        enrol(store, ADA)
        record(store, covered=("tea",))
        matched = [Matched(paper=paper, query_keys=(key("tea"),)) for paper in (full, bare)]
        record(store, *matched, *old(2), covered=("tea",))
        digest = enqueue(store, ADA)
        assert archive(store) == 2
    with SqliteStore(path) as store:
        (mailing,) = claim(store, now=SUMMER)
    assert mailing.digest == digest
    assert {full, bare} < {entry.paper for entry in mailing.digest.entries}


def test_an_undelivered_digest_of_what_was_put_away_can_be_merged(store: SqliteStore) -> None:
    enrol(store, ADA)
    record(store, *old(1, 2), covered=("tea",))
    digest = enqueue(store, ADA)
    assert digest is not None
    assert archive(store) == 1
    news = news_of(store, ADA.email, LONG_AGO)
    (undelivered,) = news.undelivered
    again = replace(undelivered.digest, planned_at=SUMMER)
    assert store.enqueue([served(news, again, now=SUMMER, merges=(undelivered.number,))]) == 1
    assert [mailing.digest for mailing in claim(store, now=SUMMER)] == [again]


def test_a_paper_that_was_put_away_is_new_to_nobody_who_had_it(store: SqliteStore) -> None:
    enrol(store, ADA)
    record(store, *old(1, 2, 3), covered=("tea",))
    enqueue(store, ADA)
    assert archive(store) == 2
    assert record(store, *old(1, 2, 3), covered=("tea",)) == 0
    both = make_subscriber(ADA.email, "tea", "milk")
    enrol(store, both)
    record(store, covered=("milk",))
    assert record(store, *old(1, 4, keywords=("tea", "milk")), covered=("tea", "milk")) == 1
    assert ids(enqueue(store, both)) == {"2603.00004"}


def test_a_former_keyword_brought_only_what_it_found_while_it_was_followed(store: SqliteStore) -> None:
    bo = make_subscriber("bo@example.org", "tea")
    enrol(store, ADA, bo)
    record(store, *old(1), covered=("tea",))
    enqueue(store, ADA)
    milk = make_subscriber(ADA.email, "milk")
    enrol(store, milk, bo)
    record(store, *old(2, 3), covered=("tea", "milk"))
    enqueue(store, bo)
    enqueue(store, milk)
    assert archive(store) == 2
    record(store, *old(1, 2, 3, keywords=("milk",)), covered=("milk",))
    assert ids(enqueue(store, milk)) == {"2603.00002", "2603.00003"}


def test_what_a_subscriber_has_not_been_served_stays_at_hand(store: SqliteStore, path: Path) -> None:
    bo = make_subscriber("bo@example.org", "tea")
    enrol(store, ADA, bo)
    record(store, covered=("tea",))
    record(store, *old(1, 2, 3), covered=("tea",))
    enqueue(store, ADA)
    assert archive(store) == 0
    assert ids(enqueue(store, bo)) == {"2603.00001", "2603.00002", "2603.00003"}
    assert archive(store) == 2


def test_who_gets_no_mail_for_long_holds_nothing_up_and_misses_nothing(store: SqliteStore) -> None:
    enrol(store, ADA)
    record(store, covered=("tea",))
    enqueue(store, ADA)
    store.suppress(ADA.email, cause="550 5.1.1", now=SPRING)
    record(store, *old(1, 2, 3), covered=("tea",))
    assert archive(store) == 2
    store.resume(ADA.email, now=SUMMER)
    assert ids(enqueue(store, ADA)) == {"2603.00001", "2603.00002", "2603.00003"}
    assert enqueue(store, ADA) is None


def test_who_gets_no_mail_is_welcomed_with_nothing_from_before_their_time(store: SqliteStore) -> None:
    bo = make_subscriber("bo@example.org", "tea")
    enrol(store, bo)
    record(store, *old(1), covered=("tea",))
    enrol(store, bo, ADA)
    store.suppress(ADA.email, cause="550 5.1.1", now=SPRING)
    record(store, *old(2, 3), covered=("tea",))
    enqueue(store, bo)
    assert archive(store) == 2
    store.resume(ADA.email, now=SUMMER)
    assert ids(enqueue(store, ADA, since=SUMMER - LOOKBACK)) == {"2603.00002", "2603.00003"}


def test_what_new_hits_and_editions_are_numbered_after_stays(store: SqliteStore) -> None:
    both = make_subscriber(ADA.email, "tea", "milk")
    enrol(store, both)
    recent = found("2606.00001", "tea", submitted=LATE)
    record(store, recent, *old(2, 3, 4, 5), covered=("tea", "milk"))
    record(store, *old(3, keywords=("milk",)), covered=("tea", "milk"))
    enqueue(store, both)
    assert store.archive(now=SUMMER, lookback=LOOKBACK) == 0
    record(store, *old(6, 7), covered=("tea",))
    enqueue(store, both)
    assert store.archive(now=SUMMER, lookback=LOOKBACK) == 2


def test_what_was_put_away_is_no_backlog_and_counts_as_seen(store: SqliteStore) -> None:
    bo, ada = make_subscriber("bo@example.org", "tea"), make_subscriber("ada@example.org", "tea", "milk")
    enrol(store, bo)
    record(store, *old(1, 2, 3), covered=("tea",))
    enqueue(store, bo)
    assert archive(store) == 2
    enrol(store, bo, ada)
    record(store, *old(1, keywords=("milk",)), covered=("milk",))
    assert new_for(store, since=SUMMER - LOOKBACK) == set()
    # Now the look-back reaches them again, and bo has them already.
    assert new_for(store, since=SPRING - LOOKBACK) == {
        ("2603.00001", key("milk")),
        *((f"2603.0000{place}", key("tea")) for place in (1, 2, 3)),
    }
    assert new_for(store, bo.email, since=SPRING - LOOKBACK) == set()


def test_an_archive_block_may_hold_papers_from_before_a_longer_look_back(store: SqliteStore) -> None:
    bo = make_subscriber("bo@example.org", "tea")
    enrol(store, bo)
    earlier = found("2602.00001", "tea", submitted="2026-02-01 10:00")
    record(store, *old(1), earlier, *old(2), covered=("tea",))
    enqueue(store, bo)
    assert archive(store) == 2
    enrol(store, bo, ADA)
    assert new_for(store, since=SPRING - LOOKBACK) == {(f"2603.0000{n}", key("tea")) for n in (1, 2)}
    assert ids(enqueue(store, ADA)) == {"2602.00001", "2603.00001", "2603.00002"}


def test_a_new_version_of_a_paper_that_was_put_away_is_told_to_who_had_it(store: SqliteStore) -> None:
    enrol(store, ASKING)
    record(store, *old(1, 2, 3), covered=("tea",))
    enqueue(store, ASKING)
    assert archive(store) == 2
    record(store, *old(1, 2, version=2), *old(5), covered=("tea",))
    assert lines(enqueue(store, ASKING)) == {("2603.00001", 1, 2), ("2603.00002", 1, 2)}
    assert archive(store) == 1
    assert record(store, *old(2, version=2), covered=("tea",)) == 0
    assert enqueue(store, ASKING) is None
    record(store, *old(2, version=3), covered=("tea",))
    assert lines(enqueue(store, ASKING)) == {("2603.00002", 2, 3)}


def test_a_longer_look_back_finds_again_what_was_put_away(store: SqliteStore) -> None:
    enrol(store, ADA)
    record(store, *old(1, 2, 3, keywords=("tea", "milk")), covered=("tea",))
    enrol(store, make_subscriber(ADA.email, "tea", "milk"))
    record(store, *old(1, 2, 3, keywords=("tea", "milk")), covered=("tea", "milk"))
    enqueue(store, ADA)
    before = store.recent_hits(since=LONG_AGO)
    assert set(before) == {key("tea"), key("milk")}
    assert archive(store) == 2
    after = dict(store.recent_hits(since=LONG_AGO))
    after.pop(key("last"), None)
    assert after == before
    assert key("tea") not in store.recent_hits(since=moment(EARLY) + DAY)


def test_the_newest_papers_of_a_keyword_may_have_been_put_away(store: SqliteStore) -> None:
    enrol(store, ADA)
    record(store, *old(2, 1, 3), found("2602.00009", "tea", submitted="2026-02-01 10:00"), covered=("tea",))
    enqueue(store, ADA)
    assert archive(store) == 2
    record(store, *old(1, version=2), found("2606.00001", "tea", submitted=LATE), covered=("tea",))
    expected = [("2606.00001", 1), ("2603.00003", 1), ("2603.00002", 1), ("2603.00001", 2), ("2602.00009", 1)]
    for limit in (1, 2, 3, 4, 5, 100):
        papers = store.newest_papers(key("tea"), limit=limit)
        assert [(paper.id, paper.version) for paper in papers] == expected[:limit]


def test_a_shelf_may_hold_newer_papers_than_those_of_the_keyword(store: SqliteStore) -> None:
    both = make_subscriber(ADA.email, "tea", "milk")
    enrol(store, both)
    record(store, *old(1, keywords=("milk",)), covered=("tea", "milk"))
    oldest = found("2601.00001", "tea", submitted="2026-01-05 10:00")
    record(store, *old(2, keywords=("milk",)), oldest, covered=("tea", "milk"))
    enqueue(store, both)
    assert archive(store) == 2
    record(store, found("2602.00001", "tea", submitted="2026-02-05 10:00"), covered=("tea",))
    assert [paper.id for paper in store.newest_papers(key("tea"), limit=1)] == ["2602.00001"]


@pytest.mark.parametrize("recent", [LATE, "2026-05-18 10:00"])
def test_what_the_look_back_reaches_stays_at_hand(store: SqliteStore, recent: str) -> None:
    enrol(store, ADA)
    record(store, found("2606.00001", "tea", submitted=recent), *old(1, 2), covered=("tea",))
    record(store, found("2606.00002", "tea", submitted=recent), *old(3, 4), covered=("tea",))
    enqueue(store, ADA)
    assert archive(store) == 1
    assert len(store.recent_hits(since=moment(recent))[key("tea")]) == 2


@pytest.mark.parametrize(
    ("arxiv_id", "expected"), [("2603.00001", 1), ("2606.00001", 0), ("math/0309136", 1)]
)
def test_a_paper_without_a_time_is_as_old_as_its_id(store: SqliteStore, arxiv_id: str, expected: int) -> None:
    paper = replace(invented_paper(arxiv_id), submitted_at=None)
    enrol(store, ADA)
    record(store, Matched(paper=paper, query_keys=(key("tea"),)), covered=("tea",))
    bo = make_subscriber("bo@example.org", "tea")
    enrol(store, ADA, bo)
    hits = news_of(store, bo.email, SUMMER - LOOKBACK).hits
    assert len(hits) == 1 - expected
    for one in (ADA, bo):
        enqueue(store, one)
    assert archive(store) == expected


def test_a_clock_that_is_years_ahead_puts_nothing_away(store: SqliteStore) -> None:
    enrol(store, ADA)
    recent = [found(f"2606.0000{place}", "tea", submitted=LATE) for place in range(1, 6)]
    record(store, *recent, covered=("tea",))
    enqueue(store, ADA)
    assert archive(store, now=SUMMER + 4_000 * DAY) == 0


def test_a_call_does_a_bounded_part_of_the_work(store: SqliteStore) -> None:
    enrol(store, ADA)
    many = [found(f"2603.{place:05}", "tea", submitted=EARLY) for place in range(1, 40)]
    record(store, *many, covered=("tea",))
    enqueue(store, ADA)
    assert [archive(store) for _ in range(4)] == [8, 8, 4, 0]
    assert len(store.recent_hits(since=LONG_AGO)[key("tea")]) == 39


def test_a_call_that_is_cut_off_leaves_everything_as_it_was(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(store, ADA)
    record(store, *old(1, 2, 3), covered=("tea",))
    enqueue(store, ADA)
    with monkeypatch.context() as patched:
        calls = iter([b"first shelf"])
        patched.setattr(module, "packed", lambda rows: next(calls))
        with pytest.raises(StopIteration):
            archive(store)
    assert rows(path, "SELECT number FROM shelf") == []
    assert rows(path, "SELECT count(*) FROM hit") == [(4,)]
    assert archive(store) == 2


def test_papers_and_versions_of_an_older_file_are_known_by_their_ids(path: Path) -> None:
    kinds = ["2606.00001", "0704.0001", "math/0309136", "2606.1234", "0704.12345"]
    older = Database(path)
    migrations.apply(older, stop_before="m003_shelves")
    older.conn.execute("INSERT INTO query (number, key) VALUES (1, ?)", [key("tea")])
    for number, arxiv_id in enumerate(kinds, start=1):
        older.conn.execute("INSERT INTO paper VALUES (?, ?)", [number, arxiv_id])
        older.conn.execute(
            "INSERT INTO edition (number, paper, version, title, abstract, authors, categories, submitted_at)"
            " VALUES (?1, ?1, 2, 'On tea', '', '[]', '[\"cs.LG\"]', '2026-06-15T10:00:00+00:00')",
            [number],
        )
        older.conn.execute("INSERT INTO hit VALUES (?1, 1, ?1, ?1)", [number])
        older.conn.execute("INSERT INTO revision VALUES (?1, ?1, ?1)", [number])
    older.conn.commit()
    older.close()
    with SqliteStore(path) as store:
        assert store.recent_hits(since=LONG_AGO) == {key("tea"): frozenset(kinds)}
        assert record(store, *(found(one, "tea", version=2) for one in kinds), covered=("tea",)) == 0
        record(store, found("math/0309136", "tea", version=3), covered=("tea",))
    assert rows(path, "SELECT number, paper, version FROM revision ORDER BY 1 DESC LIMIT 2") == [
        (6, 3, 3),
        (5, 5, 2),
    ]
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


_ids = st.one_of(
    st.from_regex(r"[0-9]{4}\.[0-9]{4,5}", fullmatch=True),
    st.from_regex(r"[a-z-]{2,8}/[0-9]{7}", fullmatch=True),
).map(ArxivId)


@given(_ids)
def test_an_id_comes_back_as_it_was(arxiv_id: ArxivId) -> None:
    assert id_of(code_of(arxiv_id)) == arxiv_id


def test_most_ids_are_numbers() -> None:
    kinds = ("2606.01234", "0704.0001", "1412.9999", "1501.00001", "math/0309136")
    assert [code_of(ArxivId(one)) for one in kinds] == [260601234, 7040001, 14129999, 150100001, kinds[-1]]


def test_what_lies_in_the_archive_or_not_is_found_by_an_index(store: SqliteStore) -> None:
    """A view that SQLite does not take apart would be read as a whole, for each subscriber."""
    statements: list[str] = []
    enrol(store, ASKING)
    record(store, *old(1, 2), covered=("tea",))
    enqueue(store, ASKING)
    archive(store)
    store._connection._db.conn.set_trace_callback(statements.append)
    record(store, *old(1, version=2), covered=("tea",))
    assert news_of(store, ASKING.email, LONG_AGO).revisions
    enqueue(store, ASKING, SUMMER)
    store.forget()
    store.paper_history(ArxivId("2603.00001"))
    store.delivery_history(ArxivId("2603.00001"), ASKING.email)
    store._connection._db.conn.set_trace_callback(None)
    asked = {one for one in statements if re.search(r"(FROM|JOIN) (seen_hit|known_edition)\b", one)}
    assert len(asked) >= 5
    plans = [store._connection.rows(f"EXPLAIN QUERY PLAN {one}") for one in asked]
    read_whole = re.compile(r"SCAN (hit|past_hit|edition|revision|earlier|seen_hit|known_edition)\b")
    assert not [step for plan in plans for *_, step in plan if read_whole.match(step)]
