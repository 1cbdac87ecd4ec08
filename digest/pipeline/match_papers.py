"""Matches fetched papers with queries. What an earlier fetch stored already is not matched again."""

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import NamedTuple

from digest import __version__
from digest.keywords.index import QueryIndex
from digest.keywords.query import Query
from digest.model.paper import Paper
from digest.storage.pipeline_stores import FetchStore
from digest.storage.values import Matched

_values_of = attrgetter(*(field.name for field in fields(Paper)))


class Held(NamedTuple):
    """A paper and the queries that it matches, none of them if an earlier fetch stored the hits already."""

    fingerprint: bytes
    matched: Matched
    is_match: bool


def match_papers(store: FetchStore, queries: Sequence[Query], papers: Sequence[Paper]) -> tuple[Held, ...]:
    """Matches each paper with the queries, unless an earlier fetch did and nothing has changed."""
    examined = store.examined(query.key for query in queries)
    index: QueryIndex | None = None
    held: list[Held] = []
    for paper in papers:
        fingerprint = _fingerprint(paper)
        is_match = examined.get(fingerprint)
        keys: tuple[str, ...] = ()
        if is_match is None:
            index = index or QueryIndex(queries)
            keys = tuple(match.query.key for match in index.matches(paper))
        matched = Matched(paper=paper, query_keys=keys)
        held.append(Held(fingerprint, matched, bool(keys) if is_match is None else is_match))
    return tuple(held)


def _fingerprint(paper: Paper) -> bytes:
    """Includes the version of this program, because another version may match differently."""
    return hashlib.blake2b(f"{__version__} {_values_of(paper)!r}".encode(), digest_size=16).digest()
