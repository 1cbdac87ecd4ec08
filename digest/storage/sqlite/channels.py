"""The mailings of channels, and which channels rest."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from digest.storage.channel_stores import ChannelStatus, Rest
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.mailings import MAILING_COLUMNS, read_mailing
from digest.storage.sqlite.restore_detection import note_claimed
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.values import DeliveryResult, Mailing

_OF_CHANNEL = "subscriber = (SELECT number FROM subscriber WHERE address = ?1)"


class Channels(Part):
    """The part of the store for channels. `channel_due_at` is for them what `due_at` is for mails."""

    def reclaim_for_channel(self, email: str, *, now: datetime, latest: datetime) -> int:
        with self._connection.transaction() as db:
            taken = db.execute(
                "UPDATE mailing SET state = 'unknown', may_have_arrived = 1, channel_due_at = ?2"  # noqa: S608
                f" WHERE {_OF_CHANNEL} AND channel_due_at IS NOT NULL AND state = 'sending'",
                [email, text_of(now)],
            ).rowcount
            db.execute(
                f"UPDATE mailing SET channel_due_at = ?2 WHERE {_OF_CHANNEL} AND channel_due_at > ?3",  # noqa: S608
                [email, text_of(now), text_of(latest)],
            )
            return int(taken)

    def claim_for_channel(self, email: str, *, now: datetime, until: datetime, holder: str) -> Mailing | None:
        with self._connection.transaction() as db:
            row = db.execute(
                f"""
                SELECT {MAILING_COLUMNS} FROM mailing
                WHERE {_OF_CHANNEL} AND channel_due_at <= ?2
                    AND (SELECT is_enrolled FROM subscriber WHERE subscriber.number = mailing.subscriber)
                ORDER BY channel_due_at, number LIMIT 1
                """,  # noqa: S608 (written here)
                [email, text_of(now)],
            ).fetchone()
            if row is None:
                return None
            db.execute(
                """
                UPDATE mailing
                SET may_have_arrived = max(may_have_arrived, state = 'sending'), state = 'sending',
                    channel_due_at = ?, claimed_by = ?
                WHERE number = ?
                """,
                [text_of(until), holder, row[0]],
            )
            mailing = read_mailing(row, self._editions, self._connection.secret)
        note_claimed(self._connection)
        return mailing

    def record_for_channel(self, result: DeliveryResult, *, now: datetime, holder: str) -> None:
        with self._connection.transaction() as db:
            db.execute(
                """
                UPDATE mailing
                SET state = ?1, reply = ?2, channel_concluded_at = ?3, attempts = attempts + 1,
                    channel_due_at = ?4, may_have_arrived = max(may_have_arrived, ?1 = 'unknown')
                WHERE number = ?5 AND (state = 'sending' AND claimed_by = ?6 OR ?1 = 'sent')
                """,
                [
                    result.state.value,
                    result.reply,
                    text_of(now),
                    result.due_at and text_of(result.due_at),
                    result.number,
                    holder,
                ],
            )

    def retry_channels(self, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "UPDATE mailing SET channel_due_at = ?1 WHERE channel_due_at > ?1 AND state <> 'sending'",
                [text_of(now)],
            )

    def rest_channel(self, email: str, rest: Rest) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO resting_channel (address, since_at, cause, target)"
                " VALUES (?, ?, ?, ?)",
                [email, text_of(rest.since_at), rest.cause, rest.target],
            )

    def wake_channel(self, email: str, *, now: datetime) -> bool:
        with self._connection.transaction() as db:
            woken = db.execute("DELETE FROM resting_channel WHERE address = ?", [email]).rowcount
            if woken:
                db.execute(
                    "UPDATE mailing SET channel_due_at = ?2"  # noqa: S608 (written here)
                    f" WHERE {_OF_CHANNEL} AND channel_due_at > ?2 AND state <> 'sending'",
                    [email, text_of(now)],
                )
            return bool(woken)

    def channel_statuses(self, emails: Sequence[str]) -> Mapping[str, ChannelStatus]:
        with self._connection.snapshot():
            return {email: self._channel_status(email) for email in emails}

    def _channel_status(self, email: str) -> ChannelStatus:
        waiting = self._connection.rows(
            "SELECT attempts, reply, channel_due_at FROM mailing"  # noqa: S608 (written here)
            f" WHERE {_OF_CHANNEL} AND channel_due_at IS NOT NULL ORDER BY channel_due_at, number",
            [email],
        )
        ((sent_at,),) = self._connection.rows(
            f"SELECT max(channel_concluded_at) FROM mailing WHERE {_OF_CHANNEL} AND state = 'sent'",  # noqa: S608
            [email],
        )
        rests = self._connection.rows(
            "SELECT since_at, cause, target FROM resting_channel WHERE address = ?", [email]
        )
        return ChannelStatus(
            sent_at=sent_at and moment_of(sent_at),
            waiting=len(waiting),
            due_at=moment_of(waiting[0][2]) if waiting else None,
            attempts=max((attempts for attempts, _, _ in waiting), default=0),
            reply=next((reply for _, reply, _ in reversed(waiting) if reply), ""),
            rest=next(
                (Rest(since_at=moment_of(at), cause=cause, target=one) for at, cause, one in rests), None
            ),
        )
