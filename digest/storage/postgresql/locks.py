"""The locks that hosts share: each is held until the end of a transaction, so a pooler does no harm.

They wait, and are given in the order of asking (https://www.postgresql.org/docs/current/explicit-locking.html).
A host that vanishes loses them with its connection.
"""

from enum import StrEnum
from typing import Any, LiteralString

import psycopg

_CLASS = 0x61725869
"""Separates the locks of this program from those of others in the same database: `arXi`."""


class Lock(StrEnum):
    """What the holder alone may do, by the object that it locks: a copy of the tables has its own locks."""

    MIGRATING = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
    NUMBERING = "'hit'::regclass"
    """Give numbers to editions, hits, revisions and changes, and begin subscriptions behind them."""
    SENDING = "'sending'::regclass"
    """Count a mail for the limits of a provider."""
    PREVIEWING = "'preview_request'::regclass"
    """Change the queue of previews."""
    SIGNING_UP = "'signup_attempt'::regclass"
    """Count a sign-up for its limits."""
    ADDRESSES = "'confirmation'::regclass"
    """Ask whether a subscriber may move to another address."""
    RECLAIMING = "'lease'::regclass"
    """Give what dead holders had claimed to others."""


def hold(db: psycopg.Connection[tuple[Any, ...]], lock: Lock) -> None:
    """Waits for the lock, and holds it until the transaction ends."""
    db.execute(f"SELECT pg_advisory_xact_lock(%s::bigint << 32 | {lock}::oid::bigint)", [_CLASS])


def last_number(db: psycopg.Connection[tuple[Any, ...]], table: LiteralString) -> int:
    """Returns the last number of a table that is numbered under `Lock.NUMBERING`; 0 if it is empty."""
    (number,) = db.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchall()[0]  # noqa: S608
    return int(number)
