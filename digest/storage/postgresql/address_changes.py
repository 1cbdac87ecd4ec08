"""Changes of a subscriber's address, by command or by an edit of the file."""

from collections.abc import Sequence
from datetime import datetime

from digest.config.parsing import address_key
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.interests import forget_unlisted, move_interest
from digest.storage.postgresql.subscriptions import enrol_anew, note_seen, without_erased
from digest.storage.postgresql.suppressions import resume_address
from digest.storage.values import AddressChange
from digest.subscribers.subscriber import Subscriber, entry_mark


class Renaming(Part):
    """The part of the store that changes addresses."""

    def rename(self, email: str, new: str, *, now: datetime) -> bool:
        with self._connection.transaction() as db:
            return self._rename(db, address_key(email), new, now)

    def take_up_entries(
        self,
        subscribers: Sequence[Subscriber],
        *,
        file: str | None,
        finds_renames: bool = True,
        now: datetime,
    ) -> AddressChange | None:
        with self._connection.transaction() as db:
            # Of several hosts that read the same file, one looks at it.
            rows = db.execute("SELECT entries_of FROM installation FOR UPDATE").fetchall()
            if file is not None and rows == [(file,)]:
                return None
            _note_entries(db, without_erased(db, subscribers))
            change = self._change_of_address(db, now) if finds_renames else None
            db.execute(
                """
                DELETE FROM entry WHERE NOT EXISTS (
                    SELECT 1 FROM given WHERE given.address = entry.address AND given.mark = entry.mark
                )
                """
            )
            db.execute("INSERT INTO entry SELECT address, mark FROM given ON CONFLICT DO NOTHING")
            forget_unlisted(db, "given")
            db.execute("UPDATE installation SET entries_of = %s", [file])
            return change

    def _change_of_address(self, db: Database, now: datetime) -> AddressChange | None:
        """Returns `None` if no known subscriber of the file is gone, or if there is no new one."""
        gone = _GONE_COUNTS
        gone_count, known_count = db.execute(gone).fetchall()[0]
        (came_count,) = db.execute(f"SELECT count(*) {_CAME}").fetchall()[0]
        if not known_count or not came_count:
            return None
        if gone_count > 1 or came_count > 1:
            return AddressChange(gone=gone_count, came=came_count)
        old, old_mark = db.execute(f"SELECT address, mark {_GONE}").fetchall()[0]
        new, new_mark = db.execute(f"SELECT email, mark {_CAME}").fetchall()[0]
        return AddressChange(
            old=old, new=new, is_rename=old_mark == new_mark and self._rename(db, old, new, now)
        )

    def _rename(self, db: Database, old_address: str, new: str, now: datetime) -> bool:
        address = address_key(new)
        known = "SELECT address, number FROM subscriber WHERE address IN (%s, %s) ORDER BY number FOR UPDATE"
        numbers: dict[str, int] = dict(db.execute(known, [old_address, address]).fetchall())
        number, other = numbers.get(old_address), numbers.get(address)
        if number is None or (other not in (None, number) and not self._give_way(db, other, new, number)):
            return False
        resume_address(db, old_address, now)
        db.execute("UPDATE subscriber SET address = %s, email = %s WHERE number = %s", [address, new, number])
        db.execute(
            """
            UPDATE seen_elsewhere SET address = %(new)s
            WHERE address = %(old)s
                AND paper NOT IN (SELECT paper FROM seen_elsewhere WHERE address = %(new)s)
            """,
            {"new": address, "old": old_address},
        )
        db.execute("DELETE FROM seen_elsewhere WHERE address = %s", [old_address])
        move_interest(db, old_address, address)
        # They stay theirs: to be downloaded, and to be erased.
        db.execute("UPDATE audit SET address = %s WHERE address = %s", [address, old_address])
        db.execute("DELETE FROM signup WHERE address = %s", [old_address])
        db.execute(
            "UPDATE mailing SET email = %s WHERE subscriber = %s AND due_at IS NOT NULL", [new, number]
        )
        db.execute(_END_LINKS, [number, new])
        enrol_anew(db)
        return True

    def _give_way(self, db: Database, other: int, new: str, number: int) -> bool:
        """Deletes `other`, which an edit of the file created: its mails become those of `number`.

        Returns false if `other` is another person: it got mails, and is not enrolled or `number` is enrolled
        too.
        """
        if db.execute("SELECT 1 FROM mailing WHERE subscriber = %s LIMIT 1", [other]).fetchall():
            (follow,) = db.execute(
                "SELECT (SELECT is_enrolled FROM subscriber WHERE number = %s)"
                " AND NOT (SELECT is_enrolled FROM subscriber WHERE number = %s)",
                [other, number],
            ).fetchall()[0]
            if not follow:
                return False
            self._take_over_mailings(db, other, new, number)
        else:
            db.execute("DELETE FROM seen_elsewhere WHERE address = %s", [address_key(new)])
        for statement in _FORGET:
            db.execute(statement, [other])
        return True

    def _take_over_mailings(self, db: Database, other: int, new: str, number: int) -> None:
        """Their papers are not repeated, and the time of the last one decides when the next one is due."""
        editions = db.execute(
            """
            SELECT DISTINCT (entry->>0)::bigint FROM mailing, jsonb_array_elements(entries) AS entry
            WHERE subscriber = %s AND state <> 'failed'
            """,
            [other],
        ).fetchall()
        papers = self._editions.read({edition for (edition,) in editions})
        note_seen(db, new, [paper.id for paper in papers.values()])
        db.execute("UPDATE mailing SET subscriber = %s WHERE subscriber = %s", [number, other])
        db.execute(
            "UPDATE subscriber SET (last_digest_at, slot_at) ="
            " (SELECT last_digest_at, slot_at FROM subscriber WHERE number = %s) WHERE number = %s",
            [other, number],
        )


_END_LINKS = """
DELETE FROM confirmation
WHERE subscriber = %s AND sent_at IS NOT NULL AND change <> 'moving'
    AND NOT (change = 'address' AND recipient = %s)
"""
"""The links that were mailed to the old address become invalid, but the one that stops the change. That of
the new address stays too: its button may be pressed twice."""

_FORGET = (
    "DELETE FROM subscription WHERE subscriber = %s",
    "DELETE FROM preference WHERE subscriber = %s",
    "DELETE FROM confirmation WHERE subscriber = %s",
    "DELETE FROM returned WHERE subscriber = %s",
    "DELETE FROM subscriber WHERE number = %s",
)

_GONE = """
FROM entry
WHERE length(mark) > 0 AND NOT EXISTS (SELECT 1 FROM given WHERE given.address = entry.address)
"""
_CAME = """
FROM given
WHERE length(mark) > 0
    AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.address = given.address)
    AND NOT EXISTS (SELECT 1 FROM subscriber WHERE subscriber.address = given.address AND is_enrolled)
"""

_GONE_COUNTS = f"""
SELECT count(*), count(*) FILTER (WHERE address IN (
    SELECT address FROM subscriber LEFT JOIN preference ON preference.subscriber = subscriber.number
    WHERE left_at IS NULL AND (last_digest_at IS NOT NULL OR address IN (SELECT address FROM seen_elsewhere))
))
{_GONE}
"""  # noqa: S608 (written here)
"""Known are subscribers who got mails and did not unsubscribe: a new address must not undo that."""


def _note_entries(db: Database, subscribers: Sequence[Subscriber]) -> None:
    """Writes the entries to a temporary table."""
    db.execute("DROP TABLE IF EXISTS pg_temp.given")  # of this transaction
    db.execute(
        'CREATE TEMP TABLE given (address text COLLATE "C" PRIMARY KEY, email text, mark bytea)'
        " ON COMMIT DROP"
    )
    with db.cursor() as cursor, cursor.copy("COPY given FROM STDIN") as copy:
        for one in subscribers:
            copy.write_row((address_key(one.email), one.email, entry_mark(one)))
    db.execute("ANALYZE given")
