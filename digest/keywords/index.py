"""Finds which queries a paper matches, in which fields, and by which words.

`matches` evaluates one query alone. `QueryIndex` gives the same answers for many queries at once. It indexes
each query by tokens, at least one of which every matching paper has. So the time for a paper depends on its
length and its matches only.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from digest.keywords.analysis import stem, words
from digest.keywords.ast import AllOf, AnyOf, Author, Category, Leaf, Node, Phrase
from digest.keywords.matchers import AnalysedPaper, Evidence, Finder, Kind, finder, merged, selective_tokens
from digest.keywords.query import Query
from digest.model.paper import ArxivId, Paper

# The subscribers of one day share papers and keywords.
_QUERIES_KEPT = 2_000
_TITLES_OF_ONE = 50
_TITLES_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A query that a paper matches: the fields that match, and the words there, as written.

    `fields` are names of `Paper`'s fields, in the order of `digest.keywords.matchers.FIELDS`. `words` are
    distinct passages of them, such as `Graph-Neural Networks`, an author's name or a category. Neither
    contains anything that the query excludes.
    """

    query: Query
    fields: tuple[str, ...]
    words: tuple[str, ...]


def matches(query: Query, paper: Paper) -> bool:
    """Whether `paper` matches `query`."""
    analysed = AnalysedPaper(paper)
    return _evaluated(query.root, lambda leaf: finder(leaf)(analysed)) is not None


def _evaluated(node: Node, find: Callable[[Leaf], Evidence | None]) -> Evidence | None:
    """The evidence for `node`; `None` if it does not match."""
    if isinstance(node, AnyOf):
        return merged([_evaluated(operand, find) for operand in node.operands])
    if not isinstance(node, AllOf):
        return find(node)
    found = []
    for operand in node.wanted:
        evidence = _evaluated(operand, find)
        if evidence is None:
            return None
        found.append(evidence)
    return None if any(_evaluated(operand, find) for operand in node.unwanted) else merged(found)


@lru_cache(maxsize=_QUERIES_KEPT)
def title_test(query: Query) -> Callable[[str], bool]:
    """A test whether a title contains any phrase that `query` wants, whatever else the query requires."""
    finders = tuple(map(finder, wanted_phrases(query.root)))

    @lru_cache(maxsize=_TITLES_OF_ONE)
    def is_in(title: str) -> bool:
        return any(find(_title_alone(title)) for find in finders)

    return is_in


@lru_cache(maxsize=_TITLES_KEPT)
def _title_alone(title: str) -> AnalysedPaper:
    paper = Paper(id=ArxivId(""), version=1, title=title, abstract="", authors=(), categories=())
    return AnalysedPaper(paper)


@lru_cache(maxsize=_QUERIES_KEPT)
def mention_count(query: Query) -> Callable[[Paper], int]:
    """Counts how often title and abstract have the phrase of `query` that they have most often.

    A phrase counts as often as the rarest of its words.
    """
    phrases = [
        {stemmed for word in phrase.words if (stemmed := stem(word)) is not None}
        for phrase in wanted_phrases(query.root)
    ]

    @lru_cache(maxsize=_TITLES_OF_ONE)
    def count(paper: Paper) -> int:
        counts = _stem_counts(paper.title, paper.abstract)
        return max((min(counts[one] for one in phrase) for phrase in phrases if phrase), default=0)

    return count


@lru_cache(maxsize=_TITLES_KEPT)
def _stem_counts(title: str, abstract: str) -> Counter[str | None]:
    return Counter(map(stem, (*words(title), *words(abstract))))


def forget() -> None:
    """Clears the caches of words and titles: about 10 MB after a day's papers."""
    for kept in (stem, title_test, mention_count, _title_alone, _stem_counts):
        kept.cache_clear()


def wanted_phrases(node: Node) -> Iterator[Phrase]:
    """The phrases in `node`, except those that it excludes."""
    if isinstance(node, AnyOf | AllOf):
        for operand in node.operands if isinstance(node, AnyOf) else node.wanted:
            yield from wanted_phrases(operand)
    elif isinstance(node, Phrase):
        yield node


class _Entry(NamedTuple):
    """A leaf in the index: its finder, the query that is this leaf, and the queries that it triggers."""

    key: str
    find: Finder
    whole: int | None
    parts: tuple[int, ...]


_Filed: TypeAlias = dict[Kind, dict[object, list[_Entry]]]
"""Kind of token → token → the leaves that only papers with this token can match."""


class QueryIndex:
    """Many queries, indexed so that one paper after another can be matched.

    Queries with the same key count as one; the first of them stands for all.
    """

    def __init__(self, queries: Iterable[Query]) -> None:
        first: dict[str, Query] = {}
        for query in queries:
            first.setdefault(query.key, query)
        self._queries = tuple(first.values())
        self._finders: dict[str, Finder] = {}
        self._filed = _file(self._entries())

    def _entries(self) -> Iterator[tuple[Leaf, _Entry]]:
        leaves: dict[str, Leaf] = {}
        whole: dict[str, int] = {}
        parts: dict[str, list[int]] = defaultdict(list)
        for number, query in enumerate(self._queries):
            for leaf in _triggers(query.root):
                leaves[leaf.key] = leaf
                if leaf is query.root:
                    whole[leaf.key] = number
                else:
                    parts[leaf.key].append(number)
        for key, leaf in leaves.items():
            yield leaf, _Entry(key, self._finder(leaf), whole.get(key), tuple(parts[key]))

    def matches(self, paper: Paper) -> tuple[Match, ...]:
        """The matches of `paper`, in the order in which the queries were given."""
        analysed = AnalysedPaper(paper)
        met: dict[str, Evidence | None] = {}
        found: dict[int, Evidence | None] = {}
        candidates: set[int] = set()
        for entry in self._possible(analysed):
            if entry.whole is None:
                candidates.update(entry.parts)
            elif entry.key not in met:
                evidence = met[entry.key] = entry.find(analysed)
                if evidence:
                    candidates.update(entry.parts)
                    found[entry.whole] = evidence

        def find(leaf: Leaf) -> Evidence | None:
            if leaf.key not in met:
                met[leaf.key] = self._finder(leaf)(analysed)
            return met[leaf.key]

        for number in candidates:
            found[number] = _evaluated(self._queries[number].root, find)
        return tuple(
            Match(query=self._queries[number], fields=evidence.fields, words=evidence.words)
            for number, evidence in sorted(found.items())
            if evidence
        )

    def _possible(self, analysed: AnalysedPaper) -> Iterator[_Entry]:
        for kind, filed in self._filed.items():
            for value in filter(filed.__contains__, analysed.tokens(kind)):
                yield from filed[value]

    def _finder(self, leaf: Leaf) -> Finder:
        made = self._finders.get(leaf.key)
        if made is None:
            made = self._finders[leaf.key] = finder(leaf)
        return made


def _file(entries: Iterable[tuple[Leaf, _Entry]]) -> _Filed:
    """Indexes each entry by one group of its tokens; of several groups, the one with the least use."""
    options = [(entry, selective_tokens(leaf)) for leaf, entry in entries]
    usage = Counter(token for _, groups in options for group in groups for token in group)
    filed: _Filed = defaultdict(lambda: defaultdict(list))
    for entry, groups in options:
        for kind, value in min(groups, key=lambda group: sum(usage[token] for token in group)):
            filed[kind][value].append(entry)
    return {kind: dict(values) for kind, values in filed.items()}


def _triggers(node: Node) -> tuple[Leaf, ...]:
    """Leaves, one of which every paper that matches `node` matches: as few and as rare as possible."""
    if isinstance(node, AnyOf):
        return tuple({leaf.key: leaf for operand in node.operands for leaf in _triggers(operand)}.values())
    if isinstance(node, AllOf):
        return min(
            (_triggers(operand) for operand in node.wanted), key=lambda leaves: sum(map(_commonness, leaves))
        )
    return (node,)


def _commonness(leaf: Leaf) -> int:
    """A rough share of papers, in thousandths, that match `leaf`."""
    match leaf:
        case Category():
            return 300 if leaf.written.endswith("*") else 50
        case Phrase():
            return 1 if len(leaf.terms) > 1 else 20
        case Author():
            return 1
        case _:
            return 10
