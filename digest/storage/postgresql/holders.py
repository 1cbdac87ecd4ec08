"""Which mailings go on, over all hosts. The rows are leases of `lease`, by the clock of the server."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.locks import Lock, hold
from digest.storage.postgresql.migrations import require_current
from digest.storage.postgresql.row_mapping import whole_second

_TASK = "mailing/"

_ENDED = "starts_with(task, %(task)s) AND ends_at <= clock_timestamp()"

HELD_BY = (
    "(%(holder)s::text IS NULL OR split_part(claimed_by, '/', 1) = split_part(%(holder)s::text, '/', 1))"
)
"""Whether the mailing is of the holder that the statement is given, or none is given."""

HELD_BY_LIVING = (
    "(state = 'sending' AND EXISTS"
    f" (SELECT FROM lease WHERE task = '{_TASK}' || split_part(claimed_by, '/', 1)))"
)
"""Whether a holder with a lease sends the mailing: then its `due_at`, by some host's clock, does not count.

A lease that ended is still one here, until `reclaim_abandoned` deletes it: its holder may extend it before.
"""

_ABANDONED = f"""
UPDATE mailing SET state = 'unknown', may_have_arrived = true, due_at = %(now)s
WHERE state = 'sending' AND due_at IS NOT NULL AND claimed_by IS NOT NULL AND NOT {HELD_BY_LIVING}
"""  # noqa: S608 (written here)

_SHARING = """
SELECT greatest(
    (SELECT count(*) FROM host WHERE seen_at > clock_timestamp() - interval '1 minute'),
    (SELECT count(*) FROM lease WHERE starts_with(task, %s) AND ends_at > clock_timestamp())
)
"""

_AT_WORK = """
SELECT task, ends_at FROM lease
WHERE ends_at > clock_timestamp() AND (
    starts_with(task, 'channel/')
    OR starts_with(task, %(task)s) AND EXISTS (
        SELECT FROM mailing
        WHERE state = 'sending' AND due_at IS NOT NULL
            AND split_part(claimed_by, '/', 1) = substr(task, length(%(task)s) + 1)
    )
)
"""


class Claims(Part):
    """The part of the store for the processes that hold mailings."""

    def begin_claims(self, holder: str, *, lasting: timedelta) -> int:
        with self._connection.transaction() as db:
            require_current(db, self._connection.url)  # a host that was upgraded may have converted it
            db.execute(
                """
                INSERT INTO lease (task, holder, ends_at) VALUES (%s, %s, clock_timestamp() + %s)
                ON CONFLICT (task) DO UPDATE SET ends_at = excluded.ends_at
                """,
                [_TASK + holder, holder, lasting],
            )
            ((sharing,),) = db.execute(_SHARING, [_TASK]).fetchall()
            return int(sharing)

    def keep_claims(self, holder: str, *, lasting: timedelta) -> bool:
        with self._connection.transaction() as db:
            kept = db.execute(
                "UPDATE lease SET ends_at = clock_timestamp() + %s WHERE task = %s",
                [lasting, _TASK + holder.partition("/")[0]],
            )
            return kept.rowcount > 0

    def others_at_work(self) -> Mapping[str, datetime]:
        return dict(self._connection.rows(_AT_WORK, {"task": _TASK}))

    def end_claims(self, holder: str, *, now: datetime) -> None:
        # A server that failed may have lost that a mailing was released.
        with self._connection.transaction() as db:
            db.execute("DELETE FROM lease WHERE task = %s", [_TASK + holder])
            reclaim_abandoned(db, now)

    def reclaim_abandoned(self, *, now: datetime) -> int:
        ended = f"SELECT 1 FROM lease WHERE {_ENDED} LIMIT 1"  # noqa: S608 (written here)
        if not self._connection.rows(ended, {"task": _TASK}):
            return 0
        with self._connection.transaction() as db:
            return reclaim_abandoned(db, now)


def reclaim_abandoned(db: Database, now: datetime) -> int:
    """Reclaims what is claimed by holders without a lease, in a transaction, and returns how many.

    A process that extends an ended lease at the same time waits for this transaction, and then has no lease.
    """
    hold(db, Lock.RECLAIMING)
    values = {"task": _TASK, "now": whole_second(now)}
    db.execute(f"DELETE FROM lease WHERE {_ENDED}", values)  # noqa: S608 (written here)
    return db.execute(_ABANDONED, values).rowcount
