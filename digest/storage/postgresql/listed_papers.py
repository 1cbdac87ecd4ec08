"""The papers of the last announcements, whether a keyword matches them or not."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from digest.model.paper import Paper, announcement_order
from digest.storage.limits import LISTED_KEPT_IF_USED, LISTED_OFFERED, MOST_LISTED_OFFERED
from digest.storage.postgresql.connection import Database
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.row_mapping import listed_row, parse_listed, whole_second


class ListedPapers(Part):
    """The part of the store for papers that digests may have though no keyword matches them."""

    def keep_listed(self, papers: Sequence[Paper], *, now: datetime) -> None:
        newest = sorted(papers, key=lambda paper: announcement_order(paper.id))[-MOST_LISTED_OFFERED:]
        with self._connection.transaction() as db:
            db.execute(
                """
                INSERT INTO listed_paper (arxiv_id, "row", listed_at)
                SELECT asked.arxiv_id, asked."row", %s
                FROM unnest(%s::text[], %s::jsonb[]) AS asked (arxiv_id, "row")
                WHERE asked.arxiv_id NOT IN (SELECT arxiv_id FROM listed_paper)
                ON CONFLICT DO NOTHING
                """,
                [
                    whole_second(now),
                    [one.id for one in newest],
                    [Jsonb(listed_row(one)) for one in newest],
                ],
            )
            db.execute(
                """
                DELETE FROM listed_paper
                WHERE NOT is_used AND (
                    listed_at < %s
                    OR number <= (SELECT number FROM listed_paper ORDER BY number DESC OFFSET %s LIMIT 1)
                )
                """,
                [whole_second(now - LISTED_OFFERED), MOST_LISTED_OFFERED],
            )
            db.execute(
                "DELETE FROM listed_paper WHERE is_used AND listed_at < %s",
                [whole_second(now - LISTED_KEPT_IF_USED)],
            )

    def listed(self, *, since: datetime) -> Mapping[Paper, datetime]:
        rows = self._connection.rows(
            'SELECT "row", listed_at FROM listed_paper WHERE listed_at >= %s ORDER BY number',
            [whole_second(since)],
        )
        return {parse_listed(row): listed_at for row, listed_at in rows}


def use_listed(db: Database, papers: Sequence[Paper]) -> dict[str, int]:
    """Marks papers as used by a mailing, and returns their numbers by id, without those that are gone."""
    marked = "UPDATE listed_paper SET is_used = true WHERE arxiv_id = ANY(%s) RETURNING arxiv_id, number"
    return dict(db.execute(marked, [[paper.id for paper in papers]]).fetchall()) if papers else {}
