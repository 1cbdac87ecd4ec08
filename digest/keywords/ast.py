"""A keyword as a tree: what it searches for, its text, and the identity of trees with the same meaning.

Every node has a `key`, computed once. Nodes with the same key match the same papers, in any spelling.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from digest.keywords.analysis import name_parts
from digest.keywords.foreign_syntax import misuse
from digest.keywords.typography import with_double_quotes

OPERATORS = ("AND", "OR", "ANDNOT", "NOT")

_NEEDS_QUOTES = re.compile(r'["()*=:|]|&&')


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One word of a phrase, `offset` places after the first word: stems, forms, or the start of a word."""

    offset: int
    stems: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    start: str = ""

    @property
    def key(self) -> str:
        return f"{self.start}*" if self.start else "|".join(self.forms or self.stems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Adjacent words in title or abstract (no prefix), in one of them (`ti`, `abs`), or anywhere (`all`).

    `words` are in lower case and include stop words; `terms` are compared. With `exact` they are compared as
    words, otherwise by their stems.
    """

    prefix: Literal["", "ti", "abs", "all"]
    written: str
    exact: bool
    words: tuple[str, ...]
    terms: tuple[Term, ...]
    key: str = field(init=False, compare=False, repr=False)

    @property
    def has_wildcard(self) -> bool:
        return any(term.start for term in self.terms)

    def __post_init__(self) -> None:
        places = {term.offset: term.key for term in self.terms}
        phrase = " ".join(places.get(offset, ".") for offset in range(len(self.words)))
        if self.prefix == "all":
            phrase = " ".join(name_parts(self.written))
        object.__setattr__(self, "key", f'{self.prefix}:{"=" if self.exact else ""}"{phrase}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """A person's name: `given` names, which may be initials, split at every mark, and the `surname`.

    `parts` are the parts of the whole name, split at blanks as arXiv does. `paired` is the same name with two
    letters for each `ü` and so on, if it has any.
    """

    written: str
    parts: tuple[str, ...]
    given: tuple[str, ...]
    surname: str
    paired: "Author | None" = None
    key: str = field(init=False, compare=False, repr=False)

    @property
    def forms(self) -> tuple["Author", ...]:
        """The name itself, and `paired`."""
        return (self, self.paired) if self.paired else (self,)

    def __post_init__(self) -> None:
        keys = (f'au:"{" ".join(one.parts)}" {" ".join(one.given)}' for one in self.forms)
        object.__setattr__(self, "key", " | ".join(keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Adjacent words in the comment (`co`) or in the journal reference (`jr`), unchanged.

    These fields ignore stop words: `words` has none.
    """

    prefix: Literal["co", "jr"]
    written: str
    words: tuple[str, ...]
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f'{self.prefix}:"{" ".join(self.words)}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One of arXiv's categories (`cs.LG`), or all with the same beginning (`cs.*`)."""

    written: str
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"cat:{self.written.lower()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """One paper, by its identifier without a version."""

    written: str
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"id:{self.written}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """At least one of two or more operands. Created by `any_of`."""

    operands: tuple["Node", ...]
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"({' OR '.join(sorted(node.key for node in self.operands))})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Every one of `wanted`, which is never empty, and none of `unwanted`. Created by `all_of`."""

    wanted: tuple["Node", ...]
    unwanted: tuple["Node", ...]
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        wanted = " AND ".join(sorted(node.key for node in self.wanted))
        object.__setattr__(
            self,
            "key",
            f"({wanted}{''.join(f' ANDNOT {key}' for key in sorted(node.key for node in self.unwanted))})",
        )


Leaf: TypeAlias = Phrase | Author | Remark | Category | Identifier
Node: TypeAlias = Leaf | AnyOf | AllOf


def any_of(operands: tuple[Node, ...]) -> Node:
    """The operands joined by OR, without unnecessary brackets and repetitions."""
    flat = _distinct(part for node in operands for part in _alternatives(node))
    return flat[0] if len(flat) == 1 else AnyOf(operands=flat)


def all_of(wanted: tuple[Node, ...], unwanted: tuple[Node, ...]) -> Node:
    """`wanted` joined by AND, then each of `unwanted` by ANDNOT, simplified as in `any_of`."""
    asked: list[Node] = []
    refused: list[Node] = []
    for node in wanted:
        asked += node.wanted if isinstance(node, AllOf) else (node,)
        refused += node.unwanted if isinstance(node, AllOf) else ()
    for node in unwanted:
        refused += _alternatives(node)
    parts, denied = _distinct(asked), _distinct(refused)
    return parts[0] if len(parts) == 1 and not denied else AllOf(wanted=parts, unwanted=denied)


def _alternatives(node: Node) -> tuple[Node, ...]:
    return node.operands if isinstance(node, AnyOf) else (node,)


def _distinct(nodes: Iterable[Node]) -> tuple[Node, ...]:
    first: dict[str, Node] = {}
    for node in nodes:
        first.setdefault(node.key, node)
    return tuple(first.values())


def readable(node: Node) -> str:
    """The canonical text of a whole keyword; parsing it returns `node`."""
    if isinstance(node, Phrase) and not node.prefix and not node.exact and _is_plain(node):
        return node.written
    return _readable(node)


def _readable(node: Node) -> str:
    match node:
        case AnyOf():
            return " OR ".join(_bracketed(operand) for operand in node.operands)
        case AllOf():
            wanted = " AND ".join(_bracketed(operand) for operand in node.wanted)
            return wanted + "".join(f" ANDNOT {_bracketed(operand)}" for operand in node.unwanted)
        case Phrase():
            start = (f"{node.prefix}:" if node.prefix else "") + ("=" if node.exact else "")
            bare = node.has_wildcard or _is_one_plain_word(node)
            return start + (node.written if bare else f'"{node.written}"')
        case Author() | Remark():
            prefix = "au" if isinstance(node, Author) else node.prefix
            bare = _is_one_plain_word(node)
            return f"{prefix}:" + (node.written if bare else f'"{node.written}"')
        case _:
            return node.key if isinstance(node, Identifier) else f"cat:{node.written}"


def _bracketed(node: Node) -> str:
    return f"({_readable(node)})" if isinstance(node, AnyOf | AllOf) else _readable(node)


def _is_one_plain_word(leaf: Phrase | Author | Remark) -> bool:
    return _is_plain(leaf) and " " not in leaf.written and leaf.written.upper() not in OPERATORS


def _is_plain(leaf: Phrase | Author | Remark) -> bool:
    """Whether the leaf's words can be written without quotes and contain no operator, prefix or wildcard."""
    if isinstance(leaf, Phrase):
        if leaf.has_wildcard:
            return True
        if misuse(leaf.written, prefix=leaf.prefix, is_plain=True):
            return False
    if with_double_quotes(leaf.written) != leaf.written:
        return False
    return not _NEEDS_QUOTES.search(leaf.written) and not any(
        word in OPERATORS for word in leaf.written.split(" ")
    )
