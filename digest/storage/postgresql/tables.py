"""All tables of a database as plain values."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from digest.config.database_url import DatabaseUrl
from digest.storage.neutral import COUNTING, TABLES, Kind, Row, Tables
from digest.storage.postgresql.connection import Connection, Database

_AT_ONCE = 1_000

_READ: Mapping[Kind, Callable[[Any], object]] = {
    Kind.BYTES: bytes,
    Kind.MOMENT: lambda moment: moment.astimezone(UTC),
}
_WRITE: Mapping[Kind, Callable[[Any], object]] = {Kind.JSON: Jsonb, Kind.PAPER: Jsonb}


@contextmanager
def open_tables(url: DatabaseUrl, *, may_write: bool) -> Iterator[Tables]:
    with closing(Connection(url)) as connection:
        begun = connection.transaction if may_write else connection.snapshot
        with begun() as db:
            # It waits while the other state is written or compared, which may take minutes.
            db.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield PostgresqlTables(db)


class PostgresqlTables:
    """The tables within one transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def is_empty(self) -> bool:
        return not any(
            self._db.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table))).fetchall()
            for table in TABLES
            if table != "installation"
        )

    def rows(self, table: str) -> Iterator[Row]:
        columns = TABLES[table]
        wanted = sql.SQL("SELECT {} FROM {}").format(_listing(columns), sql.Identifier(table))
        with self._db.cursor(name="tables") as cursor:
            cursor.itersize = _AT_ONCE
            for row in cursor.execute(wanted):
                yield _converted(row, columns, _READ)

    def write(self, table: str, rows: Iterable[Row]) -> None:
        columns = TABLES[table]
        if table == "installation":
            self._db.execute("DELETE FROM installation")
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _listing(columns))
        with self._db.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(_converted(row, columns, _WRITE))

    def last_numbers(self) -> Mapping[str, int]:
        return {table: int(self._db.execute(_LAST, [table]).fetchall()[0][0]) for table in COUNTING}

    def count_on_from(self, numbers: Mapping[str, int]) -> None:
        for (table,) in self._db.execute(_COUNTED).fetchall():
            (highest,) = self._db.execute(
                sql.SQL("SELECT coalesce(max(number), 0) FROM {}").format(sql.Identifier(table))
            ).fetchall()[0]
            if last := max(int(highest), numbers.get(table, 0)):
                self._db.execute("SELECT setval(pg_get_serial_sequence(%s, 'number'), %s)", [table, last])


_LAST = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(%s, 'number')), 0)"

_COUNTED = """
SELECT table_name FROM information_schema.columns
WHERE table_schema = current_schema() AND column_name = 'number' AND is_identity = 'YES'
"""


def read_row(row: Iterable[object], columns: Mapping[str, Kind]) -> Row:
    """Returns the values of a row in the form that is the same for each kind of database."""
    return _converted(row, columns, _READ)


def _listing(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _converted(
    row: Iterable[object], columns: Mapping[str, Kind], converters: Mapping[Kind, Callable[[Any], object]]
) -> Row:
    return tuple(
        value if value is None or kind not in converters else converters[kind](value)
        for value, kind in zip(row, columns.values(), strict=True)
    )
