"""The shape of the state file. Append only: a migration that was released is never edited."""

from contextlib import closing

from sqlite_utils import Database, Migrations

migrations = Migrations("digest")


def names() -> frozenset[str]:
    """The names of all migrations that this version knows."""
    with closing(Database(memory=True)) as empty:
        return frozenset(migration.name for migration in migrations.pending(empty))


@migrations()
def m001_main_job(db: Database) -> None:
    """Papers, queries and hits; subscribers with their cursors; the outbox.

    Moments are ISO 8601 text in UTC, cut to seconds, so that they compare as text.
    """
    for statement in (
        # Makes the names of this installation's mailings different from everybody else's.
        "CREATE TABLE installation (secret TEXT NOT NULL) STRICT",
        "INSERT INTO installation VALUES (lower(hex(randomblob(16))))",
        # covered_at: its last good fetch. searched_since_at: the submission time from which its first one
        # searched; what is older was never looked for, and is no news when it turns up.
        """
        CREATE TABLE query (
            number INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            covered_at TEXT,
            searched_since_at TEXT
        ) STRICT
        """,
        """
        CREATE TABLE paper (
            number INTEGER PRIMARY KEY,
            arxiv_id TEXT NOT NULL UNIQUE
        ) STRICT
        """,
        # An edition is one version's text as it was first seen, and never changes: a mailing
        # that names it can be built again to the same bytes.
        """
        CREATE TABLE edition (
            number INTEGER PRIMARY KEY,
            paper INTEGER NOT NULL REFERENCES paper,
            version INTEGER NOT NULL,
            title TEXT NOT NULL,
            abstract TEXT NOT NULL,
            authors TEXT NOT NULL,
            categories TEXT NOT NULL,
            submitted_at TEXT,
            updated_at TEXT,
            comment TEXT,
            journal_ref TEXT,
            doi TEXT,
            UNIQUE (paper, version)
        ) STRICT
        """,
        """
        CREATE TABLE hit (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            query INTEGER NOT NULL REFERENCES query,
            paper INTEGER NOT NULL REFERENCES paper,
            edition INTEGER NOT NULL REFERENCES edition,
            UNIQUE (query, paper)
        ) STRICT
        """,
        "CREATE INDEX hit_of_query ON hit (query, number)",
        "CREATE INDEX hit_of_paper ON hit (paper)",
        "CREATE INDEX edition_by_submission ON edition (submitted_at)",
        """
        CREATE TABLE subscriber (
            number INTEGER PRIMARY KEY,
            address TEXT NOT NULL UNIQUE,
            email TEXT NOT NULL,
            since_at TEXT NOT NULL,
            is_enrolled INTEGER NOT NULL,
            cursor INTEGER NOT NULL,
            last_digest_at TEXT,
            slot_at TEXT
        ) STRICT
        """,
        # began_after: the last hit of the backlog, known once the query was covered.
        # ended_after: the reader's cursor when they dropped the keyword.
        """
        CREATE TABLE subscription (
            number INTEGER PRIMARY KEY,
            subscriber INTEGER NOT NULL REFERENCES subscriber,
            query INTEGER NOT NULL REFERENCES query,
            began_after INTEGER,
            is_welcomed INTEGER NOT NULL DEFAULT 0,
            ended_after INTEGER
        ) STRICT
        """,
        "CREATE UNIQUE INDEX open_subscription ON subscription (subscriber, query) WHERE ended_after IS NULL",
        "CREATE INDEX subscription_of_query ON subscription (query)",
        """
        CREATE TABLE mailing (
            number INTEGER PRIMARY KEY,
            subscriber INTEGER NOT NULL REFERENCES subscriber,
            token TEXT NOT NULL UNIQUE,
            email TEXT NOT NULL,
            name TEXT,
            planned_at TEXT NOT NULL,
            dated_on TEXT NOT NULL,
            is_first INTEGER NOT NULL,
            keywords TEXT NOT NULL,
            entries TEXT NOT NULL,
            first_hit INTEGER NOT NULL,
            last_hit INTEGER NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('pending', 'sending', 'sent', 'unknown', 'deferred', 'failed')),
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at TEXT NOT NULL,
            reply TEXT,
            concluded_at TEXT
        ) STRICT
        """,
        "CREATE INDEX open_mailing ON mailing (due_at) WHERE state NOT IN ('sent', 'failed')",
        "CREATE INDEX mailing_of_subscriber ON mailing (subscriber)",
    ):
        db.execute(statement)


@migrations()
def m002_revisions(db: Database) -> None:
    """New versions of papers, and the second cursor of the readers who ask for them."""
    for statement in (
        """
        CREATE TABLE revision (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            paper INTEGER NOT NULL REFERENCES paper,
            edition INTEGER NOT NULL REFERENCES edition
        ) STRICT
        """,
        # The last revision of a paper that the query found.
        "ALTER TABLE query ADD COLUMN newest_revision INTEGER",
        # NULL: the reader asks for no new versions.
        "ALTER TABLE subscriber ADD COLUMN revision_cursor INTEGER",
        "ALTER TABLE mailing ADD COLUMN revisions TEXT NOT NULL DEFAULT '[]'",
    ):
        db.execute(statement)
