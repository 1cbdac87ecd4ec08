"""Previews of keywords: the queue of those that arXiv is asked for, and its answers, for a day."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from digest.sources.window import Coverage
from digest.storage.previews import (
    ANSWERS_KEPT,
    ANSWERS_LAST_FOR,
    REQUESTS_LAST_FOR,
    REQUESTS_RENEWED_AFTER,
    Answer,
    Asker,
    PreviewRequest,
    PreviewTurn,
    Queue,
    packed,
    turn_for,
    unpacked,
    wait_for_turn,
)
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of

_WAITING = "SELECT query, min(text), min(is_stranger), min(wanted_at) FROM preview_wish GROUP BY query"
_IN_ORDER = f"SELECT * FROM ({_WAITING}) ORDER BY 3, 4, 1"  # noqa: S608 (written here)


class Previews(Part):
    """The part of the store for previews of keywords that nobody follows yet."""

    def coverage_of(self, query_keys: Sequence[str]) -> Mapping[str, Coverage]:
        rows = self._connection.rows(
            """
            SELECT key, covered_at, searched_since_at, newest_place FROM query
            WHERE key IN (SELECT value FROM json_each(?))
                AND covered_at IS NOT NULL AND searched_since_at IS NOT NULL
            """,
            [json.dumps(query_keys)],
        )
        return {
            key: Coverage(
                covered_at=moment_of(covered_at), searched_since=moment_of(since), newest=newest or ""
            )
            for key, covered_at, since, newest in rows
        }

    def preview_answers(self, queries: Sequence[str], *, now: datetime) -> Mapping[str, Answer]:
        rows = self._connection.rows(
            """
            SELECT query, asked_at, asked_since_at, searched_since_at, about, papers FROM preview_answer
            WHERE query IN (SELECT value FROM json_each(?)) AND asked_at > ?
            """,
            [json.dumps(queries), text_of(now - ANSWERS_LAST_FOR)],
        )
        return {
            query: Answer(
                query=query,
                asked_at=moment_of(asked_at),
                asked_since=moment_of(asked_since),
                searched_since=moment_of(since),
                about=about,
                papers=unpacked(papers),
            )
            for query, asked_at, asked_since, since, about, papers in rows
        }

    def request_previews(self, requests: Sequence[PreviewRequest], asker: Asker, *, now: datetime) -> Queue:
        if not self._are_fresh(requests, asker, now):
            with self._connection.transaction() as db:
                _delete_old(db, now)
                _keep_only(db, requests, asker)
                for request in requests:
                    _add(db, request, asker, now)
        order = [row[0] for row in self._connection.rows(_IN_ORDER)]
        wanted = {request.query for request in requests}
        last_at, retry_at, is_failing, _ = self._request()
        return Queue(
            before={query: place for place, query in enumerate(order) if query in wanted},
            next_at=now + wait_for_turn(now, last_at, retry_at),
            is_failing=is_failing,
        )

    def _are_fresh(self, requests: Sequence[PreviewRequest], asker: Asker, now: datetime) -> bool:
        """Whether nothing is to be written: a page that is opened again and again makes no work."""
        rows = self._connection.rows(
            "SELECT query, renewed_at > ? FROM preview_wish WHERE place = ? AND visitor = ?",
            [text_of(now - REQUESTS_RENEWED_AFTER), asker.place, asker.visitor],
        )
        return dict(rows) == dict.fromkeys((request.query for request in requests), 1)

    def _request(self) -> tuple[datetime | None, datetime | None, bool, str | None]:
        rows = self._connection.rows("SELECT last_at, retry_at, is_failing, alone FROM preview_request")
        if not rows:
            return None, None, False, None
        ((last_at, retry_at, is_failing, alone),) = rows
        return (last_at and moment_of(last_at), retry_at and moment_of(retry_at), bool(is_failing), alone)

    def begin_previews(self, *, limit: int, now: datetime) -> PreviewTurn:
        with self._connection.transaction() as db:
            _delete_old(db, now)
            rows = db.execute(_IN_ORDER).fetchall()
            if not rows:
                return PreviewTurn()
            last_at, retry_at, is_failing, alone = self._request()
            if wait := wait_for_turn(now, last_at, retry_at):
                return PreviewTurn(wait=wait)
            _write_request(db, last_at=now, is_failing=is_failing)
        return turn_for([(query, text) for query, text, *_ in rows], alone=alone, limit=limit)

    def record_previews(self, answers: Sequence[Answer], *, now: datetime) -> None:
        with self._connection.transaction() as db:
            for one in answers:
                db.execute("DELETE FROM preview_wish WHERE query = ?", [one.query])
                db.execute("INSERT OR REPLACE INTO preview_answer VALUES (?, ?, ?, ?, ?, ?)", _row(one))
            db.execute(
                """
                DELETE FROM preview_answer WHERE asked_at <= ? OR query NOT IN (
                    SELECT query FROM preview_answer ORDER BY asked_at DESC, rowid DESC LIMIT ?
                )
                """,
                [text_of(now - ANSWERS_LAST_FOR), ANSWERS_KEPT],
            )
            db.execute("UPDATE preview_request SET retry_at = NULL, is_failing = 0")

    def put_off_previews(self, until: datetime, *, is_failing: bool, alone: str | None = None) -> None:
        with self._connection.transaction() as db:
            last_at, *_ = self._request()
            _write_request(db, last_at=last_at, retry_at=until, is_failing=is_failing, alone=alone)


def _row(answer: Answer) -> list[Any]:
    return [
        answer.query,
        *(text_of(one) for one in (answer.asked_at, answer.asked_since, answer.searched_since)),
        answer.about,
        packed(answer.papers),
    ]


def _delete_old(db: Database, now: datetime) -> None:
    # After a clock was set back, a request in the future would never end.
    db.execute(
        "DELETE FROM preview_wish WHERE renewed_at < ? OR renewed_at > ?",
        [text_of(now - REQUESTS_LAST_FOR), text_of(now + REQUESTS_LAST_FOR)],
    )


def _keep_only(db: Database, requests: Sequence[PreviewRequest], asker: Asker) -> None:
    """Frees the places of what a visitor does not want any more."""
    if asker.visitor:
        db.execute(
            """
            DELETE FROM preview_wish WHERE place = ? AND visitor = ?
                AND query NOT IN (SELECT value FROM json_each(?))
            """,
            [asker.place, asker.visitor, json.dumps([request.query for request in requests])],
        )


def _add(db: Database, request: PreviewRequest, asker: Asker, now: datetime) -> None:
    mine = [request.query, asker.place, asker.visitor]
    known = "query = ? AND place = ? AND visitor = ?"
    if db.execute(f"SELECT 1 FROM preview_wish WHERE {known}", mine).fetchone():  # noqa: S608
        db.execute(
            f"UPDATE preview_wish SET renewed_at = ? WHERE {known}",  # noqa: S608 (written here)
            [text_of(now), *mine],
        )
    elif _has_place(db, asker):
        db.execute(
            "INSERT INTO preview_wish VALUES (?, ?, ?, ?, ?, ?, ?)",
            [*mine, request.text, asker.is_stranger, text_of(now), text_of(now)],
        )


def _has_place(db: Database, asker: Asker) -> bool:
    count = "SELECT count(*), count(*) FILTER (WHERE place = ?) FROM preview_wish WHERE is_stranger = ?"
    taken, of_place = db.execute(count, [asker.place, asker.is_stranger]).fetchone()
    return asker.has_place(taken, of_place)


def _write_request(
    db: Database,
    *,
    last_at: datetime | None,
    retry_at: datetime | None = None,
    is_failing: bool,
    alone: str | None = None,
) -> None:
    db.execute("DELETE FROM preview_request")
    moments = [moment and _exact(moment) for moment in (last_at, retry_at)]
    db.execute("INSERT INTO preview_request VALUES (?, ?, ?, ?)", [*moments, is_failing, alone])


def _exact(moment: datetime) -> str:
    """With microseconds: of a second that is cut off, a minute would be too short."""
    return moment.isoformat(timespec="microseconds")
