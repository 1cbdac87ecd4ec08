"""Reports about one paper, and the unfinished mailings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.model.paper import ArxivId
from digest.storage.channel_stores import IS_CHANNEL
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.mailings import MAILING_COLUMNS, read_mailings
from digest.storage.postgresql.outbox import waiting_mailings
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.values import (
    Delay,
    DeliveryHistory,
    Figures,
    MailingRecord,
    MailingState,
    PaperHistory,
    Waiting,
)

_KNOWN = """
    wanted AS (SELECT number FROM paper WHERE arxiv_id = %(paper)s),
    known AS (
        SELECT number AS edition, version FROM edition WHERE paper = (SELECT number FROM wanted)
    )
"""

_THEIRS = "subscriber = (SELECT number FROM subscriber WHERE address = %(address)s)"

_NOT_PAUSED = "(paused_until IS NULL OR due_at <> (paused_until + time '12:00') AT TIME ZONE 'UTC')"


class Reports(Part):
    """The part of the store for reports."""

    def paper_history(self, arxiv_id: ArxivId) -> PaperHistory | None:
        asked: dict[str, object] = {"paper": arxiv_id}
        with self._connection.snapshot():
            editions = self._connection.rows(
                f"WITH {_KNOWN} SELECT edition FROM known ORDER BY version, edition",  # noqa: S608 (as below)
                asked,
            )
            if not editions:
                return None
            hits = self._connection.rows(
                f"""
                WITH {_KNOWN}
                SELECT key, hit.number FROM hit JOIN query ON query.number = hit.query
                WHERE hit.paper = (SELECT number FROM wanted)
                ORDER BY hit.number
                """,  # noqa: S608 (all of it is written here)
                asked,
            )
            ((newest,),) = editions[-1:]
            return PaperHistory(
                paper=self._editions.read([newest])[newest],
                query_keys=tuple(key for key, _ in hits),
                seen_at=self._first_fetch_of(hits[0][1]) if hits else None,
            )

    def _first_fetch_of(self, hit: int) -> datetime | None:
        rows = self._connection.rows(
            "SELECT began_at FROM source_fetch WHERE last_hit >= %s ORDER BY last_hit, began_at LIMIT 1",
            [hit],
        )
        return rows[0][0] if rows else None

    def delivery_history(self, arxiv_id: ArxivId, email: str) -> DeliveryHistory:
        asked: dict[str, object] = {"paper": arxiv_id, "address": address_key(email)}
        with self._connection.snapshot():
            hits = self._connection.rows(_HITS_OF_PAPER, asked)
            postings = self._connection.rows(_POSTINGS, asked)
            elsewhere = self._connection.rows(
                """
                SELECT 1 FROM seen_elsewhere
                WHERE address = %(address)s AND paper = (SELECT number FROM paper WHERE arxiv_id = %(paper)s)
                """,
                asked,
            )
        return DeliveryHistory(
            postings=tuple(_posting(*row) for row in postings),
            backlog_keys=tuple(key for key, is_backlog, _ in hits if is_backlog),
            pending_keys=tuple(key for key, _, is_pending in hits if is_pending),
            is_seen_elsewhere=bool(elsewhere),
        )

    def last_digest_with(self, arxiv_id: ArxivId, email: str) -> Digest | None:
        with self._connection.snapshot():
            rows = self._connection.rows(
                f"""
                WITH {_KNOWN}
                SELECT {MAILING_COLUMNS} FROM mailing
                WHERE {_THEIRS} AND EXISTS (
                    SELECT 1 FROM jsonb_array_elements(entries) AS entry
                    WHERE (entry->>0)::bigint IN (SELECT edition FROM known)
                )
                ORDER BY mailing.number DESC LIMIT 1
                """,  # noqa: S608 (all of it is written here)
                {"paper": arxiv_id, "address": address_key(email)},
            )
            found = read_mailings(rows, self._editions, self._connection.secret)
            return found[0].digest if found else None

    def figures(self) -> Figures:
        with self._connection.snapshot():
            subscribers, suppressed, covered_at = self._connection.rows(
                f"""
                SELECT (SELECT count(*) FROM subscriber WHERE is_enrolled AND NOT {IS_CHANNEL}),
                    (SELECT count(*) FROM suppression),
                    (SELECT max(covered_at) FROM query)
                """  # noqa: S608 (written here)
            )[0]
            waiting, waiting_since = waiting_mailings(self._connection)
            return Figures(
                subscribers=subscribers,
                suppressed=suppressed,
                waiting=waiting,
                waiting_since=waiting_since,
                fetched_at=covered_at,
            )

    def notices(self) -> Mapping[str, datetime]:
        return dict(self._connection.rows("SELECT name, sent_at FROM operator_notice"))

    def record_notice(self, name: str, *, ends: str | None, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO operator_notice (name, sent_at) VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET sent_at = excluded.sent_at",
                [name, whole_second(now)],
            )
            db.execute("DELETE FROM operator_notice WHERE name = %s", [ends])

    def troubled(self, *, limit: int) -> tuple[Waiting, ...]:
        rows = self._connection.rows(
            """
            SELECT email, state, attempts, reply, due_at FROM mailing
            WHERE due_at IS NOT NULL AND reply IS NOT NULL ORDER BY attempts DESC, number LIMIT %s
            """,
            [limit],
        )
        return tuple(
            Waiting(email=email, state=MailingState(state), attempts=attempts, reply=reply, due_at=due_at)
            for email, state, attempts, reply, due_at in rows
        )

    def delayed(self) -> int:
        return self._hindrance("TRUE").count

    def refused(self, *, least: int) -> Delay:
        return self._hindrance("NOT is_blocked AND attempts >= %s", least)

    def blocked(self, *, now: datetime) -> Delay:
        found = self._hindrance("is_blocked")
        if not found.count:
            return found
        behind = "SELECT count(*) FROM mailing WHERE due_at <= %s AND NOT is_blocked AND state <> 'sending'"
        others = int(self._connection.one(behind, [whole_second(now)]))
        return replace(found, count=found.count + others)

    def _hindrance(self, condition: str, *values: object) -> Delay:
        rows = self._connection.rows(
            f"""
            WITH found AS (
                SELECT reply, due_at FROM mailing LEFT JOIN preference USING (subscriber)
                WHERE due_at IS NOT NULL AND reply IS NOT NULL AND {condition} AND {_NOT_PAUSED}
            )
            SELECT (SELECT count(*) FROM found), (SELECT reply FROM found ORDER BY due_at DESC LIMIT 1)
            """,  # noqa: S608 (written here)
            values,
        )
        count, reply = rows[0]
        return Delay(count=count, reply=reply or "")

    def unserved(self, *, since: datetime) -> tuple[str, ...]:
        rows = self._connection.rows(_UNSERVED, [whole_second(since)])
        return tuple(email for email, _, _ in rows)


_HITS_OF_PAPER = f"""
WITH {_KNOWN}
SELECT key, hit.number <= began_after OR is_past,
    hit.number > CASE WHEN is_welcomed THEN cursor ELSE 0 END AND NOT (is_past AND is_welcomed)
FROM hit
JOIN query ON query.number = hit.query
JOIN subscriber ON address = %(address)s
JOIN subscription ON subscription.subscriber = subscriber.number
    AND subscription.query = hit.query AND ended_after IS NULL
WHERE hit.paper = (SELECT number FROM wanted)
ORDER BY hit.number
"""  # noqa: S608 (all of it is written here)

_POSTINGS = f"""
WITH {_KNOWN},
theirs AS (SELECT * FROM mailing WHERE {_THEIRS}),
brought AS (
    SELECT theirs.number, (entry->>0)::bigint AS edition FROM theirs, jsonb_array_elements(entries) AS entry
    UNION ALL
    SELECT theirs.number, (entry->>0)::bigint FROM theirs, jsonb_array_elements(revisions) AS entry
)
SELECT planned_at, version, state, attempts, reply, coalesce(concluded_at, channel_concluded_at),
    coalesce(due_at, channel_due_at)
FROM theirs JOIN brought USING (number) JOIN known USING (edition)
ORDER BY number
"""  # noqa: S608 (all of it is written here)

_UNSERVED = f"""
SELECT max(mailing.email), min(earlier.planned_at), mailing.subscriber
FROM mailing
JOIN mailing AS earlier USING (subscriber)
LEFT JOIN preference USING (subscriber)
WHERE mailing.due_at IS NOT NULL AND mailing.bounces = 0
    AND {_NOT_PAUSED.replace("due_at", "mailing.due_at")}
    AND (earlier.number = mailing.number OR earlier.state = 'merged')
    AND earlier.bounces = 0 AND earlier.planned_at <= %s
    AND earlier.number > coalesce(
        (
            SELECT max(number) FROM mailing AS sent
            WHERE sent.subscriber = mailing.subscriber AND sent.state = 'sent'
        ),
        0
    )
GROUP BY mailing.subscriber ORDER BY 2, 3
"""  # noqa: S608 (all of it is written here)
"""Merged papers wait since the first mailing after the last sent one."""


def _posting(
    planned_at: datetime,
    version: int,
    state: str,
    attempts: int,
    reply: str | None,
    concluded_at: datetime | None,
    due_at: datetime | None,
) -> MailingRecord:
    return MailingRecord(
        planned_at=planned_at,
        version=version,
        state=MailingState(state),
        attempts=attempts,
        reply=reply or "",
        concluded_at=concluded_at,
        due_at=due_at,
    )
