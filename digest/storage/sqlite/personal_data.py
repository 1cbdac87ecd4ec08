"""All that the state has about one person, to be given out or deleted."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.personal_data import SECTIONS, UNREAD_MAILS, PersonalData, StoredMailing, is_named
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.mailings import MAILING_COLUMNS, read_mailing
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.sqlite.subscriptions import enrol_anew
from digest.storage.sqlite.tables import read_row
from digest.storage.tokens import new_mailing_token
from digest.subscribers.preferences import left_mark


class PersonalDataOfOne(Part):
    """The part of the store for all that is stored about one person."""

    def personal_data(self, email: str) -> PersonalData:
        address = address_key(email)
        with self._connection.snapshot() as db:
            number = _number_of(db, address)
            sections = {name: _rows(db, name, address, number) for name in SECTIONS}
            return PersonalData(
                sections={**sections, UNREAD_MAILS: _unread(db, _addresses(db, address, number))},
                mailings=self._mailings(db, number),
            )

    def _mailings(self, db: Database, number: int | None) -> tuple[StoredMailing, ...]:
        rows = db.execute(
            f"SELECT {MAILING_COLUMNS}, state, concluded_at, reply FROM mailing"  # noqa: S608
            " WHERE subscriber = ? ORDER BY number",
            [number],
        ).fetchall()
        return tuple(
            StoredMailing(
                digest=read_mailing(row[:-3], self._editions, self._connection.secret).digest,
                state=row[-3],
                concluded_at=row[-2] and moment_of(row[-2]),
                reply=row[-1],
            )
            for row in rows
        )

    def erase(self, email: str, *, keeps_mark: bool, now: datetime) -> bool:
        self._connection.rows("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        with self._connection.transaction() as db:
            was_known = _erase(db, address_key(email), email, keeps_mark=keeps_mark, now=now)
        self._connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # so that no copy is left beside the state
        return was_known


def _erase(db: Database, address: str, email: str, *, keeps_mark: bool, now: datetime) -> bool:
    number = _number_of(db, address)
    was_suppressed = db.execute("SELECT 1 FROM suppression WHERE address = ?", [address]).fetchone()
    gone = 0
    for table in _BY_ADDRESS:
        gone += max(0, db.execute(f"DELETE FROM {table} WHERE address = ?", [address]).rowcount)  # noqa: S608
    entries = db.execute("DELETE FROM subscriber_entry WHERE address = ?", [address]).rowcount
    if entries > 0:
        db.execute("UPDATE installation SET entries_version = entries_version + 1")
    db.execute("DELETE FROM example WHERE number NOT IN (SELECT example FROM judgement)")
    db.execute("UPDATE audit SET address = '', details = '' WHERE address = ?", [address])
    _erase_mails(db, _addresses(db, address, number))
    if number is not None:
        _erase_subscriber(db, number, now)
    if keeps_mark or was_suppressed:
        db.execute("INSERT OR REPLACE INTO left_mark VALUES (?, ?)", [left_mark(email), text_of(now)])
    enrol_anew(db)
    return number is not None or gone + entries > 0


_BY_ADDRESS = (*("judgement", "profile", "seen_elsewhere", "suppression", "doubt", "entry", "signup"),)


def _addresses(db: Database, address: str, number: int | None) -> set[str]:
    """Theirs, and those that their digests were sent to and that nobody else has now."""
    mailed = db.execute("SELECT DISTINCT email FROM mailing WHERE subscriber = ?", [number]).fetchall()
    former = {address_key(email) for (email,) in mailed}
    return {address, *(one for one in former if _number_of(db, one) in (None, number))}


def _erase_mails(db: Database, addresses: Collection[str]) -> None:
    """Requests of others for these addresses, and returned mails that name them."""
    for number, recipient in db.execute("SELECT number, recipient FROM confirmation").fetchall():
        if recipient and address_key(recipient) in addresses:
            db.execute("DELETE FROM confirmation WHERE number = ?", [number])
    for number, _ in _unread_naming(db, addresses):
        db.execute("DELETE FROM unread_mail WHERE number = ?", [number])


def _unread(db: Database, addresses: Collection[str]) -> tuple[Mapping[str, object], ...]:
    return tuple({"received_at": at} for _, at in _unread_naming(db, addresses))


def _unread_naming(db: Database, addresses: Collection[str]) -> list[tuple[int, datetime]]:
    """The number and time of each returned mail that names one of them."""
    rows = db.execute(
        "SELECT number, received_at, sender, subject, content FROM unread_mail ORDER BY number"
    ).fetchall()
    return [
        (number, moment_of(received_at))
        for number, received_at, sender, subject, content in rows
        if is_named("\n".join((sender, subject, content.decode(errors="replace"))), addresses)
    ]


def _erase_subscriber(db: Database, number: int, now: datetime) -> None:
    """The rows of mailings stay: their last number is compared (docs/decisions/restored-state.md)."""
    for table in ("subscription", "preference", "confirmation", "returned"):
        db.execute(f"DELETE FROM {table} WHERE subscriber = ?", [number])  # noqa: S608
    db.execute(
        "UPDATE subscriber"
        " SET address = ?, email = 'erased', is_enrolled = 0, links = links + 1 WHERE number = ?",
        [f"erased {number}", number],
    )
    # Also one that is being sent: a process that died with it must not try it again.
    db.execute(
        "UPDATE mailing SET state = 'failed', due_at = NULL, claimed_by = NULL, concluded_at = ?"
        " WHERE subscriber = ? AND due_at IS NOT NULL",
        [text_of(now), number],
    )
    for (mailing,) in db.execute("SELECT number FROM mailing WHERE subscriber = ?", [number]).fetchall():
        db.execute(
            """
            UPDATE mailing SET token = ?, email = 'erased', name = NULL, keywords = '[]', entries = '[]',
                revisions = '[]', names = NULL, outlook = NULL, near = NULL, reply = NULL
            WHERE number = ?
            """,
            [new_mailing_token(), mailing],
        )


def _number_of(db: Database, address: str) -> int | None:
    row = db.execute("SELECT number FROM subscriber WHERE address = ?", [address]).fetchone()
    return row[0] if row else None


def _rows(db: Database, name: str, address: str, number: int | None) -> tuple[Mapping[str, object], ...]:
    section = SECTIONS[name]
    found = db.execute(
        f"SELECT {', '.join(section.columns)} FROM {section.source} WHERE {section.key} = ?",  # noqa: S608
        [address if section.key == "address" else number],
    ).fetchall()
    return tuple(dict(zip(section.columns, read_row(row, section.columns), strict=True)) for row in found)
