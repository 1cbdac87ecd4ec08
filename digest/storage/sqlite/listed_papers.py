"""The papers of the last announcements, whether a keyword matches them or not."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlite_utils import Database

from digest.model.paper import ArxivId, Paper, announcement_order
from digest.storage.limits import LISTED_KEPT_IF_USED, LISTED_OFFERED, MOST_LISTED_OFFERED
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import moment_of, parse_paper, row_of, text_of


class ListedPapers(Part):
    """The part of the store for papers that digests may have though no keyword matches them."""

    def keep_listed(self, papers: Sequence[Paper], *, now: datetime) -> None:
        newest = sorted(papers, key=lambda paper: announcement_order(paper.id))[-MOST_LISTED_OFFERED:]
        with self._connection.transaction() as db:
            db.conn.executemany(
                'INSERT OR IGNORE INTO listed_paper (arxiv_id, "row", listed_at) VALUES (?, ?, ?)',
                ((one.id, json.dumps(row_of(one), ensure_ascii=False), text_of(now)) for one in newest),
            )
            db.execute(
                """
                DELETE FROM listed_paper WHERE NOT is_used AND (listed_at < ? OR number <= (
                    SELECT max(number) - ? FROM listed_paper
                ))
                """,
                [text_of(now - LISTED_OFFERED), MOST_LISTED_OFFERED],
            )
            db.execute(
                "DELETE FROM listed_paper WHERE is_used AND listed_at < ?",
                [text_of(now - LISTED_KEPT_IF_USED)],
            )

    def listed(self, *, since: datetime) -> Mapping[Paper, datetime]:
        rows = self._connection.rows(
            'SELECT "row", listed_at FROM listed_paper WHERE listed_at >= ? ORDER BY number',
            [text_of(since)],
        )
        return {parse_paper(json.loads(row)): moment_of(listed_at) for row, listed_at in rows}


def use_listed(db: Database, papers: Iterable[Paper]) -> dict[ArxivId, int]:
    """Marks papers as used by mailings, and returns their numbers. Leaves out those that are gone."""
    marked = "UPDATE listed_paper SET is_used = 1 WHERE arxiv_id = ? RETURNING number"
    found = {paper.id: db.execute(marked, [paper.id]).fetchone() for paper in papers}
    return {arxiv_id: row[0] for arxiv_id, row in found.items() if row}
