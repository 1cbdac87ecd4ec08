"""Text as arXiv's search sees it: folded words, stop words that keep their place, Porter stems.

The rule for titles and abstracts is the one that arXiv's index uses. Names of authors are folded
further, because they come both in Unicode and in raw TeX.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import accumulate

import snowballstemmer

# Lucene's English stop words, which arXiv's index uses.
_STOP_LINE = (
    "a an and are as at be but by for if in into is it no not of on or such that the their "
    "then there these they this to was will with"
)
STOP_WORDS = frozenset(_STOP_LINE.split())

_WORD = re.compile(r"[^\W_]++(?:['’][^\W_]++)*+")
_WORD_APART = re.compile(f"({_WORD.pattern})")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_POSSESSIVES = ("'s", "’s")
_porter = snowballstemmer.stemmer("porter")

# Letters that Unicode does not take apart into a plain letter and an accent.
_PLAIN_LETTERS = str.maketrans(
    {
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
)
_TEX_LETTERS = re.compile(
    r"\\(aa|AA|ae|AE|dh|DH|dj|DJ|ij|IJ|ng|NG|oe|OE|ss|SS|th|TH|[iIjJlLoO])(?![A-Za-z])\s*"
)
_TEX_ACCENT = re.compile(r"\\(?:[\"'`^~=.]|[bcdHkrtuv](?![A-Za-z]))\s*")
_TEX_SHORTER = {"aa": "a", "dj": "d", "dh": "d", "ng": "n"}


def fold(text: str) -> str:
    """`text` in lower case, in compatibility form (NFKD), without combining marks."""
    if text.isascii():
        return text.lower()
    return _NOT_ASCII.sub(_without_mark, unicodedata.normalize("NFKD", text)).lower()


def _without_mark(character: re.Match[str]) -> str:
    return "" if unicodedata.combining(character[0]) else character[0]


def words(text: str) -> list[str]:
    """The folded words of `text`: runs of letters and digits, apostrophes inside them included."""
    return _WORD.findall(fold(text))


def without_possessive(word: str) -> str:
    return word[:-2] if word.endswith(_POSSESSIVES) else word


@lru_cache(maxsize=1 << 18)
def stem(word: str) -> str | None:
    """The Porter stem of a folded word, or `None` for a stop word.

    An `s` is its own stem: the rules for plurals leave nothing of it.
    """
    if word in STOP_WORDS:
        return None
    bare = without_possessive(word)
    stemmed: str = _porter.stemWord(bare)
    return stemmed or bare


def name_words(name: str) -> list[str]:
    r"""The folded words of a name: `Andr\'e`, `André` and `Andre` are one, and so are `Łoś` and `Los`."""
    if "\\" in name:
        name = _TEX_LETTERS.sub(lambda found: _TEX_SHORTER.get(found[1].lower(), found[1]), name)
        name = _TEX_ACCENT.sub("", name)
    return _WORD.findall(fold(name.replace("{", "").replace("}", "")).translate(_PLAIN_LETTERS))


class AnalysedText:
    """One text, taken apart once.

    `words` and `stems` run in parallel (a stop word's stem is `None`); `places` says where each stem stands.
    """

    __slots__ = ("_bounds", "_parts", "_spaced", "places", "stems", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        # What is between the words, and the words, in turn.
        self._parts = _WORD_APART.split(fold(text))
        self._bounds: list[int] | None = None
        self._spaced: str | None = None
        self.words: list[str] = self._parts[1::2]
        self.stems = list(map(stem, self.words))
        self.places: dict[str, list[int]] = {}
        for place, stemmed in enumerate(self.stems):
            if stemmed is not None:
                self.places.setdefault(stemmed, []).append(place)

    def places_starting(self, start: str) -> list[int]:
        """The places of the words that begin with `start`, in order."""
        if self._spaced is None:
            self._spaced = " " + " ".join(self.words)
        places = []
        at = self._spaced.find(f" {start}")
        while at >= 0:
            places.append(self._spaced.count(" ", 0, at))
            at = self._spaced.find(f" {start}", at + 1)
        return places

    def passage(self, first: int, last: int) -> str:
        """The text as written from the word at place `first` to the one at `last`, both included."""
        if self._bounds is None:
            self._bounds = list(accumulate(map(len, self._parts)))
            if not self.text.isascii() and any(len(fold(character)) != 1 for character in set(self.text)):
                self._bounds = _as_written(self.text, self._bounds)
        return self.text[self._bounds[2 * first] : self._bounds[2 * last + 1]]


def _as_written(text: str, bounds: list[int]) -> list[int]:
    """Bounds of words in the folded text as bounds in `text`, where letters keep the marks after them."""
    origins = [index for index, character in enumerate(text) for _ in fold(character)]
    written = [origins[bound] if bound < len(origins) else len(text) for bound in bounds]
    for at in range(1, len(bounds), 2):
        written[at] = origins[bounds[at] - 1] + 1
        while written[at] < len(text) and unicodedata.combining(text[written[at]]):
            written[at] += 1
    return written
