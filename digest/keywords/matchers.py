"""Finds where a paper matches one leaf of a query, and which tokens the paper must have to match it."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import chain, pairwise, product
from typing import Literal, NamedTuple, TypeAlias

from digest.keywords.analysis import (
    STOP_WORDS,
    AnalysedText,
    bare,
    in_pairs,
    name_parts,
    name_words,
    stem,
    words,
)
from digest.keywords.ast import Author, Category, Identifier, Leaf, Phrase, Remark, Term
from digest.model.paper import Paper

FIELDS = ("title", "abstract", "authors", "comment", "journal_ref", "categories", "id")
"""The fields of a paper that can be searched, in the order in which evidence names them."""

_START_SIZES = (4, 2)
_JOINED_INITIALS = re.compile(r"\.(?=\w)")
_REMARKS: tuple[Literal["comment", "journal_ref"], ...] = ("comment", "journal_ref")
_SEARCHED = {"ti": ("title",), "abs": ("abstract",)}


class Evidence(NamedTuple):
    """Where a paper matches: names of its fields, and their distinct passages, as written."""

    fields: tuple[str, ...]
    words: tuple[str, ...]


class Kind(NamedTuple):
    """A kind of token.

    `stem`, `pair` (two stems, `size` places apart), `word` and `start` (the first `size` letters of a word or
    a stem) come from title and abstract. `author` is a part of a name, `comment` and `journal_ref` are words
    of these fields, `category` is the beginning of a code; `id` is the paper's identifier.
    """

    name: Literal["stem", "pair", "word", "start", "author", "comment", "journal_ref", "category", "id"]
    size: int = 0


Token: TypeAlias = tuple[Kind, str | tuple[str, str]]
"""A property of a paper, for the index."""


class Name(NamedTuple):
    """An author's name as the paper writes it, one of its forms, and the parts of this form."""

    written: str
    form: str
    parts: tuple[str, ...]


class AnalysedPaper:
    """A paper whose text is analysed once, and only as far as the queries need it."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.title = AnalysedText(paper.title)
        self.abstract = AnalysedText(paper.abstract)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        return frozenset(chain(self.title.words, self.abstract.words))

    @cached_property
    def names(self) -> tuple["Name", ...]:
        """The authors; one with `ü` or another such letter also with two letters for it."""
        spelled = (
            (name, form) for name in self.paper.authors for form in dict.fromkeys((name, in_pairs(name)))
        )
        return tuple(Name(written=name, form=form, parts=name_parts(form)) for name, form in spelled)

    @cached_property
    def comment(self) -> AnalysedText:
        return AnalysedText(self.paper.comment or "")

    @cached_property
    def journal_ref(self) -> AnalysedText:
        return AnalysedText(self.paper.journal_ref or "")

    def tokens(self, kind: Kind) -> Iterator[object]:
        """The values of the paper's tokens of one kind; they may repeat."""
        title, abstract = self.title, self.abstract
        match kind.name:
            case "stem":
                return chain(title.places, abstract.places)
            case "pair":
                pairs = (zip(text.stems, text.stems[kind.size :], strict=False) for text in (title, abstract))
                return chain.from_iterable(pairs)
            case "word":
                return iter(self.vocabulary)
            case "start":
                known = chain(self.vocabulary, title.places, abstract.places)
                return iter({word[: kind.size] for word in known})
            case "author":
                return chain.from_iterable(name.parts for name in self.names)
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
"""Finds where a paper matches one leaf; `None` if it does not."""


def finder(leaf: Leaf) -> Finder:
    """The finder of `leaf`, which can be used for many papers."""
    match leaf:
        case Phrase(prefix="all"):
            return partial(_anywhere, leaf, _Run(leaf), frozenset(name_parts(leaf.written)))
        case Phrase():
            return _Run(leaf)
        case Author():
            return partial(_by_author, leaf)
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
    """A prepared phrase: finds where its words are adjacent in a paper's text.

    The search begins at the positions of the first word that has a stem, and then compares the `others`.
    """

    __slots__ = ("_anchor", "_fields", "_last", "_offset", "_others", "_stem")

    def __init__(self, phrase: Phrase) -> None:
        anchor = next((term for term in phrase.terms if _stems(term)), phrase.terms[0])
        base = phrase.terms[0].offset
        self._fields = _SEARCHED.get(phrase.prefix, ("title", "abstract"))
        self._anchor = anchor
        self._offset = anchor.offset - base
        self._stem = anchor.stems[0] if len(anchor.stems) == 1 else None
        others = (term for term in phrase.terms if term is not anchor or term.forms)
        self._others = tuple(
            (term.offset - base, term.stems, term.start, frozenset(term.forms)) for term in others
        )
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
        if self._anchor.start:
            return text.places_starting(self._anchor.start)
        stems = _stems(self._anchor)
        if stems:
            return sorted(place for stemmed in stems for place in text.places.get(stemmed, ()))
        return [place for place, word in enumerate(text.words) if word in self._anchor.forms]

    def _fits(self, text: AnalysedText, first: int) -> bool:
        if first < 0 or first + self._last >= len(text.words):
            return False
        for offset, stems, start, forms in self._others:
            if stems:
                if text.stems[first + offset] not in stems:
                    return False
            elif start:
                if not text.starts(first + offset, start):
                    return False
            elif bare(text.words[first + offset]) not in forms:
                return False
        return True


def _stems(term: Term) -> tuple[str, ...]:
    """The stems, one of which every match has; empty for a stop word or the start of a word."""
    return term.stems or tuple(sorted({found for form in term.forms if (found := stem(form))}))


def _by_author(author: Author, paper: AnalysedPaper) -> Evidence | None:
    forms = author.forms
    return _evidence("authors", (name.written for name in paper.names if _is_one_of(name, forms)))


def _is_one_of(name: Name, forms: Iterable[Author]) -> bool:
    return any(
        set(form.parts) <= set(name.parts) or _is_signed(name.form, name.parts, form) for form in forms
    )


def _is_signed(name: str, parts: tuple[str, ...], author: Author) -> bool:
    """Whether `name` has the surname after the given names; on either side, these may be initials."""
    wanted = (author.surname,), tuple(author.surname.split("-"))
    for surname in dict.fromkeys(wanted):
        if surname[-1] not in parts or len(author.surname) == 1:
            continue
        pieces = name.split()
        for start in range(len(pieces) - len(surname) + 1):
            behind = " ".join(pieces[start : start + len(surname)])
            if name_parts(behind) == surname and _are_given(" ".join(pieces[:start]), author.given):
                return True
    return False


def _are_given(before: str, given: tuple[str, ...]) -> bool:
    """Whether `before` begins or ends with `given`: `Shu-Lin` is one name, and does not end with `Lin`."""
    if not given:
        return True
    pieces = before.split()
    tails = (pieces[start:] for start in range(len(pieces)) if not pieces[start].startswith("-"))
    # `E.A.` are two initials.
    firsts = _JOINED_INITIALS.sub(". ", before).split()
    heads = (firsts[:end] for end in range(1, len(firsts)) if not firsts[end].startswith("-"))
    return any(_are_alike(name_words(" ".join(part)), given) for part in chain(tails, heads))


def _are_alike(found: tuple[str, ...], given: tuple[str, ...]) -> bool:
    return len(found) == len(given) and all(
        a == b or (min(len(a), len(b)) == 1 and a[0] == b[0]) for a, b in zip(found, given, strict=True)
    )


def _in_remark(
    field: Literal["comment", "journal_ref"], wanted: tuple[str, ...], paper: AnalysedPaper
) -> Evidence | None:
    text = paper.comment if field == "comment" else paper.journal_ref
    places = [place for place, word in enumerate(text.words) if word not in STOP_WORDS]
    words = [text.words[place] for place in places]
    last = len(wanted) - 1
    starts = (start for start in range(len(words) - last) if tuple(words[start : start + last + 1]) == wanted)
    return _evidence(field, (text.passage(places[start], places[start + last]) for start in starts))


def _in_category(wanted: str, paper: AnalysedPaper) -> Evidence | None:
    start = wanted.removesuffix("*")
    categories = ((code, code.lower()) for code in paper.paper.categories)
    found = (code for code, low in categories if low == wanted or (start != wanted and low.startswith(start)))
    return _evidence("categories", found)


def _by_identifier(wanted: str, paper: AnalysedPaper) -> Evidence | None:
    return _evidence("id", [wanted] if paper.paper.id == wanted else [])


def _anywhere(phrase: Phrase, run: _Run, name: frozenset[str], paper: AnalysedPaper) -> Evidence | None:
    """`all:` as arXiv defines it: title, abstract, one name with all its parts, the remarks, a code."""
    authors = (one.written for one in paper.names if name and name <= set(one.parts))
    said = selective_words(phrase)
    codes = (code for code in paper.paper.categories if tuple(words(code)) == phrase.words)
    return merged(
        (
            run(paper),
            _evidence("authors", authors),
            *(_in_remark(field, said, paper) for field in _REMARKS if said),
            _evidence("categories", codes),
        )
    )


def selective_words(phrase: Phrase) -> tuple[str, ...]:
    """The words of `phrase` that comments and journal references are searched for."""
    return tuple(word for word in phrase.words if word not in STOP_WORDS)


def selective_tokens(leaf: Leaf) -> tuple[tuple[Token, ...], ...]:
    """Groups of tokens: a paper that matches `leaf` has at least one token of each group."""
    match leaf:
        case Phrase(prefix="all"):
            elsewhere = _tokens_elsewhere(leaf)
            return tuple((*group, *elsewhere) for group in _phrase_tokens(leaf))
        case Phrase():
            return _phrase_tokens(leaf)
        case Author():
            surnames = (form.surname for form in leaf.forms)
            ends = dict.fromkeys(end for one in surnames for end in (one, one.rpartition("-")[2]))
            return (tuple((Kind("author"), end) for end in ends),)
        case Remark():
            kind = Kind("comment" if leaf.prefix == "co" else "journal_ref")
            return (((kind, max(leaf.words, key=len)),),)
        case Category():
            return (((Kind("category"), leaf.written.lower().removesuffix("*")),),)
        case Identifier():
            return (((Kind("id"), leaf.written),),)


def _phrase_tokens(phrase: Phrase) -> tuple[tuple[Token, ...], ...]:
    """Pairs of words if there are any, else words, else beginnings of words."""
    known = [(term, _stems(term)) for term in phrase.terms if _stems(term)]
    if len(known) > 1:
        return tuple(
            tuple((Kind("pair", b.offset - a.offset), pair) for pair in product(some, others))
            for (a, some), (b, others) in pairwise(known)
        )
    if known:
        return (tuple((Kind("stem"), stemmed) for stemmed in known[0][1]),)
    starts = [term.start for term in phrase.terms if term.start]
    if not starts:
        return tuple(tuple((Kind("word"), form) for form in term.forms) for term in phrase.terms)
    sizes = [next(size for size in _START_SIZES if size <= len(start)) for start in starts]
    return tuple(((Kind("start", size), start[:size]),) for size, start in zip(sizes, starts, strict=True))


def _tokens_elsewhere(phrase: Phrase) -> tuple[Token, ...]:
    name, said = name_parts(phrase.written), selective_words(phrase)
    return (
        *((Kind("author"), part) for part in name[-1:]),
        *((Kind(field), word) for word in sorted(said, key=len)[-1:] for field in _REMARKS),
        (Kind("category"), phrase.words[0]),
    )
