"""Closes sending times: by a digest in the outbox, or because there is nothing new."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.model.paper import ArxivId
from digest.storage.channel_stores import due_columns
from digest.storage.entry_json import EntriesWriter
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.listed_papers import use_listed
from digest.storage.postgresql.mailings import outlook_json
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.tokens import new_mailing_token
from digest.storage.values import ClosedSlot, Served

_STANDING = """
SELECT number, slot_at, cursor, revision_cursor, change_cursor
FROM subscriber WHERE number = ANY(%s) ORDER BY number FOR NO KEY UPDATE
"""
"""In one order, so that two hosts that serve the same subscribers wait for each other, and no longer."""

_COPY = """
COPY mailing (reply, is_blocked, has_merged, subscriber, first_hit, last_hit, near, due_at, channel_due_at,
    planned_at, covered_at, token, email, name, dated_on, is_first, length, outlook, keywords, entries,
    revisions, names, state)
    FROM STDIN
"""

_END_MERGED = """
UPDATE mailing SET state = 'merged', due_at = NULL, channel_due_at = NULL WHERE number = ANY(%s)
"""

_MOVE = """
UPDATE subscriber
SET slot_at = given.slot_at, cursor = given.cursor, revision_cursor = given.revision_cursor,
    change_cursor = given.change_cursor,
    last_digest_at = coalesce(given.last_digest_at, subscriber.last_digest_at)
FROM unnest(
    %s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[]
) AS given (number, slot_at, cursor, revision_cursor, change_cursor, last_digest_at)
WHERE subscriber.number = given.number
"""

_CLOSE = """
UPDATE subscriber SET slot_at = given.slot_at
FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[]) AS given (address, slot_at, former)
WHERE subscriber.address = given.address AND subscriber.slot_at IS NOT DISTINCT FROM given.former
"""

_WELCOME = """
UPDATE subscription SET is_welcomed = true, welcomed_after = given.hit
FROM unnest(%s::bigint[], %s::bigint[]) AS given (number, hit) WHERE subscription.number = given.number
"""


class Serving(Part):
    """The part of the store that adds mailings to the outbox and moves the cursors."""

    def close_slots(self, closed: Sequence[ClosedSlot]) -> None:
        with self._connection.transaction() as db:
            db.execute(
                _CLOSE,
                [
                    [address_key(one.email) for one in closed],
                    [whole_second(one.slot_at) for one in closed],
                    [one.former and whole_second(one.former) for one in closed],
                ],
            )

    def enqueue(self, served: Sequence[Served]) -> int:
        rows = self._rows(served)  # before the subscribers are locked
        with self._connection.transaction() as db:
            chosen, causes = _mergeable(db, _unserved(db, served))
            composed = [one for one in chosen if one.standing.subscriber in rows]
            _add(db, composed, rows, causes)
            _move_cursors(db, chosen)
            return len(composed)

    def _rows(self, served: Sequence[Served]) -> dict[int, tuple[Any, ...]]:
        """Returns the rows of the digests, by subscriber."""
        papers = {paper for one in served if one.digest for paper in _papers(one.digest)}
        numbers = self._editions.numbers_of(papers)
        writer = EntriesWriter(lambda paper: numbers[paper.id, paper.version])
        return {one.standing.subscriber: _row(one.digest, numbers, writer) for one in served if one.digest}


def _add(
    db: Database,
    composed: Sequence[Served],
    rows: Mapping[int, tuple[Any, ...]],
    causes: Mapping[int, tuple[str | None, bool]],
) -> None:
    """Inserts mailings. Each inherits the cause of delay of the last mailing that it merges."""
    near = use_listed(db, list({paper for one in composed if one.digest for paper in one.digest.near}))
    with db.cursor() as cursor, cursor.copy(_COPY) as copy:
        for one in composed:
            used = [near[paper.id] for paper in one.digest.near if paper.id in near] if one.digest else []
            cause = causes[one.merges[-1]] if one.merges else (None, False)
            copy.write_row(
                (
                    *cause,
                    bool(one.merges),
                    one.standing.subscriber,
                    one.standing.hit + 1,
                    one.frontier.hit,
                    json.dumps(used) if used else None,
                    *rows[one.standing.subscriber],
                    "pending",
                )
            )


def _papers(digest: Digest) -> Iterator[Any]:
    yield from (entry.paper for entry in digest.entries)
    yield from (one.paper for one in digest.revisions)


def _row(
    digest: Digest, numbers: Mapping[tuple[ArxivId, int], int], entries_writer: EntriesWriter
) -> tuple[Any, ...]:
    place = {text: place for place, text in enumerate(digest.keywords)}
    revisions = [[numbers[one.paper.id, one.paper.version], one.from_version] for one in digest.revisions]
    names = [[place[text], name] for text, name in digest.names]
    planned_at = whole_second(digest.planned_at)
    return (
        *due_columns(digest.email, planned_at),
        planned_at,
        digest.covered_at,
        new_mailing_token(),
        digest.email,
        digest.name,
        digest.dated_on,
        digest.is_first,
        digest.length,
        outlook_json(digest.outlook),
        json.dumps(digest.keywords, ensure_ascii=False),
        entries_writer.text_of(digest),
        json.dumps(revisions),
        json.dumps(names, ensure_ascii=False) if names else None,
    )


def _unserved(db: Database, served: Sequence[Served]) -> list[Served]:
    """Returns those whose subscriber still stands where they stood: nobody else has served them."""
    rows = db.execute(_STANDING, [[one.standing.subscriber for one in served]]).fetchall()
    now = {number: tuple(standing) for number, *standing in rows}
    return [one for one in served if now.get(one.standing.subscriber) == _position(one)]


def _position(served: Served) -> tuple[object, ...]:
    _, slot_at, hit, revision, change, _ = served.standing
    return slot_at and whole_second(slot_at), hit, revision, change


def _mergeable(
    db: Database, served: Sequence[Served]
) -> tuple[Sequence[Served], Mapping[int, tuple[str | None, bool]]]:
    """Returns those of whose merged mailings none is being sent, and ends these mailings.

    Also returns their last replies, and whether they were about the server as a whole.
    """
    numbers = [number for one in served for number in one.merges]
    if not numbers:
        return served, {}
    rows = db.execute(
        """
        SELECT number, reply, is_blocked FROM mailing
        WHERE number = ANY(%s) AND state IN ('pending', 'deferred') AND NOT may_have_arrived
        ORDER BY number FOR UPDATE
        """,
        [numbers],
    ).fetchall()
    causes = {number: (reply, is_blocked) for number, reply, is_blocked in rows}
    chosen = [one for one in served if causes.keys() >= set(one.merges)]
    ended = [number for one in chosen for number in one.merges]
    db.execute(_END_MERGED, [ended])
    return chosen, causes


def _move_cursors(db: Database, served: Sequence[Served]) -> None:
    """Only for what the subscriber asks for: a cursor that is NULL stays so."""
    db.execute(
        _MOVE,
        [
            [one.standing.subscriber for one in served],
            [whole_second(one.slot_at) for one in served],
            [one.frontier.hit for one in served],
            [None if one.standing.revision is None else one.frontier.revision for one in served],
            [None if one.standing.change is None else one.frontier.change for one in served],
            [one.digest and whole_second(one.digest.planned_at) for one in served],
        ],
    )
    beginning = [(number, one.frontier.hit) for one in served for number in one.standing.beginning]
    if beginning:
        db.execute(_WELCOME, [[number for number, _ in beginning], [hit for _, hit in beginning]])
