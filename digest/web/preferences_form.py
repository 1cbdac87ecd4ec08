"""The form on the preferences page: from choices to fields, and from the submitted form to choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b

from digest.config.parsing import WEEKDAYS, parse_length, parse_time, parse_weekday
from digest.keywords.names import keyword_names
from digest.model.digest import Length
from digest.subscribers.preferences import NEVER, Preferences, adapted
from digest.subscribers.subscriber import Keyword, Subscriber

LONGEST_PAUSE = timedelta(days=366)

DAYS = {
    NEVER: "Every day",
    "mon": "Mondays",
    "tue": "Tuesdays",
    "wed": "Wednesdays",
    "thu": "Thursdays",
    "fri": "Fridays",
    "sat": "Saturdays",
    "sun": "Sundays",
}

LENGTHS: Mapping[Length, str] = {
    "short": "Short (about 600 words)",
    "normal": "Normal (about 1,500 words)",
    "full": "Full (everything that fits)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordField:
    """A keyword with the checkbox that mutes it; `label` is its name for readers."""

    name: str
    text: str
    label: str
    is_muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields as shown; `errors` are by field name."""

    keywords: tuple[KeywordField, ...]
    at: str
    timezone: str
    weekly: str
    length: str
    paused_until: str
    first_day: str
    last_day: str
    errors: Mapping[str, str]


def build_form(
    subscriber: Subscriber, preferences: Preferences, now: datetime, errors: Mapping[str, str] | None = None
) -> Form:
    """`subscriber` is as in subscribers.toml."""
    chosen = adapted(subscriber, preferences) or subscriber
    today = now.astimezone(subscriber.send_schedule.timezone).date()
    until = preferences.paused_until
    own = {one.text: one.name for one in subscriber.keywords if one.name}
    labels = keyword_names([one.text for one in subscriber.keywords], own)
    return Form(
        keywords=tuple(
            KeywordField(
                name=_name(one),
                text=one.text,
                label=labels[one.text],
                is_muted=one.query.key in preferences.muted,
            )
            for one in subscriber.keywords
        ),
        at=f"{chosen.send_schedule.send_at:%H:%M}",
        timezone=chosen.send_schedule.timezone.key,
        weekly=_word(chosen.send_schedule.weekly),
        length=chosen.length,
        paused_until=until.isoformat() if until and until > today else "",
        first_day=(today + timedelta(days=1)).isoformat(),
        last_day=(today + LONGEST_PAUSE).isoformat(),
        errors=errors or {},
    )


def is_whole(sent: Mapping[str, Sequence[str]]) -> bool:
    """Whether the form is complete: each field that a browser always sends is there once."""
    return all(len(sent.get(name, ())) == 1 for name in ("at", "weekly", "length", "paused_until"))


def is_renewal(sent: Mapping[str, Sequence[str]]) -> bool:
    """Whether the button "Make new links" was pressed."""
    return list(sent.get("links", ())) == ["new"]


def is_return(sent: Mapping[str, Sequence[str]]) -> bool:
    """Whether the button "Subscribe again" was pressed."""
    return list(sent.get("return", ())) == ["yes"]


def parse_choices(
    sent: Mapping[str, Sequence[str]], subscriber: Subscriber, now: datetime
) -> tuple[Preferences, Mapping[str, str]]:
    """The choices that differ from the file, and the errors by field."""
    errors: dict[str, str] = {}
    written = subscriber.send_schedule
    at, weekly, long, until = (
        (sent.get(name) or [""])[0].strip() for name in ("at", "weekly", "length", "paused_until")
    )
    muted = set(sent.get("mute[]") or ())
    try:
        send_at = parse_time(at) if at else None
    except ValueError:
        errors["at"], send_at = "Choose a time from 00:00 to 23:59.", None
    try:
        day = parse_weekday(weekly) if weekly else written.weekly
    except ValueError:
        errors["weekly"], day = "Choose one of the days.", written.weekly
    try:
        length = parse_length(long) if long else subscriber.length
    except ValueError:
        errors["length"], length = "Choose one of the lengths.", subscriber.length
    today = now.astimezone(written.timezone).date()
    paused_until = _day(until)
    if until and (paused_until is None or not today < paused_until <= today + LONGEST_PAUSE):
        errors["paused_until"], paused_until = "Choose a day after today, within a year.", None
    chosen = Preferences(
        muted=tuple(one.query.key for one in subscriber.keywords if _name(one) in muted),
        send_at=None if send_at == written.send_at else send_at,
        weekly=None if day == written.weekly else _word(day),
        length=None if length == subscriber.length else length,
        paused_until=paused_until,
    )
    return chosen, errors


def _name(keyword: Keyword) -> str:
    """The name of the keyword in the form, independent of its place in the file."""
    return blake2b(keyword.query.key.encode(), digest_size=6).hexdigest()


def _word(weekly: int | None) -> str:
    return NEVER if weekly is None else WEEKDAYS[weekly]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
