"""From digests that did not arrive and the next one to a single digest."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from digest.errors import QueryError
from digest.keywords.query import Query, parse
from digest.model.digest import Digest, Entry, Revision
from digest.model.paper import ArxivId
from digest.pipeline.compose import by_relevance


def merge(digest: Digest, earlier: Sequence[Digest]) -> Digest:
    """`digest` with all that `earlier` ones of the same subscriber brought, every paper once.

    A paper keeps the keywords for which it was written down. A new version of a paper that never arrived
    takes that paper's place; of several new versions of one paper the last is told of, against the first
    that the subscriber knows.
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
        is_first=any(one.is_first for one in oldest_first),
    )


def _revisions(digests: Sequence[Digest]) -> dict[ArxivId, Revision]:
    """The latest of each paper, from the version that the subscriber had."""
    found: dict[ArxivId, Revision] = {}
    for revision in (revision for one in digests for revision in one.revisions):
        known = found.pop(revision.paper.id, revision)
        found[revision.paper.id] = replace(
            revision, from_version=min(known.from_version, revision.from_version)
        )
    return found


def _queries(keywords: Iterable[str]) -> dict[str, Query]:
    """What each keyword asks for, but for those that no longer can be read."""
    found = {}
    for keyword in keywords:
        with suppress(QueryError):
            found[keyword] = parse(keyword)
    return found
