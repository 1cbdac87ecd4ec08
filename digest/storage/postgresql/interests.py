"""What subscribers liked and disliked, and what was learned from it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from digest.config.parsing import address_key
from digest.storage.limits import LEARNED_FROM
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.row_mapping import storable, whole_second
from digest.subscribers.interest.judgements import Example, Judgement, Origin


class Interests(Part):
    """The part of the store for judgements. Each change of them learns the profile anew."""

    def judgements(self, email: str) -> tuple[Judgement, ...]:
        return _judgements(self._connection.rows(_JUDGEMENTS, [address_key(email), None]))

    def judge(
        self, email: str, examples: Iterable[Example], *, is_liked: bool, origin: Origin, now: datetime
    ) -> int:
        address, given = address_key(email), {one.name: one for one in examples}
        with self._connection.transaction() as db:
            _lock(db, address)
            for one in given.values():
                db.execute(
                    "INSERT INTO example (name, title, abstract) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                    [storable(one.name), storable(one.title), storable(one.abstract)],
                )
            changed = db.execute(
                """
                INSERT INTO judgement (address, example, is_liked, judged_at, origin)
                SELECT %s, number, %s, %s, %s FROM example WHERE name = ANY(%s)
                ON CONFLICT (address, example) DO UPDATE
                SET is_liked = excluded.is_liked, judged_at = excluded.judged_at, origin = excluded.origin
                WHERE judgement.is_liked <> excluded.is_liked
                """,
                [address, is_liked, whole_second(now), origin.value, list(map(storable, given))],
            ).rowcount
            if changed > 0:
                _learn(db, address)
            return max(0, changed)

    def withdraw(self, email: str, names: Iterable[str]) -> int:
        address, chosen = address_key(email), list(map(storable, names))
        with self._connection.transaction() as db:
            _lock(db, address)
            gone = db.execute(
                """
                DELETE FROM judgement
                WHERE address = %s AND example IN (SELECT number FROM example WHERE name = ANY(%s))
                """,
                [address, chosen],
            ).rowcount
            if gone:
                _learn(db, address)
                _drop_unused(db, "name = ANY(%s)", chosen)
            return gone

    def forget_interest(self, email: str) -> int:
        address = address_key(email)
        with self._connection.transaction() as db:
            _lock(db, address)
            gone = db.execute("DELETE FROM judgement WHERE address = %s", [address]).rowcount
            db.execute("DELETE FROM profile WHERE address = %s", [address])
            db.execute(f"{_FORGET_NEAR} address = %s)", [address])
            _drop_unused(db)
            return gone

    def profiles_of(self, emails: Sequence[str]) -> Mapping[str, bytes]:
        addresses = [address_key(email) for email in emails]
        found = self._connection.rows(_PROFILES, [addresses])
        former = [address for address, version, _ in found if not _is_current(version)]
        for address in former:
            with self._connection.transaction() as db:
                _lock(db, address)
                _learn(db, address)
        if former:
            found = self._connection.rows(_PROFILES, [addresses])
        return {address: content for address, _, content in found if content is not None}


_PROFILES = "SELECT address, version, content FROM profile WHERE address = ANY(%s)"

_JUDGEMENTS = """
SELECT name, title, abstract, is_liked, judged_at, origin
FROM judgement JOIN example ON example.number = judgement.example
WHERE address = %s ORDER BY judged_at DESC, name DESC LIMIT %s
"""
"""The last judgements of an address, or with NULL all of them. The latest come first."""


_FORGET_NEAR: LiteralString = """
UPDATE mailing SET near = NULL
WHERE near IS NOT NULL AND state IN ('sent', 'merged')
    AND subscriber IN (SELECT number FROM subscriber WHERE
"""
"""Papers that match no keyword show what a subscriber likes. A mailing that may be sent again keeps them."""


def move_interest(db: Database, address: str, new: str) -> None:
    """Gives the judgements of one address to another. What both judged, the other one has judged."""
    _lock(db, *sorted((address, new)))
    if not db.execute("SELECT 1 FROM judgement WHERE address = %s LIMIT 1", [address]).fetchall():
        return
    db.execute(
        """
        UPDATE judgement SET address = %(new)s
        WHERE address = %(old)s AND example NOT IN (SELECT example FROM judgement WHERE address = %(new)s)
        """,
        {"new": new, "old": address},
    )
    db.execute("DELETE FROM judgement WHERE address = %s", [address])
    db.execute("DELETE FROM profile WHERE address = %s", [address])
    _learn(db, new)


def forget_unlisted(db: Database, listed: LiteralString) -> None:
    """Deletes the judgements and profiles of all addresses that are not in the table `listed`."""
    is_gone: LiteralString = f"NOT EXISTS (SELECT 1 FROM {listed} AS listed WHERE listed.address ="  # noqa: S608
    for table in ("judgement", "profile"):
        db.execute(f"DELETE FROM {table} WHERE {is_gone} {table}.address)")  # noqa: S608 (written here)
    db.execute(f"{_FORGET_NEAR} {is_gone} subscriber.address))")
    _drop_unused(db)


def _lock(db: Database, *addresses: str) -> None:
    """Until the end of the transaction no other one judges for these addresses, which may be unknown."""
    for address in addresses:
        db.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [address])


def _drop_unused(db: Database, chosen: LiteralString = "TRUE", *values: Sequence[str]) -> None:
    """Deletes the texts that nobody judges any more, of the `chosen` examples or of all."""
    db.execute(
        f"DELETE FROM example WHERE {chosen}"  # noqa: S608 (written here)
        " AND NOT EXISTS (SELECT 1 FROM judgement WHERE judgement.example = example.number)",
        values,
    )


def _is_current(version: int) -> bool:
    from digest.subscribers.interest.profile import VERSION

    return version == VERSION


def _learn(db: Database, address: str) -> None:
    """Learns the profile of an address; without a judgement it has none."""
    from digest.subscribers.interest.profile import VERSION, learn

    judged = _judgements(db.execute(_JUDGEMENTS, [address, LEARNED_FROM]).fetchall())
    db.execute("DELETE FROM profile WHERE address = %s", [address])
    if judged:
        db.execute("INSERT INTO profile VALUES (%s, %s, %s)", [address, VERSION, learn(judged)])


def _judgements(rows: Iterable[Sequence[Any]]) -> tuple[Judgement, ...]:
    """Returns the judgements, the oldest first, from rows of `_JUDGEMENTS`."""
    return tuple(
        Judgement(
            example=Example(name=name, title=title, abstract=abstract),
            is_liked=is_liked,
            judged_at=judged_at,
            origin=Origin(origin),
        )
        for name, title, abstract, is_liked, judged_at, origin in rows
    )[::-1]
