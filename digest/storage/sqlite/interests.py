"""What subscribers liked and disliked, and what was learned from it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.limits import LEARNED_FROM
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.subscribers.interest.judgements import Example, Judgement, Origin


class Interests(Part):
    """The part of the store for judgements. Each change of them learns the profile anew."""

    def judgements(self, email: str) -> tuple[Judgement, ...]:
        return _judgements(self._connection.rows(_JUDGEMENTS, [address_key(email), -1]))

    def judge(
        self, email: str, examples: Iterable[Example], *, is_liked: bool, origin: Origin, now: datetime
    ) -> int:
        address, given = address_key(email), tuple({one.name: one for one in examples}.values())
        with self._connection.transaction() as db:
            db.conn.executemany(
                "INSERT OR IGNORE INTO example (name, title, abstract) VALUES (?, ?, ?)",
                ((one.name, one.title, one.abstract) for one in given),
            )
            changed = db.conn.executemany(
                """
                INSERT INTO judgement (address, example, is_liked, judged_at, origin)
                SELECT ?, number, ?, ?, ? FROM example WHERE name = ?
                ON CONFLICT (address, example) DO UPDATE
                SET is_liked = excluded.is_liked, judged_at = excluded.judged_at, origin = excluded.origin
                WHERE is_liked <> excluded.is_liked
                """,
                ((address, is_liked, text_of(now), origin.value, one.name) for one in given),
            ).rowcount
            if changed > 0:
                _learn(db, address)
            return max(0, changed)

    def withdraw(self, email: str, names: Iterable[str]) -> int:
        address, chosen = address_key(email), json.dumps(list(names), ensure_ascii=False)
        with self._connection.transaction() as db:
            gone = db.execute(
                """
                DELETE FROM judgement WHERE address = ? AND example IN (
                    SELECT number FROM example WHERE name IN (SELECT value FROM json_each(?))
                )
                """,
                [address, chosen],
            ).rowcount
            if gone:
                _learn(db, address)
                _drop_unused(db, "name IN (SELECT value FROM json_each(?))", chosen)
            return int(gone)

    def forget_interest(self, email: str) -> int:
        address = address_key(email)
        with self._connection.transaction() as db:
            gone = db.execute("DELETE FROM judgement WHERE address = ?", [address]).rowcount
            db.execute("DELETE FROM profile WHERE address = ?", [address])
            db.execute(f"{_FORGET_NEAR} address = ?)", [address])
            _drop_unused(db)
            return int(gone)

    def profiles_of(self, emails: Sequence[str]) -> Mapping[str, bytes]:
        addresses = [address_key(email) for email in emails]
        found = self._connection.rows(_PROFILES, [json.dumps(addresses, ensure_ascii=False)])
        former = [address for address, version, _ in found if not _is_current(version)]
        for address in former:
            with self._connection.transaction() as db:
                _learn(db, address)
        if former:
            found = self._connection.rows(_PROFILES, [json.dumps(addresses, ensure_ascii=False)])
        return {address: content for address, _, content in found if content is not None}


_PROFILES = """
SELECT address, version, content FROM profile WHERE address IN (SELECT value FROM json_each(?))
"""

_JUDGEMENTS = """
SELECT name, title, abstract, is_liked, judged_at, origin
FROM judgement JOIN example ON example.number = judgement.example
WHERE address = ? ORDER BY judged_at DESC, name DESC LIMIT ?
"""
"""The last judgements of an address, or with -1 all of them. The latest come first."""


_FORGET_NEAR = """
UPDATE mailing SET near = NULL
WHERE near IS NOT NULL AND state IN ('sent', 'merged')
    AND subscriber IN (SELECT number FROM subscriber WHERE
"""
"""Papers that match no keyword show what a subscriber likes. A mailing that may be sent again keeps them."""


def move_interest(db: Database, address: str, new: str) -> None:
    """Gives the judgements of one address to another. What both judged, the other one has judged."""
    if db.execute("SELECT 1 FROM judgement WHERE address = ? LIMIT 1", [address]).fetchone():
        db.execute("UPDATE OR IGNORE judgement SET address = ? WHERE address = ?", [new, address])
        db.execute("DELETE FROM judgement WHERE address = ?", [address])
        db.execute("DELETE FROM profile WHERE address = ?", [address])
        _learn(db, new)


def forget_unlisted(db: Database, listed: str) -> None:
    """Deletes the judgements and profiles of all addresses that the query `listed` does not select."""
    for table in ("judgement", "profile"):
        db.execute(f"DELETE FROM {table} WHERE address NOT IN ({listed})")  # noqa: S608 (written here)
    db.execute(f"{_FORGET_NEAR} address NOT IN ({listed}))")
    _drop_unused(db)


def _drop_unused(db: Database, chosen: str = "TRUE", *values: str) -> None:
    """Deletes the texts that nobody judges any more, of the `chosen` examples or of all."""
    db.execute(
        f"DELETE FROM example WHERE {chosen} AND number NOT IN (SELECT example FROM judgement)",  # noqa: S608
        values,
    )


def _is_current(version: int) -> bool:
    from digest.subscribers.interest.profile import VERSION

    return version == VERSION


def _learn(db: Database, address: str) -> None:
    """Learns the profile of an address; without a judgement it has none."""
    from digest.subscribers.interest.profile import VERSION, learn

    judged = _judgements(db.execute(_JUDGEMENTS, [address, LEARNED_FROM]).fetchall())
    db.execute("DELETE FROM profile WHERE address = ?", [address])
    if judged:
        db.execute("INSERT INTO profile VALUES (?, ?, ?)", [address, VERSION, learn(judged)])


def _judgements(rows: Iterable[Sequence[Any]]) -> tuple[Judgement, ...]:
    """Returns the judgements, the oldest first, from rows of `_JUDGEMENTS`."""
    return tuple(
        Judgement(
            example=Example(name=name, title=title, abstract=abstract),
            is_liked=bool(is_liked),
            judged_at=moment_of(judged_at),
            origin=Origin(origin),
        )
        for name, title, abstract, is_liked, judged_at, origin in rows
    )[::-1]
