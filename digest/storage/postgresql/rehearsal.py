"""A copy of the state for one process, in which changes have no effect on the state."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from digest.config.database_url import DatabaseUrl
from digest.storage.postgresql.connection import Connection, Database

_TABLES = """
SELECT nspname, relname, attname
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attidentity <> ''
WHERE relkind IN ('r', 'p') AND relnamespace = (
    SELECT relnamespace FROM pg_class WHERE oid = to_regclass('digest_migration')
)
"""
"""The tables of the state, each with its column that counts, if it has one."""


class RehearsalConnection(Connection):
    """One connection in one transaction, with temporary copies of all tables.

    Temporary tables are found before all others, so each statement works on them. They hold no lock that
    another process waits for, and the transaction is undone at the end.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        super().__init__(url, may_migrate=False)
        self._one_at_a_time = threading.RLock()
        with self._wrapping_errors():
            self._db = self._pool.getconn()
            try:
                self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                self._db.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                _copy_tables(self._db)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        with suppress(psycopg.Error):  # of a connection that is lost
            self._db.rollback()
        self._pool.putconn(self._db)
        super().close()

    @contextmanager
    def _connected(self) -> Iterator[Database]:
        with self._one_at_a_time, self._wrapping_errors():
            yield self._db


def _copy_tables(db: Database) -> None:
    for schema, table, counted in db.execute(_TABLES).fetchall():
        original, copy = sql.Identifier(schema, table), sql.Identifier("pg_temp", table)
        db.execute(
            sql.SQL("CREATE TEMP TABLE {} (LIKE {} INCLUDING ALL) ON COMMIT DROP").format(
                sql.Identifier(table), original
            )
        )
        db.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(copy, original))
        if counted:
            last = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), max({})) FROM {}")
            db.execute(last.format(sql.Identifier(counted), copy), [f"pg_temp.{table}", counted])
