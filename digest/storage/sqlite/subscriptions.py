"""The enrolled subscribers and their subscriptions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.model.paper import ArxivId
from digest.storage.channel_stores import IS_CHANNEL
from digest.storage.fingerprints import hash_of_enrolment
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.revisions import set_revision_cursors
from digest.storage.sqlite.row_mapping import code_of, moment_of, shared_moment, text_of
from digest.storage.values import SubscriberStatus
from digest.subscribers.preferences import left_mark
from digest.subscribers.subscriber import Subscriber


class Subscriptions(Part):
    """The part of the store for subscribers and subscriptions."""

    def enrol(self, subscribers: Sequence[Subscriber], *, now: datetime, current_since: datetime) -> int:
        fingerprint = hash_of_enrolment(subscribers)
        with self._connection.transaction() as db:
            # Only enrolments begin or end subscriptions: the same subscribers need no second one.
            if self._connection.one("SELECT enrolled FROM installation") != fingerprint:
                self._enrol(db, subscribers, now, current_since)
                db.execute("UPDATE installation SET enrolled = ?", [fingerprint])
            db.execute(
                "UPDATE query SET covered_at = NULL, searched_since_at = NULL"
                " WHERE covered_at IS NOT NULL"
                " AND number NOT IN (SELECT query FROM subscription WHERE ended_after IS NULL)"
            )
            return give_up(db, now)

    @staticmethod
    def _take_up_again(db: Database, now: datetime) -> None:
        """Retries the mailings of returning subscribers that were given up when they left.

        Their cursors are past the papers of these mailings, so that no other digest would contain them.
        """
        db.execute(
            f"""
            UPDATE mailing
            SET state = CASE WHEN may_have_arrived THEN 'unknown' ELSE 'deferred' END,
                due_at = iif({IS_CHANNEL}, NULL, ?1), channel_due_at = iif({IS_CHANNEL}, ?1, NULL),
                reply = 'the reader has returned', email = new_email
            FROM (
                SELECT DISTINCT number, wanted.email AS new_email FROM subscriber JOIN wanted USING (address)
                WHERE NOT is_enrolled
            ) AS returned
            WHERE state = 'failed' AND subscriber = returned.number
            """,  # noqa: S608 (written here)
            [text_of(now)],
        )

    def _enrol(
        self, db: Database, subscribers: Sequence[Subscriber], now: datetime, current_since: datetime
    ) -> None:
        self._note_wanted(db, without_erased(db, subscribers))
        db.execute("INSERT OR IGNORE INTO query (key) SELECT DISTINCT query FROM wanted")
        self._take_up_again(db, now)
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
            "UPDATE subscriber SET is_enrolled = 0, revision_cursor = NULL, change_cursor = NULL"
            " WHERE is_enrolled AND address NOT IN (SELECT address FROM wanted)"
        )
        set_revision_cursors(db)
        self._end_subscriptions(db)
        self._begin_subscriptions(db, current_since)
        db.execute("DELETE FROM wanted")

    @staticmethod
    def _note_wanted(db: Database, subscribers: Sequence[Subscriber]) -> None:
        """Writes the queries of `subscribers` to a temporary table, without subscribers who left."""
        db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS wanted"
            " (address TEXT, email TEXT, query TEXT, with_revisions INTEGER, has_filters INTEGER)"
        )
        db.execute("DELETE FROM wanted")
        db.conn.executemany(
            "INSERT INTO wanted VALUES (?, ?, ?, ?, ?)",
            (
                (
                    address_key(subscriber.email),
                    subscriber.email,
                    keyword.query.key,
                    subscriber.filters.replacements == "section",
                    subscriber.filters.refuse_papers,
                )
                for subscriber in subscribers
                for keyword in subscriber.keywords
            ),
        )
        # A subscriber who unsubscribed is not enrolled until `rejoin`, even if listed in subscribers.toml.
        db.execute(
            """
            DELETE FROM wanted WHERE address IN (
                SELECT address FROM preference JOIN subscriber ON subscriber.number = preference.subscriber
                WHERE left_at IS NOT NULL
            )
            """
        )

    @staticmethod
    def _end_subscriptions(db: Database) -> None:
        db.execute(
            """
            UPDATE subscription
            SET ended_after = (SELECT coalesce(max(number), 0) FROM hit)
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
        """The backlog ends with the last hit if the query is covered, else with the next fetch."""
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

    def subscriber_statuses(self, emails: Sequence[str]) -> Mapping[str, SubscriberStatus]:
        rows = self._connection.rows(
            """
            SELECT subscriber.address, subscriber.since_at, last_digest_at, slot_at,
                EXISTS (
                    SELECT 1
                    FROM subscription JOIN query ON query.number = subscription.query
                    WHERE subscription.subscriber = subscriber.number AND (
                        ended_after IS NULL AND (
                            began_after IS NOT NULL
                            AND newest_hit > CASE WHEN is_welcomed THEN cursor ELSE 0 END
                            OR newest_revision > revision_cursor
                            OR newest_change > change_cursor
                        )
                        OR ended_after > cursor AND began_after IS NOT NULL AND newest_hit > cursor
                    )
                ),
                suppression.address IS NOT NULL
            FROM json_each(?) AS asked
            JOIN subscriber ON subscriber.address = asked.value AND is_enrolled
            LEFT JOIN suppression ON suppression.address = subscriber.address
            """,
            [json.dumps([address_key(email) for email in emails], ensure_ascii=False)],
        )
        return {
            address: SubscriberStatus(
                since_at=moment_of(since_at),
                last_digest_at=shared_moment(last_digest_at),
                slot_at=shared_moment(slot_at),
                has_news=bool(has_news),
                is_suppressed=bool(is_suppressed),
            )
            for address, since_at, last_digest_at, slot_at, has_news, is_suppressed in rows
        }

    def count_as_seen(self, email: str, papers: Iterable[ArxivId]) -> int:
        with self._connection.transaction() as db:
            return note_seen(db, email, papers)


def give_up(db: Database, now: datetime) -> int:
    """Ends the mailings of subscribers who have left. Returns their number."""
    return db.execute(
        """
        UPDATE mailing
        SET state = 'failed', due_at = NULL, channel_due_at = NULL, reply = 'the reader has left',
            concluded_at = CASE WHEN channel_due_at IS NULL THEN ? END
        WHERE state IN ('pending', 'unknown', 'deferred')
            AND subscriber IN (SELECT number FROM subscriber WHERE NOT is_enrolled)
        """,
        [text_of(now)],
    ).rowcount


def enrol_anew(db: Database) -> None:
    """Makes the next enrolment check all subscribers, even if they are the same as before."""
    db.execute("UPDATE installation SET enrolled = NULL")


def note_seen(db: Database, email: str, papers: Iterable[ArxivId]) -> int:
    """Marks papers that a subscriber knows from elsewhere. Returns how many are newly marked."""
    codes = [(code_of(arxiv_id),) for arxiv_id in papers]
    db.conn.executemany("INSERT OR IGNORE INTO paper (arxiv_id) VALUES (?)", codes)
    return db.conn.executemany(
        "INSERT OR IGNORE INTO seen_elsewhere SELECT ?, number FROM paper WHERE arxiv_id = ?",
        [(address_key(email), code) for (code,) in codes],
    ).rowcount


def without_erased(db: Database, subscribers: Sequence[Subscriber]) -> Sequence[Subscriber]:
    """Nothing is stored about who had everything erased, until `rejoin`."""
    marks = {mark for (mark,) in db.execute("SELECT mark FROM left_mark").fetchall()}
    return [one for one in subscribers if left_mark(one.email) not in marks] if marks else subscribers
