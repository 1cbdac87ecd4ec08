"""Composes the digest of one subscriber from hits and new versions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

from digest.keywords.index import QueryIndex, mention_count, title_test
from digest.keywords.query import Query
from digest.model.digest import Change, Digest, Entry, Hit, Revision
from digest.model.paper import ArxivId, Paper
from digest.subscribers.subscriber import Keyword, Subscriber

WELCOME_PAPERS = 10
"""How many papers from before the subscription the first digest contains, for each keyword."""

_MATCH_COUNTS = 0.5
"""A further keyword, or one in the title, counts as much as this difference in nearness."""

_MENTION_COUNTS = 0.1
_MENTIONS = 5
"""Each mention of a keyword counts as much as that difference, up to so many mentions."""

Nearness: TypeAlias = Callable[[Sequence[Paper]], Sequence[float]]
"""Returns how near papers are to what a subscriber likes, in standard deviations above the mean of them."""

_FILTERS_KEPT = 256
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def compose(
    subscriber: Subscriber,
    hits: Sequence[Hit],
    *,
    planned_at: datetime,
    is_first: bool,
    revisions: Sequence[Revision] = (),
    changes: Sequence[Change] = (),
    entries: tuple[Entry, ...] | None = None,
    covered_at: datetime | None = None,
) -> Digest | None:
    """Returns the subscriber's digest of `hits` and `revisions`, or `None` if there is nothing for them.

    The digest leaves out papers that the filters refuse, until a change of the paper makes it pass. From the
    backlog it takes the newest `WELCOME_PAPERS` of each query. Papers are in the order of `by_relevance`. If
    a paper was seen in two versions, the digest has the later one; of several new versions of a paper it has
    the last. A muted keyword brings neither papers nor new versions. Give `entries` if they are known.
    """
    if subscriber.muted and (hits or revisions):
        hits, revisions = _heard(subscriber, hits, revisions)
    if subscriber.muted:
        changes = [change for change in changes if change.query_key not in subscriber.muted]
    if entries is None:
        entries = entries_of(subscriber, hits, changes)
    news = _latest_revisions(subscriber, revisions) if revisions else ()
    if not entries and not news:
        return None
    return Digest(
        email=subscriber.email,
        name=subscriber.name,
        planned_at=planned_at,
        dated_on=planned_at.astimezone(subscriber.send_schedule.timezone).date(),
        keywords=tuple(keyword.text for keyword in subscriber.heard),
        names=tuple((keyword.text, keyword.name) for keyword in subscriber.heard if keyword.name),
        length=subscriber.length,
        entries=entries,
        is_first=is_first,
        revisions=news,
        covered_at=covered_at,
    )


def best_first(digest: Digest, subscriber: Subscriber, nearness: Nearness) -> Digest:
    """Returns the digest with its entries in another order: those first that the subscriber may like most."""
    entries = digest.entries
    counts = {keyword.text: mention_count(keyword.query) for keyword in subscriber.keywords}
    rank = relevance({keyword.text: keyword.query for keyword in subscriber.keywords})
    near = nearness([entry.paper for entry in entries])

    def score(place: int) -> tuple[float, datetime, ArxivId]:
        entry = entries[place]
        keywords, in_title, submitted_at, arxiv_id = rank(entry)
        mentions = max((counts[one](entry.paper) for one in entry.keywords if one in counts), default=0)
        match = _MATCH_COUNTS * (keywords + in_title) + _MENTION_COUNTS * min(mentions, _MENTIONS)
        return near[place] + match, submitted_at, arxiv_id

    best = sorted(range(len(entries)), key=score, reverse=True)
    return replace(digest, entries=tuple(entries[place] for place in best))


def newest_first(papers: Iterable[Paper]) -> list[Paper]:
    """Returns the papers sorted by submission, then by id, the newest first."""
    return sorted(papers, key=lambda paper: (paper.submitted_at or _LONG_AGO, paper.id), reverse=True)


def _heard(
    subscriber: Subscriber, hits: Sequence[Hit], revisions: Sequence[Revision]
) -> tuple[Sequence[Hit], Sequence[Revision]]:
    """Returns the hits and revisions of the keywords that are not muted."""
    heard = QueryIndex(keyword.query for keyword in subscriber.heard)
    return (
        [hit for hit in hits if hit.query_key not in subscriber.muted],
        [revision for revision in revisions if heard.matches(revision.paper)],
    )


def by_relevance(entries: Iterable[Entry], queries: Mapping[str, Query]) -> tuple[Entry, ...]:
    """Returns the entries sorted by relevance.

    The order is: the number of keywords that match, then the number of keywords that match the title, then
    newest first. A keyword that is not in `queries` counts as not in the title.
    """
    return tuple(sorted(entries, key=relevance(queries), reverse=True))


def relevance(queries: Mapping[str, Query]) -> Callable[[Entry], tuple[int, int, datetime, ArxivId]]:
    """Returns the sort key of `by_relevance`. No two papers have the same."""
    tests = {keyword: title_test(query) for keyword, query in queries.items()}

    def rank(entry: Entry) -> tuple[int, int, datetime, ArxivId]:
        (paper, keywords), in_title = entry, 0
        for keyword in keywords:
            if keyword in tests:
                in_title += tests[keyword](paper.title)
        return len(keywords), in_title, paper.submitted_at or _LONG_AGO, paper.id

    return rank


def entries_of(
    subscriber: Subscriber, hits: Sequence[Hit], changes: Sequence[Change] = ()
) -> tuple[Entry, ...]:
    """Returns the entries of these hits, of keywords that are not muted."""
    latest: dict[ArxivId, Paper] = {}
    matched: dict[ArxivId, list[str]] = {}
    for hit in hits:
        paper = hit.paper
        if paper.id not in latest:
            latest[paper.id], matched[paper.id] = paper, [hit.query_key]
        else:
            matched[paper.id].append(hit.query_key)
            if paper.version >= latest[paper.id].version:
                latest[paper.id] = paper
    late = _let_through_late(subscriber, changes) if changes else {}
    for change in changes:
        if change.after.id in late:
            latest[change.after.id] = late[change.after.id]
            matched.setdefault(change.after.id, []).append(change.query_key)
    papers = {paper.id: paper for paper in let_through(subscriber, latest.values())}
    wanted = {hit.paper.id for hit in hits if not hit.is_backlog} & papers.keys()
    wanted |= late.keys() & papers.keys()
    wanted |= _welcome([hit for hit in hits if hit.is_backlog and hit.paper.id in papers])
    keys = [(keyword.query.key, keyword.text) for keyword in subscriber.keywords]
    alone = {key: (text,) for key, text in keys}
    entries = [
        Entry(
            papers[paper_id],
            alone.get(found[0], ())
            if len(found := matched[paper_id]) == 1
            else tuple([text for key, text in keys if key in found]),
        )
        for paper_id in wanted
    ]
    return by_relevance(entries, {keyword.text: keyword.query for keyword in subscriber.keywords})


def _let_through_late(subscriber: Subscriber, changes: Sequence[Change]) -> dict[ArxivId, Paper]:
    """Returns the current papers that the subscriber's filters refused before and accept now."""
    before: dict[ArxivId, Paper] = {}
    after: dict[ArxivId, Paper] = {}
    for change in changes:
        before.setdefault(change.before.id, change.before)
        after[change.after.id] = change.after
    refused = before.keys() - {paper.id for paper in let_through(subscriber, before.values())}
    return {paper.id: paper for paper in let_through(subscriber, after.values()) if paper.id in refused}


def _welcome(backlog_hits: Iterable[Hit]) -> set[ArxivId]:
    backlog: dict[str, list[Paper]] = defaultdict(list)
    for hit in backlog_hits:
        backlog[hit.query_key].append(hit.paper)
    return {paper.id for papers in backlog.values() for paper in newest_first(papers)[:WELCOME_PAPERS]}


def _latest_revisions(subscriber: Subscriber, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
    latest = {
        revision.paper.id: revision
        for revision in sorted(revisions, key=lambda revision: revision.paper.version)
    }
    papers = let_through(subscriber, (revision.paper for revision in latest.values()))
    return tuple(latest[paper.id] for paper in newest_first(papers))


def let_through(subscriber: Subscriber, papers: Iterable[Paper]) -> list[Paper]:
    """Returns the papers that are in the subscriber's categories and match no `exclude`."""
    found = list(papers)
    if subscriber.filters.categories:
        found = [paper for paper in found if is_in_categories(subscriber, paper)]
    if not found or not subscriber.filters.exclude:
        return found
    refused = _refused(subscriber.filters.exclude)
    return [paper for paper in found if not refused.matches(paper)]


@lru_cache(maxsize=_FILTERS_KEPT)
def _refused(exclude: tuple[Keyword, ...]) -> QueryIndex:
    """Cached: subscribers often exclude the same keywords, and each is used for papers and for revisions."""
    return QueryIndex(keyword.query for keyword in exclude)


def is_in_categories(subscriber: Subscriber, paper: Paper) -> bool:
    counting = paper.categories if subscriber.filters.crosslists else paper.categories[:1]
    return any(
        code == wanted or f"{code.partition('.')[0]}.*" == wanted
        for code in counting
        for wanted in subscriber.filters.categories
    )
