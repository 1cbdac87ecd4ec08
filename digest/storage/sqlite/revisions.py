"""New versions of papers that were seen before, and for which subscribers they are new."""

import json
from dataclasses import replace
from typing import NamedTuple

from sqlite_utils import Database

from digest.model.digest import Change, Revision
from digest.model.paper import Paper
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.row_mapping import checksum_of, code_of, row_of


class Edition(NamedTuple):
    """The latest edition of a paper, with the checksum of its title, abstract and categories."""

    number: int
    version: int
    checksum: int

    def is_changed_by(self, paper: Paper) -> bool:
        return paper.version >= self.version and self.checksum != checksum_of(paper)


class Revisions(Part):
    """The part of the store for versions of papers, used by other parts.

    A subscriber's `revision_cursor` is NULL while they do not ask for new versions.
    """

    def keep_edition(self, db: Database, paper: Paper, changed: "Edition | None") -> int:
        """Returns an edition of this version: the latest one, or a new one if the paper has `changed`."""
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
            [*row_of(paper)[1:], checksum_of(paper), code],
        ).lastrowid
        if number is None:
            raise AssertionError("the paper was inserted above")
        if changed is not None:
            self._keep_change(db, paper, changed, number)
        return number

    def _keep_change(self, db: Database, paper: Paper, before: "Edition", after: int) -> None:
        """Stores a change. Hits of the same version get the new text. Filters check the paper again."""
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
        """Stores a revision. Call it after the hits on this version are stored."""
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
        """Returns the changes after a subscriber's cursor, by query, of papers that no mailing contained.

        Leaves out papers of the past: they are never new.
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
        """Returns the new versions after a subscriber's cursor.

        The subscriber had an earlier version of the paper, and one of their keywords still finds it.
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
        """Returns which of these papers the subscriber had in mailings, each with its last version there.

        With `given_up`, mailings that wait until the subscriber returns count too.
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
    """Sets the cursor of subscribers who newly ask for new versions: they get none that was seen before.

    Does the same for changes and subscribers who newly have filters.
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
    """Fills missing fields of the paper from an earlier edition."""
    missing = ("submitted_at", "updated_at", "comment", "journal_ref", "doi")
    return replace(paper, **{name: getattr(known, name) for name in missing if getattr(paper, name) is None})
