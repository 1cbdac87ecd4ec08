"""New versions of papers that were seen before, and which of them are news for whom."""

import json

from sqlite_utils import Database

from digest.digests import Revision
from digest.papers import Paper
from digest.store.rows import code_of, text_of
from digest.store.shelves import Shelves


class Revisions(Shelves):
    """The part of the store that knows a paper's versions.

    A reader's `revision_cursor` is NULL while they ask for no new versions: then nothing here concerns them.
    """

    @staticmethod
    def _keep_edition(db: Database, paper: Paper) -> None:
        db.execute("INSERT OR IGNORE INTO paper (arxiv_id) VALUES (?)", [code_of(paper.id)])
        db.execute(
            """
            INSERT OR IGNORE INTO edition (paper, version, title, abstract, authors, categories,
                submitted_at, updated_at, comment, journal_ref, doi)
            SELECT number, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM paper WHERE arxiv_id = ?
            """,
            [
                paper.version,
                paper.title,
                paper.abstract,
                json.dumps(paper.authors, ensure_ascii=False),
                json.dumps(paper.categories),
                paper.submitted_at and text_of(paper.submitted_at),
                paper.updated_at and text_of(paper.updated_at),
                paper.comment,
                paper.journal_ref,
                paper.doi,
                code_of(paper.id),
            ],
        )

    @staticmethod
    def _keep_revision(db: Database, paper: Paper) -> None:
        """To be called when the hits on this version are written down."""
        db.execute(
            """
            INSERT INTO revision (paper, edition, version)
            SELECT paper.number, edition.number, version
            FROM paper JOIN edition ON edition.paper = paper.number AND edition.version = ?
            WHERE arxiv_id = ?
            """,
            [paper.version, code_of(paper.id)],
        )
        db.execute(
            """
            UPDATE query SET newest_revision = (SELECT max(number) FROM revision)
            WHERE number IN (
                SELECT hit.query FROM hit JOIN paper ON paper.number = hit.paper WHERE arxiv_id = ?1
                UNION ALL
                SELECT query FROM past_hit JOIN paper ON paper.number = past_hit.paper WHERE arxiv_id = ?1
            )
            """,
            [code_of(paper.id)],
        )

    @staticmethod
    def _set_revision_cursors(db: Database) -> None:
        """Whoever asks for new versions from now on gets none of those that were seen before."""
        db.execute(
            """
            UPDATE subscriber
            SET revision_cursor =
                CASE WHEN with_revisions THEN (SELECT coalesce(max(number), 0) FROM revision) END
            FROM wanted
            WHERE wanted.address = subscriber.address AND with_revisions <> (revision_cursor IS NOT NULL)
            """
        )

    def _revisions(self, address: str) -> tuple[Revision, ...]:
        """The versions after a reader's cursor of papers that they had and that a keyword of theirs finds."""
        rows = self._rows(
            """
            SELECT DISTINCT revision.number, revision.paper, revision.edition
            FROM subscriber
            JOIN subscription ON subscription.subscriber = subscriber.number AND ended_after IS NULL
            JOIN query ON query.number = subscription.query AND newest_revision > revision_cursor
            CROSS JOIN revision ON revision.number > revision_cursor
            WHERE address = ?
                AND (
                    EXISTS (SELECT 1 FROM hit WHERE hit.query = query.number AND hit.paper = revision.paper)
                    OR EXISTS (
                        SELECT 1 FROM past_hit
                        WHERE past_hit.paper = revision.paper AND past_hit.query = query.number
                    )
                )
            ORDER BY revision.number
            """,
            [address],
        )
        had = self._versions_had(address, {paper for _, paper, _ in rows})
        editions = [(edition, had[paper]) for _, paper, edition in rows if paper in had]
        papers = self._papers({edition for edition, _ in editions})
        return tuple(Revision(paper=papers[edition], from_version=version) for edition, version in editions)

    def _versions_had(self, address: str, papers: set[int]) -> dict[int, int]:
        """Of these papers, those that mailings brought the reader, with the last version that one told of."""
        if not papers:
            return {}
        return dict(
            self._rows(
                """
                WITH received AS (
                    SELECT entries, revisions FROM mailing
                    WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?) AND state <> 'failed'
                ),
                told AS (
                    SELECT json_extract(value, '$[0]') AS edition FROM received, json_each(entries)
                    UNION ALL
                    SELECT json_extract(value, '$[0]') FROM received, json_each(revisions)
                )
                SELECT paper, max(version)
                FROM (
                    SELECT paper, version, number AS edition FROM edition
                    UNION ALL SELECT paper, version, edition FROM past_hit
                    UNION ALL SELECT paper, version, edition FROM revision
                )
                WHERE paper IN (SELECT value FROM json_each(?)) AND edition IN (SELECT edition FROM told)
                GROUP BY paper
                """,
                [address, json.dumps(sorted(papers))],
            )
        )
