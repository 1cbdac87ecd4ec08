"""What is learned from a subscriber's likes and dislikes, and how near a paper is to it.

The profile is a centroid (Rocchio's method): the mean of what they liked, less half of the mean of what they
disliked. The nearness of a paper is its cosine with that, less what the papers beside it have in common: on a
day of robots, "robot" says nothing. The five nearest papers then count a little as if they were liked (pseudo
relevance feedback), which helps while little is known. docs/interests.md has the figures.

Terms are numbered by a hash: profiles and papers are vectors of one length, and nothing else has to be kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from threading import Lock
from typing import NamedTuple, TypeAlias
from zlib import crc32

from digest.errors import ConfigurationError
from digest.model.paper import Paper
from digest.subscribers.interest.judgements import DISLIKED, Judgement
from digest.subscribers.interest.terms import weigh

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError as error:
    raise ConfigurationError(
        "interests need numpy, which is not installed here; on 32-bit ARM, install Debian's python3-numpy and"
        " make the environment with --system-site-packages"
    ) from error

VERSION = 1
"""Changes with everything that changes a profile: the terms, their weights, the method."""

_PLACES = 1 << 18
_SHARED = 0.6
_BEST = 5
_FEEDBACK = 0.5
_TERMS_KEPT = 2_000
_VECTORS_KEPT = 5_000

_Vector: TypeAlias = tuple[NDArray[np.intp], NDArray[np.float64]]
"""The places of a paper's terms, and their weights."""


def learn(judgements: Iterable[Judgement]) -> bytes | None:
    """Returns the profile; `None` if nothing was liked. The order of the judgements does not matter."""
    ordered = sorted(judgements, key=lambda one: one.example.name)
    liked, disliked = (
        [_vector(one.example.title, one.example.abstract) for one in ordered if one.is_liked is is_liked]
        for is_liked in (True, False)
    )
    if not liked:
        return None
    with _cleared_sums() as sums:
        sums.add(_joined(liked), 1.0)
        if disliked:
            sums.add(_joined(disliked), -DISLIKED)
        places = sums.places()
        weights = sums.values[places]
    if len(places) > _TERMS_KEPT:
        heaviest = np.argpartition(-np.abs(weights), _TERMS_KEPT)[:_TERMS_KEPT]
        places, weights = places[heaviest], weights[heaviest]
    return places.astype("<u4").tobytes() + weights.astype("<f4").tobytes()


def nearness(profile: bytes, papers: Sequence[Paper]) -> list[float]:
    """Returns how near each paper is to the profile, compared with the other `papers`.

    0 is the mean of them; a difference of 1 is their standard deviation.
    """
    if not papers:
        return []
    vectors = [_vector(paper.title, paper.abstract) for paper in papers]
    joined = _joined(vectors)
    with _cleared_sums() as sums:
        sums.add(_joined([_unpacked(profile)]), 1.0)
        sums.add(joined, -_SHARED)
        scores = sums.products(joined)
        if len(papers) > _BEST:
            best = np.argsort(-scores, kind="stable")[:_BEST]
            sums.add(_joined([vectors[place] for place in best]), _FEEDBACK)
            scores = sums.products(joined)
    spread = scores.std()
    return list(((scores - scores.mean()) / spread).tolist()) if spread > 0 else [0.0] * len(papers)


def forget() -> None:
    """Clears the cache of vectors, of at most 10 MB."""
    _vector.cache_clear()


@lru_cache(maxsize=_VECTORS_KEPT)
def _vector(title: str, abstract: str) -> _Vector:
    weights = weigh(title, abstract)
    places = [crc32(term.encode()) % _PLACES for term in weights]
    return np.array(places, dtype=np.intp), np.array(list(weights.values()), dtype=np.float64)


def _unpacked(profile: bytes) -> _Vector:
    terms = len(profile) // 8
    places = np.frombuffer(profile, dtype="<u4", count=terms).astype(np.intp)
    return places, np.frombuffer(profile, dtype="<f4", offset=4 * terms).astype(np.float64)


class _Joined(NamedTuple):
    """Several vectors one after the other; `ends` are the places after each of them."""

    places: NDArray[np.intp]
    weights: NDArray[np.float64]
    ends: list[int]


def _joined(vectors: Sequence[_Vector]) -> _Joined:
    return _Joined(
        np.concatenate([places for places, _ in vectors]),
        np.concatenate([weights for _, weights in vectors]),
        list(accumulate(len(places) for places, _ in vectors)),
    )


class _Sums:
    """A vector with all places. To fill one with zeros takes longer than everything else: it is kept."""

    def __init__(self) -> None:
        self.values: NDArray[np.float64] = np.zeros(_PLACES)
        self._marks: NDArray[np.intp] = np.zeros(_PLACES, dtype=np.intp)
        self._touched: list[NDArray[np.intp]] = []

    def add(self, vectors: _Joined, factor: float) -> None:
        """Adds `factor` times the mean of `vectors`."""
        np.add.at(self.values, vectors.places, vectors.weights * (factor / len(vectors.ends)))
        self._touched.append(vectors.places)

    def places(self) -> NDArray[np.intp]:
        """Returns the places of all that was added, each once: faster than by sorting."""
        places = np.concatenate(self._touched)
        marks = np.arange(len(places))
        self._marks[places] = marks
        once: NDArray[np.intp] = places[self._marks[places] == marks]
        return once

    def products(self, vectors: _Joined) -> NDArray[np.float64]:
        """Returns the scalar product with each vector."""
        sums = np.concatenate(([0.0], np.cumsum(self.values[vectors.places] * vectors.weights)))
        return np.diff(sums[[0, *vectors.ends]])

    def clear(self) -> None:
        for places in self._touched:
            self.values[places] = 0
        self._touched.clear()


_sums = _Sums()
_lock = Lock()


@contextmanager
def _cleared_sums() -> Iterator[_Sums]:
    with _lock:
        try:
            yield _sums
        finally:
            _sums.clear()
