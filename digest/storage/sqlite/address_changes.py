"""Changes of a subscriber's address, by command or by an edit of the file."""

from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.interests import forget_unlisted, move_interest
from digest.storage.sqlite.subscriptions import enrol_anew, note_seen, without_erased
from digest.storage.sqlite.suppressions import resume_address
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
            if file is not None and self._connection.one("SELECT entries_of FROM installation") == file:
                return None
            _note_entries(db, without_erased(db, subscribers))
            change = self._change_of_address(db, now) if finds_renames else None
            db.execute("DELETE FROM entry WHERE (address, mark) NOT IN (SELECT address, mark FROM given)")
            db.execute("INSERT OR IGNORE INTO entry SELECT address, mark FROM given")
            forget_unlisted(db, "SELECT address FROM given")
            db.execute("DELETE FROM given")
            db.execute("UPDATE installation SET entries_of = ?", [file])
            return change

    def _change_of_address(self, db: Database, now: datetime) -> AddressChange | None:
        """Returns `None` if no known subscriber of the file is gone, or if there is no new one."""
        gone = "FROM entry WHERE length(mark) > 0 AND address NOT IN (SELECT address FROM given)"
        came = (
            "FROM given WHERE length(mark) > 0 AND address NOT IN (SELECT address FROM entry)"
            " AND address NOT IN (SELECT address FROM subscriber WHERE is_enrolled)"
        )
        gone_count, known_count = db.execute(
            f"SELECT count(*), count(*) FILTER (WHERE address IN ({_KNOWN})) {gone}"
        ).fetchone()
        (came_count,) = db.execute(f"SELECT count(*) {came}").fetchone()
        if not known_count or not came_count:
            return None
        if gone_count > 1 or came_count > 1:
            return AddressChange(gone=gone_count, came=came_count)
        old, old_mark = db.execute(f"SELECT address, mark {gone}").fetchone()
        new, new_mark = db.execute(f"SELECT email, mark {came}").fetchone()
        return AddressChange(
            old=old, new=new, is_rename=old_mark == new_mark and self._rename(db, old, new, now)
        )

    def _rename(self, db: Database, old_address: str, new: str, now: datetime) -> bool:
        address = address_key(new)
        numbers = dict(
            db.execute(
                "SELECT address, number FROM subscriber WHERE address IN (?, ?)", [old_address, address]
            ).fetchall()
        )
        number, other = numbers.get(old_address), numbers.get(address)
        if number is None or (other not in (None, number) and not self._give_way(db, other, new, number)):
            return False
        resume_address(db, old_address, now)
        db.execute("UPDATE subscriber SET address = ?, email = ? WHERE number = ?", [address, new, number])
        db.execute(
            "UPDATE OR IGNORE seen_elsewhere SET address = ? WHERE address = ?", [address, old_address]
        )
        db.execute("DELETE FROM seen_elsewhere WHERE address = ?", [old_address])
        move_interest(db, old_address, address)
        # They stay theirs: to be downloaded, and to be erased.
        db.execute("UPDATE audit SET address = ? WHERE address = ?", [address, old_address])
        db.execute("DELETE FROM signup WHERE address = ?", [old_address])
        db.execute("UPDATE mailing SET email = ? WHERE subscriber = ? AND due_at IS NOT NULL", [new, number])
        db.execute(_END_LINKS, [number, new])
        enrol_anew(db)
        return True

    def _give_way(self, db: Database, other: int, new: str, number: int) -> bool:
        """Deletes `other`, which an edit of the file created: its mails become those of `number`.

        Returns false if `other` is another person: it got mails, and is not enrolled or `number` is enrolled
        too.
        """
        mailed = "SELECT 1 FROM mailing WHERE subscriber = ? LIMIT 1"
        if db.execute(mailed, [other]).fetchone():
            (follow,) = db.execute(
                "SELECT (SELECT is_enrolled FROM subscriber WHERE number = ?)"
                " AND NOT (SELECT is_enrolled FROM subscriber WHERE number = ?)",
                [other, number],
            ).fetchone()
            if not follow:
                return False
            self._take_over_mailings(db, other, new, number)
        else:
            db.execute("DELETE FROM seen_elsewhere WHERE address = ?", [address_key(new)])
        for table in ("subscription", "preference", "confirmation", "returned"):
            db.table(table).delete_where("subscriber = ?", [other])
        db.execute("DELETE FROM subscriber WHERE number = ?", [other])
        return True

    def _take_over_mailings(self, db: Database, other: int, new: str, number: int) -> None:
        """Their papers are not repeated, and the time of the last one decides when the next one is due."""
        editions = db.execute(
            "SELECT DISTINCT json_extract(value, '$[0]') FROM mailing, json_each(entries)"
            " WHERE subscriber = ? AND state <> 'failed'",
            [other],
        ).fetchall()
        papers = self._editions.read({edition for (edition,) in editions})
        note_seen(db, new, [paper.id for paper in papers.values()])
        db.execute("UPDATE mailing SET subscriber = ? WHERE subscriber = ?", [number, other])
        db.execute(
            "UPDATE subscriber SET (last_digest_at, slot_at) ="
            " (SELECT last_digest_at, slot_at FROM subscriber WHERE number = ?) WHERE number = ?",
            [other, number],
        )


_END_LINKS = """
DELETE FROM confirmation
WHERE subscriber = ? AND sent_at IS NOT NULL AND change <> 'moving'
    AND NOT (change = 'address' AND recipient = ?)
"""
"""The links that were mailed to the old address become invalid, but the one that stops the change. That of
the new address stays too: its button may be pressed twice."""

_KNOWN = """
SELECT address FROM subscriber LEFT JOIN preference ON preference.subscriber = subscriber.number
WHERE left_at IS NULL AND (last_digest_at IS NOT NULL OR address IN (SELECT address FROM seen_elsewhere))
"""
"""Subscribers who got mails and did not unsubscribe: a new address must not undo an unsubscription."""


def _note_entries(db: Database, subscribers: Sequence[Subscriber]) -> None:
    """Writes the entries of the file to a temporary table."""
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS given"
        " (address TEXT PRIMARY KEY, email TEXT, mark BLOB) WITHOUT ROWID"
    )
    db.execute("DELETE FROM given")
    db.conn.executemany(
        "INSERT INTO given VALUES (?, ?, ?)",
        (
            (address_key(subscriber.email), subscriber.email, entry_mark(subscriber))
            for subscriber in subscribers
        ),
    )
