"""Other spellings of a keyword's words: with accents, joined or separate, with or without dots."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from digest.keywords.analysis import STOP_WORDS, AnalysedText, spellings, words
from digest.keywords.ast import AllOf, AnyOf, Node, Phrase, all_of, any_of, readable
from digest.keywords.index import QueryIndex
from digest.keywords.interpretation import phrases
from digest.keywords.query import Query, parse
from digest.model.paper import ArxivId, Paper

# The most frequent of 8,730 papers of June 2026. Another name is found if a paper contains it.
_ACCENTED = """
ampère bézier bäcklund büchi calderón carathéodory cesàro čech cramér erdős fréchet gâteaux gödel gröbner
grüneisen hölder hénon hörmander kähler lévy lovász łojasiewicz möbius moiré naïve néel nyström padé
plücker poincaré pólya rényi rödl schrödinger sérsic stückelberg szegő teichmüller turán étale
"""
_PREFIXES = """
anti auto bi co cross data e hyper inter intra macro meta micro mid mini multi nano near neuro non off on
over photo post pre pseudo quasi re self semi sub super trans ultra un under x
"""
_MOST_TRIED = 12
_LEAST_PAPERS = 2
_LEAST_SHARE = 0.02
"""The share of the keyword's own papers; spellings with fewer papers are not reported."""
_SPELLINGS_SHOWN = 3

_DIGITS_MEET = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_SHORT_NAME = re.compile(r"[A-Za-z]{3,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Respelling:
    """A `query` that also finds another spelling, and that spelling as `written`."""

    written: str
    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSpelling:
    """How many `papers` spell the keyword's words as `written`, so that only `keyword` finds them."""

    written: str
    papers: int
    keyword: str


def respellings(query: Query, papers: Iterable[Paper]) -> tuple[Respelling, ...]:
    """Spellings that may be common, from the words of `papers`. Only a search at arXiv shows if they are."""
    vocabulary = frozenset(
        word for paper in papers for text in (paper.title, paper.abstract) for word in words(text)
    )
    accented = _accented(vocabulary)
    found = {
        one.query.key: one
        for phrase in phrases(query.root)
        if not phrase.has_wildcard and phrase.prefix != "all"
        for one in _of_phrase(query, phrase, vocabulary, accented)
    }
    found.pop(query.key, None)
    return tuple(islice(found.values(), _MOST_TRIED))


def other_spellings(
    query: Query, tried: Sequence[Respelling], own: frozenset[ArxivId], papers: Iterable[Paper]
) -> tuple[OtherSpelling, ...]:
    """The spellings of `tried` to report: those that find enough `papers` besides the keyword's `own`."""
    if not tried:
        return ()
    index, counts = QueryIndex(one.query for one in tried), Counter[str]()
    for paper in papers:
        if paper.id not in own:
            counts.update(match.query.key for match in index.matches(paper))
    least = max(_LEAST_PAPERS, _LEAST_SHARE * len(own))
    found = [
        OtherSpelling(written=one.written, papers=counts[one.query.key], keyword=one.query.text)
        for one in tried
        if counts[one.query.key] >= least
    ]
    return tuple(sorted(found, key=lambda one: -one.papers)[:_SPELLINGS_SHOWN])


def _accented(vocabulary: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """The spellings with accents, by the plain spelling of a word."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for word in (*_ACCENTED.split(), *sorted(word for word in vocabulary if not word.isascii())):
        *_, plain = spellings(word)
        if plain != word:
            found[plain][word] = None
    return {plain: tuple(one) for plain, one in found.items()}


def _of_phrase(
    query: Query, phrase: Phrase, vocabulary: frozenset[str], accented: Mapping[str, tuple[str, ...]]
) -> Iterator[Respelling]:
    text = AnalysedText(phrase.written)
    said = [text.passage(place, place) for place in range(len(text.words))]
    for place, word in enumerate(said):
        for plain in accented.get(word.lower(), ()):
            other = plain.capitalize() if word[0].isupper() else plain
            # A word with accents also finds its plain spelling.
            yield _respelling(
                query, phrase, (*said[:place], other, *said[place + 1 :]), other, is_instead=True
            )
    for first, last, other in _joined_or_apart(said, vocabulary):
        yield _respelling(query, phrase, (*said[:first], other, *said[last:]), other)


def _joined_or_apart(said: Sequence[str], vocabulary: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """Replacements for the words between two places."""
    for place, word in enumerate(said):
        for other in dict.fromkeys(_forms(word, vocabulary)):
            yield place, place + 1, other
    for place, (one, other) in enumerate(pairwise(said)):
        if not {one.lower(), other.lower()} & STOP_WORDS:
            yield place, place + 2, one + other


def _forms(word: str, vocabulary: frozenset[str]) -> Iterator[str]:
    if "." in word:
        # "U.S." without dots would be another word.
        yield from (word.replace(".", ""), word.replace(".", " ")) if word.count(".") > 1 else ()
    if (apart := _DIGITS_MEET.sub(" ", word)) != word:
        yield apart
    if _SHORT_NAME.fullmatch(word):
        yield ".".join(word)
    if word.lower() not in STOP_WORDS:
        yield from _halves(word, vocabulary)


def _halves(word: str, vocabulary: frozenset[str]) -> Iterator[str]:
    """A word split in two: both parts are words, or the first part is a prefix."""
    for place in range(1, len(word) - 1):
        first, rest = word[:place].lower(), word[place:].lower()
        is_word = first in _PREFIXES.split() or (
            len(first) > 1 and first in vocabulary and first not in STOP_WORDS
        )
        if is_word and rest in vocabulary and rest not in STOP_WORDS:
            yield f"{word[:place]} {word[place:]}"


def _respelling(
    query: Query, phrase: Phrase, said: Sequence[str], written: str, *, is_instead: bool = False
) -> Respelling:
    prefix = f"{phrase.prefix}:" if phrase.prefix else ""
    other = parse(f'{prefix}{"=" if phrase.exact else ""}"{" ".join(said)}"').root
    root = _with(query.root, phrase, other if is_instead else any_of((phrase, other)))
    return Respelling(written=written, query=Query(text=readable(root), key=root.key, root=root))


def _with(node: Node, phrase: Phrase, other: Node) -> Node:
    """The tree with `other` in place of `phrase`."""
    if node is phrase:
        return other
    match node:
        case AnyOf():
            return any_of(tuple(_with(operand, phrase, other) for operand in node.operands))
        case AllOf():
            wanted = tuple(_with(part, phrase, other) for part in node.wanted)
            return all_of(wanted, tuple(_with(part, phrase, other) for part in node.unwanted))
        case _:
            return node
