"""New versions of papers that were seen before, and for which subscribers they are new."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from sqlite_utils import Database

from digest.model.paper import Paper
from digest.storage.news_facts import NO_VERSIONS, Mailed, SeenChange, SeenRevision, Versions, WantedVersions
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Editions, Part
from digest.storage.sqlite.hits import read_hits_of
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
            self._editions.forget_numbers()
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


def read_versions(connection: Connection, editions: Editions, wanted: WantedVersions) -> Versions:
    """Returns the revisions and changes that are wanted, with the editions of their papers."""
    revisions = _since(connection, "SELECT number, paper, edition FROM revision", wanted.revisions_after)
    changes = _since(connection, "SELECT number, paper, before, after FROM change", wanted.changes_after)
    if not revisions and not changes:
        return NO_VERSIONS
    changed = json.dumps(sorted({row[1] for row in changes}))
    papers = json.dumps(sorted({row[1] for row in (*revisions, *changes)}))
    read_hits_of(connection, editions.hits, {row[1] for row in revisions})
    changed_for: dict[int, set[int]] = defaultdict(set)
    for paper, query in connection.rows(
        "SELECT paper, query FROM hit WHERE paper IN (SELECT value FROM json_each(?)) AND NOT is_past",
        [changed],
    ):
        changed_for[paper].add(query)
    known: dict[int, dict[int, int]] = defaultdict(dict)
    for paper, version, edition in connection.rows(
        "SELECT paper, version, edition FROM known_edition WHERE paper IN (SELECT value FROM json_each(?))",
        [papers],
    ):
        known[paper][edition] = version
    return Versions(
        revisions=[SeenRevision(*row) for row in revisions],
        changes=[SeenChange(*row) for row in changes],
        editions=known,
        changed_for={paper: frozenset(queries) for paper, queries in changed_for.items()},
        papers=editions.read({edition for row in (*revisions, *changes) for edition in row[2:]}),
    )


def _since(connection: Connection, selected: str, after: int | None) -> list[tuple[int, ...]]:
    if after is None:
        return []
    return connection.rows(f"{selected} WHERE number > ? ORDER BY number", [after])


def read_mailed(connection: Connection, subscribers: Collection[int]) -> dict[int, Mailed]:
    """Returns the editions in the mailings of these subscribers, by subscriber."""
    if not subscribers:
        return {}
    mailed: dict[int, tuple[set[int], set[int]]] = {number: (set(), set()) for number in subscribers}
    for subscriber, is_given_up, *lists in connection.rows(
        """
        SELECT subscriber, state = 'failed', entries, revisions FROM mailing
        WHERE subscriber IN (SELECT value FROM json_each(?))
        """,
        [json.dumps(sorted(subscribers))],
    ):
        mailed[subscriber][is_given_up].update(edition for text in lists for edition, _ in json.loads(text))
    return {
        number: Mailed(editions=frozenset(received), given_up=frozenset(given_up))
        for number, (received, given_up) in mailed.items()
    }


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
