"""What is new for a subscriber."""

import json
from datetime import datetime

from digest.config.parsing import address_key
from digest.model.digest import Hit
from digest.model.paper import Paper
from digest.storage.sqlite import editions
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.mailings import MAILING_COLUMNS, read_mailing
from digest.storage.sqlite.revisions import Revisions
from digest.storage.sqlite.row_mapping import LAST_CODE, first_code, text_of
from digest.storage.values import Mailing, News, Progress

_NEW_HITS = """
WITH followed AS (
    SELECT subscription.query, key, began_after, subscriber.number AS reader, cursor, newest_past_hit,
        CASE WHEN is_welcomed THEN cursor WHEN ended_after IS NULL THEN 0 ELSE began_after END AS served,
        NOT is_welcomed AND ended_after IS NULL AS has_backlog, coalesce(ended_after, ?5) AS last
    FROM subscriber
    JOIN subscription ON subscription.subscriber = subscriber.number
        AND (ended_after IS NULL OR ended_after > cursor)
    JOIN query ON query.number = subscription.query
    WHERE address = ?1 AND began_after IS NOT NULL
),
candidate AS (
    SELECT hit.number, key, hit.paper, hit.edition, hit.number <= began_after OR is_past AS is_backlog,
        reader, cursor
    FROM followed
    JOIN hit ON hit.query = followed.query AND hit.number > served AND hit.number <= last
    JOIN edition ON edition.number = hit.edition
    JOIN paper ON paper.number = hit.paper
    WHERE (hit.number > began_after AND NOT is_past)
        OR has_backlog AND (
            submitted_at >= ?2 OR submitted_at IS NULL AND arxiv_id BETWEEN ?3 AND ?4
        )
    UNION ALL
    -- Reads all past hits, if the look-back has grown so far that some are in it.
    SELECT past_hit.number, key, past_hit.paper, past_hit.edition, 1, reader, cursor
    FROM followed
    CROSS JOIN past_hit ON past_hit.query = followed.query
    CROSS JOIN paper ON paper.number = past_hit.paper
    WHERE has_backlog AND ?6 <> '[]'
        AND (past_hit.number <= began_after OR is_past) AND past_hit.number <= last
        AND past_hit.edition / ?7 IN (SELECT value FROM json_each(?6))
        AND arxiv_id BETWEEN ?3 AND ?4
    UNION ALL
    -- Reads all past hits, for readers who were without mail so long that some are news.
    SELECT past_hit.number, key, past_hit.paper, past_hit.edition, 0, reader, cursor
    FROM followed
    CROSS JOIN past_hit ON past_hit.query = followed.query
    WHERE newest_past_hit > max(served, began_after) AND NOT is_past
        AND past_hit.number > max(served, began_after) AND past_hit.number <= last
),
-- What the reader was served by hits: all up to their cursor of what they follow, and of what they dropped
-- all that was there by then, if its first digest had come, else what was news. Hits of the past were only
-- served by the first digest.
served AS (
    SELECT query, CASE WHEN is_welcomed THEN 0 ELSE began_after END AS first,
        min(coalesce(ended_after, cursor), cursor) AS last,
        CASE WHEN is_welcomed THEN coalesce(welcomed_after, cursor) ELSE 0 END AS last_past
    FROM subscriber JOIN subscription ON subscription.subscriber = subscriber.number
    WHERE address = ?1 AND began_after IS NOT NULL AND (is_welcomed OR ended_after IS NOT NULL)
)
-- Two tables rather than `seen_hit`, with which it takes more than twice as long.
SELECT number, key, edition, is_backlog
FROM candidate
WHERE NOT EXISTS (
        SELECT 1 FROM served JOIN hit AS earlier ON earlier.query = served.query
        WHERE earlier.paper = candidate.paper AND earlier.number > first
            AND earlier.number <= CASE WHEN is_past THEN min(last, last_past) ELSE last END
    )
    AND NOT EXISTS (
        SELECT 1 FROM served JOIN past_hit AS earlier ON earlier.query = served.query
        WHERE earlier.paper = candidate.paper AND earlier.number > first
            AND earlier.number <= CASE WHEN is_past THEN min(last, last_past) ELSE last END
    )
    AND NOT EXISTS (
        SELECT 1 FROM seen_elsewhere WHERE address = ?1 AND paper = candidate.paper
    )
ORDER BY number
"""
"""The hits of a subscriber (?1) after their cursor, without papers that they know already.

They know a paper from an earlier hit or from elsewhere. The backlog is limited to papers that were submitted
since ?2 or, if the source gave no time, have an id from ?3 to ?4. ?6 are the archive blocks (of ?7 editions)
that have such papers; the caller checks the time of each. A dropped keyword has the hits that were found
while it was followed. ?5 is the last hit.
"""


class NewsReader(Part):
    """The part of the store that finds what is new for a subscriber."""

    def news(self, email: str, *, backlog_since: datetime) -> News:
        with self._connection.snapshot():
            frontier = Progress(
                hit=self._connection.one("SELECT coalesce(max(number), 0) FROM hit"),
                revision=self._connection.one("SELECT coalesce(max(number), 0) FROM revision"),
                change=self._connection.one("SELECT coalesce(max(number), 0) FROM change"),
            )
            since = backlog_since
            asked = [address_key(email), text_of(since), first_code(since), LAST_CODE, frontier.hit]
            asked += [json.dumps(self._editions.shelves_since(since)), editions.PLACES]
            rows = self._connection.rows(_NEW_HITS, asked)
            papers = self._editions.read({edition for _, _, edition, _ in rows})
            versions = Revisions(self._connection, self._editions)
            revisions = versions.revisions(address_key(email))
            changes = versions.changes(address_key(email))
            undelivered = self._undelivered(address_key(email))
        hits = tuple(
            Hit(number=number, query_key=key, paper=papers[edition], is_backlog=bool(is_backlog))
            for number, key, edition, is_backlog in rows
            if not (is_backlog and _is_before(papers[edition], text_of(since)))
        )
        return News(
            hits=hits, frontier=frontier, undelivered=undelivered, revisions=revisions, changes=changes
        )

    def recent_papers(self, query_key: str, *, since: datetime) -> tuple[Paper, ...]:
        with self._connection.snapshot():
            rows = self._connection.rows(
                """
                SELECT hit.edition
                FROM query
                CROSS JOIN hit ON hit.query = query.number
                CROSS JOIN edition ON edition.number = hit.edition
                WHERE key = ? AND submitted_at >= ?
                ORDER BY hit.number
                """,
                [query_key, text_of(since)],
            )
            papers = self._editions.read(edition for (edition,) in rows)
        return tuple(papers[edition] for (edition,) in rows)

    def _undelivered(self, address: str) -> tuple[Mailing, ...]:
        rows = self._connection.rows(
            f"""
            SELECT {MAILING_COLUMNS}
            FROM mailing
            WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?)
                AND due_at IS NOT NULL AND state IN ('pending', 'deferred') AND NOT may_have_arrived
            ORDER BY number
            """,  # noqa: S608 (written here)
            [address],
        )
        return tuple(read_mailing(row, self._editions, self._connection.secret) for row in rows)


def _is_before(paper: Paper, since: str) -> bool:
    return paper.submitted_at is not None and text_of(paper.submitted_at) < since
