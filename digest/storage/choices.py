"""The choices of a subscriber as a list of plain values, which a confirmation keeps as JSON."""

from collections.abc import Sequence
from datetime import date, time
from typing import Any

from digest.subscribers.preferences import OwnKeyword, Preferences


def choices_as_list(chosen: Preferences) -> list[Any]:
    """Without `left_at`. Append only: lists of earlier versions are shorter."""
    at, until = chosen.send_at, chosen.paused_until
    return [
        list(chosen.muted),
        at and at.isoformat(),
        chosen.weekly,
        until and until.isoformat(),
        chosen.length,
        [list(one) for one in chosen.added],
        list(chosen.removed),
        chosen.timezone,
    ]


def choices_from_list(values: Sequence[Any]) -> Preferences:
    muted, at, weekly, until, length, added, removed, timezone = [*values, None, None, None, None][:8]
    return Preferences(
        muted=tuple(muted),
        send_at=at and time.fromisoformat(at),
        weekly=weekly,
        paused_until=until and date.fromisoformat(until),
        length=length,
        added=own_keywords(added or ()),
        removed=tuple(removed or ()),
        timezone=timezone,
    )


def own_keywords(values: Sequence[Sequence[Any]]) -> tuple[OwnKeyword, ...]:
    """From pairs of text and name."""
    return tuple(OwnKeyword(*one) for one in values)
