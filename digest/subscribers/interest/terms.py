"""The terms of a paper, with weights that are high for what is special about it (TF-IDF).

Terms are the stems that arXiv's search compares. How many papers have a stem was counted once, in arXiv's
announcements of nine days in June 2026 (`frequencies.txt`): so the same paper always has the same weights.
"""

from collections import Counter
from functools import cache
from importlib.resources import files
from math import log, sqrt

from digest.keywords.analysis import stem, words

_TITLE_COUNTS = 3
"""A word of the title counts as often as this many of the abstract."""

_PAPERS = 10_000
_COMMON = 3_000
"""A stem that more papers of `_PAPERS` have says nothing."""

_RARE = 10
"""So many papers have a stem that `frequencies.txt` does not list."""


def weigh(title: str, abstract: str) -> dict[str, float]:
    """Returns the weight of each term. The sum of their squares is 1."""
    counts = Counter(map(stem, words(abstract)))
    for found in map(stem, words(title)):
        counts[found] += _TITLE_COUNTS
    rarity, unlisted = _rarity(), log(_PAPERS / _RARE)
    weights = {
        found: (1 + log(count)) * rarity.get(found, unlisted)
        for found, count in counts.items()
        if found is not None and len(found) > 1
    }
    length = sqrt(sum(weight * weight for weight in weights.values()))
    return {found: weight / length for found, weight in weights.items() if weight}


@cache
def _rarity() -> dict[str, float]:
    """Returns the logarithm of the inverse share of papers, 0 for common stems."""
    rarity = {}
    for line in files(__package__).joinpath("frequencies.txt").read_text(encoding="ascii").splitlines():
        papers, *stems = line.split()
        rarity.update(dict.fromkeys(stems, 0.0 if int(papers) > _COMMON else log(_PAPERS / int(papers))))
    return rarity
