"""Who reads what, and what is new for whom."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlite_utils import Database

from digest.digests import Hit
from digest.notation import address_key
from digest.store import Frontier, News, Standing
from digest.store.rows import moment_of, text_of
from digest.store.seen import Seen
from digest.subscribers import Subscriber


class Readers(Seen):
    """The part of the store before a digest is written down."""

    def enrol(self, subscribers: Sequence[Subscriber], *, now: datetime, current_since: datetime) -> int:
        with self._transaction() as db:
            db.execute(
                "CREATE TEMP TABLE IF NOT EXISTS wanted"
                " (address TEXT, email TEXT, query TEXT, with_revisions INTEGER)"
            )
            db.execute("DELETE FROM wanted")
            db.conn.executemany(
                "INSERT INTO wanted VALUES (?, ?, ?, ?)",
                (
                    (
                        address_key(subscriber.email),
                        subscriber.email,
                        keyword.query.key,
                        subscriber.replacements == "section",
                    )
                    for subscriber in subscribers
                    for keyword in subscriber.keywords
                ),
            )
            db.execute("INSERT OR IGNORE INTO query (key) SELECT DISTINCT query FROM wanted")
            db.execute(
                """
                INSERT INTO subscriber (address, email, since_at, is_enrolled, cursor)
                SELECT DISTINCT address, email, ?, 1, (SELECT coalesce(max(number), 0) FROM hit)
                FROM wanted WHERE true
                ON CONFLICT (address) DO UPDATE SET email = excluded.email, is_enrolled = 1
                """,
                [text_of(now)],
            )
            db.execute(
                "UPDATE subscriber SET is_enrolled = 0, revision_cursor = NULL"
                " WHERE is_enrolled AND address NOT IN (SELECT address FROM wanted)"
            )
            self._set_revision_cursors(db)
            self._end_subscriptions(db)
            self._begin_subscriptions(db, current_since)
            db.execute(
                "UPDATE query SET covered_at = NULL, searched_since_at = NULL"
                " WHERE number NOT IN (SELECT query FROM subscription WHERE ended_after IS NULL)"
            )
            return db.execute(
                """
                UPDATE mailing SET state = 'failed', reply = 'the reader has left', concluded_at = ?
                WHERE state IN ('pending', 'unknown', 'deferred')
                    AND subscriber IN (SELECT number FROM subscriber WHERE NOT is_enrolled)
                """,
                [text_of(now)],
            ).rowcount

    @staticmethod
    def _end_subscriptions(db: Database) -> None:
        db.execute(
            """
            UPDATE subscription
            SET ended_after = (
                SELECT cursor FROM subscriber WHERE subscriber.number = subscription.subscriber
            )
            WHERE ended_after IS NULL AND number IN (
                SELECT subscription.number
                FROM subscription
                JOIN subscriber ON subscriber.number = subscription.subscriber
                JOIN query ON query.number = subscription.query
                WHERE subscription.ended_after IS NULL
                EXCEPT
                SELECT subscription.number
                FROM wanted
                JOIN subscriber ON subscriber.address = wanted.address
                JOIN query ON query.key = wanted.query
                JOIN subscription
                    ON subscription.subscriber = subscriber.number
                    AND subscription.query = query.number
                    AND subscription.ended_after IS NULL
            )
            """
        )

    @staticmethod
    def _begin_subscriptions(db: Database, current_since: datetime) -> None:
        """The backlog is what was seen, if that is all there was; else what the next fetch brings."""
        db.execute(
            """
            INSERT INTO subscription (subscriber, query, began_after)
            SELECT subscriber.number, query.number,
                CASE WHEN query.covered_at >= ? THEN (SELECT coalesce(max(number), 0) FROM hit) END
            FROM wanted
            JOIN subscriber ON subscriber.address = wanted.address
            JOIN query ON query.key = wanted.query
            WHERE true
            ON CONFLICT (subscriber, query) WHERE ended_after IS NULL DO NOTHING
            """,
            [text_of(current_since)],
        )

    def standings(self) -> Mapping[str, Standing]:
        rows = self._rows(
            """
            SELECT address, since_at, last_digest_at, slot_at,
                EXISTS (SELECT 1 FROM mailing WHERE mailing.subscriber = subscriber.number
                        AND state NOT IN ('sent', 'failed'))
            FROM subscriber WHERE is_enrolled
            """
        )
        return {
            address: Standing(
                since_at=moment_of(since_at),
                last_digest_at=last_digest_at and moment_of(last_digest_at),
                slot_at=slot_at and moment_of(slot_at),
                has_open_mailing=bool(has_open_mailing),
            )
            for address, since_at, last_digest_at, slot_at, has_open_mailing in rows
        }

    def with_news(self) -> frozenset[str]:
        rows = self._rows(
            """
            WITH newest AS (SELECT query, max(number) AS hit FROM hit GROUP BY query)
            SELECT DISTINCT address
            FROM subscriber
            JOIN subscription ON subscription.subscriber = subscriber.number AND ended_after IS NULL
            JOIN newest ON newest.query = subscription.query
            WHERE is_enrolled AND began_after IS NOT NULL AND (newest.hit > cursor OR NOT is_welcomed)
            """
        )
        return frozenset(address for (address,) in rows) | self._with_revisions()

    def news(self, email: str, *, backlog_since: datetime) -> News:
        with self._transaction():
            frontier = Frontier(
                hit=self._one("SELECT coalesce(max(number), 0) FROM hit"),
                revision=self._one("SELECT coalesce(max(number), 0) FROM revision"),
            )
            rows = self._rows(
                """
                SELECT hit.number, query.key, hit.edition, hit.number <= subscription.began_after
                FROM subscriber
                JOIN subscription ON subscription.subscriber = subscriber.number AND ended_after IS NULL
                JOIN query ON query.number = subscription.query
                JOIN hit ON hit.query = subscription.query
                    AND hit.number > CASE WHEN is_welcomed THEN cursor ELSE 0 END
                JOIN edition ON edition.number = hit.edition
                WHERE subscriber.address = ?1 AND began_after IS NOT NULL
                    AND (hit.number > began_after OR coalesce(submitted_at, ?2) >= ?2)
                    AND NOT EXISTS (
                        SELECT 1
                        FROM subscription AS former
                        JOIN hit AS earlier ON earlier.query = former.query AND earlier.paper = hit.paper
                        WHERE former.subscriber = subscriber.number AND former.is_welcomed
                            AND earlier.number <= coalesce(former.ended_after, subscriber.cursor)
                    )
                ORDER BY hit.number
                """,
                [address_key(email), text_of(backlog_since)],
            )
            papers = self._papers({edition for _, _, edition, _ in rows})
            revisions = self._revisions(address_key(email))
        hits = tuple(
            Hit(number=number, query_key=key, paper=papers[edition], is_backlog=bool(is_backlog))
            for number, key, edition, is_backlog in rows
        )
        return News(hits=hits, frontier=frontier, revisions=revisions)

    def settle(self, emails: Sequence[str], *, frontier: Frontier | None, slot_at: datetime) -> None:
        with self._transaction() as db:
            for email in emails:
                self._close_slot(db, email, frontier, slot_at)

    @staticmethod
    def _close_slot(db: Database, email: str, frontier: Frontier | None, slot_at: datetime) -> None:
        address = address_key(email)
        db.execute("UPDATE subscriber SET slot_at = ? WHERE address = ?", [text_of(slot_at), address])
        if frontier is not None:
            db.execute(
                """
                UPDATE subscriber
                SET cursor = ?1, revision_cursor = CASE WHEN revision_cursor IS NOT NULL THEN ?2 END
                WHERE address = ?3
                """,
                [frontier.hit, frontier.revision, address],
            )
            db.execute(
                """
                UPDATE subscription SET is_welcomed = 1
                WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?)
                    AND ended_after IS NULL AND began_after IS NOT NULL AND NOT is_welcomed
                """,
                [address],
            )
