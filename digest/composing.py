"""From hits to one reader's digest, or to nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from digest.digests import Digest, Entry, Hit
from digest.papers import ArxivId, Paper
from digest.subscribers import Subscriber

WELCOME_PAPERS = 10
"""How many papers of the time before a subscription its first digest brings, for each keyword."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def compose(
    subscriber: Subscriber, hits: Sequence[Hit], *, planned_at: datetime, is_first: bool
) -> Digest | None:
    """The reader's digest of `hits`, or `None` when there is nothing for them.

    Of the backlog it takes the newest `WELCOME_PAPERS` of each query. Papers come by how many
    keywords they match, then newest first; of a paper that was seen in two versions, the later one.
    """
    wanted = {hit.paper.id for hit in hits if not hit.is_backlog} | _welcome(hits)
    if not wanted:
        return None
    text_of = {keyword.query.key: keyword.text for keyword in subscriber.keywords}
    matched: dict[ArxivId, set[str]] = defaultdict(set)
    papers: dict[ArxivId, Paper] = {}
    for hit in sorted(hits, key=lambda hit: hit.paper.version):
        if hit.paper.id in wanted:
            papers[hit.paper.id] = hit.paper
            matched[hit.paper.id].add(hit.query_key)
    entries = [
        Entry(paper=paper, keywords=tuple(text for key, text in text_of.items() if key in matched[paper.id]))
        for paper in newest_first(papers.values())
    ]
    return Digest(
        email=subscriber.email,
        name=subscriber.name,
        planned_at=planned_at,
        dated_on=planned_at.astimezone(subscriber.timezone).date(),
        keywords=tuple(text_of.values()),
        entries=tuple(sorted(entries, key=lambda entry: -len(entry.keywords))),
        is_first=is_first,
    )


def newest_first(papers: Iterable[Paper]) -> list[Paper]:
    """By submission, then by id, the newest at the head."""
    return sorted(papers, key=lambda paper: (paper.submitted_at or _LONG_AGO, paper.id), reverse=True)


def _welcome(hits: Sequence[Hit]) -> set[ArxivId]:
    backlog: dict[str, list[Paper]] = defaultdict(list)
    for hit in hits:
        if hit.is_backlog:
            backlog[hit.query_key].append(hit.paper)
    return {paper.id for papers in backlog.values() for paper in newest_first(papers)[:WELCOME_PAPERS]}
