"""Analyses text as arXiv's search does: words by Unicode's rules, stop words that keep their place, stems.

arXiv analyses the fields for titles and abstracts with Elasticsearch's analyzer `english`, and for quoted
phrases also with `standard`, which removes and stems nothing (arXiv's published code: arxiv-search,
DocumentMapping.json). Both convert to lower case, and neither removes accents. Names of authors are split at
blanks only, and their accents are removed. The stems are Porter's.
"""

import re
import unicodedata
from functools import cache, lru_cache
from itertools import accumulate

from digest.keywords import stemmer

# Lucene's English stop words, which arXiv's index uses.
_STOP_LINE = (
    "a an and are as at be but by for if in into is it no not of on or such that the their "
    "then there these they this to was will with"
)
STOP_WORDS = frozenset(_STOP_LINE.split())

# Unicode Standard Annex #29, Word Boundaries, as Lucene's StandardTokenizer implements it. Each ideograph and
# each Hiragana letter is a word. Numerals that are not digits, such as ², end a word.
_SINGLE = "\u3040-\u309f\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_NO_DIGITS = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070\u2074-\u2079\u2080-\u2089\u2150-\u215f\u2460-\u249b"
_MARKS = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u200c-\u200f\u20d0-\u20ff\ufe00-\ufe0f"
    "\ufe20-\ufe2f"
)
_BETWEEN_BOTH = ".'\u2018\u2019\u2024\ufe52\uff07\uff0e"
_BETWEEN_LETTERS = f"{_BETWEEN_BOTH}:\u00b7\u0387\u05f4\u2027\ufe13\ufe55\uff1a"
_BETWEEN_DIGITS = f"{_BETWEEN_BOTH},;\u037e\u0589\u060c\u060d\ufe10\ufe14\uff0c\uff1b"
_CHARACTER = rf"[^\W{_SINGLE}{_NO_DIGITS}]"
_LETTER = rf"[^\W\d_{_SINGLE}{_NO_DIGITS}]"
_RUN = rf"(?:{_CHARACTER}|[{_MARKS}])*"
_JOINT = rf"(?:(?<={_LETTER})[{_BETWEEN_LETTERS}](?={_LETTER})|(?<=\d)[{_BETWEEN_DIGITS}](?=\d))"
_WORD = rf"[{_SINGLE}]|(?!_+(?!\w)){_CHARACTER}{_RUN}(?:{_JOINT}{_RUN})*"
# A word as a part of a pattern: it must match as a whole.
_WHOLE_WORD = rf"(?:{_WORD})(?:(?<=[{_SINGLE}])|(?!{_CHARACTER}|[{_MARKS}]|{_JOINT}))"
# The same for ASCII text, in half the time.
_ASCII_WORD = r"(?!_+(?!\w))\w++(?:(?:(?<=[a-z])[.':](?=[a-z])|(?<=\d)[.,;'](?=\d))\w++)*"
_GAP = rf"(?:[\W_{_NO_DIGITS}])*?"
# The text before a character that does not begin a word.
_INSIDE = rf"(?:[\w{_MARKS}]|{_LETTER}[{_BETWEEN_LETTERS}](?={_LETTER})|\d[{_BETWEEN_DIGITS}](?=\d))(?=.\Z)"
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_POSSESSIVES = ("'s", "\u2019s", "\uff07s")
_NAME_MARKS = re.compile(r"[.,;]")
_NAME_WORD = re.compile(r"[^\W_]++(?:'[^\W_]++)*")

# Letters that Unicode does not decompose into a plain letter and an accent.
_PLAIN_LETTERS = {
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "ı": "i",
    "ŋ": "n",
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
}
_NAME_LETTERS = "øłđıßæ"
# As arXiv's filter icu_folding has it (Lucene, BasicFoldings.txt), after compatibility decomposition.
_SIGNS = dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2035", "'") | dict.fromkeys(
    "\u2010\u2012\u2013\u2014\u2015\u2212", "-"
)
_PAIRS = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
_TO_PAIRS = str.maketrans(_PAIRS | {letter.upper(): pair.title() for letter, pair in _PAIRS.items()})
_TO_PLAIN = str.maketrans(_PLAIN_LETTERS | _SIGNS)


def words(text: str) -> list[str]:
    """The words of `text`, in lower case, as the analyzer `standard` gives them."""
    return [word.lower() for word in _word(text.isascii()).findall(text)]


@cache
def _word(is_ascii: bool) -> re.Pattern[str]:
    """A word, as a group. It takes milliseconds to compile, which many runs do not need."""
    return re.compile(f"({_ASCII_WORD})", re.ASCII | re.IGNORECASE) if is_ascii else re.compile(f"({_WORD})")


@cache
def run_of_words(number: int) -> re.Pattern[str]:
    """That number of words, with the text between them."""
    return re.compile(rf"{_WHOLE_WORD}(?:{_GAP}{_WHOLE_WORD}){{{number - 1}}}")


def begins_word(text: str, place: int) -> bool:
    """Whether the letter at `place` is the first of a word."""
    return not _inside().search(text, max(0, place - 2), place + 1)


@cache
def _inside() -> re.Pattern[str]:
    return re.compile(_INSIDE, re.DOTALL)


def without_possessive(word: str) -> str:
    """`word` without a last `'s`."""
    return word[:-2] if word.endswith(_POSSESSIVES) else word


def bare(word: str) -> str:
    """A word in lower case without a last `'s`, unless the rest is a stop word."""
    found = without_possessive(word)
    return word if found in STOP_WORDS else found


_STEMS_KEPT = 16_384
"""About 200 bytes each. All 41,000 words of 7,000 papers would take more, and no less time."""


@lru_cache(maxsize=_STEMS_KEPT)
def stem(word: str) -> str | None:
    """The result of the analyzer `english` for a word in lower case: its stem, `None` for a stop word."""
    found = without_possessive(word)
    return None if found in STOP_WORDS else stemmer.stem(found)


def fold(text: str) -> str:
    """`text` in lower case, in compatibility form (NFKD), without combining marks."""
    if text.isascii():
        return text.lower()
    return _NOT_ASCII.sub(_without_mark, unicodedata.normalize("NFKD", text)).lower()


def _without_mark(character: re.Match[str]) -> str:
    return "" if unicodedata.combining(character[0]) else character[0]


def spellings(word: str) -> tuple[str, ...]:
    """`word` unchanged, and in plain letters if it has others: `schrödinger`, `schrodinger`; `’` is `'`."""
    return tuple(dict.fromkeys((word, fold(word).translate(_TO_PLAIN))))


def name_spellings(part: str) -> tuple[str, ...]:
    """A part of a name, unchanged, and with one special letter each: `ø` for `o`, `ü` for `ue` and so on."""
    found = [part]
    letters = [(letter, _PLAIN_LETTERS[letter]) for letter in _NAME_LETTERS]
    for letter, plain in (*letters, *_PAIRS.items()):
        places = (place for place in range(len(part)) if part.startswith(plain, place))
        found += [part[:place] + letter + part[place + len(plain) :] for place in places]
    return tuple(found)


def in_pairs(name: str) -> str:
    """`name` with two letters for `ä`, `ö`, `ü`, `å` and `ø`, as many persons write them: `Kuehn`."""
    return name if name.isascii() else unicodedata.normalize("NFC", name).translate(_TO_PAIRS)


def name_parts(name: str) -> tuple[str, ...]:
    """The parts of a name from arXiv's analyzer `author_folding`: split at blanks, without accents, with
    typewriter apostrophes and hyphens.
    """
    return tuple(_NAME_MARKS.sub("", fold(name)).translate(_TO_PLAIN).split())


def name_words(name: str) -> tuple[str, ...]:
    """The parts of a name, split at every mark: `Jean-Pierre` and `J.-P.` have two parts each."""
    return tuple(_NAME_WORD.findall(fold(name).translate(_TO_PLAIN)))


class AnalysedText:
    """One text, analysed once.

    `words` and `stems` are parallel (a stop word's stem is `None`); `places` has the positions of each stem.
    """

    __slots__ = ("_bounds", "_parts", "_spaced", "places", "stems", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        # The words alternate with the text between them.
        self._parts = _word(text.isascii()).split(text)
        self._bounds: list[int] | None = None
        self._spaced: str | None = None
        self.words = list(map(str.lower, self._parts[1::2]))
        self.stems = list(map(stem, self.words))
        self.places: dict[str, list[int]] = {}
        for place, stemmed in enumerate(self.stems):
            if stemmed is not None:
                self.places.setdefault(stemmed, []).append(place)

    def places_starting(self, start: str) -> list[int]:
        """The places of the words that begin with `start`, or whose stems do, except stop words."""
        if self._spaced is None:
            both = (f"{word} {stemmed}" for word, stemmed in zip(self.words, self.stems, strict=True))
            self._spaced = f" {' '.join(both)}"
        if f" {start}" not in self._spaced:
            return []
        return [place for place in range(len(self.words)) if self.starts(place, start)]

    def starts(self, place: int, start: str) -> bool:
        """Whether the word at `place`, or its stem, begins with `start`; false for a stop word."""
        stemmed = self.stems[place]
        return stemmed is not None and (self.words[place].startswith(start) or stemmed.startswith(start))

    def passage(self, first: int, last: int) -> str:
        """The text as written, from the word at place `first` to the word at place `last`, inclusive."""
        if self._bounds is None:
            self._bounds = list(accumulate(map(len, self._parts)))
        return self.text[self._bounds[2 * first] : self._bounds[2 * last + 1]]
