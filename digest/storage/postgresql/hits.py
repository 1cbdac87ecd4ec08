"""Reads hits for many subscribers at once. Each statement begins with the queries or papers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from digest.model.digest import Hit
from digest.storage.news_facts import BacklogHit, KnownHits, PaperHit, QueryFacts, Wanted, found_hits
from digest.storage.postgresql.connection import Connection
from digest.storage.postgresql.editions import Editions
from digest.storage.postgresql.row_mapping import LAST_ID, first_id, whole_second
from digest.storage.values import Progress

Rows = Mapping[int, Sequence[tuple[int, int, int]]]
"""Number, paper and edition of the hits of each query."""


def read_hits(
    connection: Connection,
    texts: Editions,
    wanted: Wanted,
    queries: Mapping[int, QueryFacts],
    since: datetime,
) -> None:
    """Completes `texts.hits` with the hits that are wanted."""
    known = texts.hits
    missing = known.missing(wanted)
    rows = _news(connection, missing)
    backlogs = wanted.backlogs - known.backlog.keys()
    former = _backlog(connection, backlogs, since)
    read_hits_of(
        connection,
        known,
        {row[1] for some in rows.values() for row in some} | {paper for _, _, paper, _, _ in former},
    )
    papers = texts.read({row[2] for some in rows.values() for row in some} | {row[3] for row in former})
    for query, after in missing.items():
        key = queries[query].key
        known.found[query] = found_hits(after, rows.get(query, ()), key, papers, known.hits_of_paper)
    found: dict[int, list[BacklogHit]] = {query: [] for query in backlogs}
    for query, number, paper, edition, is_past in former:
        hit = Hit(number=number, query_key=queries[query].key, paper=papers[edition], is_backlog=True)
        found[query].append(BacklogHit(hit, paper, is_past))
    known.backlog |= found


def read_hits_of(connection: Connection, known: KnownHits, papers: Iterable[int]) -> None:
    """Completes the hits of each of these papers."""
    asked = [paper for paper in papers if paper not in known.hits_of_paper]
    if not asked:
        return
    found: dict[int, list[PaperHit]] = defaultdict(list)
    for paper, *hit in connection.rows(
        "SELECT paper, query, number, is_past FROM hit WHERE paper = ANY(%s)", [asked]
    ):
        found[paper].append(PaperHit(*hit))
    known.hits_of_paper |= {paper: tuple(hits) for paper, hits in found.items()}


def _news(connection: Connection, missing: Mapping[int, int]) -> Rows:
    """Returns the hits that are not of the past, of each query after a number."""
    if not missing:
        return {}
    found: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for query, number, paper, edition in connection.rows(NEWS, [list(missing), list(missing.values())]):
        found[query].append((number, paper, edition))
    return found


NEWS = """
SELECT hit.query, hit.number, hit.paper, hit.edition
FROM unnest(%s::bigint[], %s::bigint[]) AS asked (query, after)
JOIN hit ON hit.query = asked.query AND hit.number > asked.after
WHERE NOT is_past
"""

BACKLOG = """
SELECT hit.query, hit.number, hit.paper, hit.edition, is_past
FROM hit
JOIN edition ON edition.number = hit.edition
JOIN paper ON paper.number = hit.paper
WHERE hit.query = ANY(%s)
    AND (submitted_at >= %s OR submitted_at IS NULL AND arxiv_id BETWEEN %s AND %s)
"""


def _backlog(
    connection: Connection, queries: Collection[int], since: datetime
) -> list[tuple[int, int, int, int, bool]]:
    """Returns query, number, paper and edition of hits in the backlog, and whether they are of the past.

    The papers were submitted since then or, if the source gave no time, have an id of that month or later.
    """
    if not queries:
        return []
    return connection.rows(BACKLOG, [list(queries), whole_second(since), first_id(since), LAST_ID])


def frontier(connection: Connection) -> Progress:
    """Returns the numbers of the last hit, revision and change."""
    ((hit, revision, change),) = connection.rows(
        """
        SELECT (SELECT coalesce(max(number), 0) FROM hit), (SELECT coalesce(max(number), 0) FROM revision),
            (SELECT coalesce(max(number), 0) FROM change)
        """
    )
    return Progress(hit=hit, revision=revision, change=change)
