"""The short form of an abstract: the sentence that says what the paper claims, and the one that matched."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from digest.mail.rendering.richtext import cut, joined, places
from digest.mail.rendering.sentences import sentences
from digest.mail.rendering.tex.spans import Span
from digest.mail.rendering.tex.spans import joined as joined_spans

_WHOLE = 45
"""An abstract of so many words is short."""

_LONG = 50
"""A longer sentence is cut after its main clause, if a punctuation mark shows the end of that clause."""

_LONGEST = 90
_LONGEST_TEXT = 800
"""Characters; for texts without blanks, as in Chinese."""

_SHORTEST = 12
_KEPT = 2_000
"""Abstracts: their sentences are the same for all subscribers."""

_PAPER = r"(?:paper|work|article|study|letter|note|thesis|report|survey|review|manuscript|chapter|research)"
_ADVERBS = (
    r"(?:(?:also|here|further|then|first|thus|therefore|thereby|hence|now|next|instead|can|[a-z]+ly),?\s+)*"
)
_AUTHORS = rf"\b(?:[Ww]e|I|[Tt]he authors?|[Tt]h(?:is|e present)(?:\s+[a-z]+)?\s+{_PAPER})\s+{_ADVERBS}"
_CLAIM = (
    r"(?:proposed?s?|introduced?s?|present(?:s|ed)?|develop(?:s|ed)?|proved?s?|show(?:s|ed)?|demonstrated?s?"
    r"|establish(?:es|ed)?|design(?:s|ed)?|devised?s?|disproved?s?|refuted?s?|settled?s?|resolved?s?|solved?s?"
    r"|construct(?:s|ed)?|formulated?s?|formali[sz]ed?s?|buil[dt]s?|created?s?|put forward|unif(?:y|ies|ied)"
    r"|answer(?:s|ed)?)\b"
)
_FINDING = (
    r"(?:finds?|found|report(?:s|ed)?|derived?s?|obtain(?:s|ed)?|gives?|gave|provided?s?|offer(?:s|ed)?"
    r"|identif(?:y|ies|ied)|reveal(?:s|ed)?|discover(?:s|ed)?|observed?s?|measured?s?|detect(?:s|ed)?"
    r"|characteri[sz]ed?s?|classif(?:y|ies|ied)|determined?s?|generali[sz]ed?s?|extend(?:s|ed)?|achieved?s?"
    r"|improved?s?|argued?s?|concluded?s?|suggest(?:s|ed)?|confirm(?:s|ed)?|conjectured?s?|predict(?:s|ed)?"
    r"|computed?s?|calculated?s?|constrain(?:s|ed)?|released?s?|implement(?:s|ed)?|contributed?s?"
    r"|described?s?|uncover(?:s|ed)?)\b"
)
_TOPIC = (
    r"(?:stud(?:y|ies|ied)|investigated?s?|analy[sz]ed?s?|examined?s?|explored?s?|consider(?:s|ed)?"
    r"|address(?:es|ed)?|discuss(?:es|ed)?|review(?:s|ed)?|survey(?:s|ed)?|revisit(?:s|ed)?|evaluated?s?"
    r"|compared?s?|assess(?:es|ed)?|perform(?:s|ed)?|conduct(?:s|ed)?|aim(?:s|ed)?|used?s?|employ(?:s|ed)?"
    r"|test(?:s|ed)?|focus(?:es|ed)?|tackled?s?|model(?:s|led)?|simulated?s?|benchmark(?:s|ed)?|train(?:s|ed)?"
    r"|initiated?s?|combined?s?|appl(?:y|ies|ied)|adapt(?:s|ed)?|quantif(?:y|ies|ied)|map(?:s|ped)?)\b"
)
_EVIDENCE = (
    r"\b(?:[Rr]esults?|[Ee]xperiments?|[Ee]valuations?|[Ss]imulations?|[Aa]nalys[ei]s|[Ff]indings"
    r"|[Oo]bservations?|[Cc]omparisons?|[Cc]alculations?)\b[^.;:]{0,60}?\s"
    r"(?:show(?:s|ed)?|demonstrated?s?|suggest(?:s|ed)?|indicated?s?|reveal(?:s|ed)?|confirm(?:s|ed)?)\b"
)
_OURS = (
    r"\b[Oo]ur (?:approach|method|framework|algorithm|model|results?|theorem|contribution)\b"
    r"|\b(?:[Oo]ur|[Tt]he|[Aa]) (?:main|key|first|central|principal) (?:result|contribution|theorem|finding)"
)
_PASSIVE = (
    r"\b(?:is|are|was|were|has been|have been)\s+(?:[a-z]+ly\s+)?(?:proposed|introduced|presented|developed"
    r"|proved|proven|shown|demonstrated|established|derived|obtained|constructed|described|reported)\b"
)
_SIGNS = tuple(
    (score, re.compile(pattern))
    for score, pattern in (
        (5.0, _AUTHORS + _CLAIM),
        (4.0, _AUTHORS + _FINDING),
        (3.0, _EVIDENCE),
        (2.5, _OURS),
        (2.0, _AUTHORS + _TOPIC),
        (1.0, _PASSIVE),
    )
)
"""What shows that a sentence states the paper's claim; the best signs first."""

_CLEAR, _NEAR = 4.5, 0.7
"""From which score on a sentence surely states a claim, and how much less makes no difference."""

_HERE = re.compile(rf"\b[Hh]ere,? we\b|\b[Tt]h(?:is|e present)(?:\s+[a-z]+)? {_PAPER}\b")
_FURTHER = re.compile(
    r"(?:(?:Finally|Lastly|Moreover|Furthermore|Further|Additionally|In addition|Also|Then|Next|Second|Beyond"
    r"|Along|As an? (?:by-?product|application|consequence|corollary))\b)"
    r"|[Ww]e (?:also|further|then|next|finally|additionally)\b"
)
_OTHERWISE = re.compile(
    r"\b(?:previous|earlier|prior|companion)(?:ly)?\b[^.;]{0,40},?\s(?:we|I)\b|\b[Cc]odes? (?:is|will be|are|and)\b|://"
)
_CLAUSE = re.compile(
    r";|:(?=\s*(?:\(?(?:1|i|a)\)|[-•∙]\s))"
    r"|,(?=\s(?:which|where|whereas|while|thereby|and (?:we|it|this|then))\b)"
)


class _Sentence(NamedTuple):
    """The place of a sentence in the text; it states the claim up to `main`, or nothing if `score` is 0."""

    start: int
    end: int
    score: float
    main: int


def excerpt(pieces: Sequence[Span], passages: Collection[str] = ()) -> tuple[Span, ...]:
    """The sentence of an abstract that states the claim, else the first one, and the one with `passages`.

    Whole sentences in their order, with ` … ` between those that are not adjacent. A very long sentence ends
    after a clause, with an ellipsis. An abstract of few words stays whole.
    """
    text = joined(pieces)
    if text.count(" ") < _WHOLE and len(text) <= _LONGEST_TEXT:
        return tuple(pieces)
    found = _judged_sentences(text)
    marks = places(text, passages) if passages else []
    kept: list[Span] = []
    last = -1
    for number in _chosen(found, marks):
        if kept:
            kept.append(Span(" " if number == last + 1 else " … "))
        end = _shown_end(text, found[number], marks)
        kept += cut(pieces, found[number].start, end)
        if end < found[number].end:
            kept.append(Span(" …"))
        last = number
    return joined_spans(kept)


@lru_cache(maxsize=_KEPT)
def _judged_sentences(text: str) -> tuple[_Sentence, ...]:
    return tuple(_judged(text, start, end) for start, end in sentences(text))


def _judged(text: str, start: int, end: int) -> _Sentence:
    sentence = text[start:end]
    for score, sign in _SIGNS:
        if found := sign.search(sentence):
            words = sentence.count(" ") + 1
            score += 0.6 if _HERE.search(sentence) else 0
            score -= 1.5 if words > _LONG else 1 if words < _SHORTEST else 0
            score -= 0.4 if _FURTHER.match(sentence) else 0
            score -= 2.5 if _OTHERWISE.search(sentence) else 0
            return _Sentence(start, end, max(score, 0.1), start + found.end())
    return _Sentence(start, end, 0, start)


def _chosen(found: Sequence[_Sentence], marks: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The numbers of the sentences that are shown, in their order."""
    claim = max(range(len(found)), key=lambda number: (found[number].score, -number))
    counts = [sum(one.start <= start < one.end for start, _ in marks) for one in found]
    if not marks or counts[claim]:
        return (claim,)
    least = max(_CLEAR, found[claim].score - _NEAR)
    if both := [number for number, one in enumerate(found) if counts[number] and one.score >= least]:
        return (max(both, key=lambda number: (found[number].score, -number)),)
    return tuple(sorted((claim, counts.index(max(counts)))))


def _shown_end(text: str, sentence: _Sentence, marks: Sequence[tuple[int, int]]) -> int:
    """The end of what is shown of a sentence: its own end, or the end of its main clause if it is long."""
    start, end = sentence.start, sentence.end
    if text.count(" ", start, end) < _LONG and end - start <= _LONGEST_TEXT:
        return end
    inner = [last for first, last in marks if start <= first < end]
    least = max(sentence.main, min(inner, default=start))
    ends = [found.start() for found in _CLAUSE.finditer(text, least, end)]
    ends = [at for at in ends if _is_outside(text, start, at) and text.count(" ", start, at) >= _SHORTEST]
    fitting = [at for at in ends if text.count(" ", start, at) < _LONG]
    if fitting and (sentence.score or text[fitting[-1]] == ";"):
        return fitting[-1]
    if text.count(" ", start, end) < _LONGEST and end - start <= _LONGEST_TEXT:
        return end
    reached = [at for at in ends if at - start <= _LONGEST_TEXT]
    return reached[0] if reached else max(least, _end_of_words(text, start, end))


def _end_of_words(text: str, start: int, end: int) -> int:
    """The end of the first words: for a text without any punctuation."""
    at, last = start, min(end, start + _LONGEST_TEXT)
    for _ in range(_LONG):
        following = text.find(" ", at + 1, last)
        if following < 0:
            return at if at > start else last
        at = following
    return at


def _is_outside(text: str, start: int, at: int) -> bool:
    """Whether no bracket is open at `at`."""
    part = text[start:at]
    return sum(map(part.count, "([{")) <= sum(map(part.count, ")]}"))
