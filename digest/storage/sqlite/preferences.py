"""The preferences of subscribers, and who unsubscribed."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.choices import own_keywords
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.sqlite.subscriptions import enrol_anew, give_up
from digest.storage.tokens import Kind, is_seal, number_in, seal
from digest.storage.values import KnownSubscriber
from digest.subscribers.preferences import Preferences, left_mark


class SavedPreferences(Part):
    """The part of the store for preferences. A subscriber without any has no row."""

    def preferences(self) -> Mapping[str, Preferences]:
        rows = self._connection.rows(
            """
            SELECT address, muted, send_at, weekly, paused_until, left_at, length, added, removed, timezone
            FROM preference JOIN subscriber ON subscriber.number = preference.subscriber
            """
        )
        marks = self._connection.rows("SELECT mark, left_at FROM left_mark")
        gone = {mark: Preferences(left_at=moment_of(left_at)) for mark, left_at in marks}
        return {address: _preferences(row) for address, *row in rows} | gone

    def preferences_of(self, email: str) -> Preferences:
        rows = self._connection.rows(
            """
            SELECT muted, send_at, weekly, paused_until, left_at, length, added, removed, timezone
            FROM preference
            WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?)
            """,
            [address_key(email)],
        )
        if rows:
            return _preferences(rows[0])
        marks = self._connection.rows("SELECT left_at FROM left_mark WHERE mark = ?", [left_mark(email)])
        return Preferences(left_at=moment_of(marks[0][0])) if marks else Preferences()

    def save_preferences(self, email: str, preferences: Preferences) -> None:
        with self._connection.transaction() as db:
            db.execute(
                """
                INSERT INTO preference
                    (subscriber, muted, send_at, weekly, paused_until, length, added, removed, timezone)
                SELECT number, ?, ?, ?, ?, ?, ?, ?, ? FROM subscriber WHERE address = ?
                ON CONFLICT (subscriber) DO UPDATE SET muted = excluded.muted, send_at = excluded.send_at,
                    weekly = excluded.weekly, paused_until = excluded.paused_until, length = excluded.length,
                    added = excluded.added, removed = excluded.removed, timezone = excluded.timezone
                """,
                [
                    _as_json(sorted(preferences.muted)),
                    preferences.send_at and f"{preferences.send_at:%H:%M}",
                    preferences.weekly,
                    preferences.paused_until and preferences.paused_until.isoformat(),
                    preferences.length,
                    _as_json(preferences.added),
                    _as_json(sorted(preferences.removed)),
                    preferences.timezone,
                    address_key(email),
                ],
            )
            _forget_defaults(db)

    def leave(self, email: str, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            address = address_key(email)
            left = db.execute(
                """
                INSERT INTO preference (subscriber, left_at)
                SELECT number, ? FROM subscriber WHERE address = ?
                ON CONFLICT (subscriber) DO UPDATE SET left_at = excluded.left_at WHERE left_at IS NULL
                """,
                [text_of(now), address],
            ).rowcount
            if left > 0:
                db.execute(
                    "UPDATE subscriber SET is_enrolled = 0, revision_cursor = NULL, change_cursor = NULL"
                    " WHERE address = ?",
                    [address],
                )
                give_up(db, now)
                enrol_anew(db)

    def rejoin(self, email: str) -> bool:
        with self._connection.transaction() as db:
            returned = db.execute(
                """
                UPDATE preference SET left_at = NULL
                WHERE left_at IS NOT NULL
                    AND subscriber = (SELECT number FROM subscriber WHERE address = ?)
                """,
                [address_key(email)],
            ).rowcount
            if returned > 0:
                db.execute(
                    "UPDATE confirmation SET is_taken_back = 1"
                    " WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?)",
                    [address_key(email)],
                )
            erased = db.execute("DELETE FROM left_mark WHERE mark = ?", [left_mark(email)]).rowcount
            _forget_defaults(db)
            enrol_anew(db)
            return returned > 0 or erased > 0

    def renew_links(self, email: str) -> None:
        with self._connection.transaction() as db:
            db.execute("UPDATE subscriber SET links = links + 1 WHERE address = ?", [address_key(email)])

    def subscriber_for(self, token: str) -> KnownSubscriber | None:
        return self._known_by(Kind.SUBSCRIBER, token)

    def unsubscribed_for(self, token: str) -> KnownSubscriber | None:
        return self._known_by(Kind.LEAVING, token)

    def _known_by(self, kind: Kind, token: str) -> KnownSubscriber | None:
        found = subscriber_of(self._connection, kind, token)
        if found is None:
            return None
        about, number, email = found
        return KnownSubscriber(
            email=email, feed=seal(self._connection.secret, Kind.SUBSCRIBER_FEED, number, about)
        )


def subscriber_of(connection: Connection, kind: Kind, token: str) -> tuple[Any, ...] | None:
    """Returns the `about` text of the subscriber's tokens, their number and their email."""
    about = "CASE links WHEN 0 THEN address ELSE address || ' ' || links END"  # as `subscriber_links`
    return row_named_by(connection, token, kind, f"SELECT {about}, number, email FROM subscriber")  # noqa: S608


def row_named_by(connection: Connection, token: str, kind: Kind, select: str) -> tuple[Any, ...] | None:
    """Returns the row that `token` identifies. The first column of `select` must be the `about` text.

    If the row with that number does not fit, all others are tried: in a restored state, rows that were
    written after the copy was made may have other numbers now.
    """
    secret = connection.secret
    claimed = number_in(secret, kind, token)
    if claimed is None:
        return None
    for condition in ("number = ?", "number <> ?"):
        for row in connection.rows(f"{select} WHERE {condition}", [claimed]):
            if is_seal(token, secret, kind, claimed, row[0]):
                return row
    return None


def _forget_defaults(db: Database) -> None:
    db.execute(
        """
        DELETE FROM preference
        WHERE muted = '[]' AND added = '[]' AND removed = '[]'
            AND coalesce(send_at, weekly, paused_until, left_at, length, timezone) IS NULL
        """
    )


def _preferences(row: Sequence[Any]) -> Preferences:
    muted, send_at, weekly, paused_until, left_at, length, added, removed, timezone = row
    return Preferences(
        muted=tuple(json.loads(muted)),
        send_at=send_at and time.fromisoformat(send_at),
        weekly=weekly,
        paused_until=paused_until and date.fromisoformat(paused_until),
        left_at=left_at and moment_of(left_at),
        length=length,
        added=own_keywords(json.loads(added)),
        removed=tuple(json.loads(removed)),
        timezone=timezone,
    )


def _as_json(value: Sequence[object]) -> str:
    return json.dumps(value, ensure_ascii=False)
