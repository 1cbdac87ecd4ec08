"""Where a paper meets one leaf of a query, and which tokens it must have to meet it at all."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import chain, pairwise, product
from typing import Literal, NamedTuple, TypeAlias

from digest.papers import Paper
from digest.query.tree import Author, Category, Identifier, Leaf, Phrase, Remark
from digest.text import AnalysedText, name_words, without_possessive, words

FIELDS = ("title", "abstract", "authors", "comment", "journal_ref", "categories", "id")
"""The fields of a paper that can be searched, in the order in which evidence names them."""

_START_SIZES = (4, 2)
_SEARCHED = {"ti": ("title",), "abs": ("abstract",)}


class Evidence(NamedTuple):
    """Where a paper meets what is asked for: names of its fields, and their distinct passages, as written."""

    fields: tuple[str, ...]
    words: tuple[str, ...]


class Kind(NamedTuple):
    """A kind of token.

    `stem` and `pair` (two stems, `size` places apart) are of title and abstract, and so is `start` (the
    first `size` letters of a word). `author` is a word of a name, `comment` and `journal_ref` one of these,
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
    def vocabulary(self) -> frozenset[str]:
        return frozenset(chain(self.title.words, self.abstract.words))

    @cached_property
    def names(self) -> tuple[tuple[str, list[str]], ...]:
        return tuple((author, name_words(author)) for author in self.paper.authors)

    @cached_property
    def comment(self) -> AnalysedText:
        return AnalysedText(self.paper.comment or "")

    @cached_property
    def journal_ref(self) -> AnalysedText:
        return AnalysedText(self.paper.journal_ref or "")

    def tokens(self, kind: Kind) -> Iterator[object]:
        """The values of the paper's tokens of one kind; some may come twice."""
        title, abstract = self.title, self.abstract
        match kind.name:
            case "stem":
                return chain(title.places, abstract.places)
            case "pair":
                pairs = (zip(text.stems, text.stems[kind.size :], strict=False) for text in (title, abstract))
                return chain.from_iterable(pairs)
            case "start":
                return iter({word[: kind.size] for word in self.vocabulary})
            case "author":
                return chain.from_iterable(name for _, name in self.names)
            case "comment":
                return iter(self.comment.words)
            case "journal_ref":
                return iter(self.journal_ref.words)
            case "category":
                codes = map(str.lower, self.paper.categories)
                return (code[:size] for code in codes for size in range(1, len(code) + 1))
            case "id":
                return iter((self.paper.id,))


Finder: TypeAlias = Callable[[AnalysedPaper], Evidence | None]
"""Tells where a paper meets one leaf; `None` if it does not."""


def finder(leaf: Leaf) -> Finder:
    """The finder of `leaf`, to be made once and held against many papers."""
    match leaf:
        case Phrase(prefix="all"):
            return partial(_anywhere, leaf, _Run(leaf), tuple(name_words(leaf.written)))
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


def merged(parts: Iterable[Evidence | None]) -> Evidence | None:
    """All evidence together; `None` if there is none."""
    present = [part for part in parts if part]
    if len(present) < 2:
        return present[0] if present else None
    fields = {field for part in present for field in part.fields}
    words = dict.fromkeys(word for part in present for word in part.words)
    return Evidence(tuple(sorted(fields, key=FIELDS.index)), tuple(words))


def _evidence(field: str, found: Iterable[str]) -> Evidence | None:
    distinct = tuple(dict.fromkeys(found))
    return Evidence((field,), distinct) if distinct else None


class _Run:
    """A phrase made ready: where in a paper's text its words stand side by side.

    The search begins where the first word that has a stem stands, and then looks at the `others`.
    """

    __slots__ = ("_fields", "_last", "_offset", "_others", "_start", "_stem", "_stems")

    def __init__(self, phrase: Phrase) -> None:
        anchor = next((term for term in phrase.terms if term.stems), phrase.terms[0])
        self._fields = _SEARCHED.get(phrase.prefix, ("title", "abstract"))
        self._start = anchor.start
        base = phrase.terms[0].offset
        self._offset = anchor.offset - base
        self._stems = anchor.stems
        self._stem = anchor.stem
        others = (term for term in phrase.terms if term is not anchor or term.forms)
        self._others = tuple((term.offset - base, term.stem, term.start, term.forms) for term in others)
        self._last = phrase.terms[-1].offset - base

    def __call__(self, paper: AnalysedPaper) -> Evidence | None:
        fields: tuple[str, ...] = ()
        found: list[str] = []
        for field in self._fields:
            text = paper.title if field == "title" else paper.abstract
            places = text.places.get(self._stem) if self._stem else self._anchored(text)
            if not places:
                continue
            before = len(found)
            for place in places:
                first = place - self._offset
                if not self._others or self._fits(text, first):
                    found.append(text.passage(first, first + self._last))
            if len(found) > before:
                fields += (field,)
        if len(found) > 1:
            found = list(dict.fromkeys(found))
        return Evidence(fields, tuple(found)) if found else None

    def _anchored(self, text: AnalysedText) -> list[int]:
        if self._stems:
            return sorted(place for stemmed in self._stems for place in text.places.get(stemmed, ()))
        return text.places_starting(self._start)

    def _fits(self, text: AnalysedText, first: int) -> bool:
        if first < 0 or first + self._last >= len(text.words):
            return False
        for offset, stemmed, start, forms in self._others:
            if stemmed is not None:
                if text.stems[first + offset] != stemmed:
                    return False
            elif start:
                if not text.words[first + offset].startswith(start):
                    return False
            elif without_possessive(text.words[first + offset]) not in forms:
                return False
        return True


def _by_author(wanted: tuple[str, ...], paper: AnalysedPaper) -> Evidence | None:
    return _evidence("authors", (author for author, name in paper.names if _is_named(name, wanted)))


def _is_named(name: list[str], wanted: tuple[str, ...]) -> bool:
    """Whether `wanted` stands in `name`; before a surname, an initial will do for a word, on either side."""
    *given, surname = wanted
    for end in range(len(wanted), len(name) + 1):
        found = zip(name[end - len(wanted) : end - 1], given, strict=True)
        if name[end - 1] == surname and all(
            a == b or (len(surname) > 1 and _is_initial(a, b)) for a, b in found
        ):
            return True
    return False


def _is_initial(a: str, b: str) -> bool:
    return min(len(a), len(b)) == 1 and a[0] == b[0]


def _in_remark(
    field: Literal["comment", "journal_ref"], wanted: tuple[str, ...], paper: AnalysedPaper
) -> Evidence | None:
    text = paper.comment if field == "comment" else paper.journal_ref
    last = len(wanted) - 1
    return _evidence(field, (text.passage(start, start + last) for start in _starts(wanted, text.words)))


def _starts(wanted: tuple[str, ...], found: list[str]) -> Iterator[int]:
    """The places in `found` where `wanted` begins."""
    for start in range(len(found) - len(wanted) + 1):
        if found[start] == wanted[0] and tuple(found[start : start + len(wanted)]) == wanted:
            yield start


def _in_category(wanted: str, paper: AnalysedPaper) -> Evidence | None:
    start = wanted.removesuffix("*")
    categories = ((code, code.lower()) for code in paper.paper.categories)
    found = (code for code, low in categories if low == wanted or (start != wanted and low.startswith(start)))
    return _evidence("categories", found)


def _by_identifier(wanted: str, paper: AnalysedPaper) -> Evidence | None:
    return _evidence("id", [wanted] if paper.paper.id == wanted else [])


def _anywhere(phrase: Phrase, run: _Run, name: tuple[str, ...], paper: AnalysedPaper) -> Evidence | None:
    """`all:` as arXiv has it: title, abstract, a name as it stands, the comment, or a category's code."""
    authors = (author for author, found in paper.names if any(True for _ in _starts(name, found)))
    codes = (code for code in paper.paper.categories if tuple(words(code)) == phrase.words)
    return merged(
        (
            run(paper),
            _evidence("authors", authors),
            _in_remark("comment", phrase.words, paper),
            _evidence("categories", codes),
        )
    )


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
    starts = [term.start for term in phrase.terms if term.start]
    sizes = [next(size for size in _START_SIZES if size <= len(start)) for start in starts]
    return tuple(((Kind("start", size), start[:size]),) for size, start in zip(sizes, starts, strict=True))


def _tokens_elsewhere(phrase: Phrase) -> tuple[Token, ...]:
    return (
        (Kind("author"), name_words(phrase.written)[-1]),
        (Kind("comment"), max(phrase.words, key=len)),
        (Kind("category"), phrase.words[0]),
    )
