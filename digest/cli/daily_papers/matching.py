"""Converts the headings of a page to keywords, and finds the papers under them that match."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from digest.cli.daily_papers.parser import Listed, Listing
from digest.errors import QueryError
from digest.keywords.ast import AllOf, AnyOf, Author, Category, Node, Phrase, Remark
from digest.keywords.index import matches
from digest.model.paper import ArxivId, Paper
from digest.subscribers.entry_parser import parse_keyword
from digest.subscribers.subscriber import Keyword


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A heading as a keyword, or `None` if it cannot be one, and how its papers match.

    `matching` and `strays` are decided by the text on the page; `unclear` are papers with too little text.
    """

    listing: Listing
    keyword: Keyword | None
    matching: tuple[Listed, ...] = ()
    strays: tuple[Listed, ...] = ()
    unclear: tuple[Listed, ...] = ()


def keyword_for(heading: str) -> Keyword | None:
    """The keyword of a heading; as a phrase in quotes if it is not in the keyword language."""
    for text in (heading, f'"{heading.replace(chr(34), " ")}"'):
        with suppress(ValueError, QueryError):
            return parse_keyword(text)
    return None


def judge(listing: Listing) -> Verdict:
    """Compares the papers under a heading with its keyword."""
    keyword = keyword_for(listing.heading)
    if keyword is None:
        return Verdict(listing=listing, keyword=None, unclear=listing.papers)
    found: dict[str, list[Listed]] = defaultdict(list)
    for listed in listing.papers:
        found[_judgement(keyword, listed)].append(listed)
    return Verdict(
        listing=listing,
        keyword=keyword,
        matching=tuple(found["matching"]),
        strays=tuple(found["stray"]),
        unclear=tuple(found["unclear"]),
    )


def alike(verdicts: Sequence[Verdict]) -> tuple[tuple[Verdict, ...], ...]:
    """Groups of headings with different meanings and exactly the same papers, two or more.

    Not all of them can be right, unless all of these papers match all of them.
    """
    groups: dict[frozenset[ArxivId], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[frozenset(listed.id for listed in verdict.listing.papers)].append(verdict)
    return tuple(
        tuple(same)
        for ids, same in groups.items()
        if len(ids) > 1 and len(set(map(_meaning, same))) > 1 and not all(map(_is_right, same))
    )


def _meaning(verdict: Verdict) -> str:
    return verdict.keyword.query.key if verdict.keyword else verdict.listing.heading


def _is_right(verdict: Verdict) -> bool:
    return len(verdict.matching) == len(verdict.listing.papers)


def _judgement(keyword: Keyword, listed: Listed) -> str:
    if matches(keyword.query, _as_far_as_known(listed)):
        return "matching"
    return "stray" if listed.abstract and not _asks_for_more(keyword.query.root) else "unclear"


def _as_far_as_known(listed: Listed) -> Paper:
    """A paper only for matching: a page has only part of its data."""
    return Paper(
        id=listed.id,
        version=1,
        title=listed.title,
        abstract=listed.abstract,
        authors=(),
        categories=(),
        comment=listed.comment or None,
    )


def _asks_for_more(node: Node) -> bool:
    """Whether the match may depend on authors, categories or a journal, which a page does not have."""
    match node:
        case AnyOf():
            return any(map(_asks_for_more, node.operands))
        case AllOf():
            return any(map(_asks_for_more, (*node.wanted, *node.unwanted)))
        case Phrase():
            return node.prefix == "all"
        case Remark():
            return node.prefix == "jr"
        case _:
            return isinstance(node, Author | Category)
