"""Opens the SQLite file, migrates it to the current format, and gives transactions."""

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from digest.config.file_lock import give_to_owner, make_private_folder
from digest.errors import StateError
from digest.storage.sqlite.errors import state_error
from digest.storage.sqlite.migrations import migrations, names

_log = logging.getLogger(__name__)

_VIEWS = """
CREATE TEMP VIEW seen_hit AS
    SELECT query, paper, edition, number, is_past FROM hit
    UNION ALL SELECT query, paper, edition, number, is_past FROM past_hit;
CREATE TEMP VIEW known_edition AS
    SELECT paper, version, number AS edition FROM edition
    UNION ALL SELECT paper, version, edition FROM past_hit
    UNION ALL SELECT paper, version, edition FROM revision;
"""
"""All hits, and all versions that were ever seen, whether their editions are recent or in the archive.

`known_edition` may have an edition twice. Both views are temporary: they are not in the file, so that an
older version can still use it. A query that joins a view must have no DISTINCT and no aggregate, and must
select the columns of its ORDER BY: otherwise SQLite reads the whole tables
(https://sqlite.org/optoverview.html#flattening).
"""

_BUSY_SECONDS = 30.0
"""How long a change waits for other writers by default."""


class Connection:
    """The connection that all parts of the store share, for calls from any thread, one at a time."""

    def __init__(self, path: Path, *, patience: float | None = None, keeps_former: bool = True) -> None:
        """Opens or creates the file. Later calls wait up to `patience` seconds, if given, for other writers.

        A file of an older version is migrated. With `keeps_former`, a copy of the former file is kept beside
        it. Its name has the first new migration, for example `digest.db.before-m016`.
        Raises `StateError` for a folder, a file of another program, or a file of a newer version.
        """
        refuse_folder(path)
        self.path = path
        self._keeps_former = keeps_former
        self._lock = threading.RLock()
        with self._wrapping_errors():
            make_private_folder(path.parent)
            if not path.exists():  # private, because it holds addresses and the secret of links
                _make(path)
            connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db = Database(connection)
            try:
                self._prepare()
                if patience is not None:
                    connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        with self._lock:
            self._db.conn.close()

    def _prepare(self) -> None:
        """Makes sure that the file is a state of this program, and migrates it."""
        db = self._db
        refuse_foreign(self.path, db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # Foreign keys come later: a migration may replace a table that others refer to.
        if migrations.pending(db):
            with self.transaction():  # if two processes start at once, the second one finds it done
                pending = migrations.pending(db)
                if self._keeps_former and pending and migrations.applied(db):
                    _keep_former(self.path, pending[0].name)
                migrations.apply(db)
        db.execute("PRAGMA foreign_keys = ON")
        db.conn.executescript(_VIEWS)

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Begins a transaction for writing. Waits at its beginning for other writers.

        Otherwise a transaction that reads before it writes could fail halfway, if another process wrote in
        between (https://sqlite.org/rescode.html#busy_snapshot).
        """
        with self._begun("BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[Database]:
        """Begins a transaction for reading: all reads see the same moment. Never waits."""
        with self._begun("BEGIN") as db:
            yield db

    @contextmanager
    def _begun(self, begin: str) -> Iterator[Database]:
        with self._lock, self._wrapping_errors():
            if not self._db.conn.in_transaction:
                self._db.conn.execute(begin)
                with self._db.conn:
                    yield self._db
            else:
                with self._db.atomic():
                    yield self._db

    @contextmanager
    def _wrapping_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise state_error(self.path, error) from error

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._wrapping_errors():
            return list(self._db.execute(sql, list(values)).fetchall())

    def one(self, sql: str, values: Sequence[object] = ()) -> Any:
        return self.rows(sql, values)[0][0]

    @cached_property
    def secret(self) -> str:
        """The secret of this installation, from which tokens are derived."""
        return str(self.one("SELECT secret FROM installation"))


def former_of(path: Path, migration: str) -> Path:
    """Returns the path for the state as it was before that migration.

    The name is not `digest.db-…`, because those files are removed when a copy is put back.
    """
    return path.with_name(f"{path.name}.before-{migration.partition('_')[0]}")


def _keep_former(path: Path, migration: str) -> None:
    """Copies the state while it is locked. An earlier copy stays until the new one is on the disk."""
    former = former_of(path, migration)
    draft = former.with_name(f"{former.name}.part")
    draft.unlink(missing_ok=True)
    try:
        _make(draft)
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(draft)) as copy,
        ):
            original.backup(copy)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(former)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _log.warning("state converted to the format of this version path=%s", former)


def refuse_folder(path: Path) -> None:
    """Raises `StateError` if the path is a folder."""
    if _is_folder(path):
        raise StateError(str(path), "is a folder; name a file in it with DIGEST_STATE")


def _make(path: Path) -> None:
    with suppress(FileExistsError):  # another process was quicker
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            give_to_owner(descriptor, path.parent)
        finally:
            os.close(descriptor)


def _is_folder(path: Path) -> bool:
    """Raises `StateError` if this user has no access."""
    try:
        return path.is_dir()
    except OSError as error:
        raise state_error(path, error) from error


def refuse_foreign(path: Path, db: Database) -> None:
    """Raises `StateError` for the state of a newer version, or the database of another program."""
    with db.atomic():  # another process may be creating the file
        applied = {migration.name for migration in migrations.applied(db)}
        tables = db.table_names()
    if unknown := applied - names():
        former = former_of(path, min(unknown))
        kept = f". The former state is kept in {former}: digest docs upgrading says how to go back to it"
        raise StateError(
            str(path),
            f"was written by a newer version of digest ({min(unknown)}); install that version,"
            f" or name another file with DIGEST_STATE. It was left as it is{kept * former.exists()}",
        )
    if not applied and tables:
        raise StateError(
            str(path),
            "is a database of another program; name another file with DIGEST_STATE. It was left as it is",
        )
