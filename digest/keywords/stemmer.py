"""Porter's stemmer as Lucene implements it, which makes the stems in arXiv's index.

Source: M. F. Porter, "An algorithm for suffix stripping" (1980), with the differences of Lucene's
PorterStemmer: words of two letters stay as they are, `bli` becomes `ble` and `logi` becomes `log`. Snowball's
"porter" is a different stemmer. Letters outside the English alphabet count as consonants.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from string import ascii_lowercase

_CONSONANTS = "[^aeiou][^aeiouy]*+"
_VOWELS = "[aeiouy][aeiou]*+"
_FIRST_VOWEL = f"(?:[aeiou]|{_CONSONANTS}[aeiouy])"
_BEGINNING = f"{_FIRST_VOWEL}[aeiou]*+{_CONSONANTS}"
# In Porter's terms: a measure over 0, of 1, and over 1; a vowel; and the ending *o.
_SOME = re.compile(_BEGINNING)
_ONE = re.compile(f"{_BEGINNING}(?:{_VOWELS})?$")
_MANY = re.compile(f"{_BEGINNING}{_VOWELS}{_CONSONANTS}")
_VOWEL = re.compile(_FIRST_VOWEL)
_SHORT = re.compile(f"{_CONSONANTS}[aeiouy][^aeiouwxy]$")
# After a vowel or at the beginning, `y` is a consonant; after a consonant it is a vowel.
_DOUBLE = re.compile(r"([^aeiouy])\1$|(?:^|[aeiou])y(?:yy)+$|[^aeiouy](?:yy)+$")

_STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble",
    "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate",
    "alism": "al", "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive",
    "biliti": "ble", "logi": "log",
}  # fmt: skip
_STEP_3 = {
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
}  # fmt: skip
_STEP_4 = dict.fromkeys(
    ("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "sion", "tion", "ou",
     "ism", "ate", "iti", "ous", "ive", "ize"),
    "",
) | {"sion": "s", "tion": "t"}  # fmt: skip
# The last letters of the endings of a step: most words end in none of them.
_ENDS_2, _ENDS_3, _ENDS_4 = (frozenset(ending[-1] for ending in step) for step in (_STEP_2, _STEP_3, _STEP_4))
_LENGTHS_2, _LENGTHS_3, _LENGTHS_4 = (
    sorted({len(ending) for ending in step}, reverse=True) for step in (_STEP_2, _STEP_3, _STEP_4)
)


def stem(word: str) -> str:
    """The stem of a word in lower case."""
    if len(word) < 3:
        return word
    word = _without_inflection(word)
    if word[-1] in _ENDS_2:
        word = _replaced(word, _STEP_2, _LENGTHS_2, _SOME)
    if word[-1] in _ENDS_3:
        word = _replaced(word, _STEP_3, _LENGTHS_3, _SOME)
    if word[-1] in _ENDS_4:
        word = _replaced(word, _STEP_4, _LENGTHS_4, _MANY)
    return _without_last_letter(word)


def _without_inflection(word: str) -> str:
    """Steps 1a to 1c: plurals, past tenses, and `y` as `i`."""
    if word[-1] == "s":
        if word.endswith(("sses", "ies")):
            word = word[:-2]
        elif word[-2] != "s":
            word = word[:-1]
    if word.endswith("eed"):
        if _SOME.match(word[:-3]):
            word = word[:-1]
    elif word.endswith(("ed", "ing")):
        bare = word[:-2] if word[-1] == "d" else word[:-3]
        if _VOWEL.match(bare):
            word = _tidied(bare)
    if word[-1] == "y" and _VOWEL.match(word[:-1]):
        word = f"{word[:-1]}i"
    return word


def _tidied(word: str) -> str:
    """The rest of a past tense, written as a word: `hopp` becomes `hop`, `siz` becomes `size`."""
    if word.endswith(("at", "bl", "iz")):
        return f"{word}e"
    if _DOUBLE.search(word):
        return word if word[-1] in "lsz" else word[:-1]
    if _ONE.match(word) and _SHORT.match(word):
        return f"{word}e"
    return word


def _replaced(word: str, step: dict[str, str], lengths: list[int], enough: re.Pattern[str]) -> str:
    """Only the longest ending of the step counts, even if the part before it is too short."""
    for length in lengths:
        ending = word[-length:]
        if ending in step:
            kept = word[:-length]
            # In "tion", the "t" counts for the length that is required.
            measured = kept + step[ending] if step is _STEP_4 else kept
            return kept + step[ending] if enough.match(measured) else word
    return word


def _without_last_letter(word: str) -> str:
    """Step 5: removes a last `e`, and one of two `l`."""
    if word[-1] == "e":
        bare = word[:-1]
        if _MANY.match(bare) or (_ONE.match(bare) and not _SHORT.match(bare)):
            word = bare
    if word.endswith("ll") and _MANY.match(word):
        word = word[:-1]
    return word


@lru_cache(maxsize=1_000)
def shared_start(start: str) -> str:
    """The common start of the stems of all words that begin with `start`: `optim` for `optimiz`."""
    tails, shared = _tails(), start
    for at in range(max(0, len(start) - len(max(tails, key=len))), len(start)):
        head, tail = start[:at], start[at:]
        for place in range(bisect_left(tails, tail), len(tails)):
            if not tails[place].startswith(tail):
                break
            found = stem(head + tails[place])
            while not found.startswith(shared):
                shared = shared[:-1]
    return shared


@cache
def _tails() -> tuple[str, ...]:
    """All word endings that may be missing or changed in the stem, sorted.

    The steps are reversed, from the possible results of the last step on.
    """
    found = {"", "e", "l"}
    for step in (_STEP_4, _STEP_3, _STEP_2):
        found |= set(_undone(found, step.items()))
    found |= {f"{tail[:-1]}y" for tail in found if tail.endswith("i") or not tail}
    found |= set(_past_tenses(found))
    found |= {f"{tail}s" for tail in found} | {f"{tail}es" for tail in found if tail[-1:] in ("", "i", "s")}
    return tuple(sorted(found | {"ies", "sses"}))


def _undone(tails: Iterable[str], step: Iterable[tuple[str, str]]) -> Iterator[str]:
    endings = list(step)
    for tail in tails:
        for ending, instead in endings:
            if tail.endswith(instead):
                yield tail[: len(tail) - len(instead)] + ending
            elif instead.endswith(tail):
                yield ending


def _past_tenses(tails: Iterable[str]) -> Iterator[str]:
    for tail in tails:
        doubled = tail[-1:] or ascii_lowercase
        for ending in ("ed", "ing"):
            yield from (tail + ending, *(tail + letter + ending for letter in doubled))
            if tail[-1:] in ("", "e"):
                yield tail[:-1] + ending
        if tail.endswith("ee") or "ee".endswith(tail):
            yield f"{tail}d" if tail.endswith("ee") else "eed"
