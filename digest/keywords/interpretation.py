"""Shows how a keyword was understood: its words, how each is compared, and which are ignored."""

from collections.abc import Iterator
from dataclasses import dataclass

from digest.keywords.analysis import words
from digest.keywords.ast import AllOf, AnyOf, Node, Phrase, Term
from digest.keywords.query import Query

_PLACES = {
    "": "title or abstract",
    "ti": "title",
    "abs": "abstract",
    "all": "title, abstract, authors, comment or category",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One phrase of a keyword: its `words` in lower case, and what is `compared`, in the same order.

    For each compared word, `compared` has its stem, its forms, or its beginning and `*`; several are joined
    by `|`. `left_out` are very common words: they are not compared, but keep their place.
    """

    where: str
    words: tuple[str, ...]
    compared: tuple[str, ...]
    left_out: tuple[str, ...]


def readings(query: Query) -> tuple[Reading, ...]:
    """One reading for each phrase, in the order of the keyword; none for authors, categories and so on."""
    return tuple(map(_reading, phrases(query.root)))


def phrases(node: Node) -> Iterator[Phrase]:
    """The phrases of a keyword, including those that it excludes."""
    match node:
        case AnyOf():
            for operand in node.operands:
                yield from phrases(operand)
        case AllOf():
            for part in (*node.wanted, *node.unwanted):
                yield from phrases(part)
        case Phrase():
            yield node


def _reading(phrase: Phrase) -> Reading:
    compared = {phrase.words[term.offset] for term in phrase.terms}
    said = tuple(words(phrase.written))
    return Reading(
        where=_PLACES[phrase.prefix],
        words=said,
        compared=tuple(map(_compared, phrase.terms)),
        left_out=() if phrase.exact else tuple(word for word in said if word not in compared),
    )


def _compared(term: Term) -> str:
    return f"{term.start}*" if term.start else "|".join(term.forms or term.stems)
