"""`digest backup`: a whole copy of a state at work, or none."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from digest.cli import app
from digest.errors import StateError
from digest.storage.sqlite.backup import back_up
from digest.storage.sqlite.store import SqliteStore
from tests.stores import NOW, claim, outbox_of

ADA = "ada@example.org"


def state(folder: Path) -> Path:
    path = folder / "digest.db"
    with SqliteStore(path) as store:
        outbox_of(store, ADA)
    return path


def test_a_copy_taken_while_others_write_has_all_that_was_written(tmp_path: Path) -> None:
    with SqliteStore(state(tmp_path)) as store:
        (mailing,) = claim(store)
        size = back_up(tmp_path / "digest.db", tmp_path / "copy.db", now=NOW)
        store.release([mailing.number], now=mailing.digest.planned_at)
    assert size == (tmp_path / "copy.db").stat().st_size
    with SqliteStore(tmp_path / "copy.db") as copy:
        assert copy.waiting() == 1
        assert claim(copy) == ()  # it was being sent at that moment
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"copy.db", "digest.db", "digest.db.last-mailing"}


def test_an_older_copy_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "copy.db").touch()
    with SqliteStore(tmp_path / "older.db"):
        pass
    back_up(tmp_path / "older.db", tmp_path / "copy.db", now=NOW)
    back_up(state(tmp_path), tmp_path / "copy.db", now=NOW)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM mailing").fetchone() == (1,)


def test_where_the_state_is_damaged_the_older_copy_stays(tmp_path: Path) -> None:
    path = state(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
    (tmp_path / "copy.db").write_bytes(whole)
    with pytest.raises(StateError):
        back_up(path, tmp_path / "copy.db", now=NOW)
    assert (tmp_path / "copy.db").read_bytes() == whole
    assert not list(tmp_path.glob(".copy.db*"))


def test_a_file_that_is_no_copy_is_never_replaced(tmp_path: Path) -> None:
    """As `digest backup subscribers.toml`, or another program's database, would."""
    (tmp_path / "subscribers.toml").write_text("# mine\n")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE visits (day TEXT)")
    os.mkfifo(tmp_path / "pipe")
    path = state(tmp_path)
    for name in ("subscribers.toml", "other.db", "pipe"):
        with pytest.raises(StateError, match="is no earlier copy"):
            back_up(path, tmp_path / name, now=NOW)
    assert (tmp_path / "subscribers.toml").read_text() == "# mine\n"


def test_a_database_of_something_else_is_not_called_a_state(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE visits (day TEXT)")
    with pytest.raises(StateError, match=r"other\.db: is a database of another program"):
        back_up(tmp_path / "other.db", tmp_path / "copy.db", now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]


def test_state_and_copy_are_for_their_user_alone(tmp_path: Path) -> None:
    path = state(tmp_path)
    back_up(path, tmp_path / "copy.db", now=NOW)
    with SqliteStore(path):
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("*.db*")}
    assert modes == dict.fromkeys(("digest.db", "digest.db-wal", "digest.db-shm", "copy.db"), 0o600)


@pytest.mark.parametrize(("name", "says"), [("digest.db", "is the state itself"), (".", "is a folder")])
def test_a_copy_goes_into_another_file(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(StateError, match=says):
        back_up(state(tmp_path), tmp_path / name, now=NOW)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"nowhere.*No such file"):
        back_up(state(tmp_path), tmp_path / "nowhere" / "copy.db", now=NOW)


def test_the_command_tells_where_the_copy_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(state(tmp_path)))
    done = CliRunner().invoke(app, ["backup", "copy.db"])
    assert (done.exit_code, "checked" in done.stdout) == (0, True)


def test_a_state_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    done = CliRunner().invoke(app, ["backup", "copy.db"])
    assert isinstance(done.exception, StateError)
    assert list(tmp_path.iterdir()) == []
