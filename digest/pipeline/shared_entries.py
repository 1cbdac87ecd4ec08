"""The entries of digests that many subscribers share: what one keyword brings is put in order once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import is_, itemgetter
from typing import NamedTuple

from digest.model.digest import Entry, Hit
from digest.model.paper import ArxivId, Paper
from digest.pipeline.compose import entries_of, relevance
from digest.subscribers.subscriber import Filters, Keyword, Subscriber

_KEPT = 20_000
"""So many entries: about 5 MB."""


class _Ranked(NamedTuple):
    """An entry with its sort key, a text that compares as `relevance` does, and the parts of that."""

    key: str
    keywords: int
    in_title: int
    age: str
    entry: Entry


class _Part(NamedTuple):
    """What one keyword brings alone: all `papers`, and those that the filters let through, `ranked`.

    It keeps the hits, so that no others get their identity.
    """

    hits: Sequence[Hit]
    ids: frozenset[ArxivId]
    papers: Mapping[ArxivId, Paper]
    ranked: Mapping[ArxivId, _Ranked]


class SharedEntries:
    """The entries by keyword, for all subscribers with this keyword and the same filters."""

    def __init__(self) -> None:
        self._parts: dict[Filters, dict[tuple[int, str], _Part]] = {}
        self._kept = 0
        self._last: tuple[Sequence[_Part], tuple[Entry, ...]] = ((), ())

    def of(self, subscriber: Subscriber, groups: Sequence[Sequence[Hit]]) -> tuple[Entry, ...]:
        """Returns the same as `entries_of` for all hits. Each group has those of one query, no backlog.

        Groups are equal if they are one object. Subscribers with the same keywords who come together have
        one tuple of entries.
        """
        if self._kept > _KEPT:
            self._parts, self._kept = {}, 0
        known = self._parts.setdefault(subscriber.filters, {})
        by_key = {group[0].query_key: group for group in groups}
        parts = []
        for keyword in subscriber.keywords:
            group = by_key.pop(keyword.query.key, None)
            if group is not None and keyword.query.key not in subscriber.muted:
                part = known.get((id(group), keyword.text))
                parts.append(part or self._learn(subscriber, keyword, group))
        heard = (key for key in by_key if key not in subscriber.muted)  # of dropped keywords
        parts += [_part(subscriber, None, by_key[key]) for key in heard]
        former, merged = self._last
        if len(parts) == len(former) and all(map(is_, parts, former)):
            return merged
        found = _merged(parts)
        if found is None:
            return entries_of(subscriber, [hit for part in parts for hit in part.hits])
        self._last = parts, found
        return found

    def _learn(self, subscriber: Subscriber, keyword: Keyword, group: Sequence[Hit]) -> _Part:
        part = _part(subscriber, keyword, group)
        self._parts[subscriber.filters][id(group), keyword.text] = part
        self._kept += len(group)
        return part


def _part(subscriber: Subscriber, keyword: Keyword | None, hits: Sequence[Hit]) -> _Part:
    alone = replace(subscriber, keywords=(keyword,) if keyword else (), muted=frozenset())
    rank = relevance({keyword.text: keyword.query} if keyword else {})
    return _Part(
        hits=hits,
        ids=frozenset(hit.paper.id for hit in hits),
        papers={hit.paper.id: hit.paper for hit in hits},
        ranked={entry.paper.id: _ranked(entry, *rank(entry)) for entry in entries_of(alone, hits)},
    )


def _ranked(entry: Entry, keywords: int, in_title: int, submitted_at: datetime, arxiv_id: ArxivId) -> _Ranked:
    age = f"{submitted_at.astimezone(UTC).isoformat(timespec='microseconds')} {arxiv_id}"
    return _Ranked(f"{keywords:06}{in_title:06}{age}", keywords, in_title, age, entry)


def _merged(parts: Sequence[_Part]) -> tuple[Entry, ...] | None:
    """Returns the entries of all parts in order; `None` if two of them have a paper in different versions."""
    ranked: dict[ArxivId, _Ranked] = {}
    seen: frozenset[ArxivId] = frozenset()
    several: set[ArxivId] = set()
    for part in parts:
        several |= seen & part.ids
        seen |= part.ids
        ranked |= part.ranked
    for paper_id in several:
        found = [part for part in parts if paper_id in part.ids]
        paper = found[0].papers[paper_id]
        if any(part.papers[paper_id] is not paper for part in found):
            return None
        if paper_id in ranked:
            ranked[paper_id] = _joined([part.ranked[paper_id] for part in found])
    best = sorted(ranked.values(), key=itemgetter(0), reverse=True)  # three times as fast as whole tuples
    return tuple([one.entry for one in best])


def _joined(ranked: Sequence[_Ranked]) -> _Ranked:
    """Returns the entry of one paper that several keywords found."""
    _, number, in_title, age, (paper, keywords) = ranked[0]
    for _, more, more_in_title, _, (_, others) in ranked[1:]:
        number, in_title, keywords = number + more, in_title + more_in_title, keywords + others
    return _Ranked(f"{number:06}{in_title:06}{age}", number, in_title, age, Entry(paper, keywords))
