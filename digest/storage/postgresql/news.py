"""What is new for subscribers. Each statement begins with the subscribers that it is for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from digest.config.parsing import address_key
from digest.model.paper import Paper
from digest.storage.channel_stores import due_column
from digest.storage.news_facts import (
    NO_PAPERS,
    NOTHING_MAILED,
    NewsFacts,
    QueryFacts,
    SubscriberFacts,
    Subscription,
    Wanted,
    WantedVersions,
)
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.hits import frontier, read_hits
from digest.storage.postgresql.mailings import MAILING_COLUMNS, read_mailings
from digest.storage.postgresql.row_mapping import whole_second
from digest.storage.postgresql.versions import read_mailed, read_versions
from digest.storage.values import Mailing, Standing

STANDINGS = """
SELECT address, number, slot_at, cursor, revision_cursor, change_cursor
FROM subscriber WHERE address = ANY(%s)
"""

SUBSCRIPTIONS = """
SELECT subscriber, number, query, began_after, is_welcomed, welcomed_after, ended_after
FROM subscription WHERE subscriber = ANY(%s) ORDER BY number
"""

UNDELIVERED = f"""
SELECT {MAILING_COLUMNS}
FROM mailing
WHERE subscriber = ANY(%s)
    AND due_at IS NOT NULL AND state IN ('pending', 'deferred') AND NOT may_have_arrived
ORDER BY number
"""  # noqa: S608 (written here)


class NewsReader(Part):
    """The part of the store that finds what is new for subscribers."""

    def news_facts(self, emails: Sequence[str], *, backlog_since: datetime) -> NewsFacts:
        known = self._editions.hits
        since = whole_second(backlog_since)
        with self._editions.one_at_a_time, self._connection.snapshot():
            now_at = frontier(self._connection)
            known.begin(now_at, since.isoformat())
            standings = self._standings([address_key(email) for email in emails])
            numbers = [standing.subscriber for standing, _ in standings.values()]
            queries = self._queries(standings.values())
            wanted = Wanted(standings.values())
            read_hits(self._connection, self._editions, wanted, queries, since)
            asking = WantedVersions(standings.values(), queries)
            versions = read_versions(self._connection, self._editions, asking)
            mailed = read_mailed(self._connection, asking.subscribers)
            seen = self._seen_elsewhere(standings)
            undelivered = self._undelivered(numbers, due_column(emails))
            return NewsFacts(
                frontier=now_at,
                subscribers={
                    address: SubscriberFacts(
                        standing=standing,
                        subscriptions=subscriptions,
                        seen_elsewhere=seen.get(address, NO_PAPERS),
                        mailed=mailed.get(standing.subscriber, NOTHING_MAILED),
                        undelivered=undelivered.get(standing.subscriber, ()),
                    )
                    for address, (standing, subscriptions) in standings.items()
                },
                queries=queries,
                found={query: known.found[query] for query in wanted.after},
                backlog={query: known.backlog[query] for query in wanted.backlogs},
                hits_of_paper=known.hits_of_paper,
                versions=versions,
            )

    def _standings(self, addresses: Sequence[str]) -> Mapping[str, tuple[Standing, Sequence[Subscription]]]:
        """Returns the known ones of these subscribers, with all their subscriptions."""
        rows = self._connection.rows(STANDINGS, [addresses])
        subscriptions: dict[int, list[Subscription]] = {row[1]: [] for row in rows}
        for subscriber, *row in self._connection.rows(SUBSCRIPTIONS, [list(subscriptions)]):
            subscriptions[subscriber].append(Subscription(*row))
        return {
            address: (
                Standing(
                    number,
                    slot_at,
                    hit,
                    revision,
                    change,
                    tuple([one.number for one in subscriptions[number] if one.is_beginning]),
                ),
                subscriptions[number],
            )
            for address, number, slot_at, hit, revision, change in rows
        }

    def _queries(
        self, standings: Iterable[tuple[Standing, Sequence[Subscription]]]
    ) -> Mapping[int, QueryFacts]:
        numbers = {one.query for _, subscriptions in standings for one in subscriptions}
        rows = self._connection.rows(
            """
            SELECT number, key, NULL, newest_revision, newest_change, covered_at
            FROM query WHERE number = ANY(%s)
            """,
            [list(numbers)],
        )
        return {number: QueryFacts(*facts) for number, *facts in rows}

    def _seen_elsewhere(self, addresses: Iterable[str]) -> Mapping[str, frozenset[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for address, paper in self._connection.rows(
            "SELECT address, paper FROM seen_elsewhere WHERE address = ANY(%s)", [list(addresses)]
        ):
            found[address].add(paper)
        return {address: frozenset(papers) for address, papers in found.items()}

    def _undelivered(self, subscribers: Sequence[int], due: str) -> Mapping[int, tuple[Mailing, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.rows(UNDELIVERED.replace("due_at", due), [subscribers])
        mailings = read_mailings(rows, self._editions, self._connection.secret) if rows else ()
        found: dict[int, tuple[Mailing, ...]] = {}
        for row, mailing in zip(rows, mailings, strict=True):
            found[row[1]] = (*found.get(row[1], ()), mailing)
        return found

    def recent_papers(self, query_key: str, *, since: datetime) -> tuple[Paper, ...]:
        with self._connection.snapshot():
            rows = self._connection.rows(
                """
                SELECT hit.edition
                FROM query
                JOIN hit ON hit.query = query.number
                JOIN edition ON edition.number = hit.edition
                WHERE key = %s AND submitted_at >= %s
                ORDER BY hit.number
                """,
                [query_key, whole_second(since)],
            )
            papers = self._editions.read(edition for (edition,) in rows)
        return tuple(papers[edition] for (edition,) in rows)
