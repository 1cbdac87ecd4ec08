"""How near is near: the ranking of `digest.interest`, for an evaluation and for a clock."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from digest.interest.judgements import Judgement, Origin, example_of
from digest.interest.profile import learn, nearness
from digest.model.paper import ArxivId, Paper

_NOW = datetime(2026, 6, 16, tzinfo=UTC)


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
        Judgement(example=example_of(_paper(one)), is_liked=is_liked, judged_at=_NOW, origin=Origin.COMMAND)
        for papers, is_liked in ((liked, True), (disliked, False))
        for one in papers
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
