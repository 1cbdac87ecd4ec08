"""Reads hits for many subscribers at once. Each statement begins with the queries or papers."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from digest.model.digest import Hit
from digest.model.paper import Paper
from digest.storage.news_facts import BacklogHit, KnownHits, PaperHit, QueryFacts, Wanted, found_hits
from digest.storage.sqlite import editions
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Editions
from digest.storage.sqlite.row_mapping import LAST_CODE, first_code, text_of
from digest.storage.values import Progress

Rows = dict[int, list[tuple[int, int, int]]]
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
    rows = _news(connection, missing, queries)
    backlogs = wanted.backlogs - known.backlog.keys()
    former = _backlog(connection, texts, backlogs, since) if backlogs else []
    read_hits_of(connection, known, {row[1] for some in rows.values() for row in some})
    read_hits_of(connection, known, {paper for _, _, paper, _, _ in former})
    papers = texts.read({row[2] for some in rows.values() for row in some})
    for query, after in missing.items():
        key = queries[query].key
        known.found[query] = found_hits(after, rows.get(query, ()), key, papers, known.hits_of_paper)
    _keep_backlog(texts, backlogs, former, queries, text_of(since))


def read_hits_of(connection: Connection, known: KnownHits, papers: Iterable[int]) -> None:
    """Completes the hits of each of these papers, recent and archived."""
    asked = json.dumps([paper for paper in papers if paper not in known.hits_of_paper])
    if asked == "[]":
        return
    found: dict[int, list[PaperHit]] = defaultdict(list)
    for table in ("hit", "past_hit"):
        for paper, *hit in connection.rows(
            f"SELECT paper, query, number, is_past FROM {table}"  # noqa: S608 (written here)
            " WHERE paper IN (SELECT value FROM json_each(?))",
            [asked],
        ):
            found[paper].append(PaperHit(*hit))
    known.hits_of_paper |= {paper: tuple(hits) for paper, hits in found.items()}


def _news(connection: Connection, missing: Mapping[int, int], queries: Mapping[int, QueryFacts]) -> Rows:
    """Returns the hits that are not of the past, of each query after a number.

    Reads all past hits, for readers who were without mail so long that some are news.
    """
    found: Rows = defaultdict(list)
    for query, *row in connection.rows(
        """
        SELECT hit.query, hit.number, hit.paper, hit.edition
        FROM json_each(?) AS asked
        CROSS JOIN hit ON hit.query = json_extract(asked.value, '$[0]')
            AND hit.number > json_extract(asked.value, '$[1]')
        WHERE NOT is_past
        """,
        [json.dumps(list(missing.items()))],
    ):
        found[query].append((row[0], row[1], row[2]))
    archived = [query for query, after in missing.items() if (queries[query].newest_past_hit or 0) > after]
    if archived:
        for query, *row in connection.rows(
            """
            SELECT query, number, paper, edition FROM past_hit
            WHERE query IN (SELECT value FROM json_each(?)) AND number > ? AND NOT is_past
            """,
            [json.dumps(archived), min(missing[query] for query in archived)],
        ):
            if row[0] > missing[query]:
                found[query].append((row[0], row[1], row[2]))
    return found


def _backlog(
    connection: Connection, texts: Editions, queries: Collection[int], since: datetime
) -> list[tuple[int, int, int, int, int]]:
    """Returns query, number, paper and edition of hits in the backlog, and whether they are of the past.

    The papers were submitted since then or, if the source gave no time, have an id of that month or later.
    Reads all past hits, if the look-back has grown so far that some are in it: the caller checks the times.
    """
    asked, codes = json.dumps(sorted(queries)), [first_code(since), LAST_CODE]
    rows = connection.rows(
        """
        SELECT hit.query, hit.number, hit.paper, hit.edition, is_past
        FROM json_each(?) AS asked
        CROSS JOIN hit ON hit.query = asked.value
        CROSS JOIN edition ON edition.number = hit.edition
        CROSS JOIN paper ON paper.number = hit.paper
        WHERE submitted_at >= ? OR submitted_at IS NULL AND arxiv_id BETWEEN ? AND ?
        """,
        [asked, text_of(since), *codes],
    )
    shelves = texts.shelves_since(since)
    if shelves:
        rows += connection.rows(
            """
            SELECT query, past_hit.number, paper, edition, is_past
            FROM past_hit JOIN paper ON paper.number = past_hit.paper
            WHERE query IN (SELECT value FROM json_each(?)) AND arxiv_id BETWEEN ? AND ?
                AND edition / ? IN (SELECT value FROM json_each(?))
            """,
            [asked, *codes, editions.PLACES, json.dumps(shelves)],
        )
    return rows


def _keep_backlog(
    texts: Editions,
    asked: Iterable[int],
    rows: Sequence[tuple[int, int, int, int, int]],
    queries: Mapping[int, QueryFacts],
    since: str,
) -> None:
    papers = texts.read({edition for _, _, _, edition, _ in rows})
    found: dict[int, list[BacklogHit]] = {query: [] for query in asked}
    for query, number, paper, edition, is_past in rows:
        if not _is_before(papers[edition], since):
            hit = Hit(number=number, query_key=queries[query].key, paper=papers[edition], is_backlog=True)
            found[query].append(BacklogHit(hit, paper, bool(is_past)))
    texts.hits.backlog |= found


def _is_before(paper: Paper, since: str) -> bool:
    return paper.submitted_at is not None and text_of(paper.submitted_at) < since


def frontier(connection: Connection) -> Progress:
    """Returns the numbers of the last hit, revision and change."""
    ((hit, revision, change),) = connection.rows(
        """
        SELECT (SELECT coalesce(max(number), 0) FROM hit), (SELECT coalesce(max(number), 0) FROM revision),
            (SELECT coalesce(max(number), 0) FROM change)
        """
    )
    return Progress(hit=hit, revision=revision, change=change)
