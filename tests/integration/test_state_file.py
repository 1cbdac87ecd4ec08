"""The state file: refused where it is not ours, whole after every failure."""

import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlite_utils import Database

from digest.errors import AlreadyRunning, StateError
from digest.model.paper import ArxivId
from digest.storage.lock import hold_state
from digest.storage.sqlite import connection as connection_module
from digest.storage.sqlite.backup import copy_state
from digest.storage.sqlite.inspection import look_into
from digest.storage.sqlite.migrations import migrations, names
from digest.storage.sqlite.revisions import Edition
from digest.storage.sqlite.store import SqliteStore
from tests.factories import make_subscriber
from tests.processes import started
from tests.stores import NOW, claim, found, key, with_news
from tests.waiting import LIMIT

BOTH = ("ada@example.org", "bo@example.org")


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    path.write_bytes(b"Dear diary, " * 500)
    with pytest.raises(StateError, match=r"is not a digest state file .* DIGEST_STATE"):
        SqliteStore(path)
    assert path.read_bytes() == b"Dear diary, " * 500


def test_a_folder_is_no_state_file(tmp_path: Path) -> None:
    looks = (
        lambda: SqliteStore(tmp_path),
        lambda: copy_state(tmp_path, tmp_path / "copy.db"),
        lambda: look_into(tmp_path, busy=timedelta(seconds=1), within=timedelta(seconds=1)),
    )
    for look in looks:
        with pytest.raises(StateError, match="is a folder; name a file in it") as failure:
            look()
        assert not failure.value.is_passing
    assert list(tmp_path.iterdir()) == []


def test_somebody_elses_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipe (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(StateError, match="is a database of another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as newer, newer:
        newer.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('digest', 'm999_future')")
    before = path.read_bytes()
    with pytest.raises(StateError, match=r"written by a newer version of digest .*m999_future"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_lock_of_another_program_is_passing_and_a_strange_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "digest.db"
    with SqliteStore(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="is locked by another program") as caught:
            store.reclaim(now=NOW, latest=NOW)
        assert caught.value.is_passing
    path.write_bytes(b"not a database, and quite long enough to be seen as none" * 100)
    with pytest.raises(StateError) as caught:
        SqliteStore(path)
    assert not caught.value.is_passing


def test_the_file_opens_again_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    with SqliteStore(path) as store:
        store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
        store.record([found("2606.00001", "tea")], covered={key("tea"): NOW}, now=NOW)
    with SqliteStore(path) as store:
        assert with_news(store) == {"ada@example.org"}


def test_a_transaction_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)

        def cut_off() -> object:
            yield found("2606.00001", "tea")
            raise RuntimeError("pulled plug")

        with pytest.raises(RuntimeError):
            store.record(cut_off(), covered={key("tea"): NOW}, now=NOW)  # type: ignore[arg-type]
        assert store.covered_at() == {}
        assert store.record([found("2606.00001", "tea")], covered={key("tea"): NOW}, now=NOW) == 1


class Beside(SqliteStore):
    """Another process writes when this one has read and not yet written."""

    def _seen_of(
        self, ids: Sequence[ArxivId]
    ) -> tuple[dict[ArxivId, int], dict[ArxivId, Edition], defaultdict[ArxivId, set[str]]]:
        seen = super()._seen_of(ids)
        self.other = Thread(target=self._leave)
        self.other.start()
        self.other.join(0.3)
        return seen

    def _leave(self) -> None:
        with SqliteStore(self._connection.path) as store:
            store.leave("ada@example.org", now=NOW)


def test_nobody_is_refused_since_another_wrote_meanwhile(tmp_path: Path) -> None:
    with Beside(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
        assert store.record([found("2606.00001", "tea")], covered={key("tea"): NOW}, now=NOW) == 1
        store.other.join()
        assert store.preferences_of("ada@example.org").left_at == NOW


def test_processes_that_begin_at_once_make_one_file(tmp_path: Path) -> None:
    begin = (
        "import sys, pathlib; from digest.storage.sqlite.store import SqliteStore;"
        " input(); SqliteStore(pathlib.Path(sys.argv[1]))"
    )
    command = (sys.executable, "-W", "ignore", "-c", begin, tmp_path / "digest.db")
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        processes = [stack.enter_context(started(*command, **pipes)) for _ in range(4)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate(timeout=LIMIT)[1] for process in processes] == [""] * 4


def test_a_copy_goes_its_own_way(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber("bo@example.org", "tea")], now=NOW, current_since=NOW)
        copy_state(tmp_path / "digest.db", tmp_path / "copy.db")
        with SqliteStore(tmp_path / "copy.db") as copy:
            assert set(copy.subscriber_statuses(BOTH)) == {"bo@example.org"}
            copy.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
        assert set(store.subscriber_statuses(BOTH)) == {"bo@example.org"}


def test_migrations_are_only_ever_added() -> None:
    assert sorted(names())[:2] == ["m001_main_job", "m002_revisions"]


def older_state(path: Path, *, before: str) -> None:
    """As a version left it that did not know `before` yet."""
    with closing(sqlite3.connect(path)) as connection, connection:
        migrations.apply(Database(connection), stop_before=before)


def test_what_a_migration_finds_is_kept_beside_and_serves_the_older_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, former = tmp_path / "digest.db", tmp_path / "digest.db.before-m015"
    older_state(path, before="m015_returned")
    with closing(sqlite3.connect(path)) as older, older:
        older.execute("UPDATE installation SET secret = 'of before'")
    for _ in range(2):
        with SqliteStore(path) as store:
            store.suppress("ada@example.org", cause="550", now=NOW)
    assert [record.message for record in caplog.records] == [
        f"state converted to the format of this version path={former}"
    ]
    assert former.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(former)) as kept:
        applied = [migration.name for migration in migrations.applied(Database(kept))]
        assert applied[-1] == "m014_confirmations"
        assert kept.execute("SELECT secret FROM installation").fetchone() == ("of before",)
        assert kept.execute("SELECT count(*) FROM suppression").fetchone() == (0,)
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    known = frozenset(name for name in names() if name < "m015")
    monkeypatch.setattr(connection_module, "names", lambda: known)
    with pytest.raises(
        StateError, match=r"newer version of digest \(m015_returned\).* kept in .*before-m015"
    ):
        SqliteStore(path)


def test_a_new_state_and_a_throw_away_copy_keep_nothing_beside(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "digest.db").close()
    older_state(tmp_path / "older.db", before="m015_returned")
    SqliteStore(tmp_path / "older.db", keeps_former=False).close()
    assert [path.name for path in tmp_path.iterdir() if "before" in path.name] == []


def test_without_room_for_the_copy_nothing_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    older_state(path, before="m015_returned")
    (tmp_path / "digest.db.before-m015").mkdir()
    with pytest.raises(StateError):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as found:
        assert [one.name for one in migrations.applied(Database(found))][-1] == "m014_confirmations"
    assert not (tmp_path / "digest.db.before-m015.part").exists()


def test_a_file_of_an_older_version_keeps_its_outbox(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    paper = found("2606.00001", "tea").paper
    older = Database(path)
    migrations.apply(older, stop_before="m002_revisions")
    older.executescript(
        f"""
        INSERT INTO query (number, key, covered_at) VALUES (1, '{key("tea")}', '2026-06-15T00:00:00+00:00');
        INSERT INTO paper (number, arxiv_id) VALUES (1, '{paper.id}');
        INSERT INTO edition (number, paper, version, title, abstract, authors, categories)
        VALUES (1, 1, 1, 'On nothing', 'Nothing.', '["Ada Example"]', '["cs.LG"]');
        INSERT INTO hit VALUES (1, 1, 1, 1);
        INSERT INTO subscriber VALUES
            (1, '{ada.email}', '{ada.email}', '2026-06-01T00:00:00+00:00', 1, 1, NULL, NULL);
        INSERT INTO subscription VALUES (1, 1, 1, 0, 1, NULL);
        INSERT INTO mailing (number, subscriber, token, email, planned_at, dated_on, is_first, keywords,
            entries, first_hit, last_hit, state, due_at)
        SELECT value, 1, value, '{ada.email}', '2026-06-16T07:00:00+00:00', '2026-06-16', 0, '["tea"]',
            '[[1, [0]]]', 1, 1, iif(value = 1, 'sent', 'deferred'), '2026-06-16T07:00:00+00:00'
        FROM json_each('[1, 2]');
        """
    )
    older.close()
    with SqliteStore(path) as store:
        (mailing,) = claim(store)
        (entry,) = mailing.digest.entries
        assert (mailing.number, entry.paper.title, entry.keywords) == (2, "On nothing", ("tea",))
        digest = mailing.digest
        assert (digest.names, digest.length, digest.outlook) == ((), "normal", None)
        store.enrol([ada], now=NOW, current_since=NOW)
        assert with_news(store) == set()
        store.record([found("2606.00001", "tea", version=2)], covered={key("tea"): NOW}, now=NOW)
        assert with_news(store) == {"ada@example.org"}


def test_one_process_at_a_time_works_on_a_state_file(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    with (
        hold_state(path),
        pytest.raises(AlreadyRunning, match="another digest process uses"),
        hold_state(path),
    ):
        pass
    with hold_state(path):
        pass
