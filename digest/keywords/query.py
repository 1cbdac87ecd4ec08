"""The keyword language: a subscriber's text as a value that can be compared, stored and sent to arXiv.

The language is described in docs/keywords.md.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

from digest.keywords.analysis import name_parts, name_spellings, spellings, stem, words
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
    Term,
    readable,
)
from digest.keywords.matchers import selective_words
from digest.keywords.parser import parse_tree
from digest.keywords.stemmer import shared_start
from digest.model.categories import NAMES

_NO_NAME = re.compile(r"[^\w.'’-]")
_MOST_VARIANTS = 8
"""The most phrases for one phrase whose words have several stems, or letters with and without accents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One keyword. Created by `parse`.

    `text` is its canonical form: `parse(query.text) == query`. `key` is its identity: queries that differ
    only in their spelling share it, and queries that share it match the same papers.
    """

    text: str
    key: str = field(compare=False)
    root: Node = field(compare=False, repr=False)


def parse(text: str) -> Query:
    """The query in `text`. Raises `QueryError`: the place, what was expected, the likely correction."""
    root = parse_tree(text)
    return Query(text=readable(root), key=root.key, root=root)


def to_arxiv(query: Query) -> str:
    """The query in the syntax of arXiv's search API, with a bracket around every operation.

    It finds every paper that matches locally, and more where arXiv's syntax is less exact: exact words are
    replaced by their stems, a person by the surname, the start of a word by the common start of its stems. A
    negation is omitted if arXiv might exclude more.
    """
    return _at_least(query.root)


def any_of(queries: Sequence[Query]) -> str:
    """One search for all papers that match any of `queries`; equal queries are included once."""
    distinct = {query.key: query for query in queries}
    return _balanced([to_arxiv(query) for query in distinct.values()], "OR")


def _balanced(parts: Sequence[str], operator: str) -> str:
    """`parts` joined as a binary tree of brackets; its depth is the logarithm of their number.

    arXiv groups to the right and has no precedence, so every operation needs its brackets.
    """
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_balanced(parts[:middle], operator)} {operator} {_balanced(parts[middle:], operator)})"


def asks_for_remarks(query: Query) -> bool:
    """Whether the match may depend on comments or journal references."""
    return any(
        isinstance(leaf, Remark) or (isinstance(leaf, Phrase) and leaf.prefix == "all")
        for leaf in _leaves(query.root)
    )


def _leaves(node: Node) -> Iterator[Leaf]:
    match node:
        case AnyOf():
            parts = node.operands
        case AllOf():
            parts = (*node.wanted, *node.unwanted)
        case _:
            yield node
            return
    for part in parts:
        yield from _leaves(part)


def is_asked_whole(query: Query) -> bool:
    """Whether arXiv's search can find all papers that the query matches.

    It leaves out the stop words of a phrase that it looks for in titles (arXiv-search, DocumentMapping.json:
    `search_quote_analyzer` of `title`), so it finds no title by them alone.
    """
    return not any(
        isinstance(leaf, Phrase)
        and leaf.prefix != "abs"
        and not leaf.has_wildcard
        and all(stem(word) is None for word in leaf.words)
        for leaf in _leaves(query.root)
    )


def is_asked_exactly(query: Query) -> bool:
    """Whether arXiv's search finds exactly the papers that the query matches, and no others."""
    return all(map(_is_asked_exactly, _leaves(query.root)))


def _is_asked_exactly(leaf: Leaf) -> bool:
    match leaf:
        case Category():
            return True
        case Phrase(exact=False, prefix="" | "ti" | "abs"):
            return not leaf.has_wildcard and prod(len(term.stems) for term in leaf.terms) <= _MOST_VARIANTS
        case _:
            return False


def _at_least(node: Node) -> str:
    """A search that finds every paper that `node` matches."""
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
            return _remark(node.prefix, node.words)
        case Category():
            return f"cat:{node.written}"
        case Identifier():
            return _identifier(node.written)


def _at_most(node: Node) -> str | None:
    """A search that finds only papers that `node` matches; `None` if arXiv's syntax cannot express that."""
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
        case _:
            return _at_least(node) if _is_asked_exactly(node) else None


def _remark(prefix: str, said: Sequence[str]) -> str:
    """Each word by itself: in arXiv's index, stop words of the paper keep their places between the others."""
    return _balanced([f'{prefix}:"{word}"' for word in dict.fromkeys(said)], "AND")


def _identifier(written: str) -> str:
    """arXiv compares an identifier as it was typed, with its quotes, and an old one by its number only
    (arxiv-search, prepare.py: `_query_paper_id`).
    """
    archive, slash, number = written.partition("/")
    return f"(id:{written} OR id:{number})" if slash else f"id:{archive}"


def _without(asked: str, refused: Sequence[str]) -> str:
    return f"({asked} ANDNOT {_balanced(refused, 'OR')})" if refused else asked


def _author(author: Author) -> str:
    """Searches the surname in all spellings, also with a blank for its hyphen; an initial with all parts."""
    return _balanced(
        list(dict.fromkeys(f'au:"{name}"' for form in author.forms for name in _names(form))), "OR"
    )


def _names(author: Author) -> Iterator[str]:
    if len(author.surname) == 1:
        yield " ".join(author.parts)
        return
    yield from name_spellings(author.surname)
    yield from name_spellings(_written_surname(author))
    if "-" in author.surname.strip("-"):
        yield author.surname.replace("-", " ")


def _written_surname(author: Author) -> str:
    """The surname as it was written, so that both `ø` and `o` are searched."""
    pieces = re.sub(r"[.,;]", " ", author.written.lower()).replace("_", " ").split()
    return next((one for one in pieces if name_parts(one) == (author.surname,)), author.surname)


def _phrase(phrase: Phrase) -> str:
    if phrase.prefix == "all":
        named = [f"cat:{code}" for code in NAMES if tuple(words(code)) == phrase.words]
        # As written, because names are split at blanks only.
        written = " ".join(_NO_NAME.sub(" ", phrase.written).split())
        texts = dict.fromkeys((written, " ".join(phrase.words), *_variants(phrase)))
        said = selective_words(phrase)
        remarks = [_remark(prefix, said) for prefix in ("co", "jr")] if len(said) > 1 else []
        return _balanced([*(f'all:"{text}"' for text in texts), *remarks, *named], "OR")
    prefixes = (phrase.prefix,) if phrase.prefix else ("ti", "abs")
    return _balanced([_in_field(prefix, phrase) for prefix in prefixes], "OR")


def _in_field(prefix: str, phrase: Phrase) -> str:
    """As quoted phrases if a few are enough for arXiv, else each word separately."""
    if not phrase.has_wildcard and (variants := _variants(phrase)):
        return _balanced([f'{prefix}:"{variant}"' for variant in variants], "OR")
    parts = (_one_word(prefix, term, phrase.words[term.offset]) for term in phrase.terms)
    return _balanced([part for part in parts if part], "AND")


def _variants(phrase: Phrase) -> tuple[str, ...]:
    """Phrases that together find everything that `phrase` matches; empty if they are too many."""
    ends = [place for place, word in enumerate(phrase.words) if stem(word) is not None]
    first, last = (ends[0], ends[-1]) if ends else (0, len(phrase.words) - 1)
    forms = {term.offset: tuple(_by_stem(term, phrase.words[term.offset])) for term in phrase.terms}
    choices = [forms.get(place) or (phrase.words[place],) for place in range(first, last + 1)]
    if prod(map(len, choices)) > _MOST_VARIANTS:
        return ()
    return tuple(" ".join(chosen) for chosen in product(*choices))


def _by_stem(term: Term, word: str) -> Iterable[str]:
    """For each stem that arXiv has for the accepted words, one form with this stem."""
    known = {found: form for form in (*term.forms, *spellings(word)[::-1]) if (found := stem(form))}
    return dict.fromkeys((*([word] if word in known.values() else []), *known.values()))


def _one_word(prefix: str, term: Term, word: str) -> str | None:
    """The common start of its stems, or one form for each of its stems; `None` for a stop word."""
    if term.start:
        # Outside of quotes, arXiv's syntax allows only these marks.
        asked = re.match(r"[\w.]+", shared_start(term.start))
        return f"{prefix}:{asked[0]}*" if asked else None
    forms = [f'{prefix}:"{form}"' for form in _by_stem(term, word)]
    return _balanced(forms, "OR") if forms else None
