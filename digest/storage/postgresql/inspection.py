"""Looks at a database without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from digest.config.database_url import DatabaseUrl
from digest.errors import StateError
from digest.storage.postgresql import migrations
from digest.storage.postgresql.connection import Database, connect, require_utf8
from digest.storage.postgresql.errors import state_error

_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = (
    SELECT relnamespace FROM pg_class WHERE oid = to_regclass('digest_migration')
)
"""


@contextmanager
def _looking(url: DatabaseUrl) -> Iterator[Database]:
    try:
        with connect(url) as db:
            yield db
    except psycopg.Error as error:
        raise state_error(url, error) from error


def is_there(url: DatabaseUrl) -> bool:
    """Whether the database has a state. Raises `StateError` if it cannot be reached."""
    with _looking(url) as db:
        return migrations.is_there(db)


def size_of(url: DatabaseUrl) -> int:
    """Returns the bytes of all tables, indexes included."""
    with _looking(url) as db:
        return int(db.execute(_SIZE).fetchall()[0][0])


def look_into(url: DatabaseUrl) -> None:
    """Checks that a run can use the database. Changes nothing.

    Raises `StateError` for a database that cannot be reached or written, of another program, or of a newer
    version.
    """
    with _looking(url) as db:
        require_utf8(db, url)
        migrations.pending(db, url)
        (is_read_only,) = db.execute(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
        ).fetchall()[0]
        if is_read_only:
            raise state_error(url, psycopg.errors.ReadOnlySqlTransaction())
        if not migrations.is_there(db):
            _require_right_to_create(db, url)


def _require_right_to_create(db: Database, url: DatabaseUrl) -> None:
    (may_create,) = db.execute(
        "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
    ).fetchall()[0]
    if not may_create:
        reason = (
            "the role may not create tables there; make it the owner of the database (digest docs postgresql)"
        )
        raise StateError(str(url), reason, is_passing=True)
