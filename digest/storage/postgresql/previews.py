"""Previews of keywords: the queue of those that arXiv is asked for, over all hosts, and its answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from digest.sources.window import Coverage
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.locks import Lock, hold
from digest.storage.postgresql.row_mapping import storable, whole_second
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

_IN_ORDER = """
SELECT query, min(text) FROM preview_wish GROUP BY query ORDER BY bool_and(is_stranger), min(wanted_at), query
"""


class Previews(Part):
    """The part of the store for previews of keywords that nobody follows yet."""

    def coverage_of(self, query_keys: Sequence[str]) -> Mapping[str, Coverage]:
        rows = self._connection.rows(
            """
            SELECT key, covered_at, searched_since_at, coalesce(newest_place, '') FROM query
            WHERE key = ANY(%s) AND covered_at IS NOT NULL AND searched_since_at IS NOT NULL
            """,
            [list(query_keys)],
        )
        return {
            key: Coverage(covered_at=covered_at, searched_since=since, newest=newest)
            for key, covered_at, since, newest in rows
        }

    def preview_answers(self, queries: Sequence[str], *, now: datetime) -> Mapping[str, Answer]:
        rows = self._connection.rows(
            """
            SELECT query, asked_at, asked_since_at, searched_since_at, about, papers FROM preview_answer
            WHERE query = ANY(%s) AND asked_at > %s
            """,
            [list(queries), whole_second(now - ANSWERS_LAST_FOR)],
        )
        return {
            query: Answer(
                query=query,
                asked_at=asked_at,
                asked_since=asked_since,
                searched_since=since,
                about=about,
                papers=unpacked(papers),
            )
            for query, asked_at, asked_since, since, about, papers in rows
        }

    def request_previews(self, requests: Sequence[PreviewRequest], asker: Asker, *, now: datetime) -> Queue:
        if not self._are_fresh(requests, asker, now):
            with self._connection.transaction() as db:
                hold(db, Lock.PREVIEWING)
                _delete_old(db, now)
                _keep_only(db, requests, asker)
                for request in requests:
                    _add(db, request, asker, now)
        with self._connection.snapshot() as db:
            order = [query for query, _ in db.execute(_IN_ORDER).fetchall()]
            last_at, retry_at, is_failing, _ = _request(db)
        wanted = {request.query for request in requests}
        return Queue(
            before={query: place for place, query in enumerate(order) if query in wanted},
            next_at=now + wait_for_turn(now, last_at, retry_at),
            is_failing=is_failing,
        )

    def _are_fresh(self, requests: Sequence[PreviewRequest], asker: Asker, now: datetime) -> bool:
        """Whether nothing is to be written: a page that is opened again and again makes no work."""
        rows = self._connection.rows(
            "SELECT query, renewed_at > %s FROM preview_wish WHERE place = %s AND visitor = %s",
            [now - REQUESTS_RENEWED_AFTER, asker.place, asker.visitor],
        )
        return dict(rows) == dict.fromkeys((request.query for request in requests), True)

    def begin_previews(self, *, limit: int, now: datetime) -> PreviewTurn:
        with self._connection.transaction() as db:
            hold(db, Lock.PREVIEWING)
            _delete_old(db, now)
            rows = db.execute(_IN_ORDER).fetchall()
            if not rows:
                return PreviewTurn()
            last_at, retry_at, is_failing, alone = _request(db)
            if wait := wait_for_turn(now, last_at, retry_at):
                return PreviewTurn(wait=wait)
            _write_request(db, last_at=now, is_failing=is_failing)
        return turn_for(rows, alone=alone, limit=limit)

    def record_previews(self, answers: Sequence[Answer], *, now: datetime) -> None:
        queries = [one.query for one in answers]
        with self._connection.transaction() as db:
            hold(db, Lock.PREVIEWING)
            db.execute("DELETE FROM preview_wish WHERE query = ANY(%s)", [queries])
            db.execute("DELETE FROM preview_answer WHERE query = ANY(%s)", [queries])
            for one in answers:
                db.execute("INSERT INTO preview_answer VALUES (%s, %s, %s, %s, %s, %s)", _row(one))
            db.execute(
                """
                DELETE FROM preview_answer WHERE asked_at <= %s OR query NOT IN (
                    SELECT query FROM preview_answer ORDER BY asked_at DESC, query LIMIT %s
                )
                """,
                [whole_second(now - ANSWERS_LAST_FOR), ANSWERS_KEPT],
            )
            db.execute("UPDATE preview_request SET retry_at = NULL, is_failing = false")

    def put_off_previews(self, until: datetime, *, is_failing: bool, alone: str | None = None) -> None:
        with self._connection.transaction() as db:
            hold(db, Lock.PREVIEWING)
            last_at, *_ = _request(db)
            _write_request(db, last_at=last_at, retry_at=until, is_failing=is_failing, alone=alone)


def _row(answer: Answer) -> list[Any]:
    moments = (answer.asked_at, answer.asked_since, answer.searched_since)
    return [answer.query, *map(whole_second, moments), answer.about, packed(answer.papers)]


def _request(db: Database) -> tuple[datetime | None, datetime | None, bool, str | None]:
    rows = db.execute("SELECT last_at, retry_at, is_failing, alone FROM preview_request").fetchall()
    return rows[0] if rows else (None, None, False, None)


def _delete_old(db: Database, now: datetime) -> None:
    # After a clock was set back, a request in the future would never end.
    db.execute(
        "DELETE FROM preview_wish WHERE renewed_at < %s OR renewed_at > %s",
        [now - REQUESTS_LAST_FOR, now + REQUESTS_LAST_FOR],
    )


def _keep_only(db: Database, requests: Sequence[PreviewRequest], asker: Asker) -> None:
    """Frees the places of what a visitor does not want any more."""
    if asker.visitor:
        db.execute(
            "DELETE FROM preview_wish WHERE place = %s AND visitor = %s AND query <> ALL(%s)",
            [asker.place, asker.visitor, [request.query for request in requests]],
        )


def _add(db: Database, request: PreviewRequest, asker: Asker, now: datetime) -> None:
    mine = [request.query, asker.place, asker.visitor]
    renewed = db.execute(
        "UPDATE preview_wish SET renewed_at = %s WHERE query = %s AND place = %s AND visitor = %s",
        [now, *mine],
    )
    if not renewed.rowcount and _has_place(db, asker):
        db.execute(
            "INSERT INTO preview_wish VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [*mine, storable(request.text), asker.is_stranger, now, now],
        )


def _has_place(db: Database, asker: Asker) -> bool:
    count = "SELECT count(*), count(*) FILTER (WHERE place = %s) FROM preview_wish WHERE is_stranger = %s"
    ((taken, of_place),) = db.execute(count, [asker.place, asker.is_stranger]).fetchall()
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
    db.execute("INSERT INTO preview_request VALUES (%s, %s, %s, %s)", [last_at, retry_at, is_failing, alone])
