"""Finds valid keywords that match far more papers than they seem to."""

from collections.abc import Iterator

from digest.keywords.analysis import STOP_WORDS
from digest.keywords.ast import AllOf, AnyOf, Category, Node, Phrase
from digest.keywords.foreign_syntax import narrowed, vanishing
from digest.keywords.query import Query


def cautions(query: Query) -> tuple[str, ...]:
    """Warnings about `query` for the subscriber, one per line; empty for most keywords."""
    return tuple(dict.fromkeys(line for phrase in _deciding(query.root) if (line := _caution(phrase))))


def is_vague(query: Query) -> bool:
    """Whether single words or categories are enough for a match: only arXiv knows how many papers that is."""
    return _is_vague(query.root)


def _is_vague(node: Node) -> bool:
    match node:
        case Phrase():
            return len(node.words) == 1
        case Category():
            return True
        case AnyOf():
            return any(map(_is_vague, node.operands))
        case AllOf():
            return all(map(_is_vague, node.wanted))
        case _:
            return False


def _deciding(node: Node) -> Iterator[Phrase]:
    """The phrases each of which alone is enough for a match."""
    match node:
        case Phrase():
            yield node
        case AnyOf():
            for operand in node.operands:
                yield from _deciding(operand)
        case AllOf(wanted=(only,)):
            yield from _deciding(only)


def _caution(phrase: Phrase) -> str | None:
    if len(phrase.words) > 1 or phrase.has_wildcard:
        return None
    (word,) = phrase.words
    if word in STOP_WORDS:
        return f'{phrase.written} finds nearly every paper: "{word}" is in most of them'
    rate = how_usual(word)
    if not rate and not vanishing(phrase.written):
        return None
    narrower = f"; narrower is {narrowed(word)}" if narrowed(word) else ""
    return f'{phrase.written} finds every paper with the word "{word}"{rate}{narrower}'


def how_usual(word: str) -> str:
    """For a single letter or digit, how many papers contain it; else empty. Counted in June 2026."""
    if len(word) > 1 or not word.isascii():
        return ""
    usual = "digits are in 10 to 170" if word.isdigit() else "letters are in 10 to 60"
    return f": single {usual} papers a day"
