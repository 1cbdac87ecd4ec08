"""What subscribers chose online; this overrides their entries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from hashlib import blake2b
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest.config.parsing import WEEKDAYS, address_key, parse_weekday, parse_zone
from digest.errors import QueryError
from digest.model.digest import Length
from digest.subscribers.entry_parser import parse_keyword
from digest.subscribers.subscriber import Keyword, Subscriber

_LEFT = "left:"

NEVER = "never"
"""Stored instead of a weekday: every day."""


class OwnKeyword(NamedTuple):
    """A keyword as a subscriber wrote it online, and their own name for it."""

    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """One subscriber's online choices; if `None` or empty, their entry applies.

    `muted` are the keys of muted queries. `added` are keywords beside those of the entry; one with the same
    query as one of the entry replaces its text and name. `removed` are the keys of queries of the entry that
    they do not follow. `weekly` is one of `digest.config.parsing.WEEKDAYS`, or `NEVER`.
    Before the day `paused_until` nothing is sent. `left_at` is when they unsubscribed.
    """

    muted: tuple[str, ...] = ()
    send_at: time | None = None
    weekly: str | None = None
    paused_until: date | None = None
    left_at: datetime | None = None
    length: Length | None = None
    added: tuple[OwnKeyword, ...] = ()
    removed: tuple[str, ...] = ()
    timezone: str | None = None

    @property
    def followed(self) -> tuple[tuple[OwnKeyword, ...], tuple[str, ...]]:
        """What changes which keywords the subscriber follows."""
        return self.added, self.removed


def adapted(subscriber: Subscriber, preferences: Preferences) -> Subscriber | None:
    """The subscriber with these choices, or `None` if they have left."""
    if preferences.left_at is not None:
        return None
    written, chosen = subscriber.send_schedule, preferences.weekly
    send_schedule = replace(
        written,
        send_at=preferences.send_at or written.send_at,
        timezone=_zone(preferences.timezone) or written.timezone,
        weekly=written.weekly if chosen is None else parse_weekday(chosen),
        paused_until=preferences.paused_until,
    )
    return replace(
        subscriber,
        keywords=followed_keywords(subscriber.keywords, preferences),
        send_schedule=send_schedule,
        muted=frozenset(preferences.muted),
        length=preferences.length or subscriber.length,
    )


def _zone(name: str | None) -> ZoneInfo | None:
    """`None` also if this host does not know the zone."""
    try:
        return parse_zone(name) if name else None
    except ValueError:
        return None


def followed_keywords(written: tuple[Keyword, ...], preferences: Preferences) -> tuple[Keyword, ...]:
    """The keywords of an entry with these choices, each query once.

    Nobody is without keywords: if all that is in the entry was removed, and nothing was added, the entry
    applies. The operator may have taken the others out of it since.
    """
    if not (preferences.added or preferences.removed):
        return written
    own = {keyword.query.key: keyword for keyword in map(_own_keyword, preferences.added) if keyword}
    kept = {
        one.query.key: own.get(one.query.key, one)
        for one in written
        if one.query.key not in preferences.removed
    }
    return tuple({**kept, **own}.values()) or written


def _own_keyword(own: OwnKeyword) -> Keyword | None:
    """`None` if only an earlier version of the language accepts it."""
    try:
        keyword = parse_keyword(own.text)
    except (QueryError, ValueError):
        return None
    return replace(keyword, name=own.name) if own.name else keyword


def differences(
    subscriber: Subscriber, one: Preferences, other: Preferences, *, was: str = "before"
) -> tuple[str, ...]:
    """A line for each difference: the value of `other` and, after `was`, the value of `one`.

    `subscriber` is as in the entry; that they left is ignored.
    """
    before, after = (_described(subscriber, replace(chosen, left_at=None)) for chosen in (one, other))
    return tuple(
        f"{name}: {after[name]} ({was}: {former})" for name, former in before.items() if after[name] != former
    )


def _described(subscriber: Subscriber, preferences: Preferences) -> dict[str, str]:
    chosen = adapted(subscriber, preferences) or subscriber
    send_schedule, until = chosen.send_schedule, preferences.paused_until
    written = set(subscriber.keywords)
    followed = {one.query.key for one in chosen.keywords}
    return {
        "own keywords": _listed(one for one in chosen.keywords if one not in written),
        "removed keywords": _listed(one for one in subscriber.keywords if one.query.key not in followed),
        "muted keywords": _listed(one for one in chosen.keywords if one.query.key in chosen.muted),
        "day": "every day" if send_schedule.weekly is None else WEEKDAYS[send_schedule.weekly].title(),
        "time": f"{send_schedule.send_at:%H:%M} {send_schedule.timezone.key}",
        "length": chosen.length,
        "pause": f"until {until.isoformat()}" if until else "none",
    }


def _listed(keywords: Iterable[Keyword]) -> str:
    return ", ".join(f'"{one.label}"' for one in keywords) or "none"


def left_mark(email: str) -> str:
    """The key under which it is kept that somebody left who had all else erased. It shows no address."""
    return _LEFT + blake2b(address_key(email).encode(), digest_size=16, person=b"left").hexdigest()


def preferences_among(preferences: Mapping[str, Preferences], email: str) -> Preferences | None:
    """The preferences of one subscriber, among those of all by `address_key` or `left_mark`."""
    return preferences.get(address_key(email)) or preferences.get(left_mark(email))


def without_erased(
    subscribers: Sequence[Subscriber], preferences: Mapping[str, Preferences]
) -> tuple[Subscriber, ...]:
    """Those about whom anything may be stored."""
    if not any(name.startswith(_LEFT) for name in preferences):
        return tuple(subscribers)
    return tuple(one for one in subscribers if left_mark(one.email) not in preferences)


def apply_preferences(
    subscribers: Sequence[Subscriber], preferences: Mapping[str, Preferences]
) -> tuple[Subscriber, ...]:
    """The subscribers who have not left, in their order; `preferences` are as a store has them."""
    if not preferences:
        return tuple(subscribers)
    known = without_erased(subscribers, preferences)
    chosen = ((one, preferences.get(address_key(one.email))) for one in known)
    found = (one if own is None else adapted(one, own) for one, own in chosen)
    return tuple(one for one in found if one is not None)


def enrolled_by(preferences: Mapping[str, Preferences]) -> Mapping[str, object]:
    """The choices on which an enrolment depends."""
    return {
        address: (chosen.left_at is not None, chosen.followed)
        for address, chosen in preferences.items()
        if chosen.left_at or any(chosen.followed)
    }
