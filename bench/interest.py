"""The ranking of `subscribers.interest`: how long it takes, and `rank` to evaluate how good it is."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bench.figures import Figure, seconds
from bench.papers import papers
from digest.model.paper import ArxivId, Paper
from digest.subscribers.interest import profile
from digest.subscribers.interest.judgements import Judgement, Origin, example_of
from digest.subscribers.interest.profile import learn, nearness

_NOW = datetime(2026, 6, 16, tzinfo=UTC)
_SUBSCRIBERS = 10_000
_LIKED = 50
_PAPERS = 60
_SOURCE_PAPERS = 5_000
_MUST = 5.0


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Processor time to rank a day's papers for many subscribers, and to learn what they like, once."""
    subscribers = max(10, int(_SUBSCRIBERS * scale))
    known = papers(max(_PAPERS, int(_SOURCE_PAPERS * scale)))
    judgements = [_judgement(paper, is_liked=True) for paper in known]
    chance = random.Random(1)  # noqa: S311 (no secret)
    profile.forget()
    learning = ranking = 0.0
    for _ in range(subscribers):
        liked, day = chance.sample(judgements, min(_LIKED, len(known))), chance.sample(known, _PAPERS)
        began = time.process_time()
        learned = learn(liked) or b""
        learning += time.process_time() - began
        began = time.process_time()
        nearness(learned, day)
        ranking += time.process_time() - began
    yield Figure(
        what=f"ranking {_PAPERS} papers for each of {subscribers:,} subscribers",
        must=f"≤ {seconds(_MUST)}",
        ours=f"{seconds(ranking)}; learning from {_LIKED} likes each, once: {seconds(learning)}",
        is_held=ranking <= _MUST,
    )


def rank(
    liked: Sequence[Mapping[str, Any]],
    disliked: Sequence[Mapping[str, Any]],
    passed: Sequence[Mapping[str, Any]],
    candidates: Sequence[Mapping[str, Any]],
) -> Sequence[float]:
    """Returns a number for each candidate, higher for better ones, for papers as dicts.

    `passed` were shown and neither liked nor disliked: that is not used.
    """
    judgements = [
        _judgement(_paper(one), is_liked=is_liked)
        for judged, is_liked in ((liked, True), (disliked, False))
        for one in judged
    ]
    profile = learn(judgements)
    return nearness(profile, [_paper(one) for one in candidates]) if profile else [0.0] * len(candidates)


def _paper(one: Mapping[str, Any]) -> Paper:
    return Paper(
        id=ArxivId(one["id"]),
        version=1,
        title=one["title"],
        abstract=one["abstract"],
        authors=tuple(one["authors"]),
        categories=(),
    )


def _judgement(paper: Paper, *, is_liked: bool) -> Judgement:
    return Judgement(example=example_of(paper), is_liked=is_liked, judged_at=_NOW, origin=Origin.COMMAND)
