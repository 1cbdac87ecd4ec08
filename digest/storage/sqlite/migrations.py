"""The format of the state file. Append only: a released migration is never changed."""

from contextlib import closing

from sqlite_utils import Database, Migrations

from digest.storage.sqlite.row_mapping import checksum

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
        # Makes the tokens of this installation different from those of all others.
        "CREATE TABLE installation (secret TEXT NOT NULL) STRICT",
        "INSERT INTO installation VALUES (lower(hex(randomblob(16))))",
        # covered_at: its last good fetch. searched_since_at: the submission time from which its first one
        # searched; older papers were never searched, and are not new if they appear later.
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
        # ended_after: the subscriber's cursor when they dropped the keyword.
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
    """New versions of papers, and the second cursor of the subscribers who ask for them."""
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
        # NULL: the subscriber asks for no new versions.
        "ALTER TABLE subscriber ADD COLUMN revision_cursor INTEGER",
        "ALTER TABLE mailing ADD COLUMN revisions TEXT NOT NULL DEFAULT '[]'",
    ):
        db.execute(statement)


@migrations()
def m003_shelves(db: Database) -> None:
    """Old editions in archive blocks (shelves), their hits in a table without indexes, ids as numbers."""
    for statement in (
        # See `digest.storage.sqlite.row_mapping.Code`.
        "CREATE TABLE coded_paper (number INTEGER PRIMARY KEY, arxiv_id ANY NOT NULL UNIQUE) STRICT",
        """
        INSERT INTO coded_paper
        SELECT number, CASE
            WHEN arxiv_id GLOB '[0-9][0-9][0-9][0-9].[0-9][0-9][0-9][0-9]'
                OR arxiv_id GLOB '[1-9][0-9][0-9][0-9].[0-9][0-9][0-9][0-9][0-9]'
            THEN CAST(replace(arxiv_id, '.', '') AS INTEGER) ELSE arxiv_id END
        FROM paper
        """,
        "DROP TABLE paper",
        "ALTER TABLE coded_paper RENAME TO paper",
        # A shelf is JSON, compressed by bz2: a list of editions, each a list of its columns, or null.
        """
        CREATE TABLE shelf (
            number INTEGER PRIMARY KEY,
            newest_submitted_at TEXT,
            papers BLOB NOT NULL
        ) STRICT
        """,
        # A hit whose edition is in a shelf, with the version of that edition.
        """
        CREATE TABLE past_hit (
            paper INTEGER NOT NULL REFERENCES paper,
            query INTEGER NOT NULL REFERENCES query,
            number INTEGER NOT NULL,
            edition INTEGER NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (paper, query)
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE query ADD COLUMN newest_past_hit INTEGER",
        "CREATE INDEX hit_of_edition ON hit (edition)",
        # A revision outlives the row of its edition.
        """
        CREATE TABLE lasting_revision (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            paper INTEGER NOT NULL REFERENCES paper,
            edition INTEGER NOT NULL,
            version INTEGER NOT NULL
        ) STRICT
        """,
        """
        INSERT INTO lasting_revision
        SELECT revision.number, revision.paper, edition, version
        FROM revision JOIN edition ON edition.number = revision.edition
        """,
        "DROP TABLE revision",
        "ALTER TABLE lasting_revision RENAME TO revision",
        "CREATE INDEX revision_of_paper ON revision (paper)",
    ):
        db.execute(statement)


@migrations()
def m004_delivery(db: Database) -> None:
    """Leases, merging, suppressed addresses and bounces; and what each query found last."""
    for statement in (
        "ALTER TABLE mailing RENAME TO former_mailing",
        # due_at: the next attempt, or while it is claimed the end of the lease; NULL at its end.
        # may_have_arrived: an attempt was cut off when the server might have had the whole mail.
        # bounces: how often it came back, the last time at bounced_at.
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
            revisions TEXT NOT NULL,
            first_hit INTEGER NOT NULL,
            last_hit INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN (
                'pending', 'sending', 'unknown', 'deferred', 'sent', 'suppressed', 'merged', 'failed')),
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at TEXT,
            may_have_arrived INTEGER NOT NULL DEFAULT 0,
            reply TEXT,
            concluded_at TEXT,
            bounces INTEGER NOT NULL DEFAULT 0,
            bounced_at TEXT,
            CHECK ((due_at IS NULL) = (state IN ('sent', 'suppressed', 'merged', 'failed')))
        ) STRICT
        """,
        """
        INSERT INTO mailing (number, subscriber, token, email, name, planned_at, dated_on, is_first, keywords,
            entries, revisions, first_hit, last_hit, state, attempts, due_at, may_have_arrived, reply,
            concluded_at)
        SELECT number, subscriber, token, email, name, planned_at, dated_on, is_first, keywords,
            entries, revisions, first_hit, last_hit, state, attempts,
            CASE WHEN state NOT IN ('sent', 'failed') THEN due_at END,
            state IN ('unknown', 'sending'), reply, concluded_at
        FROM former_mailing
        """,
        "DROP TABLE former_mailing",
        "CREATE INDEX mailing_by_due ON mailing (due_at) WHERE due_at IS NOT NULL",
        "CREATE INDEX mailing_of_subscriber ON mailing (subscriber)",
        "CREATE INDEX mailing_by_attempt ON mailing (concluded_at)",
        """
        CREATE TABLE suppression (
            address TEXT PRIMARY KEY,
            email TEXT NOT NULL,
            since_at TEXT NOT NULL,
            cause TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE query ADD COLUMN newest_hit INTEGER",
        "UPDATE query SET newest_hit = (SELECT max(number) FROM hit WHERE hit.query = query.number)",
    ):
        db.execute(statement)


@migrations()
def m005_idle_runs(db: Database) -> None:
    """Marks of earlier runs, so that a run with nothing new does little."""
    for statement in (
        # The fingerprint of the subscribers who were enrolled last.
        "ALTER TABLE installation ADD COLUMN enrolled BLOB",
        # What a subscriber had is looked for by subscriber: a keyword may have thousands of them.
        "DROP INDEX subscription_of_query",
        "CREATE INDEX subscription_of_subscriber ON subscription (subscriber, query)",
        # Subscriptions whose backlog has no known end yet: few, and every fetch looks for them.
        "CREATE INDEX beginning_subscription ON subscription (query) WHERE began_after IS NULL",
        # One row: the fingerprints of the queries of the last fetch, and of papers whose hits on them are
        # all written down; `matching` have some. Fingerprints are joined, each as long as the other.
        """
        CREATE TABLE examined (
            queries BLOB PRIMARY KEY,
            matching BLOB NOT NULL,
            others BLOB NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    ):
        db.execute(statement)


@migrations()
def m006_pruning(db: Database) -> None:
    """An index by date, to find and delete old mailings."""
    db.execute("CREATE INDEX mailing_by_plan ON mailing (planned_at)")


@migrations()
def m007_fetches(db: Database) -> None:
    """When each source answered well, and which hits were seen by then."""
    db.execute(
        """
        CREATE TABLE fetch (
            last_hit INTEGER NOT NULL,
            source TEXT NOT NULL,
            began_at TEXT NOT NULL,
            ended_at TEXT NOT NULL,
            PRIMARY KEY (last_hit, source)
        ) STRICT, WITHOUT ROWID
        """
    )


@migrations()
def m008_seen_elsewhere(db: Database) -> None:
    """Papers that a subscriber knows from elsewhere, by the `address_key` of the subscriber."""
    db.execute(
        """
        CREATE TABLE seen_elsewhere (
            address TEXT NOT NULL,
            paper INTEGER NOT NULL REFERENCES paper,
            PRIMARY KEY (address, paper)
        ) STRICT, WITHOUT ROWID
        """
    )


@migrations()
def m009_web(db: Database) -> None:
    """What subscribers chose for themselves, and the keywords that have a page of their own."""
    for statement in (
        # A subscriber without preferences has no row. muted: a list of query keys. weekly: 'mon', …, 'never'.
        """
        CREATE TABLE preference (
            subscriber INTEGER PRIMARY KEY REFERENCES subscriber,
            muted TEXT NOT NULL DEFAULT '[]',
            send_at TEXT,
            weekly TEXT,
            paused_until TEXT,
            left_at TEXT
        ) STRICT
        """,
        # A keyword as subscribers wrote it. Each wording has its own page, so that nobody sees
        # what other subscribers wrote.
        """
        CREATE TABLE wording (
            number INTEGER PRIMARY KEY,
            text TEXT NOT NULL UNIQUE,
            query INTEGER NOT NULL REFERENCES query
        ) STRICT
        """,
    ):
        db.execute(statement)


@migrations()
def m010_bulletins(db: Database) -> None:
    """The notices that were sent to the operator."""
    db.execute("CREATE TABLE bulletin (name TEXT PRIMARY KEY, told_at TEXT NOT NULL) STRICT, WITHOUT ROWID")


@migrations()
def m011_restored(db: Database) -> None:
    """Marks to detect a copy that was put in the place of the state."""
    # copied_at: this is a copy that `digest backup` made then. restored_at: when one was last noticed.
    db.execute("ALTER TABLE installation ADD COLUMN copied_at TEXT")
    db.execute("ALTER TABLE installation ADD COLUMN restored_at TEXT")


@migrations()
def m012_changes(db: Database) -> None:
    """Several editions of one version, what changed from one to the next, and hits of the past."""
    db.register_function(checksum, deterministic=True)
    for statement in (
        """
        CREATE TABLE changing_edition (
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
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        "INSERT INTO changing_edition SELECT *, checksum(title, abstract, categories) FROM edition",
        "DROP TABLE edition",
        "ALTER TABLE changing_edition RENAME TO edition",
        "CREATE INDEX edition_of_paper ON edition (paper, version, checksum)",
        "CREATE INDEX edition_by_submission ON edition (submitted_at)",
        # The editions before and after it; it outlives both rows.
        """
        CREATE TABLE change (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            paper INTEGER NOT NULL REFERENCES paper,
            before INTEGER NOT NULL,
            after INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX change_of_paper ON change (paper)",
        "ALTER TABLE query ADD COLUMN newest_change INTEGER",
        # NULL: the subscriber has no filter, and a change is nothing to them.
        "ALTER TABLE subscriber ADD COLUMN change_cursor INTEGER",
        # is_past: the paper was announced before the query was followed. It is no news for anybody.
        "ALTER TABLE hit ADD COLUMN is_past INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE past_hit ADD COLUMN is_past INTEGER NOT NULL DEFAULT 0",
        # The last paper that arXiv had shown by covered_at, in the order of its announcements.
        "ALTER TABLE query ADD COLUMN newest_place TEXT",
    ):
        db.execute(statement)


@migrations()
def m013_links(db: Database) -> None:
    # How often the subscriber renewed their links: former tokens are invalid.
    db.execute("ALTER TABLE subscriber ADD COLUMN links INTEGER NOT NULL DEFAULT 0")


@migrations()
def m014_confirmations(db: Database) -> None:
    # Mails about changes on web pages; the token undoes the change.
    db.execute(
        """
        CREATE TABLE confirmation (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            subscriber INTEGER NOT NULL REFERENCES subscriber,
            change TEXT NOT NULL,
            token TEXT NOT NULL UNIQUE,
            written_at TEXT NOT NULL,
            sent_at TEXT
        ) STRICT
        """
    )


@migrations()
def m015_returned(db: Database) -> None:
    """Bounces and their causes, and returned mails that need a person."""
    for statement in (
        # Each time that a mailing came back; concern: what the notification says of the mailbox.
        """
        CREATE TABLE returned (
            number INTEGER PRIMARY KEY,
            subscriber INTEGER NOT NULL REFERENCES subscriber,
            token TEXT NOT NULL,
            concern TEXT NOT NULL,
            returned_at TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX returned_of_subscriber ON returned (subscriber, returned_at)",
        # Earlier bounces had no concern: as before, five of them are too many.
        """
        INSERT INTO returned (subscriber, token, concern, returned_at)
        WITH RECURSIVE time(nth) AS (SELECT 1 UNION ALL SELECT nth + 1 FROM time WHERE nth < 5)
        SELECT subscriber, token, 'full', bounced_at FROM mailing JOIN time ON nth <= bounces
        WHERE bounced_at IS NOT NULL
        """,
        # Numbers are never used again, so that the last one counts all mails that ever came.
        """
        CREATE TABLE unread_mail (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            received_at TEXT NOT NULL,
            sender TEXT NOT NULL,
            subject TEXT NOT NULL,
            content BLOB NOT NULL
        ) STRICT
        """,
    ):
        db.execute(statement)


@migrations()
def m016_doubts(db: Database) -> None:
    # Addresses that a server called dead and that are not given up yet: since when, and when last.
    db.execute(
        "CREATE TABLE doubt (address TEXT PRIMARY KEY, since_at TEXT NOT NULL, last_at TEXT NOT NULL) STRICT"
    )


@migrations()
def m017_entries(db: Database) -> None:
    # The entries of subscribers.toml at its last reading, without addresses; and a mark of that file.
    db.execute("CREATE TABLE entry (address TEXT PRIMARY KEY, mark BLOB NOT NULL) STRICT, WITHOUT ROWID")
    db.execute("ALTER TABLE installation ADD COLUMN entries_of TEXT")


@migrations()
def m018_former_choices(db: Database) -> None:
    # The preferences before the change, as JSON; and whether the subscriber undid the change.
    db.execute("ALTER TABLE confirmation ADD COLUMN former TEXT")
    db.execute("ALTER TABLE confirmation ADD COLUMN is_taken_back INTEGER NOT NULL DEFAULT 0")


@migrations()
def m019_blocked(db: Database) -> None:
    # reply is about the server as a whole, and not about this mailing.
    db.execute("ALTER TABLE mailing ADD COLUMN is_blocked INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "UPDATE mailing SET is_blocked = 1 WHERE due_at IS NOT NULL AND reply IS NOT NULL AND attempts = 0"
    )


@migrations()
def m020_glance(db: Database) -> None:
    """How much of a digest its mail shows, the subscriber's names for keywords, and what is to come."""
    for statement in (
        "ALTER TABLE mailing ADD COLUMN length TEXT NOT NULL DEFAULT 'normal'",
        # JSON, each NULL if there is nothing: pairs of the place of a keyword and its name; an outlook.
        "ALTER TABLE mailing ADD COLUMN names TEXT",
        "ALTER TABLE mailing ADD COLUMN outlook TEXT",
        "ALTER TABLE preference ADD COLUMN length TEXT",
    ):
        db.execute(statement)


@migrations()
def m021_interests(db: Database) -> None:
    """What subscribers liked and disliked, by their `address_key`, and what was learned from it."""
    for statement in (
        # name: an arXiv id, or made from the title of another paper. Subscribers share the texts.
        """
        CREATE TABLE example (
            number INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            abstract TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE judgement (
            address TEXT NOT NULL,
            example INTEGER NOT NULL REFERENCES example,
            is_liked INTEGER NOT NULL,
            judged_at TEXT NOT NULL,
            origin TEXT NOT NULL,
            PRIMARY KEY (address, example)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX judgement_of_example ON judgement (example)",
        # content: NULL if nothing is liked. version: of the method that learned it.
        """
        CREATE TABLE profile (
            address TEXT PRIMARY KEY,
            version INTEGER NOT NULL,
            content BLOB
        ) STRICT, WITHOUT ROWID
        """,
    ):
        db.execute(statement)


@migrations()
def m022_welcomed_after(db: Database) -> None:
    # The last hit at the time of the first digest. NULL: not known.
    db.execute("ALTER TABLE subscription ADD COLUMN welcomed_after INTEGER")


@migrations()
def m023_discovered(db: Database) -> None:
    """The papers of the last announcements, and those that digests had though no keyword matches them."""
    for statement in (
        # row: as JSON, as in an archive block. is_used: a mailing has it.
        """
        CREATE TABLE listed_paper (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            arxiv_id TEXT NOT NULL UNIQUE,
            "row" TEXT NOT NULL,
            listed_at TEXT NOT NULL,
            is_used INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE INDEX listed_paper_by_time ON listed_paper (listed_at)",
        # A list of their numbers; NULL if there is none.
        "ALTER TABLE mailing ADD COLUMN near TEXT",
    ):
        db.execute(statement)


@migrations()
def m024_workers(db: Database) -> None:
    """Which worker holds a mailing, and the mails of the last day, for the limits of a provider."""
    db.execute("ALTER TABLE mailing ADD COLUMN claimed_by TEXT")
    # A row for each mail that was handed over while a limit was set, in this order and without gaps.
    db.execute("CREATE TABLE sending (number INTEGER PRIMARY KEY, at TEXT NOT NULL) STRICT")


@migrations()
def m025_entries_in_database(db: Database) -> None:
    """The entries of subscribers, if they are in the database; each change increases the version."""
    for statement in (
        # content: as JSON, with the keys of an entry of subscribers.toml.
        """
        CREATE TABLE subscriber_entry (
            number INTEGER PRIMARY KEY,
            address TEXT NOT NULL UNIQUE,
            content TEXT NOT NULL
        ) STRICT
        """,
        "ALTER TABLE installation ADD COLUMN entries_version INTEGER NOT NULL DEFAULT 0",
    ):
        db.execute(statement)


@migrations()
def m026_last_fetch(db: Database) -> None:
    """One row, of the last fetch of a daemon. queries: a hash of the keys of its queries."""
    db.execute(
        """
        CREATE TABLE last_fetch (
            began_at TEXT NOT NULL,
            queries BLOB NOT NULL,
            failed_at TEXT,
            is_missing INTEGER NOT NULL,
            brought_papers INTEGER NOT NULL
        ) STRICT
        """
    )


@migrations()
def m027_open_mailings(db: Database) -> None:
    """Indexes to find the open mailings of a subscriber, who had hundreds, and new archive blocks."""
    for statement in (
        "CREATE INDEX open_mailing_of_subscriber ON mailing (subscriber) WHERE due_at IS NOT NULL",
        "CREATE INDEX shelf_by_submission ON shelf (newest_submitted_at)",
    ):
        db.execute(statement)


@migrations()
def m028_operator_notices(db: Database) -> None:
    """The same names as in a database on a server."""
    db.execute("ALTER TABLE bulletin RENAME TO operator_notice")
    db.execute("ALTER TABLE operator_notice RENAME COLUMN told_at TO sent_at")


@migrations()
def m029_own_keywords(db: Database) -> None:
    """The keywords and the time zone that subscribers choose online."""
    for statement in (
        # added: pairs of a keyword and its name or null, as JSON. removed: a list of query keys.
        "ALTER TABLE preference ADD COLUMN added TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE preference ADD COLUMN removed TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE preference ADD COLUMN timezone TEXT",
    ):
        db.execute(statement)


@migrations()
def m030_signups(db: Database) -> None:
    """Invites, sign-ups that wait for their confirmation, and what counts for the limits of sign-ups."""
    for statement in (
        # uses: how many may sign up with it; NULL for any number. used: how many did and confirmed it.
        """
        CREATE TABLE invite (
            number INTEGER PRIMARY KEY,
            nonce TEXT NOT NULL,
            made_at TEXT NOT NULL,
            until_at TEXT,
            uses INTEGER,
            used INTEGER NOT NULL DEFAULT 0,
            revoked_at TEXT
        ) STRICT
        """,
        # content: as in `subscriber_entry`. mailed_at: when its mail was asked for. due_at: of its next try.
        """
        CREATE TABLE signup (
            number INTEGER PRIMARY KEY,
            address TEXT NOT NULL UNIQUE,
            email TEXT NOT NULL,
            content TEXT NOT NULL,
            invite INTEGER REFERENCES invite,
            nonce TEXT NOT NULL,
            written_at TEXT NOT NULL,
            mailed_at TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at TEXT,
            confirmed_at TEXT
        ) STRICT
        """,
        "CREATE INDEX signup_by_time ON signup (written_at)",
        "CREATE INDEX due_signup ON signup (due_at) WHERE due_at IS NOT NULL",
        "CREATE TABLE signup_attempt (number INTEGER PRIMARY KEY, at TEXT NOT NULL, network BLOB) STRICT",
        "CREATE INDEX signup_attempt_by_time ON signup_attempt (at)",
    ):
        db.execute(statement)


@migrations()
def m031_audit(db: Database) -> None:
    """What administrators did, and indexes for the figures of their page."""
    for statement in (
        # address: of the subscriber that it was about, or empty.
        """
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            who TEXT NOT NULL,
            action TEXT NOT NULL,
            address TEXT NOT NULL,
            details TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX audit_by_time ON audit (at)",
        "CREATE INDEX audit_of_address ON audit (address)",
        "CREATE INDEX suppression_by_time ON suppression (since_at, address)",
        "CREATE INDEX returned_by_time ON returned (returned_at)",
        "DROP INDEX mailing_by_attempt",
        "CREATE INDEX mailing_by_attempt ON mailing (concluded_at, state, attempts)",
    ):
        db.execute(statement)


@migrations()
def m032_previews(db: Database) -> None:
    """Who waits for a preview of a keyword, what arXiv answered, and when it may be asked next."""
    for statement in (
        # query: a hash of its key. place: what has few places, as a network. visitor: tells the pages of one
        # place apart.
        """
        CREATE TABLE preview_wish (
            query TEXT NOT NULL,
            place TEXT NOT NULL,
            visitor TEXT NOT NULL,
            text TEXT NOT NULL,
            is_stranger INTEGER NOT NULL,
            wanted_at TEXT NOT NULL,
            renewed_at TEXT NOT NULL,
            PRIMARY KEY (query, place, visitor)
        ) STRICT
        """,
        # papers: packed; about: an estimate, if there are more.
        """
        CREATE TABLE preview_answer (
            query TEXT PRIMARY KEY,
            asked_at TEXT NOT NULL,
            asked_since_at TEXT NOT NULL,
            searched_since_at TEXT NOT NULL,
            about INTEGER,
            papers BLOB NOT NULL
        ) STRICT
        """,
        # One row. alone: a query that the next request is for.
        """
        CREATE TABLE preview_request (
            last_at TEXT,
            retry_at TEXT,
            is_failing INTEGER NOT NULL,
            alone TEXT
        ) STRICT
        """,
    ):
        db.execute(statement)


@migrations()
def m033_channels(db: Database) -> None:
    """The mailings of channels wait in a column of their own: what is done with mails leaves them alone."""
    for statement in (
        "ALTER TABLE mailing RENAME TO former_mailing",
        # channel_due_at, channel_concluded_at: as due_at and concluded_at, for the mailing of a channel,
        # which has neither of these.
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
            revisions TEXT NOT NULL,
            first_hit INTEGER NOT NULL,
            last_hit INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN (
                'pending', 'sending', 'unknown', 'deferred', 'sent', 'suppressed', 'merged', 'failed')),
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at TEXT,
            may_have_arrived INTEGER NOT NULL DEFAULT 0,
            reply TEXT,
            concluded_at TEXT,
            bounces INTEGER NOT NULL DEFAULT 0,
            bounced_at TEXT,
            is_blocked INTEGER NOT NULL DEFAULT 0,
            length TEXT NOT NULL DEFAULT 'normal',
            names TEXT,
            outlook TEXT,
            near TEXT,
            claimed_by TEXT,
            channel_due_at TEXT,
            channel_concluded_at TEXT,
            CHECK (due_at IS NULL OR channel_due_at IS NULL),
            CHECK ((coalesce(due_at, channel_due_at) IS NULL)
                = (state IN ('sent', 'suppressed', 'merged', 'failed')))
        ) STRICT
        """,
        """
        INSERT INTO mailing
        SELECT number, subscriber, token, email, name, planned_at, dated_on, is_first, keywords, entries,
            revisions, first_hit, last_hit, state, attempts, due_at, may_have_arrived, reply, concluded_at,
            bounces, bounced_at, is_blocked, length, names, outlook, near, claimed_by, NULL, NULL
        FROM former_mailing
        """,
        "DROP TABLE former_mailing",
        "CREATE INDEX mailing_by_due ON mailing (due_at) WHERE due_at IS NOT NULL",
        "CREATE INDEX mailing_of_subscriber ON mailing (subscriber)",
        "CREATE INDEX mailing_by_attempt ON mailing (concluded_at, state, attempts)",
        "CREATE INDEX mailing_by_plan ON mailing (planned_at)",
        "CREATE INDEX open_mailing_of_subscriber ON mailing (subscriber) WHERE due_at IS NOT NULL",
        "CREATE INDEX open_mailing_of_channel ON mailing (subscriber) WHERE channel_due_at IS NOT NULL",
        # Channels that rest since their service said that they are gone. target: a hash of what was gone.
        """
        CREATE TABLE resting_channel (
            address TEXT PRIMARY KEY,
            since_at TEXT NOT NULL,
            cause TEXT NOT NULL,
            target TEXT NOT NULL
        ) STRICT
        """,
    ):
        db.execute(statement)


@migrations()
def m034_changes_of_address(db: Database) -> None:
    """The recipient of a mail that does not go to the subscriber's address."""
    db.execute("ALTER TABLE confirmation ADD COLUMN recipient TEXT")


@migrations()
def m035_left_marks(db: Database) -> None:
    """Who left and had all else erased, by a hash of the address."""
    db.execute("CREATE TABLE left_mark (mark TEXT PRIMARY KEY, left_at TEXT NOT NULL) STRICT, WITHOUT ROWID")


@migrations()
def m036_ended_sessions(db: Database) -> None:
    """Sessions of administrators that were ended before their time."""
    db.execute(
        "CREATE TABLE ended_session (session TEXT PRIMARY KEY, until_at TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )


@migrations()
def m037_open_sendings(db: Database) -> None:
    """Mails to which the server has not answered yet, for the limits of a provider: the last rows."""
    db.execute("ALTER TABLE sending ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX open_sending ON sending (number) WHERE is_open")


@migrations()
def m038_signup_figures(db: Database) -> None:
    """Since when somebody is subscribed who signed up, mails that were sent, and refusals for each hour."""
    for statement in (
        "ALTER TABLE subscriber_entry ADD COLUMN joined_at TEXT",
        "CREATE INDEX entry_by_joining ON subscriber_entry (joined_at) WHERE joined_at IS NOT NULL",
        "ALTER TABLE signup ADD COLUMN sent_at TEXT",
        "ALTER TABLE signup_attempt ADD COLUMN kind TEXT NOT NULL DEFAULT 'sign-up'",
        """
        CREATE TABLE signup_refusal (
            hour_at TEXT NOT NULL,
            kind TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (hour_at, kind)
        ) STRICT, WITHOUT ROWID
        """,
    ):
        db.execute(statement)


@migrations()
def m039_has_merged(db: Database) -> None:
    """Whether a mailing has the papers of earlier ones that did not arrive."""
    db.execute("ALTER TABLE mailing ADD COLUMN has_merged INTEGER NOT NULL DEFAULT 0")


@migrations()
def m040_coverage_of_mailings(db: Database) -> None:
    """Until when arXiv was asked for all keywords of a digest; NULL in older rows."""
    db.execute("ALTER TABLE mailing ADD COLUMN covered_at TEXT")
