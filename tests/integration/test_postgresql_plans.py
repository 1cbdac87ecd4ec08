"""No statement that is asked for a batch or a page reads a whole table of PostgreSQL, however old it is.

The server itself tells how each statement was carried out (its module auto_explain).
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from digest.model.paper import ArxivId
from digest.pipeline.compose_job import Composer
from digest.pipeline.plan import Plan
from digest.storage.admin_stores import AuditEntry
from digest.storage.base import Store
from digest.storage.factory import open_store
from digest.storage.values import MailingState
from tests.factories import make_subscriber, moment
from tests.postgresql import Server, name_of, running
from tests.stores import LONG_AGO, NOW, claim, found, key, record, record_results

_ROWS = 30_000
_ALL = timedelta(minutes=3 * _ROWS)
"""The time over which the mailings are spread."""

_MOST_READ = 1_500
"""Rows in one step of a plan: much more than a batch of five subscribers has, much less than a table."""

_FILL = f"""
INSERT INTO paper (arxiv_id) SELECT '2001.' || n FROM generate_series(10001, 10000 + {_ROWS}) n;
INSERT INTO edition
SELECT n, n, 1, 'title', 'abstract', '{{}}', '{{cs.LG}}', timestamptz '2020-01-01' + n * interval '1 minute',
    NULL, NULL, NULL, NULL, 0
FROM generate_series(1, {_ROWS}) n;
INSERT INTO query (key) SELECT 'key ' || n FROM generate_series(1, {_ROWS} / 10) n;
INSERT INTO hit SELECT n, 1 + n % ({_ROWS} / 10), n, n, false FROM generate_series(1, {_ROWS}) n;
INSERT INTO revision SELECT n, n, n, 1 FROM generate_series(1, {_ROWS}) n;
INSERT INTO change SELECT n, n, n, n FROM generate_series(1, {_ROWS}) n;
INSERT INTO subscriber (address, email, since_at, is_enrolled, cursor)
SELECT 'former' || n || '@example.org', '', now(), true, {_ROWS} FROM generate_series(1, {_ROWS}) n;
INSERT INTO subscription (subscriber, query, began_after)
SELECT n, 1 + n % ({_ROWS} / 10), 0 FROM generate_series(1, {_ROWS}) n;
INSERT INTO seen_elsewhere SELECT 'former' || n || '@example.org', n FROM generate_series(1, {_ROWS}) n;
INSERT INTO suppression
SELECT 'gone' || n || '@example.org', '', now(), '' FROM generate_series(1, {_ROWS}) n;
INSERT INTO preference (subscriber) SELECT n FROM generate_series(1, {_ROWS}) n;
INSERT INTO wording (text, query) SELECT 'wording ' || n, 1 FROM generate_series(1, {_ROWS}) n;
INSERT INTO confirmation (subscriber, change, token, written_at, sent_at)
SELECT n, 'changed', n, timestamptz '2020-01-01', timestamptz '2020-01-01' FROM generate_series(1, {_ROWS}) n;
INSERT INTO audit (at, who, action, address, details)
SELECT timestamptz '2026-06-16', '', '', 'former' || n || '@example.org', ''
FROM generate_series(1, {_ROWS}) n;
INSERT INTO mailing (subscriber, token, email, planned_at, dated_on, is_first, keywords, entries, revisions,
    first_hit, last_hit, state, concluded_at, attempts)
SELECT 1 + n % {_ROWS}, n, '', timestamptz '2026-06-01' - n * interval '1 minute', '2026-06-01', false, '[]',
    '[[1, [0]]]', '[]', 0, 0, 'sent', timestamptz '2026-06-01' - n * interval '1 minute', 1
FROM generate_series(1, 3 * {_ROWS}) n;
"""

_EXPLAINING = (
    "session_preload_libraries = auto_explain",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
    "auto_explain.log_format = json",
)

_PLAN = re.compile(r"plan:\n((?:\t.*\n)+)")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def store(server: Server) -> Iterator[Store]:
    url = server.new_database()
    server.execute(_FILL, database=name_of(url))
    server.execute("VACUUM ANALYZE", database=name_of(url))
    with open_store(url) as store:
        store.enrol(_everybody(), now=NOW, current_since=NOW)
        record(store, found("2606.00001", "tea"), found("2606.00002", "ox"), covered=("tea", "ox", "fig"))
    server.execute("VACUUM ANALYZE", database=name_of(url))
    for setting in _EXPLAINING:
        server.execute(f"ALTER DATABASE {name_of(url)} SET {setting}")
    with open_store(url) as store:
        yield store


def _everybody() -> tuple[Any, ...]:
    ada = make_subscriber("ada@example.org", "tea", "ox", replacements="section", exclude=("turnip",))
    return (
        ada,
        make_subscriber("bo@example.org", "tea", replacements="section"),
        make_subscriber("cy@example.org", "fig"),
    )


def _steps(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _steps(below)


def _read(step: dict[str, Any]) -> float:
    rows = sum(
        step.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    )
    return float(rows * step.get("Actual Loops", 1))


def explained(server: Server, begin: int) -> list[tuple[str, list[dict[str, Any]]]]:
    text = (server.folder / "log").read_text(encoding="utf-8")[begin:]
    plans = [json.loads(plan) for plan in _PLAN.findall(text)]
    return [(plan["Query Text"], list(_steps(plan["Plan"]))) for plan in plans]


def assert_reads_little(server: Server, begin: int, *, least: int) -> None:
    plans = explained(server, begin)
    assert len(plans) >= least
    for statement, steps in plans:
        # The coverage of all queries is read once for a fetch, and for the first digests of a run.
        tables = [step for step in steps if step.get("Relation Name") != "query"]
        much = [step for step in tables if _read(step) > _MOST_READ]
        assert not much, f"{statement}\n{json.dumps(much, indent=1)}"


def _mark(server: Server) -> int:
    return len((server.folder / "log").read_text(encoding="utf-8"))


def _compose(store: Store) -> int:
    plan = Plan(store, _everybody(), lambda *_: NOW)
    return Composer(store, backlog_since=LONG_AGO).compose_batch(plan.take(5)).composed


def test_a_cycle_reads_what_is_new_and_no_table(server: Server, store: Store) -> None:
    begin = _mark(server)
    assert _compose(store) == 2
    for mailing in claim(store):
        record_results(store, mailing, MailingState.SENT, "250 taken")
    record(
        store, found("2606.00001", "tea", version=2), found("2606.00003", "tea"), covered=("tea", "ox", "fig")
    )
    assert _compose(store) == 2
    (one, other) = claim(store)
    store.renew([one.number], until=NOW + timedelta(hours=1))
    store.release([one.number], now=NOW, reply="421 later")
    record_results(store, other, MailingState.SUPPRESSED, "550 nobody here")
    store.reclaim(now=NOW, latest=NOW + timedelta(days=1))
    store.retry_now(now=NOW)
    store.next_due_at()
    store.waiting()
    store.accepted_since(NOW - timedelta(hours=1))
    assert_reads_little(server, begin, least=40)


def test_pages_and_bounces_read_no_table(server: Server, store: Store) -> None:
    begin = _mark(server)
    _compose(store)
    (mailing,) = store.claim(now=NOW + timedelta(days=1), until=NOW + timedelta(days=2), limit=1)
    assert mailing.pages is not None
    assert store.digest_page(mailing.pages.digest) is not None
    known = store.subscriber_for(mailing.pages.subscriber)
    assert known is not None
    store.digests_of(known.feed)
    store.preferences_of(known.email)
    tokens = store.keyword_tokens({"tea": key("tea")})
    store.keyword_page(tokens["tea"])
    store.judgements(known.email)
    store.paper_history(ArxivId("2606.00001"))
    store.confirmations(now=NOW)
    record_results(store, mailing, MailingState.SENT, "250 taken")
    store.note_bounce(
        mailing.token,
        recipient=mailing.digest.email,
        concern="dead",
        reply="550 nobody here",
        now=NOW,
        retry_at=NOW + timedelta(hours=1),
    )
    assert_reads_little(server, begin, least=12)


def test_the_page_of_the_administrators_reads_pages_and_periods(server: Server, store: Store) -> None:
    begin = _mark(server)
    day = timedelta(days=1)
    assert store.deliveries(NOW - day, NOW) is not None
    store.papers_found(NOW - day, NOW)
    assert store.subscriber_records([f"former{n}@example.org" for n in range(50)])
    store.latest_suppressions(limit=50)
    store.note_action(AuditEntry(at=NOW, who="grace", action="pause", address="former7@example.org"))
    store.actions(email="former7@example.org", limit=10)
    store.actions(limit=10)
    assert_reads_little(server, begin, least=8)


def test_pruning_reads_what_is_old_and_no_table(server: Server, store: Store) -> None:
    """Of the mailings, those of three days of two months are more than ninety days old."""
    later = moment("2026-05-30 12:00") - _ALL + timedelta(days=93)
    record(store, found("2607.00001", "tea", submitted=f"{later:%F %H:%M}"), covered=("tea",))
    begin = _mark(server)
    pruned = store.prune(now=later)
    assert 1_000 < pruned < 5_000
    assert store.prune(now=later) == 0
    for statement, steps in explained(server, begin):
        much = [step for step in steps if _read(step) > 2 * pruned]
        assert not much, f"{statement}\n{json.dumps(much, indent=1)}"
