"""The keyword language: what a subscriber writes, as a value that can be compared, stored and sent to arXiv.

The language itself is described in docs/keywords.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from digest.categories import NAMES
from digest.query.parser import parse_tree
from digest.query.tree import AllOf, AnyOf, Author, Category, Identifier, Node, Phrase, Remark, Term, readable
from digest.text import STOP_WORDS, name_words, stem, words


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One keyword. Made by `parse`.

    `text` is its canonical form: `parse(query.text) == query`. `key` is its identity: queries that
    differ only in how they are written share it, and queries that share it match the same papers.
    """

    text: str
    key: str = field(compare=False)
    root: Node = field(compare=False, repr=False)


def parse(text: str) -> Query:
    """The query that `text` means. Raises `QueryError`: the place, what was expected, the likely fix."""
    root = parse_tree(text)
    return Query(text=readable(root), key=root.key, root=root)


def to_arxiv(query: Query) -> str:
    """The query in the syntax of arXiv's search API, with a bracket around every operation.

    It asks for all that matches locally, and for more where arXiv cannot say what is meant: exact words
    are asked for by their stems, a person by the surname; a negation that arXiv might take wider is left out.
    """
    return _at_least(query.root)


def any_of(queries: Sequence[Query]) -> str:
    """One search for all papers that any of `queries` asks for; equal ones are asked once."""
    distinct = {query.key: query for query in queries}
    return _balanced([to_arxiv(query) for query in distinct.values()], "OR")


def _balanced(parts: Sequence[str], operator: str) -> str:
    """`parts` joined as a binary tree of brackets, as deep as the logarithm of their number.

    arXiv groups to the right and knows no precedence, so every operation needs its brackets.
    """
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_balanced(parts[:middle], operator)} {operator} {_balanced(parts[middle:], operator)})"


def is_asked_exactly(query: Query) -> bool:
    """Whether arXiv's search can find just what the query matches, and not only more than that."""
    return _at_most(query.root) == _at_least(query.root)


def _at_least(node: Node) -> str:
    """A search that finds whatever `node` matches."""
    match node:
        case AnyOf():
            return _balanced([_at_least(operand) for operand in node.operands], "OR")
        case AllOf():
            asked = _balanced([_at_least(operand) for operand in node.wanted], "AND")
            return _without(asked, [found for part in node.unwanted if (found := _at_most(part))])
        case Phrase():
            return _phrase(node)
        case Author():
            return _author(node)
        case Remark():
            return f'{node.prefix}:"{" ".join(node.words)}"'
        case Category():
            return f"cat:{node.written}"
        case Identifier():
            return f'id:"{node.written}"'


def _at_most(node: Node) -> str | None:
    """A search that finds nothing but what `node` matches; `None` where arXiv cannot be held to that."""
    match node:
        case AnyOf():
            sure = [found for operand in node.operands if (found := _at_most(operand))]
            return _balanced(sure, "OR") if sure else None
        case AllOf():
            parts = [_at_most(operand) for operand in node.wanted]
            sure = [found for found in parts if found]
            if len(sure) < len(parts):
                return None
            return _without(_balanced(sure, "AND"), [_at_least(operand) for operand in node.unwanted])
        case Phrase(exact=False, prefix="" | "ti" | "abs") if not node.has_wildcard:
            return _phrase(node)
        case Category():
            return _at_least(node)
        case _:
            return None


def _without(asked: str, refused: Sequence[str]) -> str:
    return f"({asked} ANDNOT {_balanced(refused, 'OR')})" if refused else asked


def _author(author: Author) -> str:
    """By the surname, in plain letters and as written (`jorgensen`, `jørgensen`)."""
    surname = author.words[-1]
    if len(surname) == 1:
        return f'au:"{" ".join(author.words)}"'
    spellings = [word for word in words(author.written) if name_words(word) == [surname]]
    return _balanced([f'au:"{word}"' for word in dict.fromkeys([surname, *spellings])], "OR")


def _phrase(phrase: Phrase) -> str:
    if phrase.prefix == "all":
        named = [f"cat:{code}" for code in NAMES if tuple(words(code)) == phrase.words]
        return _balanced([f'all:"{" ".join(phrase.words)}"', *named], "OR")
    prefixes = (phrase.prefix,) if phrase.prefix else ("ti", "abs")
    return _balanced([_in_field(prefix, phrase) for prefix in prefixes], "OR")


def _in_field(prefix: str, phrase: Phrase) -> str:
    """As one quoted phrase if arXiv can say it so, else each word for itself."""
    if all(len(term.stems) <= 1 and not term.start for term in phrase.terms):
        ends = [place for place, word in enumerate(phrase.words) if word not in STOP_WORDS]
        return f'{prefix}:"{" ".join(phrase.words[ends[0] : ends[-1] + 1])}"'
    parts = (_one_word(prefix, term, phrase.words[term.offset]) for term in phrase.terms)
    return _balanced([part for part in parts if part], "AND")


def _one_word(prefix: str, term: Term, word: str) -> str | None:
    """The word's beginning, or one form of it for each of its stems; `None` for a stop word."""
    if term.start:
        # Inside an unquoted word arXiv's syntax has no room for an apostrophe.
        return f"{prefix}:{term.start.replace('’', chr(39)).partition(chr(39))[0]}*"
    by_stem = {found: form for form in (*term.forms, word) if (found := stem(form))}
    return _balanced([f'{prefix}:"{form}"' for form in by_stem.values()], "OR") if by_stem else None
