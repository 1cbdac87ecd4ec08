"""Reports about one paper, and the unfinished mailings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.model.paper import ArxivId
from digest.storage.channel_stores import IS_CHANNEL
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.mailings import MAILING_COLUMNS, read_mailing
from digest.storage.sqlite.outbox import waiting_mailings
from digest.storage.sqlite.row_mapping import code_of, moment_of, text_of
from digest.storage.values import (
    Delay,
    DeliveryHistory,
    Figures,
    MailingRecord,
    MailingState,
    PaperHistory,
    Waiting,
)

_EDITIONS = """
    wanted AS (SELECT number AS paper FROM paper WHERE arxiv_id = ?1),
    known AS (
        SELECT edition.number AS edition, version FROM wanted CROSS JOIN edition USING (paper)
        UNION SELECT edition, version FROM wanted CROSS JOIN past_hit USING (paper)
        UNION SELECT edition, version FROM wanted CROSS JOIN revision USING (paper)
    ),
    found AS (SELECT query, number, is_past FROM wanted CROSS JOIN seen_hit USING (paper))
"""


class Reports(Part):
    """The part of the store for reports."""

    def paper_history(self, arxiv_id: ArxivId) -> PaperHistory | None:
        with self._connection.snapshot():
            code = [code_of(arxiv_id)]
            editions = self._connection.rows(
                f"WITH {_EDITIONS} SELECT edition FROM known ORDER BY version, edition",  # noqa: S608 (as below)
                code,
            )
            if not editions:
                return None
            hits = self._connection.rows(
                f"""
                WITH {_EDITIONS}
                SELECT key, found.number FROM found JOIN query ON query.number = found.query
                ORDER BY found.number
                """,  # noqa: S608 (all of it is written here)
                code,
            )
            ((newest,),) = editions[-1:]
            return PaperHistory(
                paper=self._editions.read([newest])[newest],
                query_keys=tuple(key for key, _ in hits),
                seen_at=self._first_fetch_of(hits[0][1]) if hits else None,
            )

    def _first_fetch_of(self, hit: int) -> datetime | None:
        rows = self._connection.rows(
            "SELECT began_at FROM fetch WHERE last_hit >= ? ORDER BY last_hit, began_at LIMIT 1", [hit]
        )
        return moment_of(rows[0][0]) if rows else None

    def delivery_history(self, arxiv_id: ArxivId, email: str) -> DeliveryHistory:
        asked = [code_of(arxiv_id), address_key(email)]
        with self._connection.snapshot():
            hits = self._connection.rows(
                f"""
                WITH {_EDITIONS}
                SELECT key, found.number <= began_after OR is_past,
                    found.number > CASE WHEN is_welcomed THEN cursor ELSE 0 END
                        AND NOT (is_past AND is_welcomed),
                    found.number
                FROM found
                CROSS JOIN query ON query.number = found.query
                CROSS JOIN subscriber ON address = ?2
                CROSS JOIN subscription ON subscription.subscriber = subscriber.number
                    AND subscription.query = found.query AND ended_after IS NULL
                ORDER BY found.number
                """,  # noqa: S608 (all of it is written here)
                asked,
            )
            postings = self._connection.rows(
                f"""
                WITH {_EDITIONS},
                theirs AS (
                    SELECT * FROM mailing
                    WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?2)
                ),
                brought AS (
                    SELECT theirs.number, json_extract(value, '$[0]') AS edition
                    FROM theirs, json_each(entries)
                    UNION ALL
                    SELECT theirs.number, json_extract(value, '$[0]') FROM theirs, json_each(revisions)
                )
                SELECT planned_at, version, state, attempts, reply,
                    coalesce(concluded_at, channel_concluded_at), coalesce(due_at, channel_due_at)
                FROM theirs JOIN brought USING (number) JOIN known USING (edition)
                ORDER BY number
                """,  # noqa: S608 (all of it is written here)
                asked,
            )
            elsewhere = self._connection.rows(
                """
                SELECT 1 FROM seen_elsewhere
                WHERE address = ?2 AND paper = (SELECT number FROM paper WHERE arxiv_id = ?1)
                """,
                asked,
            )
        return DeliveryHistory(
            postings=tuple(_posting(*row) for row in postings),
            backlog_keys=tuple(key for key, is_backlog, _, _ in hits if is_backlog),
            pending_keys=tuple(key for key, _, is_pending, _ in hits if is_pending),
            is_seen_elsewhere=bool(elsewhere),
        )

    def last_digest_with(self, arxiv_id: ArxivId, email: str) -> Digest | None:
        with self._connection.snapshot():
            rows = self._connection.rows(
                f"""
                WITH {_EDITIONS}
                SELECT {MAILING_COLUMNS} FROM mailing
                WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?2)
                    AND EXISTS (
                        SELECT 1 FROM json_each(entries)
                        WHERE json_extract(value, '$[0]') IN (SELECT edition FROM known)
                    )
                ORDER BY mailing.number DESC LIMIT 1
                """,  # noqa: S608 (all of it is written here)
                [code_of(arxiv_id), address_key(email)],
            )
            return read_mailing(rows[0], self._editions, self._connection.secret).digest if rows else None

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
                fetched_at=covered_at and moment_of(covered_at),
            )

    def notices(self) -> Mapping[str, datetime]:
        return {
            name: moment_of(sent_at)
            for name, sent_at in self._connection.rows("SELECT name, sent_at FROM operator_notice")
        }

    def record_notice(self, name: str, *, ends: str | None, now: datetime) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO operator_notice (name, sent_at) VALUES (?, ?)", [name, text_of(now)]
            )
            db.execute("DELETE FROM operator_notice WHERE name = ?", [ends])

    def troubled(self, *, limit: int) -> tuple[Waiting, ...]:
        rows = self._connection.rows(
            """
            SELECT email, state, attempts, reply, due_at FROM mailing
            WHERE due_at IS NOT NULL AND reply IS NOT NULL ORDER BY attempts DESC, number LIMIT ?
            """,
            [limit],
        )
        return tuple(
            Waiting(
                email=email,
                state=MailingState(state),
                attempts=attempts,
                reply=reply,
                due_at=moment_of(due_at),
            )
            for email, state, attempts, reply, due_at in rows
        )

    def delayed(self) -> int:
        return self._hindrance("TRUE").count

    def refused(self, *, least: int) -> Delay:
        return self._hindrance("NOT is_blocked AND attempts >= ?", least)

    def blocked(self, *, now: datetime) -> Delay:
        found = self._hindrance("is_blocked")
        if not found.count:
            return found
        behind = "SELECT count(*) FROM mailing WHERE due_at <= ? AND NOT is_blocked AND state <> 'sending'"
        return replace(found, count=found.count + int(self._connection.one(behind, [text_of(now)])))

    def _hindrance(self, condition: str, *values: object) -> Delay:
        # With max(), SQLite takes the other columns from the same row (https://sqlite.org/lang_select.html#bareagg).
        rows = self._connection.rows(
            f"""
            SELECT count(*), reply, max(due_at)
            FROM mailing LEFT JOIN preference USING (subscriber)
            WHERE due_at IS NOT NULL AND reply IS NOT NULL AND {condition}
                AND (paused_until IS NULL OR due_at <> paused_until || 'T12:00:00+00:00')
            """,  # noqa: S608 (written here)
            list(values),
        )
        count, reply, _ = rows[0]
        return Delay(count=count, reply=reply or "")

    def unserved(self, *, since: datetime) -> tuple[str, ...]:
        # Merged papers wait since the first mailing after the last sent one.
        rows = self._connection.rows(
            """
            SELECT mailing.email
            FROM mailing
            JOIN mailing AS earlier USING (subscriber)
            LEFT JOIN preference USING (subscriber)
            WHERE mailing.due_at IS NOT NULL AND mailing.bounces = 0
                AND (paused_until IS NULL OR mailing.due_at <> paused_until || 'T12:00:00+00:00')
                AND (earlier.number = mailing.number OR earlier.state = 'merged')
                AND earlier.bounces = 0 AND earlier.planned_at <= ?
                AND earlier.number > coalesce(
                    (
                        SELECT max(number) FROM mailing AS sent
                        WHERE sent.subscriber = mailing.subscriber AND sent.state = 'sent'
                    ),
                    0
                )
            GROUP BY mailing.subscriber ORDER BY min(earlier.planned_at), mailing.subscriber
            """,
            [text_of(since)],
        )
        return tuple(email for (email,) in rows)


def _posting(
    planned_at: str,
    version: int,
    state: str,
    attempts: int,
    reply: str | None,
    concluded_at: str | None,
    due_at: str | None,
) -> MailingRecord:
    return MailingRecord(
        planned_at=moment_of(planned_at),
        version=version,
        state=MailingState(state),
        attempts=attempts,
        reply=reply or "",
        concluded_at=moment_of(concluded_at) if concluded_at else None,
        due_at=moment_of(due_at) if due_at else None,
    )
