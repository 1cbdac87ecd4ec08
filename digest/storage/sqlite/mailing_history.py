"""What was mailed to whom."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from digest.config.parsing import address_key
from digest.storage.mailing_history import PastMailing
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.values import MailingState

_COLUMNS = """
    number, email, token, planned_at, dated_on, json_array_length(entries), json_array_length(revisions),
    state, attempts, coalesce(reply, ''), coalesce(concluded_at, channel_concluded_at),
    coalesce(due_at, channel_due_at), bounced_at, entries
"""


class MailingHistory(Part):
    """The part of the store for what was mailed."""

    def past_mailings(
        self, *, since: datetime | None, email: str | None, after: int, limit: int
    ) -> tuple[PastMailing, ...]:
        theirs = "subscriber = (SELECT number FROM subscriber WHERE address = ?)"
        with self._connection.snapshot():
            rows = self._connection.rows(
                f"""
                SELECT {_COLUMNS} FROM mailing
                WHERE number > ? AND planned_at >= ? AND {theirs if email else "? IS NULL"}
                ORDER BY number LIMIT ?
                """,  # noqa: S608 (all of it is written here)
                [after, text_of(since) if since else "", email and address_key(email), limit],
            )
            return tuple(self._with_ids(row) if email else _past_mailing(row) for row in rows)

    def _with_ids(self, row: Sequence[Any]) -> PastMailing:
        editions = [edition for edition, _ in json.loads(row[-1])]
        papers = self._editions.read(editions)
        return replace(_past_mailing(row), ids=tuple(papers[edition].id for edition in editions))

    def send_again(self, number: int, *, now: datetime) -> bool:
        with self._connection.transaction() as db:
            made = db.execute(
                """
                UPDATE mailing
                SET state = 'unknown', may_have_arrived = 1, attempts = 0,
                    due_at = ?, email = subscriber.email
                FROM subscriber
                WHERE mailing.number = ? AND state = 'sent' AND channel_concluded_at IS NULL
                    AND subscriber.number = mailing.subscriber AND is_enrolled
                    AND address NOT IN (SELECT address FROM suppression)
                """,
                [text_of(now), number],
            )
            return bool(made.rowcount)


def _past_mailing(row: Sequence[Any]) -> PastMailing:
    number, email, token, planned_at, dated_on, papers, versions, state, attempts, reply, *moments, _ = row
    concluded_at, due_at, bounced_at = (moment and moment_of(moment) for moment in moments)
    return PastMailing(
        number=number,
        email=email,
        token=token,
        planned_at=moment_of(planned_at),
        dated_on=date.fromisoformat(dated_on),
        papers=papers,
        new_versions=versions,
        state=MailingState(state),
        attempts=attempts,
        reply=reply,
        concluded_at=concluded_at,
        due_at=due_at,
        bounced_at=bounced_at,
    )
