"""Merges digests that did not arrive into the next digest."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from digest.errors import QueryError
from digest.keywords.query import Query, parse
from digest.model.digest import Digest, Entry, Revision
from digest.model.paper import ArxivId
from digest.pipeline.compose import by_relevance
from digest.storage.values import Mailing

_PARSED_KEPT = 2_000


def mergeable(undelivered: Sequence[Mailing]) -> tuple[Mailing, ...]:
    """Returns those of a subscriber's undelivered mailings whose papers go into the next digest.

    These are all, with one exception: a single mailing that was refused although it had merged others waits
    alone. The server may refuse it because of one paper, which would hold back each later digest too.
    """
    tried = [mailing for mailing in undelivered if mailing.attempts]
    if len(tried) == 1 and tried[0].has_merged:
        return tuple(mailing for mailing in undelivered if mailing is not tried[0])
    return tuple(undelivered)


def merge(digest: Digest, earlier: Sequence[Digest]) -> Digest:
    """Returns `digest` with the content of the `earlier` digests of the same subscriber, each paper once.

    A paper keeps the keywords for which it was stored. A new version replaces a paper that never arrived. If
    a paper has several new versions, the digest shows the last one, compared with the first version that the
    subscriber knows.
    """
    if not earlier:
        return digest
    oldest_first = (*earlier, digest)
    revisions = _revisions(oldest_first)
    entries: dict[ArxivId, Entry] = {}
    for entry in (entry for one in oldest_first for entry in one.entries):
        known = entries.get(entry.paper.id, entry)
        entries[entry.paper.id] = Entry(
            paper=max(known.paper, entry.paper, key=lambda paper: paper.version),
            keywords=tuple(dict.fromkeys((*known.keywords, *entry.keywords))),
        )
    for paper_id in entries.keys() & revisions.keys():
        entries[paper_id] = entries[paper_id]._replace(paper=revisions.pop(paper_id).paper)
    former = (keyword for entry in entries.values() for keyword in entry.keywords)
    keywords = tuple(dict.fromkeys((*digest.keywords, *former)))
    return replace(
        digest,
        entries=by_relevance(entries.values(), _queries(keywords)),
        revisions=tuple(revisions.values()),
        keywords=keywords,
        names=_names(digest, earlier, keywords),
        outlook=next((one.outlook for one in reversed(oldest_first) if one.outlook), None),
        is_first=any(one.is_first for one in oldest_first),
    )


def _names(digest: Digest, earlier: Sequence[Digest], keywords: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Returns the names of all `keywords`: those of `digest` as they are there, others as they were last."""
    former = dict(pair for one in earlier for pair in one.names)
    taken = {name.casefold() for _, name in digest.names}
    kept = (
        (keyword, former[keyword])
        for keyword in keywords
        if keyword in former and keyword not in digest.keywords and former[keyword].casefold() not in taken
    )
    return (*digest.names, *kept)


def _revisions(digests: Sequence[Digest]) -> dict[ArxivId, Revision]:
    """Returns the latest revision of each paper, compared with the version that the subscriber had."""
    found: dict[ArxivId, Revision] = {}
    for revision in (revision for one in digests for revision in one.revisions):
        known = found.pop(revision.paper.id, revision)
        found[revision.paper.id] = replace(
            revision, from_version=min(known.from_version, revision.from_version)
        )
    return found


def _queries(keywords: Iterable[str]) -> dict[str, Query]:
    """Parses the keywords. Skips those that can no longer be parsed."""
    parsed = ((keyword, _parsed(keyword)) for keyword in keywords)
    return {keyword: query for keyword, query in parsed if query is not None}


@lru_cache(maxsize=_PARSED_KEPT)
def _parsed(keyword: str) -> Query | None:
    """Cached: after a day without a mail server, all digests are merged, and share keywords."""
    try:
        return parse(keyword)
    except QueryError:
        return None
