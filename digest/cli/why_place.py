"""The place of a paper in a digest, and the reason, in words."""

from collections.abc import Iterable

from digest.keywords.display_names import keyword_names
from digest.model.digest import Digest, groups
from digest.model.paper import ArxivId
from digest.subscribers.interest.judgements import Judgement
from digest.subscribers.interest.reasons import Reason, reason_for

_TITLE_SHOWN = 80


def place_in(digest: Digest, arxiv_id: ArxivId, judgements: Iterable[Judgement]) -> str | None:
    """For example `2nd of 47 in reinforcement learning: like "A title", which you liked; offline, walking`.

    `None` if the paper is no entry of the digest. Later judgements than the digest do not count.
    """
    for group in groups(digest):
        ids = [entry.paper.id for entry in group.entries]
        if arxiv_id not in ids:
            continue
        place = ids.index(arxiv_id)
        names = keyword_names(digest.keywords, dict(digest.names))
        of = f" in {names.get(group.keyword, group.keyword)}" if group.keyword else ""
        known = [one for one in judgements if one.judged_at <= digest.planned_at]
        reason = reason_for(group.entries[place].paper, known, keyword=group.keyword)
        return f"{ordinal(place + 1)} of {len(ids)}{of}: {_because(reason, known)}"
    return None


def _because(reason: Reason | None, judgements: Iterable[Judgement]) -> str:
    if not any(one.is_liked for one in judgements):
        return "by the keywords that match, and by date"
    if reason is None:
        return "like no paper that you liked"
    title = reason.example.title
    shown = title if len(title) <= _TITLE_SHOWN else f"{title[: _TITLE_SHOWN - 1].rstrip()}…"
    return f'like "{shown}", which you liked; {", ".join(reason.terms)}'


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`, `23rd`."""
    last = 0 if number // 10 % 10 == 1 else number % 10
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(last, "th")
