"""The facts for what is new for subscribers. Each statement begins with the subscribers that it is for."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

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
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.hits import frontier, read_hits
from digest.storage.sqlite.mailings import MAILING_COLUMNS, read_mailing
from digest.storage.sqlite.revisions import read_mailed, read_versions
from digest.storage.sqlite.row_mapping import shared_moment, text_of
from digest.storage.values import Mailing, Standing


class NewsReader(Part):
    """The part of the store that finds what is new for subscribers."""

    def news_facts(self, emails: Sequence[str], *, backlog_since: datetime) -> NewsFacts:
        known = self._editions.hits
        with self._connection.snapshot():
            now_at = frontier(self._connection)
            known.begin(now_at, text_of(backlog_since))
            standings = self._standings([address_key(email) for email in emails])
            numbers = [standing.subscriber for standing, _ in standings.values()]
            queries = self._queries(standings.values())
            wanted = Wanted(standings.values())
            read_hits(self._connection, self._editions, wanted, queries, backlog_since)
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
        rows = self._connection.rows(
            """
            SELECT address, number, slot_at, cursor, revision_cursor, change_cursor
            FROM json_each(?) AS asked CROSS JOIN subscriber ON address = asked.value
            """,
            [json.dumps(addresses, ensure_ascii=False)],
        )
        subscriptions = self._subscriptions([row[1] for row in rows])
        return {
            address: (
                Standing(
                    number,
                    shared_moment(slot_at),
                    hit,
                    revision,
                    change,
                    tuple([one.number for one in subscriptions[number] if one.is_beginning]),
                ),
                subscriptions[number],
            )
            for address, number, slot_at, hit, revision, change in rows
        }

    def _subscriptions(self, subscribers: Sequence[int]) -> Mapping[int, Sequence[Subscription]]:
        found: dict[int, list[Subscription]] = {number: [] for number in subscribers}
        for row in self._connection.rows(
            """
            SELECT subscriber, number, query, began_after, is_welcomed, welcomed_after, ended_after
            FROM json_each(?) AS asked CROSS JOIN subscription ON subscriber = asked.value
            """,
            [json.dumps(subscribers)],
        ):
            found[row[0]].append(Subscription._make(row[1:]))
        return found

    def _queries(
        self, standings: Iterable[tuple[Standing, Sequence[Subscription]]]
    ) -> Mapping[int, QueryFacts]:
        numbers = {one.query for _, subscriptions in standings for one in subscriptions}
        rows = self._connection.rows(
            """
            SELECT number, key, newest_past_hit, newest_revision, newest_change, covered_at
            FROM query WHERE number IN (SELECT value FROM json_each(?))
            """,
            [json.dumps(sorted(numbers))],
        )
        return {
            number: QueryFacts(
                key, newest_past_hit, newest_revision, newest_change, shared_moment(covered_at)
            )
            for number, key, newest_past_hit, newest_revision, newest_change, covered_at in rows
        }

    def _seen_elsewhere(self, addresses: Iterable[str]) -> Mapping[str, frozenset[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for address, paper in self._connection.rows(
            "SELECT address, paper FROM seen_elsewhere WHERE address IN (SELECT value FROM json_each(?))",
            [json.dumps(list(addresses), ensure_ascii=False)],
        ):
            found[address].add(paper)
        return {address: frozenset(papers) for address, papers in found.items()}

    def _undelivered(self, subscribers: Sequence[int], due: str) -> Mapping[int, tuple[Mailing, ...]]:
        rows = self._connection.rows(
            f"""
            SELECT {MAILING_COLUMNS}
            FROM mailing
            WHERE subscriber IN (SELECT value FROM json_each(?))
                AND {due} IS NOT NULL AND state IN ('pending', 'deferred') AND NOT may_have_arrived
            ORDER BY number
            """,  # noqa: S608 (written here)
            [json.dumps(subscribers)],
        )
        found: dict[int, tuple[Mailing, ...]] = {}
        for row in rows:
            mailing = read_mailing(row, self._editions, self._connection.secret)
            found[row[1]] = (*found.get(row[1], ()), mailing)
        return found

    def recent_papers(self, query_key: str, *, since: datetime) -> tuple[Paper, ...]:
        with self._connection.snapshot():
            rows = self._connection.rows(
                """
                SELECT hit.edition
                FROM query
                CROSS JOIN hit ON hit.query = query.number
                CROSS JOIN edition ON edition.number = hit.edition
                WHERE key = ? AND submitted_at >= ?
                ORDER BY hit.number
                """,
                [query_key, text_of(since)],
            )
            papers = self._editions.read(edition for (edition,) in rows)
        return tuple(papers[edition] for (edition,) in rows)
