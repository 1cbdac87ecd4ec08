"""A copy of the state for one process, in which changes have no effect on the state.

It is of the rows that a cycle may change or has to know, not of all: mailings that were sent long ago stay
where they are, and so do the texts of papers, to which rows are only added.
"""

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from psycopg import sql

from digest.config.database_url import DatabaseUrl
from digest.config.parsing import address_key
from digest.storage.postgresql.connection import Connection, Database

_TABLES = """
SELECT nspname, relname, attname
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attidentity <> ''
WHERE relkind IN ('r', 'p') AND relnamespace = (
    SELECT relnamespace FROM pg_class WHERE oid = to_regclass('digest_migration')
)
ORDER BY relname <> 'subscriber', relname <> 'judgement', relname
"""
"""The tables of the state, each with its column that counts, if it has one. Rows depend on the first ones."""

_GROWING = ("edition", "revision", "change")
"""Rows are only added to these."""

_UNUSED = (
    "audit",
    "confirmation",
    "preview_answer",
    "preview_wish",
    "returned",
    "signup_attempt",
    "unread_mail",
)
"""What no cycle needs that sends nothing."""

_THEIRS = "subscriber IN (SELECT number FROM pg_temp.subscriber)"

_OF_ALL: Mapping[str, LiteralString] = {
    "mailing": (
        "number IN (SELECT number FROM {table} WHERE due_at IS NOT NULL"
        " UNION ALL SELECT number FROM {table} WHERE channel_due_at IS NOT NULL"
        " UNION ALL SELECT max(number) FROM {table})"
        " OR subscriber IN (SELECT number FROM pg_temp.subscriber"
        " WHERE revision_cursor IS NOT NULL OR change_cursor IS NOT NULL OR NOT is_enrolled)"
    ),
}
"""Which rows are copied. Who wants to hear of new versions must not hear of what they were sent.

Who is enrolled no more and had mails is a person of their own when they are listed again, not another address
of whoever is listed no more.
"""

_OF_SOME: Mapping[str, LiteralString] = {
    "subscriber": "address = ANY(%(addresses)s)",
    "subscription": _THEIRS,
    "mailing": _THEIRS + " OR number = (SELECT max(number) FROM {table})",  # noqa: S608 (written here)
    "preference": _THEIRS,
    "judgement": "address = ANY(%(addresses)s)",
    "example": "number IN (SELECT example FROM pg_temp.judgement)",
    **dict.fromkeys(
        ("seen_elsewhere", "profile", "subscriber_entry", "entry", "signup"),
        "address = ANY(%(addresses)s)",
    ),
}
"""The same for a copy of some subscribers."""


_FUNCTION: LiteralString = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {added} SELECT (NEW).*;
    RETURN NEW;
END
$$
"""


class RehearsalConnection(Connection):
    """One connection in one transaction, with temporary tables and views in place of all tables.

    They are found before all others, so each statement works on them. They hold no lock that another process
    waits for, and the transaction is undone at the end: nothing can be changed. With `emails`, only these
    subscribers are in the copy.
    """

    is_copy = True

    def __init__(self, url: DatabaseUrl, emails: Collection[str] | None = None) -> None:
        super().__init__(url, may_migrate=False)
        self._one_at_a_time = threading.RLock()
        with self._wrapping_errors():
            self._db = self._pool.getconn()
            try:
                self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                self._db.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                _copy_tables(self._db, emails)
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


def _copy_tables(db: Database, emails: Collection[str] | None) -> None:
    wanted = _OF_ALL if emails is None else _OF_SOME
    addresses = [address_key(email) for email in emails or ()]
    for schema, table, counted in db.execute(_TABLES).fetchall():
        original = sql.Identifier(schema, table)
        if table in _GROWING:
            _make_view(db, original, table)
            continue
        _make_table(db, original, table)
        if table not in _UNUSED:
            rows = sql.SQL(wanted.get(table, "true")).format(table=original)
            copied = sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE {}")
            db.execute(
                copied.format(sql.Identifier("pg_temp", table), original, rows), {"addresses": addresses}
            )
        if counted:
            last = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), max({})) FROM {}")
            db.execute(last.format(sql.Identifier(counted), original), [f"pg_temp.{table}", counted])


def _make_table(db: Database, original: sql.Identifier, name: str) -> None:
    made = sql.SQL("CREATE TEMP TABLE {} (LIKE {} INCLUDING ALL) ON COMMIT DROP")
    db.execute(made.format(sql.Identifier(name), original))


def _make_view(db: Database, original: sql.Identifier, name: str) -> None:
    """Shows the rows of a table, and those that are added in the copy."""
    added = f"added_{name}"
    _make_table(db, original, added)
    for statement in (
        "CREATE TEMP VIEW {view} AS SELECT * FROM {original} UNION ALL SELECT * FROM {added}",
        _FUNCTION,
        "CREATE TRIGGER add INSTEAD OF INSERT ON {view} FOR EACH ROW EXECUTE FUNCTION {function}()",
    ):
        db.execute(
            sql.SQL(statement).format(
                view=sql.Identifier("pg_temp", name),
                original=original,
                added=sql.Identifier("pg_temp", added),
                function=sql.Identifier("pg_temp", f"add_{name}"),
            )
        )
