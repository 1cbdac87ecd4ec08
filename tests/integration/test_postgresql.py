"""The state in PostgreSQL: several hosts, a server that fails, and a database that is not as it should be."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import psycopg
import pytest

from digest.cli.doctor_checks.run_all import examine_here, exit_code
from digest.config.database_url import DatabaseUrl
from digest.errors import ConfigurationError, StateError
from digest.pipeline.compose import compose
from digest.service.finding import Verdict
from digest.storage.base import Store
from digest.storage.factory import back_up, is_there, look_into, open_beside, open_copy, open_store, size_of
from digest.storage.postgresql import connection as connection_module
from digest.storage.postgresql import migrations
from digest.storage.postgresql.connection import Connection
from digest.storage.postgresql.errors import state_error
from digest.storage.postgresql.migrations import MIGRATIONS
from digest.storage.postgresql.store import PostgresqlStore
from digest.storage.postgresql.tables import open_tables
from digest.storage.values import MailingState, Served
from tests.disk import mounted
from tests.factories import make_subscriber
from tests.postgresql import Server, name_of, pooled, running, shared
from tests.stores import (
    NOW,
    claim,
    enqueue,
    found,
    ids,
    key,
    new_for,
    news_of,
    outbox_of,
    record,
    record_results,
    served,
)
from tests.waiting import LIMIT

ADA = make_subscriber("ada@example.org", "tea")


@pytest.fixture
def server() -> Iterator[Server]:
    server = shared()
    yield server
    server.take_back()


@contextmanager
def opened(url: DatabaseUrl, *, patience: float | None = None) -> Iterator[Any]:
    """The store, with what is private."""
    with open_store(url, patience=patience) as store:
        yield store


# Several hosts


def test_hits_become_visible_in_the_order_of_their_numbers(server: Server) -> None:
    """The first fetch to begin ends last: with numbers of a sequence, a cursor would pass over its hits."""
    url = server.new_database()
    with opened(url) as slow, opened(url) as quick, opened(url) as reader:
        reader.enrol([ADA], now=NOW, current_since=NOW)
        record(reader, covered=("tea",))
        other = Thread(target=record, args=(quick, found("2606.00002", "tea")), kwargs={"covered": ("tea",)})
        with slow._connection.transaction():
            record(slow, found("2606.00001", "tea"), covered=("tea",))
            other.start()
            other.join(0.3)
            assert enqueue(reader, ADA) is None, "no hit is visible before the earlier ones are"
        other.join(LIMIT)
        digest = enqueue(reader, ADA)
        assert ids(digest) == {"2606.00001", "2606.00002"}
        numbers = [number for (number,) in reader._connection.rows("SELECT number FROM hit ORDER BY number")]
        assert numbers == [1, 2]


def test_two_hosts_create_the_tables_once(server: Server) -> None:
    url = server.new_database(is_empty=True)
    secrets: list[str] = []

    def begin() -> None:
        with opened(url) as store:
            secrets.append(store._connection.secret)

    threads = [Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert len(secrets) == 4
    assert len(set(secrets)) == 1


def test_two_hosts_that_serve_the_same_subscriber_serve_them_once(server: Server) -> None:
    url = server.new_database()
    with opened(url) as one, opened(url) as other:
        outbox_of(one, "ada@example.org")
        record(one, found("2606.00002", "tea"), covered=("tea",))
        composed = [_composed(store) for store in (one, other)]
        done: list[int] = []
        thread = Thread(target=lambda: done.append(other.enqueue([composed[1]])))
        with one._connection.transaction():
            assert one.enqueue([composed[0]]) == 1
            thread.start()
            thread.join(0.3)
            assert done == [], "it waits for the first to end"
        thread.join(LIMIT)
        assert done == [0]


def _composed(store: Store) -> Served:
    news = news_of(store)
    return served(news, compose(ADA, news.hits, planned_at=NOW, is_first=False))


def test_what_one_host_claims_at_this_moment_another_skips(server: Server) -> None:
    url = server.new_database()
    with opened(url) as one, opened(url) as other:
        outbox_of(one, *(f"reader{number}@example.org" for number in range(4)))
        with one._connection.transaction():
            mine = claim(one, limit=2)
            theirs = claim(other, limit=4)
        assert len(mine) == len(theirs) == 2
        assert not {mailing.number for mailing in mine} & {mailing.number for mailing in theirs}


# A server that fails


def test_a_connection_that_was_cut_is_replaced(server: Server) -> None:
    with opened(server.new_database()) as store:
        outbox_of(store, "ada@example.org")
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'digest'"
        )
        assert len(claim(store)) == 1


def test_what_was_cut_off_in_a_transaction_has_not_happened(server: Server) -> None:
    with opened(server.new_database()) as store:
        outbox_of(store, "ada@example.org")
        with pytest.raises(StateError) as failure:
            _claim_and_be_cut_off(store)
        assert failure.value.is_passing
        assert len(claim(store)) == 1


def _claim_and_be_cut_off(store: Any) -> None:
    with store._connection.transaction() as db:
        claim(store)
        db.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_connection_that_ends_within_a_copy_is_told_by_its_error_alone(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.new_database()
    with opened(url) as store, pytest.raises(StateError):
        _end_within_a_copy(server, store)
    assert not [record for record in caplog.records if record.name.startswith("psycopg")]


def _end_within_a_copy(server: Server, store: Any) -> None:
    with (
        store._connection.transaction() as db,
        db.cursor() as cursor,
        cursor.copy("COPY query (key) FROM STDIN") as copy,
    ):
        server.execute(f"SELECT pg_terminate_backend({db.info.backend_pid})")
        for _ in range(10_000):
            copy.write_row(["tea" * 1000])


def test_a_restart_is_waited_for(server: Server) -> None:
    with running(synchronous_commit="on") as own, opened(own.new_database()) as store:
        outbox_of(store, "ada@example.org")
        own.stop()
        with pytest.raises(StateError, match="no connection to the database") as failure:
            _impatient(store, lambda: claim(store))
        assert failure.value.is_passing
        claimed: list[int] = []
        waiting = Thread(target=lambda: claimed.append(len(claim(store))))
        waiting.start()
        own.start()
        waiting.join(LIMIT)
        assert claimed == [1]


def test_who_waits_has_a_connection_soon_after_a_long_restart(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool gives up meanwhile, and then does nothing for those who wait."""
    monkeypatch.setattr(connection_module, "_RECONNECTING", 0.3)
    with running(synchronous_commit="on") as own, opened(own.new_database()) as store:
        outbox_of(store, "ada@example.org")
        own.stop()
        claimed: list[int] = []
        waiting = Thread(target=lambda: claimed.append(len(claim(store))))
        waiting.start()
        sleep(2.0)
        own.start()
        waiting.join(LIMIT)
        assert claimed == [1]


def _impatient(store: Any, call: Callable[[], object]) -> None:
    store._connection._pool.timeout = 0.5
    try:
        call()
    finally:
        store._connection._pool.timeout = LIMIT


def test_a_read_only_server_is_waited_for(server: Server) -> None:
    url = server.new_database()
    server.execute(f"ALTER DATABASE {name_of(url)} SET default_transaction_read_only = on")
    with opened(url) as store:
        assert store.covered_at() == {}
        with pytest.raises(StateError, match="is read-only now") as failure:
            record(store, found("2606.00001", "tea"), covered=("tea",))
    assert failure.value.is_passing
    with pytest.raises(StateError, match="target_session_attrs=read-write; if not, see default_transaction"):
        look_into(url, busy=timedelta(), within=timedelta())
    server.execute(f"ALTER DATABASE {name_of(url)} RESET default_transaction_read_only")


def test_a_role_without_rights_is_told_what_it_needs(server: Server) -> None:
    url = server.new_database()
    server.execute("CREATE ROLE visitor LOGIN")
    with pytest.raises(StateError, match="make the role the owner of the database") as failure:
        open_store(DatabaseUrl(url.url.replace("digest@", "visitor@"))).__enter__()
    assert failure.value.is_passing
    server.execute("DROP ROLE visitor")


def test_a_full_disk_of_the_server_loses_nothing(server: Server, tmp_path: Path) -> None:
    with ExitStack() as stack:
        disk = stack.enter_context(mounted(server.folder / "small", size=48 << 20))
        server.own(disk.folder)
        space = disk.folder / "space"
        space.mkdir()
        server.own(space)
        server.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        url = server.new_database()
        server.execute(f"ALTER DATABASE {name_of(url)} SET TABLESPACE small")
        with opened(url) as store:
            store.enrol([ADA], now=NOW, current_since=NOW)
            disk.fill(but=0)
            papers = [found(f"2601.{number:05}", "tea") for number in range(1, 30_000)]
            with pytest.raises(StateError, match="the disk of the database server is full") as failure:
                record(store, *papers, covered=("tea",))
            assert failure.value.is_passing
            before = store._connection.one("SELECT count(*) FROM hit")
            disk.clear()
            record(store, found("2706.00001", "tea"), covered=("tea",))
            assert store._connection.one("SELECT count(*) FROM hit") == before + 1
        server.execute(f"ALTER DATABASE {name_of(url)} SET TABLESPACE pg_default")
        server.execute("DROP TABLESPACE small")


def test_more_threads_than_connections_take_turns_and_say_so_at_last(server: Server) -> None:
    connection = Connection(server.new_database())
    with PostgresqlStore(connection) as store, ExitStack() as held:
        for _ in range(connection_module._MOST_CONNECTIONS):
            held.enter_context(connection._pool.connection())
        with pytest.raises(StateError, match="all connections of this process are in use") as failure:
            _impatient(store, store.covered_at)
        assert failure.value.is_passing
        held.close()
        assert store.covered_at() == {}


def test_a_change_waits_no_longer_than_it_may_for_another_writer(server: Server) -> None:
    url = server.new_database()
    with opened(url) as store, opened(url, patience=0.2) as page:
        page._connection._pool.timeout = LIMIT  # for its first connection, which is no writer's matter
        outbox_of(store, "ada@example.org")
        with store._connection.transaction() as db:
            db.execute("UPDATE subscriber SET links = 1")
            with pytest.raises(StateError, match="another session locks what is needed") as failure:
                page.enrol([], now=NOW, current_since=NOW)
        assert failure.value.is_passing


def test_a_lock_of_somebody_else_is_told_and_not_waited_for_without_end(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a VACUUM FULL, or of an ALTER TABLE by hand whose transaction nobody ended."""
    monkeypatch.setattr(connection_module, "_LOCKED", "200ms")
    url = server.new_database()
    with psycopg.connect(url.url) as somebody, opened(url) as store:
        somebody.execute("LOCK TABLE query IN ACCESS EXCLUSIVE MODE")
        for ask in (store.covered_at, lambda: record(store, found("2606.00001", "tea"), covered=("tea",))):
            with pytest.raises(StateError, match="find it with pg_blocking_pids") as failure:
                ask()
            assert failure.value.is_passing


def test_a_statement_that_the_server_ends_is_explained(server: Server) -> None:
    url = server.new_database()
    with opened(url) as store:
        server.execute(f"ALTER DATABASE {name_of(url)} SET statement_timeout = '100ms'")
        with pytest.raises(StateError, match="raise statement_timeout of the role") as failure:
            store._connection.rows("SELECT pg_sleep(10)")
        assert failure.value.is_passing
    server.execute(f"ALTER DATABASE {name_of(url)} RESET ALL")


# A database that is not as it should be


def test_a_newer_format_is_refused_and_left_as_it_is(server: Server) -> None:
    url = server.new_database()
    server.execute("INSERT INTO digest_migration VALUES ('m999_later')", database=name_of(url))
    with pytest.raises(StateError, match="newer version of digest \\(m999_later\\)") as failure:
        open_store(url).__enter__()
    assert failure.value.is_passing, "this host may be upgraded next"
    server.execute("DELETE FROM digest_migration WHERE name = 'm999_later'", database=name_of(url))


def test_a_database_that_was_changed_by_hand_is_named_with_what_to_do(server: Server) -> None:
    url = server.new_database()
    server.execute("ALTER TABLE suppression RENAME COLUMN cause TO reason", database=name_of(url))
    try:
        with opened(url) as store, pytest.raises(StateError, match="restore a whole backup") as failure:
            store.suppressions()
    finally:  # other tests get the database
        server.execute("ALTER TABLE suppression RENAME COLUMN reason TO cause", database=name_of(url))
    assert not failure.value.is_passing


def test_a_host_that_is_upgraded_stops_the_others_before_they_begin_anything(server: Server) -> None:
    """What they have begun they end: a mail that is not noted as sent would be sent again."""
    url = server.new_database()
    with opened(url) as store:
        outbox_of(store, "ada@example.org")
        (mailing,) = claim(store)
        server.execute("INSERT INTO digest_migration VALUES ('m999_later')", database=name_of(url))
        for begin in (store.coverage, lambda: store.begin_claims("a", lasting=timedelta(seconds=30))):
            with pytest.raises(StateError, match="install that version on this host too") as failure:
                begin()
            assert failure.value.is_passing
        record_results(store, mailing, MailingState.SENT, "250 taken")
        server.execute("DELETE FROM digest_migration WHERE name = 'm999_later'", database=name_of(url))
        store.begin_claims("a", lasting=timedelta(seconds=30))


def test_reading_beside_a_run_converts_nothing(server: Server) -> None:
    url = server.new_database()
    last = MIGRATIONS[-1][0]
    server.execute(f"DELETE FROM digest_migration WHERE name = '{last}'", database=name_of(url))
    with pytest.raises(StateError, match="`digest run` converts it"), open_beside(url):
        pass
    server.execute(f"INSERT INTO digest_migration VALUES ('{last}')", database=name_of(url))


def test_a_run_converts_the_database_of_an_older_version(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.new_database(is_empty=True)
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", MIGRATIONS[:1])
        with open_store(url):
            pass
    with pytest.raises(StateError, match="`digest run` converts it"), open_beside(url):
        pass
    with open_store(url) as store:
        outbox_of(store, "ada@example.org")
        (mailing,) = claim(store)
    assert not mailing.has_merged


def test_a_database_of_others_is_left_alone(server: Server) -> None:
    url = server.new_database(is_empty=True)
    server.execute("CREATE TABLE paper (name text)", database=name_of(url))
    with pytest.raises(StateError, match="has tables of another program"):
        open_store(url).__enter__()
    assert not is_there(url)


def test_a_database_without_unicode_is_refused(server: Server) -> None:
    server.execute("CREATE DATABASE old TEMPLATE template0 ENCODING 'SQL_ASCII'")
    with pytest.raises(StateError, match="encoding UTF8"):
        open_store(server.url("old")).__enter__()
    server.execute("DROP DATABASE old")


def test_what_role_or_database_set_for_sessions_changes_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.new_database()
    for setting in (
        "client_encoding = 'LATIN1'",
        "DateStyle = 'SQL, DMY'",
        "TimeZone = 'Asia/Kathmandu'",
        "bytea_output = 'escape'",
        "IntervalStyle = 'sql_standard'",
        "standard_conforming_strings = off",
        "default_transaction_isolation = 'serializable'",
    ):
        server.execute(f"ALTER DATABASE {name_of(url)} SET {setting}")
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    with opened(url) as store:
        outbox_of(store, "bo@example.org")
        store.enrol([make_subscriber("ada@example.org", "Erdős")], now=NOW, current_since=NOW)
        (since,) = {one for (one,) in store._connection.rows("SELECT since_at FROM subscriber")}
    with open_tables(url, may_write=False) as tables:
        assert any("erdő" in str(value) for row in tables.rows("query") for value in row)
        assert all(since in row for row in tables.rows("subscriber"))
    server.execute(f"ALTER DATABASE {name_of(url)} RESET ALL")


def test_the_name_of_a_schema_may_need_quotation_marks(server: Server) -> None:
    url = server.new_database(is_empty=True)
    server.execute('CREATE SCHEMA "My Digest"', database=name_of(url))
    server.execute(f"ALTER DATABASE {name_of(url)} SET search_path = 'My Digest'")
    with opened(url) as store:
        outbox_of(store, "ada@example.org")
    with open_copy(url) as copy:
        record(copy, found("2606.00003", "tea"), covered=("tea",))
    assert size_of(url) > 100_000
    server.execute(f"ALTER DATABASE {name_of(url)} RESET ALL")


_AT = 'connection to server at "192.0.2.7", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "remedy", "is_passing"),
    [
        ('root certificate file "/root/.postgresql/root.crt" does not exist', "sslrootcert", False),
        ("SSL error: certificate verify failed", "check the certificate of the server", False),
        ('server certificate for "one" does not match host name "two"', "name the server in state", False),
        ('FATAL:  database "nine" does not exist', "createdb", False),
        ("FATAL:  no such database: nine", "the pooler's settings", False),
        ("FATAL:  SASL authentication failed", "state_password_file", False),
        ("FATAL:  sorry, too many clients already", "max_connections", True),
        ('FATAL:  too many connections for role "digest"', "ALTER ROLE", True),
        ('FATAL:  too many connections for database "digest"', "ALTER DATABASE", True),
        ("Connection refused", "no connection to the database", True),
    ],
)
def test_a_connection_that_is_refused_is_explained(said: str, remedy: str, is_passing: bool) -> None:
    """As libpq, PostgreSQL and PgBouncer say it."""
    found_error = state_error(DatabaseUrl("postgresql:///x"), psycopg.OperationalError(_AT + said))
    assert remedy in found_error.reason
    assert found_error.is_passing == is_passing


def test_what_libpq_does_not_understand_is_corrected_by_a_person() -> None:
    for given in ("x?sslmode=verify-ful", "x?port=99999", "?service=nowhere"):
        with pytest.raises(StateError, match=r"correct state in digest\.toml") as failure:
            is_there(DatabaseUrl(f"postgresql:///{given}"))
        assert not failure.value.is_passing


def test_an_address_with_a_mistake_is_explained_without_its_password(server: Server) -> None:
    for url, says in (
        (DatabaseUrl("postgresql://ada:hush@host:port/digest"), "no connection|is no valid address"),
        (DatabaseUrl("postgresql:///digest?nonsense=1&password=hush"), "is no valid address"),
        (server.url("missing"), 'database "missing" does not exist; correct state in digest.toml'),
        (server.url("postgres", user="nobody"), 'role "nobody" does not exist'),
    ):
        with pytest.raises(StateError, match=says) as failure:
            open_store(url).__enter__()
        assert "hush" not in str(failure.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    for name in [one for one in sys.modules if one.startswith("digest.storage.postgresql")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigurationError, match=r"psycopg_pool .* the extra postgresql"):
        open_store(DatabaseUrl("postgresql:///digest"))


# What commands do with it


def test_a_copy_has_no_effect_and_holds_up_nobody(server: Server) -> None:
    url = server.new_database()
    with opened(url) as store:
        outbox_of(store, "ada@example.org")
        with open_copy(url) as copy:
            for email in ("bo@example.org", "cy@example.org"):
                copy.enrol([make_subscriber(email, "fig")], now=NOW, current_since=NOW)
            record(copy, found("2606.00007", "fig"), covered=("fig",))
            assert {paper for paper, _ in new_for(copy, "cy@example.org")} == {"2606.00007"}
            outbox_of(copy, "di@example.org")
            record(store, found("2606.00002", "tea"), covered=("tea",))
        assert set(store.covered_at()) == {key("tea")}
        assert len(claim(store)) == 1
        assert {paper for paper, _ in new_for(store)} == {"2606.00002"}


def test_a_copy_has_no_mailings_and_papers_that_it_does_not_need(server: Server) -> None:
    """With a million subscribers they are all but all of a database."""
    url = server.new_database()
    readers = [f"reader{number}@example.org" for number in range(20)]
    with opened(url) as store:
        outbox_of(store, *readers)
        for mailing in claim(store, limit=18):
            record_results(store, mailing, MailingState.SENT, "250 taken")
        for emails, subscribers, mailings in ((None, 20, 3), (readers[:1], 1, 2), ((), 0, 1)):
            with open_copy(url, emails=emails) as copy:
                private: Any = copy
                count = "SELECT count(*) FROM pg_temp.{}"
                assert private._connection.one(count.format("subscriber")) == subscribers
                assert private._connection.one(count.format("mailing")) <= mailings
                assert private._connection.one(count.format("added_edition")) == 0
                assert private._connection.one(count.format("edition")) == 1
                assert {mode for (mode,) in private._connection.rows(_LOCKS)} == {"AccessShareLock"}


_LOCKS = """
SELECT mode FROM pg_locks JOIN pg_class ON pg_class.oid = relation
WHERE pid = pg_backend_pid() AND relkind IN ('r', 'p') AND relpersistence = 'p'
    AND relnamespace = 'public'::regnamespace
"""


def test_a_state_that_is_not_there_yet_reads_as_empty(server: Server) -> None:
    url = server.new_database(is_empty=True)
    assert not is_there(url)
    assert size_of(url) == 0
    with open_beside(url) as store:
        assert store.covered_at() == {}
    assert not is_there(url)
    with opened(url):
        assert is_there(url)
        assert size_of(url) > 100_000


def test_its_server_backs_it_up(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="pg_dump"):
        back_up(server.new_database(), tmp_path / "copy", now=NOW)


def test_an_older_copy_in_its_place_is_noticed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    with opened(server.new_database()) as store:
        outbox_of(store, "ada@example.org", "bo@example.org")
        store.reclaim(now=NOW, latest=NOW + timedelta(days=1))
        assert store.restored() is None
        with store._connection.transaction() as db:
            db.execute("DELETE FROM mailing WHERE number = 2")
        found_copy = store.take_up_restored(now=NOW)
        assert found_copy is not None
        assert found_copy.noticed_at is None
        noticed = store.restored()
        assert noticed is not None
        assert noticed.noticed_at == NOW
        assert store.take_up_restored(now=NOW) is None
        assert claim(store), "what waited is sent, and never merged"


# A pooler


def test_it_works_through_a_pooler_in_transaction_mode(server: Server, tmp_path: Path) -> None:
    url = server.new_database()
    with pooled(server, url) as through, opened(through) as store, opened(through) as other:
        outbox_of(store, *(f"reader{number}@example.org" for number in range(20)))
        threads = [Thread(target=lambda: [claim(one, limit=1) for one in (store, other)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        assert len(claim(store, limit=20)) == 4
        with open_copy(through) as copy:
            record(copy, found("2606.00003", "tea"), covered=("tea",))


def test_the_doctor_goes_on_without_a_database(tmp_path: Path) -> None:
    config = tmp_path / "digest.toml"
    config.write_text(f'state = "postgresql:///digest?host={tmp_path}"\nsubscribers = "database"\n')
    found = {finding.name: finding for finding in examine_here(config, {})}
    assert found["subscribers"].verdict is Verdict.WARNING
    assert found["state"].verdict is Verdict.FAILED
    assert found["state"].remedy.startswith("see whether the server runs")
    assert exit_code(found.values()) == 1


def test_a_host_that_vanished_in_a_transaction_holds_up_nobody_for_long(server: Server) -> None:
    url = server.new_database()
    with opened(url) as store, open_copy(url) as rehearsal:
        timeout = "SHOW idle_in_transaction_session_timeout"
        assert store._connection.one(timeout) == "45s"
        private: Any = rehearsal
        assert private._connection.one(timeout) == "0", "it asks arXiv within its transaction"
        with open_tables(url, may_write=False) as tables:
            copied: Any = tables
            ((waits,),) = copied._db.execute(timeout).fetchall()
            assert waits == "0", "it waits while a large copy of it is compared"
