"""New versions of papers that were seen before, and which of them are news for whom."""

import json
from dataclasses import replace
from typing import NamedTuple

from sqlite_utils import Database

from digest.model.digest import Change, Revision
from digest.model.paper import Paper
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import checksum_of, code_of, text_of


class Edition(NamedTuple):
    """The latest edition of a paper, with what tells its text and its categories from others."""

    number: int
    version: int
    checksum: int

    def is_changed_by(self, paper: Paper) -> bool:
        return paper.version >= self.version and self.checksum != checksum_of(paper)


class Revisions(Part):
    """What the other parts ask of a paper's versions.

    A subscriber's `revision_cursor` is NULL while they ask for no new versions: then nothing here concerns
    them.
    """

    def keep_edition(self, db: Database, paper: Paper, changed: "Edition | None") -> int:
        """The number of an edition with this version: the latest there is, unless that has `changed`."""
        code = code_of(paper.id)
        db.execute("INSERT OR IGNORE INTO paper (arxiv_id) VALUES (?)", [code])
        (edition,) = db.execute(
            """
            SELECT max(edition.number) FROM edition JOIN paper ON paper.number = edition.paper
            WHERE arxiv_id = ? AND version = ?
            """,
            [code, paper.version],
        ).fetchone()
        if edition is not None and changed is None:
            return int(edition)
        if changed is not None:
            paper = _completed(paper, self._editions.read([changed.number])[changed.number])
        number = db.execute(
            """
            INSERT INTO edition (paper, version, title, abstract, authors, categories,
                submitted_at, updated_at, comment, journal_ref, doi, checksum)
            SELECT number, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM paper WHERE arxiv_id = ?
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
                checksum_of(paper),
                code,
            ],
        ).lastrowid
        if number is None:
            raise AssertionError("the paper was written down a moment ago")
        if changed is not None:
            self._keep_change(db, paper, changed, number)
        return number

    def _keep_change(self, db: Database, paper: Paper, before: "Edition", after: int) -> None:
        """Hits of the same version show the new text; filters that refused the old one are asked again."""
        if paper.version == before.version:
            db.execute("UPDATE hit SET edition = ? WHERE edition = ?", [after, before.number])
            self._editions.forget_number(paper)
        db.execute(
            "INSERT INTO change (paper, before, after) SELECT number, ?, ? FROM paper WHERE arxiv_id = ?",
            [before.number, after, code_of(paper.id)],
        )
        db.execute(
            """
            UPDATE query SET newest_change = (SELECT max(number) FROM change)
            WHERE number IN (
                SELECT hit.query FROM hit JOIN paper ON paper.number = hit.paper WHERE arxiv_id = ?
            )
            """,
            [code_of(paper.id)],
        )

    @staticmethod
    def keep_revision(db: Database, paper: Paper, edition: int) -> None:
        """To be called when the hits on this version are written down."""
        db.execute(
            "INSERT INTO revision (paper, edition, version)"
            " SELECT number, ?, ? FROM paper WHERE arxiv_id = ?",
            [edition, paper.version, code_of(paper.id)],
        )
        db.execute(
            """
            UPDATE query SET newest_revision = (SELECT max(number) FROM revision)
            WHERE number IN (
                SELECT query FROM seen_hit WHERE paper = (SELECT number FROM paper WHERE arxiv_id = ?)
            )
            """,
            [code_of(paper.id)],
        )

    def changes(self, address: str) -> tuple[Change, ...]:
        """The changes after a subscriber's cursor of papers that no mailing brought them, by query.

        None of papers of the past, which are no news whatever becomes of them.
        """
        rows = self._connection.rows(
            """
            SELECT key, change.paper, change.before, change.after
            FROM subscriber
            JOIN subscription ON subscription.subscriber = subscriber.number AND ended_after IS NULL
            JOIN query ON query.number = subscription.query AND newest_change > change_cursor
            CROSS JOIN change ON change.number > change_cursor
            JOIN hit ON hit.query = query.number AND hit.paper = change.paper
            WHERE address = ?1 AND NOT hit.is_past
                AND NOT EXISTS (SELECT 1 FROM seen_elsewhere WHERE address = ?1 AND paper = change.paper)
            ORDER BY change.number
            """,
            [address],
        )
        had = self._versions_had(address, {paper for _, paper, *_ in rows}, given_up=True)
        changed = [(key, before, after) for key, paper, before, after in rows if paper not in had]
        papers = self._editions.read({edition for _, *editions in changed for edition in editions})
        return tuple(
            Change(query_key=key, before=papers[before], after=papers[after])
            for key, before, after in changed
        )

    def revisions(self, address: str) -> tuple[Revision, ...]:
        """The versions after a subscriber's cursor of papers that they had and that a keyword of theirs
        finds.
        """
        rows = self._connection.rows(
            """
            SELECT DISTINCT revision.number, revision.paper, revision.edition
            FROM subscriber
            JOIN subscription ON subscription.subscriber = subscriber.number AND ended_after IS NULL
            JOIN query ON query.number = subscription.query AND newest_revision > revision_cursor
            CROSS JOIN revision ON revision.number > revision_cursor
            WHERE address = ?
                AND EXISTS (
                    SELECT 1 FROM seen_hit
                    WHERE seen_hit.query = query.number AND seen_hit.paper = revision.paper
                )
            ORDER BY revision.number
            """,
            [address],
        )
        had = self._versions_had(address, {paper for _, paper, _ in rows})
        editions = [(edition, had[paper]) for _, paper, edition in rows if paper in had]
        papers = self._editions.read({edition for edition, _ in editions})
        return tuple(Revision(paper=papers[edition], from_version=version) for edition, version in editions)

    def _versions_had(self, address: str, papers: set[int], *, given_up: bool = False) -> dict[int, int]:
        """Of these papers, those that mailings brought the subscriber, with the last version that one told
        of.

        With `given_up` also those of mailings that wait until the subscriber returns.
        """
        if not papers:
            return {}
        return dict(
            self._connection.rows(
                """
                WITH received AS (
                    SELECT entries, revisions FROM mailing
                    WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?1)
                        AND (state <> 'failed' OR ?3)
                ),
                told AS (
                    SELECT json_extract(value, '$[0]') AS edition FROM received, json_each(entries)
                    UNION ALL
                    SELECT json_extract(value, '$[0]') FROM received, json_each(revisions)
                )
                SELECT paper, version
                FROM json_each(?2) AS asked CROSS JOIN known_edition ON paper = asked.value
                WHERE edition IN (SELECT edition FROM told) ORDER BY version
                """,
                [address, json.dumps(sorted(papers)), given_up],
            )
        )


def set_revision_cursors(db: Database) -> None:
    """Whoever asks for new versions from now on gets none of those that were seen before.

    The same holds for changes, which concern those alone who have filters.
    """
    db.execute(
        """
        UPDATE subscriber
        SET change_cursor = CASE WHEN has_filters THEN (SELECT coalesce(max(number), 0) FROM change) END
        FROM wanted
        WHERE wanted.address = subscriber.address AND has_filters <> (change_cursor IS NOT NULL)
        """
    )
    db.execute(
        """
        UPDATE subscriber
        SET revision_cursor =
            CASE WHEN with_revisions THEN (SELECT coalesce(max(number), 0) FROM revision) END
        FROM wanted
        WHERE wanted.address = subscriber.address AND with_revisions <> (revision_cursor IS NOT NULL)
        """
    )


def _completed(paper: Paper, known: Paper) -> Paper:
    """The paper with what its source did not tell and an earlier edition has."""
    missing = ("submitted_at", "updated_at", "comment", "journal_ref", "doi")
    return replace(paper, **{name: getattr(known, name) for name in missing if getattr(paper, name) is None})
