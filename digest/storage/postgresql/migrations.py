"""The format of the database: each migration once, by one process, in one transaction."""

import logging
from collections.abc import Sequence
from typing import Any

import psycopg

from digest.config.database_url import DatabaseUrl
from digest.errors import StateError
from digest.storage.postgresql.locks import Lock, hold
from digest.storage.postgresql.schema import M001, M002, M003

Database = psycopg.Connection[tuple[Any, ...]]

_log = logging.getLogger(__name__)

MIGRATIONS: tuple[tuple[str, Sequence[str]], ...] = (
    ("m001_tables", M001),
    ("m002_has_merged", M002),
    ("m003_coverage_of_mailings", M003),
)
"""Append only: a released migration is never changed."""

_RECORD = """
CREATE TABLE digest_migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())
"""


def migrate(db: Database, url: DatabaseUrl) -> None:
    """Brings the database to the current format. Raises `StateError` as `pending` does."""
    if not pending(db, url):
        return
    with db.transaction():
        hold(db, Lock.MIGRATING)
        missing = pending(db, url)  # another process may have been quicker
        if len(missing) == len(MIGRATIONS):
            db.execute(_RECORD)
        for name, statements in missing:
            for statement in statements:
                db.execute(statement)
            db.execute("INSERT INTO digest_migration (name) VALUES (%s)", [name])
            _log.info("database converted to the format of this version format=%s", name)


def require_current(db: Database, url: DatabaseUrl) -> None:
    """Raises `StateError` for a database that is not of this version, without changing it."""
    if not is_there(db):
        raise StateError(str(url), "has no state yet; the first `digest run` creates it")
    if missing := pending(db, url):
        reason = f"was written by an older version of digest ({missing[0][0]} is missing)"
        raise StateError(str(url), f"{reason}; `digest run` converts it")


def is_there(db: Database) -> bool:
    """Whether the database has a state."""
    return _has(db, "digest_migration")


def pending(db: Database, url: DatabaseUrl) -> tuple[tuple[str, Sequence[str]], ...]:
    """Returns the migrations that are missing, in their order.

    Raises `StateError` for the state of a newer version, or the tables of another program.
    """
    if not is_there(db):
        if _has(db, "mailing") or _has(db, "subscriber") or _has(db, "paper"):
            raise StateError(str(url), "has tables of another program; name another database in state")
        return MIGRATIONS
    applied = {name for (name,) in db.execute("SELECT name FROM digest_migration").fetchall()}
    if unknown := applied - {name for name, _ in MIGRATIONS}:
        reason = f"was written by a newer version of digest ({min(unknown)})"
        raise StateError(str(url), f"{reason}; install that version on this host too", is_passing=True)
    return tuple(one for one in MIGRATIONS if one[0] not in applied)


def _has(db: Database, table: str) -> bool:
    """Whether a table with this name is found, as a statement would find it."""
    (found,) = db.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchall()[0]
    return bool(found)
