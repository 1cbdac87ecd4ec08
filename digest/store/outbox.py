"""The digests that were written down, and what became of them."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from digest.digests import Digest, Entry, Revision
from digest.notation import address_key
from digest.papers import Paper
from digest.store import Frontier, Mailing, MailingState
from digest.store.readers import Readers
from digest.store.rows import moment_of, text_of


class Outbox(Readers):
    """The part of the store from the moment a digest is written down."""

    def enqueue(self, digest: Digest, *, frontier: Frontier, slot_at: datetime) -> None:
        place = {text: place for place, text in enumerate(digest.keywords)}
        with self._transaction() as db:
            entries = [
                [self._edition_number(entry.paper), [place[text] for text in entry.keywords]]
                for entry in digest.entries
            ]
            revisions = [
                [self._edition_number(revision.paper), revision.from_version] for revision in digest.revisions
            ]
            number, cursor = db.execute(
                "SELECT number, cursor FROM subscriber WHERE address = ?", [address_key(digest.email)]
            ).fetchone()
            mailing = self._one("SELECT coalesce(max(number), 0) + 1 FROM mailing")
            db.execute(
                """
                INSERT INTO mailing (number, subscriber, token, email, name, planned_at, dated_on, is_first,
                    keywords, entries, revisions, first_hit, last_hit, state, due_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)
                """,
                [
                    mailing,
                    number,
                    self._token(mailing, digest),
                    digest.email,
                    digest.name,
                    text_of(digest.planned_at),
                    digest.dated_on.isoformat(),
                    digest.is_first,
                    json.dumps(digest.keywords, ensure_ascii=False),
                    json.dumps(entries),
                    json.dumps(revisions),
                    cursor + 1,
                    frontier.hit,
                    text_of(digest.planned_at),
                ],
            )
            db.execute(
                "UPDATE subscriber SET last_digest_at = ? WHERE number = ?",
                [text_of(digest.planned_at), number],
            )
            self._close_slot(db, digest.email, frontier, slot_at)

    def _token(self, mailing: int, digest: Digest) -> str:
        """Names the mailing to the world, without naming its reader."""
        secret = self._one("SELECT secret FROM installation")
        named = f"{secret}/{mailing}/{digest.email}"
        return hashlib.blake2b(named.encode(), digest_size=12).hexdigest()

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        with self._transaction() as db:
            db.execute(
                "UPDATE mailing SET due_at = ?1"
                " WHERE state IN ('pending', 'unknown', 'deferred') AND due_at > ?2",
                [text_of(now), text_of(latest)],
            )
            return db.execute(
                "UPDATE mailing SET state = 'unknown', due_at = ? WHERE state = 'sending'", [text_of(now)]
            ).rowcount

    def hasten(self, *, now: datetime) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE mailing SET due_at = min(due_at, ?) WHERE state IN ('unknown', 'deferred')",
                [text_of(now)],
            )

    def claim(self, *, now: datetime, limit: int) -> tuple[Mailing, ...]:
        with self._transaction() as db:
            rows = db.execute(
                """
                SELECT number, token, attempts, email, name, planned_at, dated_on, is_first,
                    keywords, entries, revisions
                FROM mailing
                WHERE state IN ('pending', 'unknown', 'deferred') AND due_at <= ?
                ORDER BY due_at, number LIMIT ?
                """,
                [text_of(now), limit],
            ).fetchall()
            db.conn.executemany(
                "UPDATE mailing SET state = 'sending' WHERE number = ?", ((row[0],) for row in rows)
            )
            return tuple(self._mailing(row) for row in rows)

    def _mailing(self, row: Sequence[Any]) -> Mailing:
        number, token, attempts, email, name, planned_at, dated_on, is_first, *lists = row
        texts, placed, revised = map(json.loads, lists)
        papers = self._papers({edition for edition, _ in (*placed, *revised)})
        digest = Digest(
            email=email,
            name=name,
            planned_at=moment_of(planned_at),
            dated_on=date.fromisoformat(dated_on),
            keywords=tuple(texts),
            entries=tuple(
                Entry(paper=papers[edition], keywords=tuple(texts[place] for place in places))
                for edition, places in placed
            ),
            is_first=bool(is_first),
            revisions=tuple(
                Revision(paper=papers[edition], from_version=version) for edition, version in revised
            ),
        )
        return Mailing(number=number, token=token, attempts=attempts, digest=digest)

    def conclude(
        self, number: int, state: MailingState, reply: str, *, now: datetime, due_at: datetime | None = None
    ) -> None:
        with self._transaction() as db:
            db.execute(
                """
                UPDATE mailing SET state = ?, reply = ?, concluded_at = ?, attempts = attempts + 1,
                    due_at = coalesce(?, due_at)
                WHERE number = ?
                """,
                [state.value, reply, text_of(now), due_at and text_of(due_at), number],
            )

    def release(self, numbers: Sequence[int]) -> None:
        with self._transaction() as db:
            db.conn.executemany(
                """
                UPDATE mailing SET state = CASE WHEN attempts THEN 'deferred' ELSE 'pending' END
                WHERE number = ?
                """,
                ((number,) for number in numbers),
            )

    def waiting(self) -> int:
        return int(self._one("SELECT count(*) FROM mailing WHERE state NOT IN ('sent', 'failed')"))

    def next_due_at(self) -> datetime | None:
        due_at = self._one(
            "SELECT min(due_at) FROM mailing WHERE state IN ('pending', 'unknown', 'deferred')"
        )
        return due_at and moment_of(due_at)

    def _edition_number(self, paper: Paper) -> int:
        return int(
            self._one(
                "SELECT edition.number FROM edition JOIN paper ON paper.number = edition.paper"
                " WHERE arxiv_id = ? AND version = ?",
                [paper.id, paper.version],
            )
        )
