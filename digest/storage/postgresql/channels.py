"""The mailings of channels, and which channels rest."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from digest.storage.channel_stores import ChannelStatus, Rest
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.mailings import MAILING_COLUMNS, read_mailings
from digest.storage.postgresql.restore_detection import note_claimed
from digest.storage.postgresql.row_mapping import storable, whole_second
from digest.storage.values import DeliveryResult, Mailing

_OF_CHANNEL = "mailing.subscriber = (SELECT number FROM subscriber WHERE address = %(email)s)"

_CLAIM = f"""
UPDATE mailing
SET may_have_arrived = may_have_arrived OR state = 'sending', state = 'sending',
    channel_due_at = %(until)s, claimed_by = %(holder)s
WHERE number = (
    SELECT mailing.number
    FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
    WHERE {_OF_CHANNEL} AND is_enrolled AND channel_due_at <= %(now)s
    ORDER BY channel_due_at, mailing.number LIMIT 1
    FOR UPDATE OF mailing SKIP LOCKED
)
RETURNING {MAILING_COLUMNS}
"""  # noqa: S608 (written here)

_RECORD = """
UPDATE mailing
SET state = %(state)s, reply = %(reply)s, channel_concluded_at = %(now)s, attempts = attempts + 1,
    channel_due_at = %(due_at)s, may_have_arrived = may_have_arrived OR %(state)s = 'unknown'
WHERE number = %(number)s AND (state = 'sending' AND claimed_by = %(holder)s OR %(state)s = 'sent')
"""


class Channels(Part):
    """The part of the store for channels. `channel_due_at` is for them what `due_at` is for mails."""

    def reclaim_for_channel(self, email: str, *, now: datetime, latest: datetime) -> int:
        values = {"email": email, "now": whole_second(now), "latest": whole_second(latest)}
        with self._connection.transaction() as db:
            taken = db.execute(
                "UPDATE mailing SET state = 'unknown', may_have_arrived = true,"  # noqa: S608 (written here)
                " channel_due_at = %(now)s"
                f" WHERE {_OF_CHANNEL} AND channel_due_at IS NOT NULL AND state = 'sending'",
                values,
            ).rowcount
            db.execute(
                "UPDATE mailing SET channel_due_at = %(now)s"  # noqa: S608 (written here)
                f" WHERE {_OF_CHANNEL} AND channel_due_at > %(latest)s",
                values,
            )
            return taken

    def claim_for_channel(self, email: str, *, now: datetime, until: datetime, holder: str) -> Mailing | None:
        values = {"email": email, "now": whole_second(now), "until": whole_second(until), "holder": holder}
        with self._connection.transaction() as db:
            rows = db.execute(_CLAIM, values).fetchall()
        if not rows:
            return None
        note_claimed(self._connection)
        (mailing,) = read_mailings(rows, self._editions, self._connection.secret)
        return mailing

    def record_for_channel(self, result: DeliveryResult, *, now: datetime, holder: str) -> None:
        with self._connection.transaction() as db:
            db.execute(
                _RECORD,
                {
                    "state": result.state.value,
                    "reply": storable(result.reply),
                    "now": whole_second(now),
                    "due_at": result.due_at and whole_second(result.due_at),
                    "number": result.number,
                    "holder": holder,
                },
            )

    def retry_channels(self, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(
                """
                UPDATE mailing SET channel_due_at = %(now)s
                WHERE channel_due_at > %(now)s AND state <> 'sending'
                """,
                {"now": whole_second(now)},
            )

    def rest_channel(self, email: str, rest: Rest) -> None:
        with self._connection.transaction() as db:
            db.execute(
                """
                INSERT INTO resting_channel (address, since_at, cause, target) VALUES (%s, %s, %s, %s)
                ON CONFLICT (address) DO UPDATE
                SET since_at = excluded.since_at, cause = excluded.cause, target = excluded.target
                """,
                [email, whole_second(rest.since_at), storable(rest.cause), rest.target],
            )

    def wake_channel(self, email: str, *, now: datetime) -> bool:
        with self._connection.transaction() as db:
            woken = db.execute("DELETE FROM resting_channel WHERE address = %s", [email]).rowcount
            if woken:
                db.execute(
                    "UPDATE mailing SET channel_due_at = %(now)s"  # noqa: S608 (written here)
                    f" WHERE {_OF_CHANNEL} AND channel_due_at > %(now)s AND state <> 'sending'",
                    {"email": email, "now": whole_second(now)},
                )
            return bool(woken)

    def channel_statuses(self, emails: Sequence[str]) -> Mapping[str, ChannelStatus]:
        with self._connection.snapshot():
            return {email: self._channel_status(email) for email in emails}

    def _channel_status(self, email: str) -> ChannelStatus:
        asked: dict[str, object] = {"email": email}
        waiting = self._connection.rows(
            "SELECT attempts, reply, channel_due_at FROM mailing"  # noqa: S608 (written here)
            f" WHERE {_OF_CHANNEL} AND channel_due_at IS NOT NULL ORDER BY channel_due_at, number",
            asked,
        )
        ((sent_at,),) = self._connection.rows(
            f"SELECT max(channel_concluded_at) FROM mailing WHERE {_OF_CHANNEL} AND state = 'sent'",  # noqa: S608
            asked,
        )
        rests = self._connection.rows(
            "SELECT since_at, cause, target FROM resting_channel WHERE address = %(email)s", asked
        )
        return ChannelStatus(
            sent_at=sent_at,
            waiting=len(waiting),
            due_at=waiting[0][2] if waiting else None,
            attempts=max((attempts for attempts, _, _ in waiting), default=0),
            reply=next((reply for _, reply, _ in reversed(waiting) if reply), ""),
            rest=next((Rest(since_at=at, cause=cause, target=one) for at, cause, one in rests), None),
        )
