"""Where a paper meets one leaf of a query, and which tokens it must have to meet it at all."""

from collections.abc import Callable, Iterator, Sequence, Set
from functools import cached_property, partial
from itertools import pairwise, product
from typing import Literal, NamedTuple, TypeAlias

from digest.papers import Paper
from digest.query_tree import Author, Category, Identifier, Leaf, Phrase, Remark
from digest.text import AnalysedText, name_words, without_possessive, words

_LONGEST_START = 4
_FIELDS = {"ti": ("title",), "abs": ("abstract",)}

Place: TypeAlias = tuple[str, str]
"""Where a leaf is met: the name of the paper's field, and the passage in it as written."""


class Kind(NamedTuple):
    """A kind of token.

    `stem` and `pair` (two stems, `size` places apart) are of title and abstract, and so is `start`, the
    first `size` letters of a word. `author` is a word of a name, `comment` and `journal_ref` a word of these;
    `category` is the beginning of a code; `id` the paper's own.
    """

    name: Literal["stem", "pair", "start", "author", "comment", "journal_ref", "category", "id"]
    size: int = 0


Token: TypeAlias = tuple[Kind, str | tuple[str, str]]
"""Something that a paper has."""


class AnalysedPaper:
    """A paper whose text is taken apart once, and only as far as the queries need it."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.title = AnalysedText(paper.title)
        self.abstract = AnalysedText(paper.abstract)

    @cached_property
    def names(self) -> tuple[tuple[str, list[str]], ...]:
        return tuple((author, name_words(author)) for author in self.paper.authors)

    @cached_property
    def comment(self) -> AnalysedText:
        return AnalysedText(self.paper.comment or "")

    @cached_property
    def journal_ref(self) -> AnalysedText:
        return AnalysedText(self.paper.journal_ref or "")

    def tokens(self, kind: Kind) -> tuple[Set[object], ...]:
        """The values of the paper's tokens of one kind, in one or more sets."""
        texts = self.title, self.abstract
        match kind.name:
            case "stem":
                return tuple(text.places.keys() for text in texts)
            case "pair":
                return tuple(set(zip(text.stems, text.stems[kind.size :], strict=False)) for text in texts)
            case "start":
                return ({word[: kind.size] for text in texts for word in text.words},)
            case "author":
                return ({word for _, name in self.names for word in name},)
            case "comment":
                return (set(self.comment.words),)
            case "journal_ref":
                return (set(self.journal_ref.words),)
            case "category":
                codes = [code.lower() for code in self.paper.categories]
                return ({code[:size] for code in codes for size in range(1, len(code) + 1)},)
            case "id":
                return ({self.paper.id},)


Finder: TypeAlias = Callable[[AnalysedPaper], tuple[Place, ...]]
"""Tells where a paper meets one leaf; nowhere is an empty tuple."""


def finder(leaf: Leaf) -> Finder:
    """The finder of `leaf`, to be made once and held against many papers."""
    match leaf:
        case Phrase(prefix="all"):
            return _anywhere(leaf)
        case Phrase():
            return _Run(leaf)
        case Author():
            return partial(_by_author, leaf.words)
        case Remark():
            return partial(_in_remark, "comment" if leaf.prefix == "co" else "journal_ref", leaf.words)
        case Category():
            return partial(_in_category, leaf.written.lower())
        case Identifier():
            return partial(_by_identifier, leaf.written)


class _Run:
    """A phrase made ready: where in a paper's text its words stand side by side.

    The search begins where the first word that has a stem stands, and then looks at the `others`.
    """

    __slots__ = ("_fields", "_last", "_offset", "_others", "_start", "_stems")

    def __init__(self, phrase: Phrase) -> None:
        anchor = next((term for term in phrase.terms if term.stems), phrase.terms[0])
        self._fields = _FIELDS.get(phrase.prefix, ("title", "abstract"))
        self._start = anchor.start
        self._offset = anchor.offset
        self._stems = anchor.stems
        self._others = tuple(term for term in phrase.terms if term is not anchor or term.forms)
        self._last = len(phrase.words) - 1

    def __call__(self, paper: AnalysedPaper) -> tuple[Place, ...]:
        found: list[Place] = []
        for field in self._fields:
            text = paper.title if field == "title" else paper.abstract
            firsts = self._anchored(text)
            if firsts and self._others:
                firsts = [place - self._offset for place in firsts if self._fits(text, place - self._offset)]
            if firsts:
                found += [(field, text.passage(first, first + self._last)) for first in firsts]
        return tuple(found)

    def _anchored(self, text: AnalysedText) -> Sequence[int]:
        if len(self._stems) == 1:
            return text.places.get(self._stems[0], ())
        if self._stems:
            return sorted(place for stemmed in self._stems for place in text.places.get(stemmed, ()))
        return text.places_starting(self._start)

    def _fits(self, text: AnalysedText, first: int) -> bool:
        if first < 0 or first + self._last >= len(text.words):
            return False
        for term in self._others:
            place = first + term.offset
            if term.stem is not None:
                if text.stems[place] != term.stem:
                    return False
            elif term.start:
                if not text.words[place].startswith(term.start):
                    return False
            elif without_possessive(text.words[place]) not in term.forms:
                return False
        return True


def _by_author(wanted: tuple[str, ...], paper: AnalysedPaper) -> tuple[Place, ...]:
    return tuple(("authors", author) for author, name in paper.names if _is_named(name, wanted))


def _is_named(name: list[str], wanted: tuple[str, ...]) -> bool:
    """Whether `wanted` stands in `name`; before a surname, an initial will do for a word, on either side."""
    surname = wanted[-1]
    length = len(wanted)
    for end in range(length, len(name) + 1):
        given = name[end - length : end - 1]
        if name[end - 1] != surname:
            continue
        if all(
            a == b or (len(surname) > 1 and _is_initial(a, b))
            for a, b in zip(given, wanted[:-1], strict=True)
        ):
            return True
    return False


def _is_initial(a: str, b: str) -> bool:
    return min(len(a), len(b)) == 1 and a[0] == b[0]


def _in_remark(field: str, wanted: tuple[str, ...], paper: AnalysedPaper) -> tuple[Place, ...]:
    text: AnalysedText = getattr(paper, field)
    last = len(wanted) - 1
    return tuple((field, text.passage(start, start + last)) for start in _starts(wanted, text.words))


def _starts(wanted: tuple[str, ...], found: list[str]) -> Iterator[int]:
    for start in range(len(found) - len(wanted) + 1):
        if found[start] == wanted[0] and tuple(found[start : start + len(wanted)]) == wanted:
            yield start


def _in_category(wanted: str, paper: AnalysedPaper) -> tuple[Place, ...]:
    start = wanted.removesuffix("*")
    return tuple(
        ("categories", code)
        for code in paper.paper.categories
        if code.lower() == wanted or (start != wanted and code.lower().startswith(start))
    )


def _by_identifier(wanted: str, paper: AnalysedPaper) -> tuple[Place, ...]:
    return (("id", wanted),) if paper.paper.id == wanted else ()


def _anywhere(phrase: Phrase) -> Finder:
    """`all:` as arXiv has it: title, abstract, a name as it stands, the comment, or a category's code."""
    run = _Run(phrase)
    name = tuple(name_words(phrase.written))

    def find(paper: AnalysedPaper) -> tuple[Place, ...]:
        authors = (
            ("authors", author) for author, found in paper.names if any(True for _ in _starts(name, found))
        )
        codes = (code for code in paper.paper.categories if tuple(words(code)) == phrase.words)
        return (
            *run(paper),
            *authors,
            *_in_remark("comment", phrase.words, paper),
            *(("categories", code) for code in codes),
        )

    return find


def telling_tokens(leaf: Leaf) -> tuple[tuple[Token, ...], ...]:
    """Groups of tokens: a paper that meets `leaf` has at least one token of each group."""
    match leaf:
        case Phrase(prefix="all"):
            elsewhere = _tokens_elsewhere(leaf)
            return tuple((*group, *elsewhere) for group in _phrase_tokens(leaf))
        case Phrase():
            return _phrase_tokens(leaf)
        case Author():
            return (((Kind("author"), leaf.words[-1]),),)
        case Remark():
            kind = Kind("comment" if leaf.prefix == "co" else "journal_ref")
            return (((kind, max(leaf.words, key=len)),),)
        case Category():
            return (((Kind("category"), leaf.written.lower().removesuffix("*")),),)
        case Identifier():
            return (((Kind("id"), leaf.written),),)


def _phrase_tokens(phrase: Phrase) -> tuple[tuple[Token, ...], ...]:
    """Pairs of words if there are any, else words, else beginnings of words."""
    known = [term for term in phrase.terms if term.stems]
    if len(known) > 1:
        return tuple(
            tuple((Kind("pair", b.offset - a.offset), pair) for pair in product(a.stems, b.stems))
            for a, b in pairwise(known)
        )
    if known:
        return (tuple((Kind("stem"), stemmed) for stemmed in known[0].stems),)
    starts = (term.start[:_LONGEST_START] for term in phrase.terms if term.start)
    return tuple(((Kind("start", len(start)), start),) for start in starts)


def _tokens_elsewhere(phrase: Phrase) -> tuple[Token, ...]:
    return (
        (Kind("author"), name_words(phrase.written)[-1]),
        (Kind("comment"), max(phrase.words, key=len)),
        (Kind("category"), phrase.words[0]),
    )
