"""What subscribers chose online; this overrides subscribers.toml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time

from digest.config.parsing import WEEKDAYS, address_key, parse_weekday
from digest.model.digest import Length
from digest.subscribers.subscriber import Subscriber

NEVER = "never"
"""Stored instead of a weekday: every day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """One subscriber's online choices; if `None` or empty, subscribers.toml applies.

    `muted` are the keys of muted queries. `weekly` is one of `digest.config.parsing.WEEKDAYS`, or `NEVER`.
    Before the day `paused_until` nothing is sent. `left_at` is when they unsubscribed.
    """

    muted: tuple[str, ...] = ()
    send_at: time | None = None
    weekly: str | None = None
    paused_until: date | None = None
    left_at: datetime | None = None
    length: Length | None = None


def adapted(subscriber: Subscriber, preferences: Preferences) -> Subscriber | None:
    """The subscriber with these choices, or `None` if they have left."""
    if preferences.left_at is not None:
        return None
    written, chosen = subscriber.send_schedule, preferences.weekly
    send_schedule = replace(
        written,
        send_at=preferences.send_at or written.send_at,
        weekly=written.weekly if chosen is None else parse_weekday(chosen),
        paused_until=preferences.paused_until,
    )
    return replace(
        subscriber,
        send_schedule=send_schedule,
        muted=frozenset(preferences.muted),
        length=preferences.length or subscriber.length,
    )


def differences(
    subscriber: Subscriber, one: Preferences, other: Preferences, *, was: str = "before"
) -> tuple[str, ...]:
    """A line for each difference: the value of `other` and, after `was`, the value of `one`.

    `subscriber` is as in subscribers.toml; that they left is ignored.
    """
    before, after = (_described(subscriber, replace(chosen, left_at=None)) for chosen in (one, other))
    return tuple(
        f"{name}: {after[name]} ({was}: {former})" for name, former in before.items() if after[name] != former
    )


def _described(subscriber: Subscriber, preferences: Preferences) -> dict[str, str]:
    chosen = adapted(subscriber, preferences) or subscriber
    send_schedule, until = chosen.send_schedule, preferences.paused_until
    muted = (f'"{one.label}"' for one in chosen.keywords if one.query.key in chosen.muted)
    return {
        "muted keywords": ", ".join(muted) or "none",
        "day": "every day" if send_schedule.weekly is None else WEEKDAYS[send_schedule.weekly].title(),
        "time": f"{send_schedule.send_at:%H:%M} {send_schedule.timezone.key}",
        "length": chosen.length,
        "pause": f"until {until.isoformat()}" if until else "none",
    }


def apply_preferences(
    subscribers: Sequence[Subscriber], preferences: Mapping[str, Preferences]
) -> tuple[Subscriber, ...]:
    """The subscribers who have not left, in their order; `preferences` are by `address_key`."""
    if not preferences:
        return tuple(subscribers)
    chosen = ((one, preferences.get(address_key(one.email))) for one in subscribers)
    found = (one if own is None else adapted(one, own) for one, own in chosen)
    return tuple(one for one in found if one is not None)
