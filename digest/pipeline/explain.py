"""Explains why a paper is for a subscriber or not: compares each of their keywords with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from digest.keywords.ast import (
    AllOf,
    AnyOf,
    Author,
    Category,
    Identifier,
    Leaf,
    Node,
    Phrase,
    Remark,
    readable,
)
from digest.keywords.index import Match, QueryIndex, matches
from digest.keywords.query import Query
from digest.model.paper import Paper
from digest.pipeline.compose import is_in_categories
from digest.subscribers.subscriber import Keyword, Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result for one keyword and one paper: its `match`, or what is `missing`, one line for each part."""

    keyword: Keyword
    match: Match | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The results of a subscriber's keywords and filters for one paper.

    `excluded_by` are the matches of `exclude`. `is_elsewhere`: the paper is in none of their categories.
    """

    verdicts: tuple[Verdict, ...]
    excluded_by: tuple[Match, ...]
    is_elsewhere: bool

    @property
    def is_wanted(self) -> bool:
        is_found = any(verdict.match for verdict in self.verdicts)
        return is_found and not self.excluded_by and not self.is_elsewhere


def explain(subscriber: Subscriber, paper: Paper) -> Explanation:
    return Explanation(
        verdicts=tuple(_verdict(keyword, paper) for keyword in subscriber.keywords),
        excluded_by=QueryIndex(keyword.query for keyword in subscriber.filters.exclude).matches(paper),
        is_elsewhere=bool(subscriber.filters.categories) and not is_in_categories(subscriber, paper),
    )


def _verdict(keyword: Keyword, paper: Paper) -> Verdict:
    match = next(iter(QueryIndex([keyword.query]).matches(paper)), None)
    missing = () if match else tuple(_missing(keyword.query.root, paper))
    return Verdict(keyword=keyword, match=match, missing=missing)


def _missing(node: Node, paper: Paper) -> Iterator[str]:
    """Yields the conditions that the paper does not meet; nothing if it matches."""
    if _holds(node, paper):
        return
    if isinstance(node, AnyOf):
        yield f"none of {_joined(node.operands)} is in it"
    elif isinstance(node, AllOf):
        for part in node.wanted:
            yield from _missing(part, paper)
        for part in node.unwanted:
            if _holds(part, paper):
                yield f"{_text(part)} is in it, which the keyword refuses"
    else:
        yield f"{_text(node)} is not {_where(node)}"


def _holds(node: Node, paper: Paper) -> bool:
    return matches(_query(node), paper)


def _query(node: Node) -> Query:
    return Query(text=readable(node), key=node.key, root=node)


def _text(node: Node) -> str:
    return f'"{readable(node)}"' if isinstance(node, Phrase) and not node.prefix else readable(node)


def _joined(nodes: Iterable[Node]) -> str:
    return ", ".join(map(_text, nodes))


def _where(leaf: Leaf) -> str:
    match leaf:
        case Phrase(prefix=prefix):
            places = {"ti": "in the title", "abs": "in the abstract", "all": "anywhere in it"}
            return places.get(prefix, "in title or abstract")
        case Author():
            return "among the authors"
        case Remark(prefix=prefix):
            return "in the comment" if prefix == "co" else "in the journal reference"
        case Category():
            return "among its categories"
        case Identifier():
            return "its identifier"
