"""A `search_query` of arXiv's search API as a keyword that finds the same papers.

arXiv reads it by its own grammar (https://info.arxiv.org/help/api/user-manual.html, and the parser in the
repository arXiv/arxiv-search): no operator binds tighter than another, all group to the right, a missing
operator is `OR`, and a missing prefix is `all`.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from digest.cli.moving.found import Asked, NotAKeyword
from digest.errors import QueryError
from digest.keywords.query import parse

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<date>(?:submittedDate|lastUpdatedDate|submitted_date):\s*(?:\[[^\]]*\]|[^\s()]+))
  | (?P<bracket>[()])
  | (?P<term>(?P<prefix>[A-Za-z_]+:)?(?:(?P<quoted>"[^"]*")|(?P<group>(?<=:)(?=\())|(?P<word>[^\s()"]+)))
    )""",
    re.VERBOSE,
)
_OPERATORS = {"AND": "AND", "OR": "OR", "ANDNOT": "ANDNOT", "NOT": "ANDNOT"}
_FIELDS = frozenset({"ti", "au", "abs", "co", "jr", "cat", "id", "all"})
_LONGEST, _DEEPEST = 4_000, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """Two parts and what is between them."""

    operator: str
    left: "_Tree"
    right: "_Tree"
    in_brackets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """The text of the keyword."""

    text: str


_Tree: TypeAlias = _Chain | _Term
_Node: TypeAlias = _Tree | None
"""`None` stands for a range of days, which is left out."""


def keyword_of_query(query: str) -> Asked:
    """Raises `NotAKeyword`."""
    if len(query) > _LONGEST:
        raise NotAKeyword(f"the query has more than {_LONGEST:,} characters")
    reader = _Reader(query)
    tree = reader.sequence(0, prefix="all:")
    if reader.at < len(reader.tokens):
        raise NotAKeyword("a closing bracket has no opening one")
    if tree is None:
        raise NotAKeyword("the query asks for days only")
    text = _written(tree)
    try:
        parse(text)
    except QueryError as error:
        raise NotAKeyword(f"{error.expected}, in {text}") from error
    text = _plain(tree) or text
    grouped = ("arXiv groups operators from the right; brackets keep that",) if _is_grouped(tree) else ()
    return Asked(keyword=text, notes=(*dict.fromkeys(reader.notes), *grouped))


def _plain(tree: _Tree) -> str | None:
    """The phrase of `ti:"phrase" OR abs:"phrase"`, which is what a plain phrase means."""
    if not isinstance(tree, _Chain) or tree.operator != "OR" or not isinstance(tree.right, _Term):
        return None
    (one, phrase), (other, again) = (_written(part).partition(":")[::2] for part in (tree.left, tree.right))
    if phrase != again or {one, other} != {"ti", "abs"}:
        return None
    with suppress(QueryError):
        if parse(phrase.strip('"')).key == parse(phrase).key:
            return phrase.strip('"')
    return None


class _Reader:
    def __init__(self, query: str) -> None:
        self.tokens = _tokens(query)
        self.at = 0
        self.notes: list[str] = []

    def sequence(self, depth: int, prefix: str) -> _Node:
        """What stands up to the next closing bracket. `prefix` is that of a word without one."""
        if depth > _DEEPEST:
            raise NotAKeyword("its brackets are nested too deeply")
        left = self._operand(depth, prefix)
        if self._is_end():
            return left
        operator = _OPERATORS.get(self.tokens[self.at][0])
        if operator:
            self.at += 1
        right = self.sequence(depth, prefix)
        if left is None or right is None:
            return left or right
        if operator is None:
            self.notes.append("arXiv reads OR where there is no operator")
        return _Chain(operator=operator or "OR", left=left, right=right)

    def _is_end(self) -> bool:
        return self.at == len(self.tokens) or self.tokens[self.at][0] == ")"

    def _operand(self, depth: int, prefix: str) -> _Node:
        if self._is_end() or self.tokens[self.at][0] in _OPERATORS:
            raise NotAKeyword("something is missing beside an operator or a bracket")
        text, found = self.tokens[self.at]
        self.at += 1
        if found["date"]:
            self.notes.append("the range of days is left out: a digest has what is new")
            return None
        if text == "(":
            return self._bracketed(depth, prefix)
        own = (found["prefix"] or "").lower()
        if own and own[:-1] not in _FIELDS:
            raise NotAKeyword(f"digest has no field {own}")
        if found["group"] is not None:
            self.at += 1
            return self._bracketed(depth, own)
        return self._term(own or prefix, found)

    def _bracketed(self, depth: int, prefix: str) -> _Node:
        inner = self.sequence(depth + 1, prefix)
        if self.at == len(self.tokens):
            raise NotAKeyword("a bracket is never closed")
        self.at += 1
        if isinstance(inner, _Chain):
            return _Chain(operator=inner.operator, left=inner.left, right=inner.right, in_brackets=True)
        return inner

    def _term(self, prefix: str, found: re.Match[str]) -> _Term:
        if found["quoted"]:
            return _Term(text=f"{prefix}{found['quoted']}")
        words = [found["word"]]
        if words[0].lower().removesuffix(":") in _FIELDS and words[0].endswith(":"):
            raise NotAKeyword(f"nothing stands directly after {words[0]}")
        while not self._is_end() and self._is_bare():
            words.append(self.tokens[self.at][0])
            self.at += 1
        if len(words) == 1:
            return _Term(text=f"{prefix}{words[0]}")
        phrase = " ".join(words)
        self.notes.append(
            f"arXiv reads {prefix}{phrase} as {prefix}{words[0]} OR all:{words[1]}…; here it is a phrase"
        )
        return _Term(text=f'{prefix}"{phrase}"')

    def _is_bare(self) -> bool:
        text, found = self.tokens[self.at]
        return bool(found["word"]) and not found["prefix"] and text not in _OPERATORS


def _tokens(query: str) -> list[tuple[str, re.Match[str]]]:
    tokens: list[tuple[str, re.Match[str]]] = []
    at = 0
    query = query.rstrip()
    while at < len(query):
        found = _TOKEN.match(query, at)
        if not found:
            raise NotAKeyword("a quote is never closed" if '"' in query[at:] else "it cannot be read")
        tokens.append((found[0].strip(), found))
        at = found.end()
    return tokens


def _written(node: _Tree) -> str:
    """With all brackets that keep arXiv's meaning."""
    if isinstance(node, _Term):
        return node.text
    left = f"({_written(node.left)})" if isinstance(node.left, _Chain) else _written(node.left)
    right = _written(node.right)
    if isinstance(node.right, _Chain) and not _goes_on(node, node.right):
        right = f"({right})"
    return f"{left} {node.operator} {right}"


def _goes_on(node: _Chain, right: _Chain) -> bool:
    """`a OR (b OR c)` needs no brackets, `a ANDNOT (b ANDNOT c)` does."""
    return node.operator == right.operator != "ANDNOT"


def _is_grouped(node: _Tree) -> bool:
    """Whether brackets were added."""
    if not isinstance(node, _Chain):
        return False
    right = node.right
    added = isinstance(right, _Chain) and not right.in_brackets and not _goes_on(node, right)
    return added or _is_grouped(node.left) or _is_grouped(right)
