"""Closes sending times: by a digest in the outbox, or because there is nothing new."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.model.paper import ArxivId
from digest.storage.channel_stores import due_columns
from digest.storage.entry_json import EntriesWriter
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.listed_papers import use_listed
from digest.storage.sqlite.mailings import outlook_text
from digest.storage.sqlite.row_mapping import shared_text
from digest.storage.tokens import new_mailing_token
from digest.storage.values import ClosedSlot, Served

_json = json.JSONEncoder(ensure_ascii=False).encode


class Serving(Part):
    """The part of the store that adds mailings to the outbox and moves the cursors."""

    def close_slots(self, closed: Sequence[ClosedSlot]) -> None:
        with self._connection.transaction() as db:
            db.conn.executemany(
                "UPDATE subscriber SET slot_at = ? WHERE address = ? AND slot_at IS ?",
                [
                    (shared_text(slot_at), address_key(email), former and shared_text(former))
                    for email, slot_at, former in closed
                ],
            )

    def enqueue(self, served: Sequence[Served]) -> int:
        with self._connection.transaction() as db:
            chosen = _mergeable(db, _unserved(db, served))
            _end_merged(db, chosen)
            composed = [one for one in chosen if one.digest is not None]
            self._add(db, composed)
            _move_cursors(db, chosen)
            return len(composed)

    def _add(self, db: Database, composed: Sequence[Served]) -> None:
        """Inserts mailings. Each inherits the cause of delay of the last mailing that it merges."""
        last = self._connection.one("SELECT coalesce(max(number), 0) FROM mailing")
        near = use_listed(db, {paper for one in composed if one.digest for paper in one.digest.near})
        causes = _causes(db, [one.merges[-1] for one in composed if one.merges])
        entries_writer = EntriesWriter(self._editions.number_of)
        db.conn.executemany(
            """
            INSERT INTO mailing (number, reply, is_blocked, has_merged, subscriber, first_hit, last_hit,
                due_at, channel_due_at, token, email, name, planned_at, covered_at, dated_on, is_first,
                length, near, outlook, keywords, entries, revisions, names, state)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')
            """,
            [
                (
                    number,
                    *(causes[one.merges[-1]] if one.merges else (None, 0)),
                    bool(one.merges),
                    one.standing.subscriber,
                    one.standing.hit + 1,
                    one.frontier.hit,
                    *due_columns(one.digest.email, shared_text(one.digest.planned_at)),
                    *self._row(one.digest, near, entries_writer),
                )
                for number, one in enumerate(composed, start=last + 1)
                if one.digest is not None
            ],
        )

    def _row(self, digest: Digest, near: Mapping[ArxivId, int], entries_writer: EntriesWriter) -> list[Any]:
        place = {text: place for place, text in enumerate(digest.keywords)}
        number_of = self._editions.number_of
        revisions = [[number_of(one.paper), one.from_version] for one in digest.revisions]
        names = [[place[text], name] for text, name in digest.names]
        used = [near[paper.id] for paper in digest.near if paper.id in near]
        return [
            new_mailing_token(),
            digest.email,
            digest.name,
            shared_text(digest.planned_at),
            digest.covered_at and shared_text(digest.covered_at),
            digest.dated_on.isoformat(),
            digest.is_first,
            digest.length,
            _json(used) if used else None,
            outlook_text(digest.outlook),
            _json(digest.keywords),
            entries_writer.text_of(digest),
            _json(revisions) if revisions else "[]",
            _json(names) if names else None,
        ]


def _unserved(db: Database, served: Sequence[Served]) -> list[Served]:
    """Returns those whose subscriber still stands where they stood: nobody else has served them."""
    rows = db.execute(
        """
        SELECT number, slot_at, cursor, revision_cursor, change_cursor
        FROM subscriber WHERE number IN (SELECT value FROM json_each(?))
        """,
        [json.dumps([one.standing.subscriber for one in served])],
    )
    now = {number: tuple(standing) for number, *standing in rows}
    return [one for one in served if now.get(one.standing.subscriber) == _position(one)]


def _position(served: Served) -> tuple[object, ...]:
    _, slot_at, hit, revision, change, _ = served.standing
    return slot_at and shared_text(slot_at), hit, revision, change


def _mergeable(db: Database, served: Sequence[Served]) -> list[Served]:
    """Returns those of whose merged mailings none is being sent."""
    numbers = [number for one in served for number in one.merges]
    if not numbers:
        return list(served)
    rows = db.execute(
        """
        SELECT number FROM mailing
        WHERE number IN (SELECT value FROM json_each(?))
            AND state IN ('pending', 'deferred') AND NOT may_have_arrived
        """,
        [json.dumps(numbers)],
    )
    free = {number for (number,) in rows}
    return [one for one in served if free.issuperset(one.merges)]


def _end_merged(db: Database, served: Sequence[Served]) -> None:
    db.conn.executemany(
        "UPDATE mailing SET state = 'merged', due_at = NULL, channel_due_at = NULL WHERE number = ?",
        [(number,) for one in served for number in one.merges],
    )


def _causes(db: Database, numbers: Sequence[int]) -> dict[int, tuple[str | None, int]]:
    """Returns the last reply of these mailings, and whether it was about the server as a whole."""
    if not numbers:
        return {}
    rows = db.execute(
        "SELECT number, reply, is_blocked FROM mailing WHERE number IN (SELECT value FROM json_each(?))",
        [json.dumps(numbers)],
    )
    return {number: (reply, is_blocked) for number, reply, is_blocked in rows}


def _move_cursors(db: Database, served: Sequence[Served]) -> None:
    """Only for what the subscriber asks for: a cursor that is NULL stays so."""
    db.conn.executemany(
        """
        UPDATE subscriber
        SET slot_at = ?, last_digest_at = coalesce(?, last_digest_at), cursor = ?, revision_cursor = ?,
            change_cursor = ?
        WHERE number = ?
        """,
        [
            (
                shared_text(one.slot_at),
                one.digest and shared_text(one.digest.planned_at),
                one.frontier.hit,
                None if one.standing.revision is None else one.frontier.revision,
                None if one.standing.change is None else one.frontier.change,
                one.standing.subscriber,
            )
            for one in served
        ],
    )
    db.conn.executemany(
        "UPDATE subscription SET is_welcomed = 1, welcomed_after = ? WHERE number = ?",
        [(one.frontier.hit, number) for one in served for number in one.standing.beginning],
    )
