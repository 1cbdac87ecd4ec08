"""Connects to PostgreSQL, and gives transactions that nest within a thread.

Everything works through a pooler in transaction mode: nothing is left in a session between transactions, and
no statement is prepared (https://www.pgbouncer.org/features.html).
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from digest.config.database_url import DatabaseUrl
from digest.errors import StateError
from digest.storage.postgresql.errors import state_error
from digest.storage.postgresql.migrations import migrate, require_current
from digest.storage.postgresql.row_mapping import moment_of

Database = psycopg.Connection[tuple[Any, ...]]

_PATIENCE = 30.0
"""How long a call waits for a connection: a restart of the server takes seconds."""

_RECONNECTING = 5.0
"""Seconds until the pool gives up, and who waits asks it anew; the pool would try ever more seldom."""

_MOST_CONNECTIONS = 4

_IDLE_IN_TRANSACTION = "45s"
"""After this time a host that vanished frees its locks."""

_LOCKED = "2min"
"""How long a statement waits for a lock, which is longer: then a session of somebody else holds it."""

logging.getLogger("psycopg").setLevel(logging.ERROR)  # a call that fails says why

_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "digest",
    # A host that vanished is noticed within a minute: https://www.postgresql.org/docs/current/libpq-connect.html
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "40000",
}

_ALWAYS = {"client_encoding": "UTF8"}
"""Whatever role, database or PGCLIENTENCODING say."""


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    """Reads rows in the binary format, which does not depend on DateStyle and TimeZone of the session."""

    def __init__(self, connection: psycopg.Connection[Any], **options: Any) -> None:
        super().__init__(connection, **options)
        self.format = psycopg.pq.Format.BINARY


class _ServerCursor(psycopg.ServerCursor[tuple[Any, ...]]):
    """Does so for the rows that are read in parts."""

    def __init__(self, connection: psycopg.Connection[Any], name: str, **options: Any) -> None:
        super().__init__(connection, name, **options)
        self.format = psycopg.pq.Format.BINARY


class _InUtc(Loader):
    """Gives moments in UTC."""

    format = psycopg.pq.Format.BINARY

    def load(self, data: Buffer) -> datetime:
        return moment_of(bytes(data))


class Connection:
    """What all parts of the store share: a connection for each thread that works, from a pool."""

    is_copy = False

    def __init__(self, url: DatabaseUrl, *, patience: float | None = None, may_migrate: bool = True) -> None:
        """Connects, and converts an older format if it may.

        A change waits up to `patience` seconds, if given, for other writers.
        Raises `StateError` for an address that is not valid, a server that cannot be reached, the database of
        another program, or a newer format.
        """
        self.url = url
        self._patience = patience
        self._local = threading.local()
        conninfo = conninfo_of(url)
        with self._wrapping_errors(), connect(url) as db:
            require_utf8(db, url)
            if may_migrate:
                migrate(db, url)
            else:
                require_current(db, url)
        self._pool: ConnectionPool[Database] = ConnectionPool(
            conninfo,
            kwargs={"autocommit": True, "prepare_threshold": None},
            configure=_configure,
            check=ConnectionPool.check_connection,
            min_size=0,
            max_size=_MOST_CONNECTIONS,
            num_workers=1,
            reconnect_timeout=_RECONNECTING,
            timeout=_PATIENCE if patience is None else patience,
            open=True,
        )

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Begins a transaction, or a part of the one that this thread is in, which is undone alone."""
        with self._connected() as db, db.transaction():
            if self._patience is not None:
                db.execute("SELECT set_config('lock_timeout', %s, true)", [f"{self._patience:.3f}s"])
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[Database]:
        """Begins a transaction for reading: all reads see the same moment. Never waits for writers."""
        with self._connected() as db:
            if db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                yield db
                return
            db.isolation_level, db.read_only = IsolationLevel.REPEATABLE_READ, True
            try:
                with db.transaction():
                    yield db
            finally:
                if not db.closed:
                    db.isolation_level, db.read_only = IsolationLevel.READ_COMMITTED, None

    @contextmanager
    def _connected(self) -> Iterator[Database]:
        """The connection that this thread works with, else one of the pool."""
        with self._wrapping_errors():
            held: Database | None = getattr(self._local, "db", None)
            if held is not None:
                yield held
                return
            db = self._taken()
            self._local.db = db
            try:
                with db:
                    yield db
            finally:
                self._local.db = None
                self._pool.putconn(db)

    def _taken(self) -> Database:
        """A connection of the pool, which does not try again by itself for those who wait."""
        end = time.monotonic() + self._pool.timeout
        while True:
            left = end - time.monotonic()
            try:
                return self._pool.getconn(min(_RECONNECTING, max(left, 0.0)))
            except PoolTimeout:
                if left <= _RECONNECTING:
                    raise

    @contextmanager
    def _wrapping_errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise self._why_no_connection() from error
        except psycopg.Error as error:
            raise state_error(self.url, error) from error

    def _why_no_connection(self) -> StateError:
        """The pool does not say why it has none: one more attempt does."""
        try:
            connect(self.url).close()
        except psycopg.Error as error:
            return state_error(self.url, error)
        return StateError(str(self.url), "all connections of this process are in use", is_passing=True)

    def rows(self, sql: str, values: Sequence[object] | dict[str, object] = ()) -> list[tuple[Any, ...]]:
        with self._connected() as db:
            return db.execute(sql, values).fetchall()  # type: ignore[call-overload, no-any-return, unused-ignore]

    def one(self, sql: str, values: Sequence[object] | dict[str, object] = ()) -> Any:
        return self.rows(sql, values)[0][0]

    @cached_property
    def secret(self) -> str:
        """The secret of this installation, from which tokens are derived."""
        return str(self.one("SELECT secret FROM installation"))


def conninfo_of(url: DatabaseUrl) -> str:
    """Returns what libpq needs. Raises `StateError`, which never quotes the address with its password."""
    try:
        given = conninfo_to_dict(url.url)
        return make_conninfo(**{**_DEFAULTS, **{key: str(value) for key, value in given.items()}, **_ALWAYS})
    except psycopg.ProgrammingError:
        reason = "is no valid address of a database; write postgresql://USER@HOST/DATABASE, and special"
        raise StateError(
            str(url), f"{reason} characters as % and two digits (digest docs postgresql)"
        ) from None


def connect(url: DatabaseUrl) -> Database:
    """Connects outside a pool. Raises `psycopg.Error`, or `StateError` for an address that is not valid."""
    db: Database = psycopg.connect(conninfo_of(url), autocommit=True, prepare_threshold=None)
    _configure(db)
    return db


def require_utf8(db: Database, url: DatabaseUrl) -> None:
    if db.info.parameter_status("server_encoding") != "UTF8":
        raise StateError(str(url), "has not the encoding UTF8; create it with `createdb --encoding=UTF8`")


def _configure(db: Database) -> None:
    db.isolation_level = IsolationLevel.READ_COMMITTED  # what is read after a lock is as of then
    db.cursor_factory = _Cursor
    db.server_cursor_factory = _ServerCursor
    db.adapters.register_loader("timestamptz", _InUtc)
    # Through a pooler this may reach another session, and does no harm there.
    db.execute(
        "SELECT set_config('idle_in_transaction_session_timeout', %s, false),"
        " set_config('lock_timeout', %s, false)",
        [_IDLE_IN_TRANSACTION, _LOCKED],
    )
