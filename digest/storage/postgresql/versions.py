"""New versions and changes of papers that were seen before, and what subscribers had of them."""

from collections import defaultdict
from collections.abc import Collection
from typing import LiteralString

from digest.storage.news_facts import NO_VERSIONS, Mailed, SeenChange, SeenRevision, Versions, WantedVersions
from digest.storage.postgresql.connection import Connection
from digest.storage.postgresql.editions import Editions
from digest.storage.postgresql.hits import read_hits_of


def read_versions(connection: Connection, editions: Editions, wanted: WantedVersions) -> Versions:
    """Returns the revisions and changes that are wanted, with the editions of their papers."""
    revisions = _since(connection, "SELECT number, paper, edition FROM revision", wanted.revisions_after)
    changes = _since(connection, "SELECT number, paper, before, after FROM change", wanted.changes_after)
    if not revisions and not changes:
        return NO_VERSIONS
    read_hits_of(connection, editions.hits, {row[1] for row in revisions})
    changed_for: dict[int, set[int]] = defaultdict(set)
    for paper, query in connection.rows(
        "SELECT paper, query FROM hit WHERE paper = ANY(%s) AND NOT is_past",
        [list({row[1] for row in changes})],
    ):
        changed_for[paper].add(query)
    known: dict[int, dict[int, int]] = defaultdict(dict)
    for paper, version, edition in connection.rows(
        "SELECT paper, version, number FROM edition WHERE paper = ANY(%s)",
        [list({row[1] for row in (*revisions, *changes)})],
    ):
        known[paper][edition] = version
    return Versions(
        revisions=[SeenRevision(*row) for row in revisions],
        changes=[SeenChange(*row) for row in changes],
        editions=known,
        changed_for={paper: frozenset(queries) for paper, queries in changed_for.items()},
        papers=editions.read({edition for row in (*revisions, *changes) for edition in row[2:]}),
    )


def _since(connection: Connection, selected: LiteralString, after: int | None) -> list[tuple[int, ...]]:
    if after is None:
        return []
    return connection.rows(f"{selected} WHERE number > %s ORDER BY number", [after])


def read_mailed(connection: Connection, subscribers: Collection[int]) -> dict[int, Mailed]:
    """Returns the editions in the mailings of these subscribers, by subscriber."""
    if not subscribers:
        return {}
    mailed: dict[int, tuple[set[int], set[int]]] = {number: (set(), set()) for number in subscribers}
    for subscriber, is_given_up, *lists in connection.rows(
        "SELECT subscriber, state = 'failed', entries, revisions FROM mailing WHERE subscriber = ANY(%s)",
        [list(subscribers)],
    ):
        mailed[subscriber][is_given_up].update(edition for one in lists for edition, _ in one)
    return {
        number: Mailed(editions=frozenset(received), given_up=frozenset(given_up))
        for number, (received, given_up) in mailed.items()
    }
