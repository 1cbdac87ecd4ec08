"""No statement of composing reads a whole table: what it costs does not grow with the years."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digest.pipeline.compose_job import Composer
from digest.pipeline.plan import Plan
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.subscriber import Subscriber
from tests.factories import make_subscriber
from tests.stores import LONG_AGO, NOW, claim, found, record

_FILL = """
WITH RECURSIVE n(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 4000)
"""
_TABLES = (
    f"{_FILL} INSERT INTO paper (number, arxiv_id) SELECT n, 200100000 + n FROM n",
    f"""{_FILL} INSERT INTO edition (number, paper, version, title, abstract, authors, categories, checksum)
    SELECT n, n, 1, '', '', '[]', '["cs.LG"]', 0 FROM n""",
    f"{_FILL} INSERT INTO query (number, key) SELECT n, 'key ' || n FROM n",
    f"{_FILL} INSERT INTO hit (number, query, paper, edition) SELECT n, n, n, n FROM n",
    f"{_FILL} INSERT INTO past_hit SELECT n, 5000 - n, n, n, 1, 0 FROM n",
    f"{_FILL} INSERT INTO revision (number, paper, edition, version) SELECT n, n, n, 1 FROM n",
    f"{_FILL} INSERT INTO change (number, paper, before, after) SELECT n, n, n, n FROM n",
    f"""{_FILL} INSERT INTO subscriber (number, address, email, since_at, is_enrolled, cursor)
    SELECT n, 'reader' || n, '', '', 0, 0 FROM n""",
    f"{_FILL} INSERT INTO subscription (subscriber, query) SELECT n, n FROM n",
    f"""{_FILL} INSERT INTO mailing (number, subscriber, token, email, planned_at, dated_on, is_first,
        keywords, entries, revisions, first_hit, last_hit, state)
    SELECT n, n, n, '', '', '', 0, '[]', '[]', '[]', 0, 0, 'sent' FROM n""",
    f"{_FILL} INSERT INTO shelf SELECT n, '2020-01-01T00:00:00+00:00', x'00' FROM n",
    f"{_FILL} INSERT INTO seen_elsewhere SELECT 'reader' || n, n FROM n",
    f"{_FILL} INSERT INTO suppression SELECT 'reader' || n, '', '2020-01-01T00:00:00+00:00', '' FROM n",
    f"{_FILL} INSERT INTO profile SELECT 'reader' || n, 1, NULL FROM n",
    f"{_FILL} INSERT INTO audit SELECT n, '2026-06-01T00:00:00+00:00', '', '', 'reader' || n, '' FROM n",
)
_WHOLE = re.compile(r"SCAN (?!CONSTANT|query\b)\S+(?= |$)(?! VIRTUAL)")
"""Of a table or an index of it. Lists that the caller gives are virtual tables.

The coverage of all queries is read once, for the first digests of a run.
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "digest.db") as store:
        with store._connection.transaction() as db:
            for statement in _TABLES:
                db.execute(statement)
        yield store


def everybody() -> tuple[Subscriber, ...]:
    ada = make_subscriber("ada@example.org", "tea", "ox", replacements="section", exclude=("turnip",))
    return (
        ada,
        make_subscriber("bo@example.org", "tea", replacements="section"),
        make_subscriber("cy@example.org", "fig"),
    )


def composed(store: SqliteStore) -> int:
    plan = Plan(store, everybody(), lambda *_: NOW)
    return Composer(store, backlog_since=LONG_AGO).compose_batch(plan.take(5)).composed


def test_composing_reads_no_whole_table(store: SqliteStore) -> None:
    store.enrol(everybody(), now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), found("2606.00002", "ox"), covered=("tea", "ox", "fig"))
    statements: list[str] = []
    store._connection._db.conn.set_trace_callback(statements.append)
    assert composed(store) == 2
    store._connection._db.conn.set_trace_callback(None)
    claim(store)
    record(
        store, found("2606.00001", "tea", version=2), found("2606.00003", "tea"), covered=("tea", "ox", "fig")
    )
    store._connection._db.conn.set_trace_callback(statements.append)
    assert composed(store) == 2
    store._connection._db.conn.set_trace_callback(None)
    assert_no_whole_table_is_read(store, statements, least=20)


def assert_no_whole_table_is_read(store: SqliteStore, statements: list[str], *, least: int) -> None:
    asked = [one for one in dict.fromkeys(statements) if re.match(r"\s*(?:SELECT|UPDATE|WITH|DELETE)", one)]
    assert len(asked) > least
    for statement in asked:
        steps = [row[3] for row in store._connection.rows(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [step for step in steps if _WHOLE.match(step)], statement


def test_the_page_of_the_administrators_reads_pages_and_periods(store: SqliteStore) -> None:
    """Only the table of fetches is read whole: it has a few rows a day."""
    statements: list[str] = []
    store._connection._db.conn.set_trace_callback(statements.append)
    store.deliveries(LONG_AGO, NOW)
    store.subscriber_records(["ada@example.org", "bo@example.org"])
    store.actions(email="ada@example.org", limit=10)
    store._connection._db.conn.set_trace_callback(None)
    assert_no_whole_table_is_read(store, statements, least=3)


@pytest.mark.parametrize(
    "listed",
    [
        lambda store: store.latest_suppressions(limit=20),
        lambda store: store.actions(limit=20),
    ],
    ids=["suppressions", "actions"],
)
def test_lists_of_the_administrators_come_in_the_order_of_an_index(
    store: SqliteStore, listed: Callable[[SqliteStore], object]
) -> None:
    """The index is read from its end, for as many rows as a page has: nothing is sorted."""
    statements: list[str] = []
    store._connection._db.conn.set_trace_callback(statements.append)
    listed(store)
    store._connection._db.conn.set_trace_callback(None)
    (asked,) = (one for one in statements if re.match(r"\s*SELECT", one))
    steps = [row[3] for row in store._connection.rows(f"EXPLAIN QUERY PLAN {asked}")]
    assert not [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step], steps
