"""What is learned from a subscriber's likes and dislikes, and how near a paper is to it.

The profile is a centroid (Rocchio's method): the mean of what they liked, less half of the mean of what they
disliked. The nearness of a paper is its cosine with that, less what the papers beside it have in common: on a
day of robots, "robot" says nothing. The five nearest papers then count a little as if they were liked (pseudo
relevance feedback), which helps while little is known. docs/interests.md has the figures.

Terms are numbered by a hash: profiles and papers are vectors of one length, and nothing else has to be kept.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from digest.interest.judgements import Judgement
from digest.interest.terms import weigh
from digest.model.paper import Paper

VERSION = 1
"""Changes with everything that changes a profile: the terms, their weights, the method."""

_PLACES = 1 << 15
_DISLIKED = 0.5
_SHARED = 0.6
_BEST = 5
_FEEDBACK = 0.3
_TERMS_KEPT = 2_000
_VECTORS_KEPT = 20_000

_Vector: TypeAlias = tuple[NDArray[np.intp], NDArray[np.float64]]
"""The places of a paper's terms, and their weights."""


def learn(judgements: Iterable[Judgement]) -> bytes | None:
    """Returns the profile; `None` if nothing was liked. The order of the judgements does not matter."""
    ordered = sorted(judgements, key=lambda one: one.example.name)
    liked = [one.example for one in ordered if one.is_liked]
    disliked = [one.example for one in ordered if not one.is_liked]
    if not liked:
        return None
    profile = _mean([_vector(one.title, one.abstract) for one in liked])
    if disliked:
        profile -= _DISLIKED * _mean([_vector(one.title, one.abstract) for one in disliked])
    places = np.argsort(-np.abs(profile), kind="stable")[:_TERMS_KEPT]
    places = np.sort(places[profile[places] != 0])
    return places.astype("<u2").tobytes() + profile[places].astype("<f4").tobytes()


def nearness(profile: bytes, papers: Sequence[Paper]) -> list[float]:
    """Returns how near each paper is to the profile, compared with the other `papers`.

    0 is the mean of them; a difference of 1 is their standard deviation.
    """
    if not papers:
        return []
    vectors = [_vector(paper.title, paper.abstract) for paper in papers]
    direction = _unpacked(profile) - _SHARED * _mean(vectors)
    scores = _products(direction, vectors)
    if len(papers) > _BEST:
        best = np.argsort(-scores, kind="stable")[:_BEST]
        scores = _products(direction + _FEEDBACK * _mean([vectors[place] for place in best]), vectors)
    spread = scores.std()
    return list(((scores - scores.mean()) / spread).tolist()) if spread > 0 else [0.0] * len(papers)


def _products(direction: NDArray[np.float64], vectors: Sequence[_Vector]) -> NDArray[np.float64]:
    places, weights = _joined(vectors)
    sums = np.concatenate(([0.0], np.cumsum(direction[places] * weights)))
    return np.diff(sums[[0, *accumulate(len(one) for one, _ in vectors)]])


@lru_cache(maxsize=_VECTORS_KEPT)
def _vector(title: str, abstract: str) -> _Vector:
    weights = weigh(title, abstract)
    places = [crc32(term.encode()) % _PLACES for term in weights]
    return np.array(places, dtype=np.intp), np.array(list(weights.values()), dtype=np.float64)


def _joined(vectors: Sequence[_Vector]) -> _Vector:
    return np.concatenate([places for places, _ in vectors]), np.concatenate([one for _, one in vectors])


def _mean(vectors: Sequence[_Vector]) -> NDArray[np.float64]:
    places, weights = _joined(vectors)
    return np.bincount(places, weights, minlength=_PLACES) / len(vectors)


def _unpacked(profile: bytes) -> NDArray[np.float64]:
    terms = len(profile) // 6
    direction = np.zeros(_PLACES)
    direction[np.frombuffer(profile, dtype="<u2", count=terms)] = np.frombuffer(
        profile, dtype="<f4", offset=2 * terms
    )
    return direction
