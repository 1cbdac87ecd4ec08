"""The enrolled subscribers and their subscriptions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from digest.config.parsing import address_key
from digest.model.paper import ArxivId
from digest.storage.channel_stores import IS_CHANNEL
from digest.storage.fingerprints import hash_of_enrolment
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.locks import Lock, hold, last_number
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.values import SubscriberStatus
from digest.subscribers.preferences import left_mark
from digest.subscribers.subscriber import Subscriber


class Subscriptions(Part):
    """The part of the store for subscribers and subscriptions."""

    def enrol(self, subscribers: Sequence[Subscriber], *, now: datetime, current_since: datetime) -> int:
        fingerprint = hash_of_enrolment(subscribers)
        with self._connection.transaction() as db:
            # Only enrolments begin or end subscriptions: the same subscribers need no second one.
            if _enrolled(db) != fingerprint:
                hold(db, Lock.NUMBERING)  # a fetch numbers the hits behind which subscriptions begin
                if _enrolled(db) != fingerprint:
                    _enrol(db, subscribers, whole_second(now), whole_second(current_since))
                    db.execute("UPDATE installation SET enrolled = %s", [fingerprint])
            db.execute(
                """
                UPDATE query SET covered_at = NULL, searched_since_at = NULL
                WHERE covered_at IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM subscription WHERE query = query.number AND ended_after IS NULL
                )
                """
            )
            return give_up(db, now)

    def subscriber_statuses(self, emails: Sequence[str]) -> Mapping[str, SubscriberStatus]:
        rows = self._connection.rows(_STATUSES, [[address_key(email) for email in emails]])
        return {
            address: SubscriberStatus(
                since_at=since_at,
                last_digest_at=last_digest_at,
                slot_at=slot_at,
                has_news=has_news,
                is_suppressed=is_suppressed,
            )
            for address, since_at, last_digest_at, slot_at, has_news, is_suppressed in rows
        }

    def count_as_seen(self, email: str, papers: Iterable[ArxivId]) -> int:
        with self._connection.transaction() as db:
            return note_seen(db, email, papers)


_STATUSES = """
SELECT subscriber.address, subscriber.since_at, last_digest_at, slot_at,
    EXISTS (
        SELECT 1
        FROM subscription JOIN query ON query.number = subscription.query
        WHERE subscription.subscriber = subscriber.number AND CASE
            WHEN ended_after IS NULL THEN
                began_after IS NOT NULL AND newest_hit > CASE WHEN is_welcomed THEN cursor ELSE 0 END
                OR newest_revision > revision_cursor
                OR newest_change > change_cursor
            ELSE ended_after > cursor AND began_after IS NOT NULL AND newest_hit > cursor END
    ),
    EXISTS (SELECT 1 FROM suppression WHERE suppression.address = subscriber.address)
FROM subscriber WHERE address = ANY(%s) AND is_enrolled
"""


def _enrolled(db: Database) -> bytes | None:
    (fingerprint,) = db.execute("SELECT enrolled FROM installation").fetchall()[0]
    return fingerprint  # type: ignore[no-any-return]


def _enrol(db: Database, subscribers: Sequence[Subscriber], now: datetime, current_since: datetime) -> None:
    _note_wanted(db, without_erased(db, subscribers))
    last_hit = last_number(db, "hit")
    _take_up_again(db, now)
    db.execute(
        """
        INSERT INTO subscriber (address, email, since_at, is_enrolled, cursor)
        SELECT DISTINCT ON (address) address, email, %s, true, %s::bigint FROM wanted
        WHERE NOT EXISTS (SELECT 1 FROM subscriber WHERE subscriber.address = wanted.address)
        """,
        [now, last_hit],
    )
    db.execute(
        """
        UPDATE subscriber SET email = wanted.email, is_enrolled = true
        FROM wanted WHERE wanted.address = subscriber.address
            AND (subscriber.email <> wanted.email OR NOT is_enrolled)
        """
    )
    db.execute(
        """
        UPDATE subscriber SET is_enrolled = false, revision_cursor = NULL, change_cursor = NULL
        WHERE is_enrolled AND NOT EXISTS (SELECT 1 FROM wanted WHERE wanted.address = subscriber.address)
        """
    )
    _set_cursors(db)
    _change_subscriptions(db, last_hit, current_since)


def _note_wanted(db: Database, subscribers: Sequence[Subscriber]) -> None:
    """Writes the queries of `subscribers` to a temporary table, without subscribers who left."""
    db.execute("DROP TABLE IF EXISTS pg_temp.wanted, pg_temp.followed")  # of this transaction
    db.execute(
        """
        CREATE TEMP TABLE wanted (
            address text COLLATE "C", email text, query text COLLATE "C", with_revisions boolean,
            has_filters boolean
        ) ON COMMIT DROP
        """
    )
    with db.cursor() as cursor, cursor.copy("COPY wanted FROM STDIN") as copy:
        for one in subscribers:
            asked = one.filters.replacements == "section", one.filters.refuse_papers
            for keyword in one.keywords:
                copy.write_row((address_key(one.email), one.email, keyword.query.key, *asked))
    # A subscriber who unsubscribed is not enrolled until `rejoin`, even if listed in subscribers.toml.
    db.execute(
        """
        DELETE FROM wanted WHERE address IN (
            SELECT address FROM preference JOIN subscriber ON subscriber.number = preference.subscriber
            WHERE left_at IS NOT NULL
        )
        """
    )
    db.execute("ANALYZE wanted")
    db.execute(
        """
        INSERT INTO query (key) SELECT DISTINCT wanted.query FROM wanted
        WHERE NOT EXISTS (SELECT 1 FROM query WHERE query.key = wanted.query)
        """
    )


def _take_up_again(db: Database, now: datetime) -> None:
    """Retries the mailings of returning subscribers that were given up when they left.

    Their cursors are past the papers of these mailings, so that no other digest would contain them.
    """
    db.execute(
        f"""
        UPDATE mailing
        SET state = CASE WHEN may_have_arrived THEN 'unknown' ELSE 'deferred' END,
            due_at = CASE WHEN NOT {IS_CHANNEL} THEN %(now)s END,
            channel_due_at = CASE WHEN {IS_CHANNEL} THEN %(now)s END,
            reply = 'the reader has returned', email = new_email
        FROM (
            SELECT DISTINCT number, wanted.email AS new_email FROM subscriber JOIN wanted USING (address)
            WHERE NOT is_enrolled
        ) AS returned
        WHERE state = 'failed' AND subscriber = returned.number
        """,  # noqa: S608 (written here)
        {"now": now},
    )


def _set_cursors(db: Database) -> None:
    """Sets the cursor of subscribers who newly ask for new versions: they get none that was seen before.

    Does the same for changes and subscribers who newly have filters.
    """
    db.execute(
        """
        UPDATE subscriber
        SET change_cursor = CASE WHEN has_filters THEN coalesce(change_cursor, %s) END,
            revision_cursor = CASE WHEN with_revisions THEN coalesce(revision_cursor, %s) END
        FROM wanted
        WHERE wanted.address = subscriber.address AND (
            has_filters <> (change_cursor IS NOT NULL) OR with_revisions <> (revision_cursor IS NOT NULL)
        )
        """,
        [last_number(db, "change"), last_number(db, "revision")],
    )


def _change_subscriptions(db: Database, last_hit: int, current_since: datetime) -> None:
    """Ends and begins subscriptions.

    The backlog of a new one ends with the last hit if the query is covered, else with the next fetch.
    """
    db.execute(
        """
        CREATE TEMP TABLE followed ON COMMIT DROP AS
        SELECT DISTINCT subscriber.number AS subscriber, query.number AS query,
            query.covered_at >= %s AS is_covered
        FROM wanted
        JOIN subscriber ON subscriber.address = wanted.address
        JOIN query ON query.key = wanted.query
        """,
        [current_since],
    )
    db.execute("ANALYZE followed")
    db.execute(
        """
        UPDATE subscription SET ended_after = %s
        WHERE ended_after IS NULL AND NOT EXISTS (
            SELECT 1 FROM followed
            WHERE followed.subscriber = subscription.subscriber AND followed.query = subscription.query
        )
        """,
        [last_hit],
    )
    db.execute(
        """
        INSERT INTO subscription (subscriber, query, began_after)
        SELECT subscriber, query, CASE WHEN is_covered THEN %s::bigint END
        FROM followed
        WHERE NOT EXISTS (
            SELECT 1 FROM subscription
            WHERE ended_after IS NULL
                AND subscription.subscriber = followed.subscriber AND subscription.query = followed.query
        )
        """,
        [last_hit],
    )


def give_up(db: Database, now: datetime) -> int:
    """Ends the mailings of subscribers who have left. Returns their number."""
    return db.execute(
        """
        UPDATE mailing
        SET state = 'failed', due_at = NULL, channel_due_at = NULL, reply = 'the reader has left',
            concluded_at = CASE WHEN channel_due_at IS NULL THEN %s END
        FROM subscriber
        WHERE subscriber.number = mailing.subscriber AND NOT is_enrolled
            AND coalesce(due_at, channel_due_at) IS NOT NULL AND state IN ('pending', 'unknown', 'deferred')
        """,
        [whole_second(now)],
    ).rowcount


def enrol_anew(db: Database) -> None:
    """Makes the next enrolment check all subscribers, even if they are the same as before."""
    db.execute("UPDATE installation SET enrolled = NULL")


def note_seen(db: Database, email: str, papers: Iterable[ArxivId]) -> int:
    """Marks papers that a subscriber knows from elsewhere. Returns how many are newly marked."""
    ids = sorted(set(papers))
    db.execute(
        """
        INSERT INTO paper (arxiv_id)
        SELECT asked.arxiv_id FROM unnest(%s::text[]) AS asked (arxiv_id)
        WHERE NOT EXISTS (SELECT 1 FROM paper WHERE paper.arxiv_id = asked.arxiv_id)
        ON CONFLICT DO NOTHING
        """,
        [ids],
    )
    return db.execute(
        """
        INSERT INTO seen_elsewhere SELECT %s, number FROM paper WHERE arxiv_id = ANY(%s)
        ON CONFLICT DO NOTHING
        """,
        [address_key(email), ids],
    ).rowcount


def without_erased(db: Database, subscribers: Sequence[Subscriber]) -> Sequence[Subscriber]:
    """Nothing is stored about who had everything erased, until `rejoin`."""
    marks = {mark for (mark,) in db.execute("SELECT mark FROM left_mark").fetchall()}
    return [one for one in subscribers if left_mark(one.email) not in marks] if marks else subscribers
