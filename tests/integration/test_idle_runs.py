"""What is remembered of an earlier run spares work and changes nothing else."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.keywords import query
from digest.keywords.index import Match, QueryIndex
from digest.model.paper import Paper
from digest.pipeline import match_papers
from digest.pipeline.compose import compose
from digest.pipeline.fetch import FetchReport, fetch
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.subscriber import Subscriber
from tests.examples import examples
from tests.factories import invented_paper, make_subscriber, moment
from tests.fakes import FakeSource
from tests.stores import news_of, served

BEGUN = moment("2026-06-15 12:00")
LOOKBACK = timedelta(days=16)
SUBSCRIBERS = (make_subscriber("ada@example.org", "tea", "milk"),)
TEA = invented_paper("2606.00001", "Tea")
SAND = invented_paper("2606.00002", "Sand")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[Paper]:
    """The papers that are held against queries."""
    papers: list[Paper] = []

    class Watched(QueryIndex):
        def matches(self, paper: Paper) -> tuple[Match, ...]:
            papers.append(paper)
            return super().matches(paper)

    monkeypatch.setattr(match_papers, "QueryIndex", Watched)
    return papers


async def fetched(
    store: SqliteStore,
    *papers: Paper,
    subscribers: Sequence[Subscriber] = SUBSCRIBERS,
    lookback: timedelta = LOOKBACK,
) -> FetchReport:
    store.enrol(subscribers, now=BEGUN, current_since=BEGUN)
    source = FakeSource(*papers)
    source.lists_again = False
    return await fetch((source,), store, subscribers, now=BEGUN, lookback=lookback)


async def test_what_came_before_is_not_held_against_the_same_queries_again(
    store: SqliteStore, held: list[Paper]
) -> None:
    await fetched(store, TEA, SAND)
    new = invented_paper("2606.00003", "Milk")
    report = await fetched(store, TEA, SAND, new)
    assert held == [TEA, SAND, new]
    assert report.papers_new == 1


async def test_a_text_that_changed_is_held_against_them_again(store: SqliteStore, held: list[Paper]) -> None:
    await fetched(store, TEA, SAND)
    changed = invented_paper(SAND.id, "Sand in milk")
    report = await fetched(store, TEA, changed)
    assert held == [TEA, SAND, changed]
    assert report.papers_new == 1


async def test_another_keyword_is_held_against_all(store: SqliteStore, held: list[Paper]) -> None:
    await fetched(store, TEA, SAND)
    subscribers = (make_subscriber("ada@example.org", "tea", "milk", "sand"),)
    report = await fetched(store, TEA, SAND, subscribers=subscribers)
    assert held.count(SAND) == 2
    assert report.papers_new == 1


async def test_what_was_too_old_is_held_against_them_again(store: SqliteStore, held: list[Paper]) -> None:
    old = invented_paper("2605.00001", "Tea", submitted="2026-05-31 10:00")
    await fetched(store, TEA, old, lookback=timedelta(days=3))
    await fetched(store, TEA, old, lookback=timedelta(days=3))
    assert held == [TEA, old, old]


async def test_an_answer_that_is_not_believed_is_not_remembered(
    store: SqliteStore, held: list[Paper]
) -> None:
    many = [invented_paper(f"2605.{number:05}", "Tea", submitted="2026-04-01 10:00") for number in range(20)]
    report = await fetched(store, *many)
    assert report.errors
    assert held == [*many, *many]


def without_memory(store: SqliteStore) -> None:
    store._connection._db.execute("UPDATE installation SET enrolled = NULL")
    store._connection._db.execute("DELETE FROM examined")


def contents(path: Path) -> list[tuple[object, ...]]:
    """All that the state says, but for the names of mailings, which are each installation's own."""
    tables = ("query", "paper", "edition", "hit", "revision", "subscriber", "subscription")
    asked = [f"SELECT * FROM {table} ORDER BY number" for table in tables]
    asked.append("SELECT number, subscriber, entries, revisions, state FROM mailing ORDER BY number")
    with closing(sqlite3.connect(path)) as db:
        return [row for sql in asked for row in db.execute(sql)]


@pytest.mark.parametrize(
    "changed",
    [
        make_subscriber("Ada@example.org", "tea", "milk"),
        make_subscriber("ada@example.org", "tea", "milk", replacements="section"),
        make_subscriber("ada@example.org", "tea"),
        make_subscriber("bo@example.org", "tea", "milk"),
    ],
)
def test_every_change_of_the_subscribers_is_enrolled(tmp_path: Path, changed: Subscriber) -> None:
    for name, before in (("with.db", lambda store: None), ("without.db", without_memory)):
        with SqliteStore(tmp_path / name) as store:
            store.enrol(SUBSCRIBERS, now=BEGUN, current_since=BEGUN)
            before(store)
            store.enrol((changed,), now=BEGUN, current_since=BEGUN)
    assert contents(tmp_path / "with.db") == contents(tmp_path / "without.db")


def test_subscribers_who_leave_and_come_back_are_enrolled_again(store: SqliteStore) -> None:
    both = (*SUBSCRIBERS, make_subscriber("bo@example.org", "tea"))
    for subscribers in (both, SUBSCRIBERS, both, both):
        store.enrol(subscribers, now=BEGUN, current_since=BEGUN)
        assert len(store.subscriber_statuses(["ada@example.org", "bo@example.org"])) == len(subscribers)


def test_a_query_without_subscribers_that_was_covered_meanwhile_counts_as_never_fetched(
    store: SqliteStore,
) -> None:
    key = query.parse("sand").key
    store.enrol((make_subscriber("ada@example.org", "sand"),), now=BEGUN, current_since=BEGUN)
    store.enrol(SUBSCRIBERS, now=BEGUN, current_since=BEGUN)
    store.record((), covered={key: BEGUN - LOOKBACK}, now=BEGUN)
    store.enrol(SUBSCRIBERS, now=BEGUN, current_since=BEGUN)
    assert key not in store.covered_at()


# Any sequence of runs


class Step(NamedTuple):
    """A run some days after the one before."""

    subscribers: tuple[Subscriber, ...]
    papers: tuple[Paper, ...]
    lookback_days: int
    is_mailed: bool
    later: int


_subscribers = st.lists(
    st.builds(
        lambda name, keywords, asks: make_subscriber(
            f"{name}@example.org", *keywords, replacements="section" if asks else "never"
        ),
        st.sampled_from(["ada", "Ada", "bo"]),
        st.lists(st.sampled_from(["tea", "milk", "sand"]), min_size=1, unique=True),
        st.booleans(),
    ),
    max_size=2,
    unique_by=lambda one: one.email.lower(),
).map(tuple)
_papers = st.lists(
    st.builds(
        invented_paper,
        st.sampled_from(["2606.00001", "2606.00002"]),
        st.sampled_from(["Tea", "Tea with milk", "Sand"]),
        version=st.integers(1, 2),
        submitted=st.sampled_from(["2026-06-12 10:00", "2026-06-02 10:00"]),
    ),
    max_size=2,
    unique_by=lambda one: one.id,
).map(tuple)
_steps = st.lists(
    st.builds(Step, _subscribers, _papers, st.sampled_from([3, 16]), st.booleans(), st.integers(0, 2)),
    max_size=6,
)


async def lived(path: Path, steps: Sequence[Step], before_each: Callable[[SqliteStore], None]) -> list[int]:
    """How many papers were new in each run."""
    found: list[int] = []
    now = BEGUN
    with SqliteStore(path) as store:
        for step in steps:
            before_each(store)
            now += timedelta(days=step.later)
            store.enrol(step.subscribers, now=now, current_since=now - timedelta(hours=1))
            source = FakeSource(*step.papers)
            source.lists_again = False
            lookback = timedelta(days=step.lookback_days)
            report = await fetch((source,), store, step.subscribers, now=now, lookback=lookback)
            found.append(report.papers_new)
            for one in step.subscribers if step.is_mailed else ():
                news = news_of(store, one.email, now - LOOKBACK)
                digest = compose(one, news.hits, planned_at=now, is_first=False, revisions=news.revisions)
                store.enqueue([served(news, digest, now=now)])
    return found


@examples(60)
@given(steps=_steps)
def test_runs_with_and_without_memory_come_to_the_same(steps: list[Step]) -> None:
    twice = [step for step in steps for _ in range(2)]
    with TemporaryDirectory() as folder:
        with_memory, without = Path(folder, "with.db"), Path(folder, "without.db")
        found = asyncio.run(lived(with_memory, twice, lambda store: None))
        assert found == asyncio.run(lived(without, twice, without_memory))
        assert contents(with_memory) == contents(without)
